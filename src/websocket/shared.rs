//! The write side that the two halves of a split WebSocket share: one has it at a time, and what the
//! reader owes waits in a mailbox that whoever has it empties before letting go.

use std::io::{self, IoSlice};
use std::sync::Condvar;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::must_wait;
use super::outgoing::{Outgoing, Refused};
use crate::connection::conversation::Answers;
use crate::limits::Limits;
use crate::lock::{Guard, HALVES, Mutex, lock};
use crate::patience::{Patience, renewed};
use crate::protocol::close::CloseCode;
use crate::protocol::opcode::Opcode;
use crate::protocol::pace::Pace;
use crate::transport::{self, How, Transport};

pub(super) struct Shared {
    pub transport: Box<dyn Transport>,
    pub writing: Pace,
    pub closing: Pace,
    state: Mutex<State, HALVES>,
    /// The writer has ended it: what was read before is for nobody.
    terminated: AtomicBool,
    /// The write side was given back, or nothing can be sent any more.
    changed: Condvar,
}

struct State {
    /// `None` while a half has it, and after a failure.
    outgoing: Option<Box<Outgoing>>,
    mailbox: Mailbox,
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
    failure: Option<Failure>,
}

/// Why nothing can be sent any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The peer does not read.
    SlowConsumer,
    /// The stream took no more.
    Stream(io::ErrorKind),
    /// The reader saw the end, or the writer made it.
    Ended,
}

/// What the reader owes: one of a kind, the latest.
#[derive(Default)]
struct Mailbox {
    pong: Option<Vec<u8>>,
    ping: bool,
    close: Option<(Option<CloseCode>, String)>,
}

pub(super) enum Owed<'a> {
    Pong(&'a [u8]),
    Ping,
    Close(Option<CloseCode>, &'a str),
}

/// What came of the reader's try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// Everything has left, or will by the hand of the writer.
    Done,
    /// The stream takes nothing now.
    Stuck,
}

impl Mailbox {
    fn put(&mut self, owed: Owed<'_>) {
        match owed {
            Owed::Pong(payload) => self.pong = Some(payload.to_vec()),
            Owed::Ping => self.ping = true,
            Owed::Close(code, reason) => self.close = Some((code, reason.to_owned())),
        }
    }

    fn is_empty(&self) -> bool {
        self.pong.is_none() && !self.ping && self.close.is_none()
    }

    fn move_to(self, outgoing: &mut Outgoing) -> io::Result<()> {
        if let Some(payload) = self.pong {
            outgoing.pong(&payload)?;
        }
        if self.ping {
            match outgoing.frame(Opcode::Ping, &[], false) {
                Err(Refused::NoKey(error)) => return Err(error),
                Ok(()) | Err(Refused::AfterClose) => {}
            }
        }
        if let Some((code, reason)) = self.close {
            outgoing.close(code, &reason)?;
        }
        Ok(())
    }
}

impl State {
    fn is_answer_overdue(&self) -> bool {
        self.answer_by.is_some_and(|by| by <= Instant::now())
    }
}

impl Shared {
    pub fn new(transport: Box<dyn Transport>, limits: &Limits, outgoing: Outgoing) -> Self {
        Shared {
            transport,
            writing: limits.writing(),
            closing: limits.closing(),
            state: Mutex::new(State {
                closing: outgoing.close_sent(),
                close_by: outgoing.close_by(),
                outgoing: Some(Box::new(outgoing)),
                mailbox: Mailbox::default(),
                sent: 0,
                answer_by: None,
                taken: 0,
                taken_at: None,
                failure: None,
            }),
            terminated: AtomicBool::new(false),
            changed: Condvar::new(),
        }
    }

    /// Ends the stream at once, and the reader with it.
    pub fn terminate(&self) {
        self.terminated.store(true, Ordering::SeqCst);
        self.fail(Failure::Ended, Some(How::Reset));
    }

