//! The write side that the two halves of a split WebSocket share. One half has it at a time. What the reader owes waits
//! beside it: the thread that has the write side sends that before it gives the write side back.

use std::io::{self, IoSlice};
use std::sync::Condvar;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::stream_error::{io_kind, must_wait, stream_failure};
use super::write_buffer::WriteBuffer;
use crate::connection::conversation::Answers;
use crate::error::SendErrorKind;
use crate::limits::Limits;
use crate::lock::{Guard, HALVES, Mutex, lock};
use crate::patience::{Patience, renewed};
use crate::protocol::close::CloseCode;
use crate::protocol::pace::Pace;
use crate::transport::{self, How, Transport};

/// What the reader owes is sent so often by a writer that comes back to the application then: a peer may ping faster
/// than its pings are answered.
const MOST_OWED: u32 = 16;

pub(crate) struct SharedWriter {
    pub transport: Box<dyn Transport>,
    pub writing: Pace,
    pub closing: Pace,
    side: Mutex<WriteSide, HALVES>,
    /// The writer has ended it: what was read before is dropped.
    terminated: AtomicBool,
    /// The write side was given back, or nothing can be sent any more.
    changed: Condvar,
}

struct WriteSide {
    /// `None` while a half has it, and after a failure.
    outgoing: Option<Box<WriteBuffer>>,
    owed: Owed,
    /// Messages of `outgoing` that the stream has taken.
    sent: u64,
    /// A Close was sent, or is owed: nothing else will be.
    closing: bool,
    /// Until when the peer has to finish the closing handshake.
    close_by: Option<Instant>,
    /// Until when the writer may answer a peer that has sent its last without a Close.
    answer_by: Option<Instant>,
    /// Bytes that the stream has taken of what had to wait, and when the latest.
    taken: u64,
    taken_at: Option<Instant>,
    /// A message is under way in fragments: others wait for its last.
    is_amid_message: bool,
    /// Why nothing can be sent any more. `Closed`: the reader saw the end, or the writer ended the connection.
    failure: Option<SendErrorKind>,
}

/// What the reader owes: one of a kind, the latest.
#[derive(Default)]
pub(crate) struct Owed {
    pub pong: Option<Vec<u8>>,
    pub ping: bool,
    pub close: Option<(Option<CloseCode>, String)>,
}

/// What a half sends: no message comes between the fragments of another one (RFC 6455 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    Message,
    FirstFragment,
    Fragment,
    Control,
}

/// The result of the reader's try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteAttempt {
    /// Everything has left, or the writer has the write side, or it never leaves: reading shows how the connection
    /// ended.
    Done,
    /// The writer has the write side. It sends what is owed, unless it has sent so much of that already.
    Held,
    /// The stream takes nothing now.
    Stuck,
}

impl Owed {
    fn is_empty(&self) -> bool {
        self.pong.is_none() && !self.ping && self.close.is_none()
    }

    fn move_to(self, outgoing: &mut WriteBuffer) -> io::Result<()> {
        if let Some(payload) = self.pong {
            outgoing.pong(&payload)?;
        }
        if self.ping {
            outgoing.ping()?;
        }
        if let Some((code, reason)) = self.close {
            outgoing.close(code, &reason)?;
        }
        Ok(())
    }
}

impl WriteSide {
    fn is_answer_overdue(&self, now: Instant) -> bool {
        self.answer_by.is_some_and(|by| by <= now)
    }
}

impl SharedWriter {
    pub fn new(transport: Box<dyn Transport>, limits: &Limits, outgoing: WriteBuffer) -> Self {
        SharedWriter {
            transport,
            writing: limits.writing(),
            closing: limits.closing(),
            side: Mutex::new(WriteSide {
                closing: outgoing.close_sent(),
                close_by: outgoing.close_by(),
                outgoing: Some(Box::new(outgoing)),
                owed: Owed::default(),
                sent: 0,
                answer_by: None,
                taken: 0,
                taken_at: None,
                is_amid_message: false,
                failure: None,
            }),
            terminated: AtomicBool::new(false),
            changed: Condvar::new(),
        }
    }

    /// Ends the stream at once, and the reader with it.
    pub fn terminate(&self) {
        self.terminated.store(true, Ordering::SeqCst);
        self.fail(SendErrorKind::Closed, Some(How::Reset));
    }

