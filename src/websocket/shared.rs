//! The write side that the two halves of a split WebSocket share: one has it at a time, and what the
//! reader owes waits in a mailbox that whoever has it empties before letting go.

use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::must_wait;
use super::outgoing::{Outgoing, Refused};
use crate::limits::Limits;
use crate::lock::lock;
use crate::protocol::close::CloseCode;
use crate::protocol::opcode::Opcode;
use crate::transport::{self, How, Transport};

pub(super) struct Shared {
    pub transport: Box<dyn Transport>,
    pub write_timeout: Duration,
    pub close_timeout: Duration,
    state: Mutex<State>,
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
            write_timeout: limits.write_timeout,
            close_timeout: limits.close_timeout,
            state: Mutex::new(State {
                closing: outgoing.close_sent(),
                close_by: outgoing.close_deadline(),
                outgoing: Some(Box::new(outgoing)),
                mailbox: Mailbox::default(),
                sent: 0,
                answer_by: None,
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

    pub fn is_close_overdue(&self) -> bool {
        let deadline = lock(&self.state).close_by;
        deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    pub fn close_by(&self) -> Option<Instant> {
        lock(&self.state).close_by
    }

    /// The peer has sent its last: what is sent to it must begin within `close_timeout`.
    pub fn end_soon(&self) {
        lock(&self.state).answer_by = Instant::now().checked_add(self.close_timeout);
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
    /// or `write_timeout` has passed, which ends the connection.
    pub fn send(
        &self,
        add: impl FnOnce(&mut Outgoing) -> Result<(), Refused>,
    ) -> Result<(), SendFailure> {
        let deadline = Instant::now() + self.write_timeout;
        let mut outgoing = self.take(deadline)?;
        let added = add(&mut outgoing);
        let written = self.write_all(&mut outgoing, deadline);
        self.give_back(outgoing, written, Some(deadline))?;
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
            state.close_by = Instant::now().checked_add(self.close_timeout);
        }
        state.mailbox.put(owed);
        self.try_to_empty(state)
    }

    /// The reader's next try for what the stream refused.
    pub fn retry(&self) -> io::Result<Tried> {
        self.try_to_empty(lock(&self.state))
    }

    fn try_to_empty(&self, mut state: MutexGuard<'_, State>) -> io::Result<Tried> {
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
    pub fn drain(&self, deadline: Instant) -> bool {
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
                    let written = self.write_all(&mut outgoing, deadline);
                    if self.give_back(outgoing, written, Some(deadline)).is_err() {
                        return false;
                    }
                }
                None if !self.wait(state, deadline) => return false,
                None => {}
            }
        }
    }

    /// The write side, for the writer. The reader has it only for as long as a try takes.
    fn take(&self, deadline: Instant) -> Result<Box<Outgoing>, SendFailure> {
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
            if !self.wait(state, deadline) {
                return Err(SendFailure::Stuck);
            }
        }
    }

    /// Waits for a change; false when the deadline has passed.
    fn wait(&self, state: MutexGuard<'_, State>, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let waited = self.changed.wait_timeout(state, left);
        drop(waited.unwrap_or_else(PoisonError::into_inner).0);
        true
    }

    fn write_all(&self, outgoing: &mut Outgoing, deadline: Instant) -> io::Result<()> {
        outgoing.write(|bytes| {
            loop {
                match self.try_write_once(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        transport::wait_writable(&*self.transport, deadline)?;
                    }
                    done => return done,
                }
            }
        })
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
    /// until `deadline`, or without one as far as the stream takes it at once.
    fn give_back(
        &self,
        mut outgoing: Box<Outgoing>,
        mut written: io::Result<()>,
        deadline: Option<Instant>,
    ) -> Result<(), SendFailure> {
        loop {
            if let Err(error) = &written {
                if deadline.is_some() || !must_wait(error) {
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
                state.close_by = state.close_by.or(outgoing.close_deadline());
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
            written = match deadline {
                Some(deadline) => self.write_all(&mut outgoing, deadline),
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