    pub fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::SeqCst)
    }

    pub fn failure(&self) -> Option<Failure> {
        lock(&self.state).failure
    }

    pub fn sent(&self) -> u64 {
        lock(&self.state).sent
    }

    /// Nothing can be sent any more.
    pub fn is_closed(&self) -> bool {
        let state = lock(&self.state);
        state.closing || state.failure.is_some() || state.is_answer_overdue()
    }

    pub fn close_by(&self) -> Option<Instant> {
        lock(&self.state).close_by
    }

    /// The peer has sent its last: what is sent to it must begin within `close_timeout`.
    pub fn end_soon(&self) {
        lock(&self.state).answer_by = Instant::now().checked_add(self.closing.patience);
    }

    /// When the peer has last made room for what waits.
    pub fn taken_at(&self) -> Option<Instant> {
        lock(&self.state).taken_at
    }

    /// Nothing is sent any more; who waits is told.
    pub fn fail(&self, failure: Failure, how: Option<How>) {
        let mut state = lock(&self.state);
        state.failure.get_or_insert(failure);
        state.outgoing = None;
        drop(state);
        self.changed.notify_all();
        if let Some(how) = how {
            self.transport.shutdown(how);
        }
    }

    /// The writer's way: has `add` put a frame behind what waits, and writes until all has left,
    /// or the peer has been too slow, which ends the connection.
    pub fn send(
        &self,
        add: impl FnOnce(&mut Outgoing) -> Result<(), Refused>,
    ) -> Result<(), SendFailure> {
        let mut patience = Patience::paced(Instant::now(), self.writing);
        let mut outgoing = self.take(&mut patience)?;
        let added = add(&mut outgoing);
        let written = self.write_all(&mut outgoing, &mut patience);
        self.give_back(outgoing, written, Some(&mut patience))?;
        Ok(added?)
    }

    /// The reader's way: what it owes leaves now if that needs no waiting, else by the hand of who
    /// has the write side, or with the next try.
    pub fn owe(&self, owed: Owed<'_>) -> io::Result<Tried> {
        let mut state = lock(&self.state);
        if state.closing || state.failure.is_some() {
            return Ok(Tried::Done);
        }
        if matches!(owed, Owed::Close(..)) {
            state.closing = true;
            state.close_by = Instant::now().checked_add(self.closing.patience);
        }
        state.mailbox.put(owed);
        self.try_to_empty(state)
    }

    /// The reader's next try for what the stream refused.
    pub fn retry(&self) -> io::Result<Tried> {
        self.try_to_empty(lock(&self.state))
    }

    fn try_to_empty(&self, mut state: Guard<'_, State>) -> io::Result<Tried> {
        let idle = state.mailbox.is_empty();
        let Some(outgoing) = state
            .outgoing
            .take_if(|outgoing| !(idle && outgoing.is_empty()))
        else {
            return Ok(Tried::Done);
        };
        drop(state);
        match self.give_back(outgoing, Ok(()), None) {
            Ok(()) => Ok(Tried::Done),
            Err(SendFailure::Stuck) => Ok(Tried::Stuck),
            Err(SendFailure::NoKey(error)) => Err(error),
            // Reading shows how the connection ended.
            Err(SendFailure::Failed(_) | SendFailure::Closed) => Ok(Tried::Done),
        }
    }

    /// Waits until nothing is to be sent any more; false where that does not happen in time.
    pub fn drain(&self) -> bool {
        let mut patience = Patience::paced(Instant::now(), self.closing);
        let mut seen = None;
        loop {
            let mut state = lock(&self.state);
            if state.failure.is_some() {
                return false;
            }
            let idle = state.mailbox.is_empty();
            match state.outgoing.take() {
                Some(outgoing) if idle && outgoing.is_empty() => {
                    state.outgoing = Some(outgoing);
                    return true;
                }
                Some(mut outgoing) => {
                    drop(state);
                    let written = self.write_all(&mut outgoing, &mut patience);
                    let given = self.give_back(outgoing, written, Some(&mut patience));
                    if given.is_err() {
                        return false;
                    }
                }
                None if !self.wait(state, &mut patience, &mut seen) => return false,
                None => {}
            }
        }
    }

    /// The write side, for the writer. The reader has it only for as long as a try takes.
    fn take(&self, patience: &mut Patience) -> Result<Box<Outgoing>, SendFailure> {
        let mut seen = None;
        loop {
            let mut state = lock(&self.state);
            if let Some(failure) = state.failure {
                return Err(SendFailure::Failed(failure));
            }
            if state.closing {
                return Err(SendFailure::Closed);
            }
            if state.is_answer_overdue() {
                drop(state);
                self.fail(Failure::Ended, Some(How::Both));
                continue;
            }
            if let Some(outgoing) = state.outgoing.take() {
                return Ok(outgoing);
            }
            if !self.wait(state, patience, &mut seen) {
                return Err(SendFailure::Stuck);
            }
        }
    }

    /// Waits for a change; false when the time is up. What whoever writes gets rid of meanwhile is
    /// progress; `seen` is how much that was at the last look.
    fn wait(
        &self,
        state: Guard<'_, State>,
        patience: &mut Patience,
        seen: &mut Option<u64>,
    ) -> bool {
        let taken = state.taken;
        let news = taken - seen.replace(taken).unwrap_or(taken);
        patience.progressed(usize::try_from(news).unwrap_or(usize::MAX));
        let left = patience
            .deadline()
            .saturating_duration_since(Instant::now());
        if left.is_zero() && !patience.allows_another_try() {
            return false;
        }
        drop(state.wait_timeout(&self.changed, left));
        true
    }

    fn write_all(&self, outgoing: &mut Outgoing, patience: &mut Patience) -> io::Result<()> {
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

    /// So many bytes have left before the stream took nothing more: others that wait are told of it.
    fn note_taken(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let now = Instant::now();
        let mut state = lock(&self.state);
        state.taken += bytes as u64;
        state.taken_at = Some(now);
        let close_by = state.close_by;
        state.close_by = close_by.map(|by| renewed(by, self.closing, bytes, now));
    }

    /// A signal is as good as a stream that takes nothing now: the deadline is looked at.
    fn try_write_once(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.transport.try_write(&[IoSlice::new(bytes)]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            done => done,
        }
    }

    /// Lets go of the write side, but only when the mailbox is empty: what is in there leaves before,
    /// as patiently as is said, or without patience as far as the stream takes it at once.
    fn give_back(
        &self,
        mut outgoing: Box<Outgoing>,
        mut written: io::Result<()>,
        mut patience: Option<&mut Patience>,
    ) -> Result<(), SendFailure> {
        loop {
            if let Err(error) = &written {
                if patience.is_some() || !must_wait(error) {
                    return Err(self.give_up(error));
                }
            }
            let mut state = lock(&self.state);
            if let Some(failure) = state.failure {
                return Err(SendFailure::Failed(failure));
            }
            let mailbox = std::mem::take(&mut state.mailbox);
            let stuck = written.is_err();
            if mailbox.is_empty() && (stuck || outgoing.is_empty()) {
                state.closing |= outgoing.close_sent();
                state.close_by = state.close_by.or(outgoing.close_by());
                if !stuck {
                    state.sent = outgoing.messages();
                }
                state.outgoing = Some(outgoing);
                drop(state);
                self.changed.notify_all();
                return match stuck {
                    true => Err(SendFailure::Stuck),
                    false => Ok(()),
                };
            }
            drop(state);
            if let Err(error) = mailbox.move_to(&mut outgoing) {
                // Without a key nothing can be sent: not this, and no Close either.
                self.fail(Failure::Stream(error.kind()), None);
                return Err(SendFailure::NoKey(error));
            }
            written = match &mut patience {
                Some(patience) => self.write_all(&mut outgoing, patience),
                None => outgoing.write(|bytes| self.try_write_once(bytes)),
            };
        }
    }

    fn give_up(&self, error: &io::Error) -> SendFailure {
        let (failure, how) = match must_wait(error) {
            // A frame is cut in two: nothing else can follow.
            true => (Failure::SlowConsumer, Some(How::Reset)),
            // What the peer still sent can be read.
            false => (Failure::Stream(error.kind()), None),
        };
        self.fail(failure, how);
        SendFailure::Failed(lock(&self.state).failure.unwrap_or(failure))
    }
}

/// Why the writer's frame was not sent.
#[derive(Debug)]
pub(super) enum SendFailure {
    Closed,
    /// The stream took nothing now; only for a try.
    Stuck,
    NoKey(io::Error),
    Failed(Failure),
}

impl From<Refused> for SendFailure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::AfterClose => SendFailure::Closed,
            Refused::NoKey(error) => SendFailure::NoKey(error),
        }
    }
}