    pub fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::SeqCst)
    }

    pub fn failure(&self) -> Option<SendErrorKind> {
        lock(&self.side).failure
    }

    pub fn sent(&self) -> u64 {
        lock(&self.side).sent
    }

    /// Nothing can be sent any more.
    pub fn is_closed(&self) -> bool {
        let side = lock(&self.side);
        side.closing || side.failure.is_some() || side.is_answer_overdue(self.transport.now())
    }

    pub fn close_by(&self) -> Option<Instant> {
        lock(&self.side).close_by
    }

    /// The peer has sent its last: what is sent to it must begin within `close_timeout`.
    pub fn end_soon(&self) {
        lock(&self.side).answer_by = self.transport.now().checked_add(self.closing.patience);
    }

    /// When the peer has last made room for what waits.
    pub fn taken_at(&self) -> Option<Instant> {
        lock(&self.side).taken_at
    }

    /// Nothing is sent any more. Returns the first reason for that. Waiting threads are woken.
    pub fn fail(&self, failure: SendErrorKind, how: Option<How>) -> SendErrorKind {
        let mut side = lock(&self.side);
        let failure = *side.failure.get_or_insert(failure);
        side.outgoing = None;
        drop(side);
        self.changed.notify_all();
        if let Some(how) = how {
            self.transport.shutdown(how);
        }
        failure
    }

    /// For the writer: calls `add` to append a frame, if no Close was sent, and writes until all has left. A peer that
    /// is too slow ends the connection.
    pub fn send(
        &self,
        sending: Sending,
        add: impl FnOnce(&mut WriteBuffer) -> io::Result<bool>,
    ) -> Result<(), SendErrorKind> {
        let mut patience = Patience::paced(self.transport.now(), self.writing);
        let mut outgoing = self.take(sending, &mut patience)?;
        let added = add(&mut outgoing);
        let written = self.write_all(&mut outgoing, &mut patience);
        let given_back = self.give_back(outgoing, written, Some(&mut patience));
        let sent = given_back.and_then(|_| match added.map_err(io_kind)? {
            true => Ok(()),
            false => Err(SendErrorKind::Closed),
        });
        if sent.is_err() && sending == Sending::FirstFragment {
            self.end_message();
        }
        sent
    }

    /// No message is under way in fragments any more.
    pub fn end_message(&self) {
        lock(&self.side).is_amid_message = false;
        self.changed.notify_all();
    }

    /// For the reader: what it owes leaves now if that needs no waiting. Otherwise the thread that has the write side
    /// sends it, or the next try does.
    pub fn owe(&self, owe: impl FnOnce(&mut Owed)) -> WriteAttempt {
        let mut side = lock(&self.side);
        if side.closing || side.failure.is_some() {
            return WriteAttempt::Done;
        }
        owe(&mut side.owed);
        if side.owed.close.is_some() {
            side.closing = true;
            side.close_by = self.transport.now().checked_add(self.closing.patience);
        }
        match self.try_to_empty(side) {
            // It is asked again before the reader waits.
            WriteAttempt::Held => WriteAttempt::Done,
            tried => tried,
        }
    }

    /// The reader's next try for what the stream refused, or a writer has left.
    pub fn retry(&self) -> WriteAttempt {
        self.try_to_empty(lock(&self.side))
    }

    fn try_to_empty(&self, mut side: Guard<'_, WriteSide>) -> WriteAttempt {
        let idle = side.owed.is_empty();
        let is_held = side.outgoing.is_none() && side.failure.is_none();
        let outgoing = side
            .outgoing
            .take_if(|outgoing| !(idle && outgoing.is_empty()));
        drop(side);
        match outgoing {
            Some(outgoing) => self
                .give_back(outgoing, Ok(()), None)
                .unwrap_or(WriteAttempt::Done),
            None if is_held && !idle => WriteAttempt::Held,
            None => WriteAttempt::Done,
        }
    }

    /// Waits until nothing is left to be sent; false if that does not happen in time.
    pub fn drain(&self) -> bool {
        let mut patience = Patience::paced(self.transport.now(), self.closing);
        let mut seen = None;
        loop {
            let mut side = lock(&self.side);
            if side.failure.is_some() {
                return false;
            }
            let idle = side.owed.is_empty();
            match side.outgoing.take() {
                Some(outgoing) if idle && outgoing.is_empty() => {
                    side.outgoing = Some(outgoing);
                    return true;
                }
                Some(mut outgoing) => {
                    drop(side);
                    let written = self.write_all(&mut outgoing, &mut patience);
                    let given = self.give_back(outgoing, written, Some(&mut patience));
                    if given.is_err() {
                        return false;
                    }
                }
                None if !self.wait(side, &mut patience, &mut seen) => return false,
                None => {}
            }
        }
    }

    /// The write side, for the writer. The reader has it only for as long as a try takes.
    fn take(
        &self,
        sending: Sending,
        patience: &mut Patience,
    ) -> Result<Box<WriteBuffer>, SendErrorKind> {
        let mut seen = None;
        loop {
            let mut side = lock(&self.side);
            if let Some(failure) = side.failure {
                return Err(failure);
            }
            if side.closing {
                return Err(SendErrorKind::Closed);
            }
            if side.is_answer_overdue(self.transport.now()) {
                drop(side);
                self.fail(SendErrorKind::Closed, Some(How::Both));
                continue;
            }
            let begins = matches!(sending, Sending::Message | Sending::FirstFragment);
            let is_behind_message = side.is_amid_message && begins;
            if let Some(outgoing) = side.outgoing.take_if(|_| !is_behind_message) {
                side.is_amid_message |= sending == Sending::FirstFragment;
                return Ok(outgoing);
            }
            if !self.wait(side, patience, &mut seen) {
                return Err(match is_behind_message {
                    true => SendErrorKind::Full,
                    false => SendErrorKind::SlowConsumer,
                });
            }
        }
    }

    /// Waits for a change; false when the time is up. Bytes that the writing thread gets rid of are progress; `seen` is
    /// how many those were at the last look.
    fn wait(
        &self,
        side: Guard<'_, WriteSide>,
        patience: &mut Patience,
        seen: &mut Option<u64>,
    ) -> bool {
        let taken = side.taken;
        let news = taken - seen.replace(taken).unwrap_or(taken);
        let now = self.transport.now();
        patience.progressed(usize::try_from(news).unwrap_or(usize::MAX), now);
        let left = patience.deadline().saturating_duration_since(now);
        if left.is_zero() && !patience.allows_another_try(now) {
            return false;
        }
        drop(side.wait_timeout(&self.changed, left));
        true
    }

    fn write_all(&self, outgoing: &mut WriteBuffer, patience: &mut Patience) -> io::Result<()> {
        let mut fresh = 0;
        outgoing.write(|bytes| {
            loop {
                match self.try_write_once(bytes) {
                    Ok(written) => {
                        fresh += written;
                        return Ok(written);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.note_taken(fresh);
                        let written = std::mem::take(&mut fresh);
                        transport::wait_for_room(&*self.transport, patience, written)?;
                    }
                    Err(error) => return Err(error),
                }
            }
        })
    }

    /// The stream took `bytes` bytes and then refused: other threads that wait are told.
    fn note_taken(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let now = self.transport.now();
        let mut side = lock(&self.side);
        side.taken += bytes as u64;
        side.taken_at = Some(now);
        let close_by = side.close_by;
        side.close_by = close_by.map(|by| renewed(by, self.closing, bytes, now));
    }

    /// A signal counts as a stream that takes nothing now: the deadline is checked.
    fn try_write_once(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.transport.try_write(&[IoSlice::new(bytes)]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            done => done,
        }
    }

    /// Gives the write side back. What the reader owes leaves first: within `patience`, or without one as far as the
    /// stream takes it at once. If it owes more each time, the rest is left to the reader, which tries before it waits,
    /// and again soon where a writer has the write side then.
    fn give_back(
        &self,
        mut outgoing: Box<WriteBuffer>,
        mut written: io::Result<()>,
        mut patience: Option<&mut Patience>,
    ) -> Result<WriteAttempt, SendErrorKind> {
        let mut rounds = 0;
        loop {
            if let Err(error) = &written {
                if patience.is_some() || !must_wait(error) {
                    return Err(self.give_up(error));
                }
            }
            let mut side = lock(&self.side);
            if let Some(failure) = side.failure {
                return Err(failure);
            }
            let stuck = written.is_err();
            let is_done = side.owed.is_empty() || rounds >= MOST_OWED;
            if is_done && (stuck || outgoing.is_empty()) {
                side.closing |= outgoing.close_sent();
                side.close_by = side.close_by.or(outgoing.close_by());
                if !stuck {
                    side.sent = outgoing.messages();
                }
                side.outgoing = Some(outgoing);
                drop(side);
                self.changed.notify_all();
                return Ok(match stuck {
                    true => WriteAttempt::Stuck,
                    false => WriteAttempt::Done,
                });
            }
            rounds += 1;
            let owed = std::mem::take(&mut side.owed);
            drop(side);
            if let Err(error) = owed.move_to(&mut outgoing) {
                // Without a key nothing can be sent: not this, and no Close either.
                return Err(self.fail(io_kind(error), Some(How::Reset)));
            }
            written = match &mut patience {
                Some(patience) => self.write_all(&mut outgoing, patience),
                None => outgoing.write(|bytes| self.try_write_once(bytes)),
            };
        }
    }

    /// Writing failed for good.
    fn give_up(&self, error: &io::Error) -> SendErrorKind {
        match must_wait(error) {
            // A frame is cut in two: nothing else can follow.
            true => self.fail(SendErrorKind::SlowConsumer, Some(How::Reset)),
            // What the peer still sent can be read.
            false => self.fail(stream_failure(error.kind()), None),
        }
    }
}

#[cfg(test)]
mod tests;
