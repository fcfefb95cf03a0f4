//! Values that are watched and have turns: each does something when it is ready, due or called, and says what that
//! leaves to do for it. A panic costs that value alone.

use std::time::Instant;

use super::ready_line::ReadyLine;
use super::{Poller, Ready, Token};
use crate::panics;

pub(crate) struct EventLoop<T> {
    pub poller: Poller<T>,
    /// What the last look found and was not seen to yet, the next one last.
    found: Vec<Ready>,
    /// Values that are to have a turn.
    pub turns: ReadyLine,
}

/// What there is left to do for a value.
pub(crate) enum Next {
    /// Nothing until something comes, or this deadline; `None`: no earlier one than before.
    Wait(Option<Instant>),
    /// Another turn after those of others: more may be there.
    Again(Option<Instant>),
    /// Something that takes time: it is watched no longer, and gets a thread.
    NeedsThread,
    Gone,
}

/// A value that is watched no longer, and why.
pub(crate) enum Left<T> {
    Gone(T),
    NeedsThread(T),
    /// It has panicked.
    Broken(T),
}

impl Next {
    /// What both leave to do.
    pub fn and(self, other: Next) -> Next {
        let earlier = |one: Option<Instant>, other| [one, other].into_iter().flatten().min();
        match (self, other) {
            (Next::Gone, _) | (_, Next::Gone) => Next::Gone,
            (Next::NeedsThread, _) | (_, Next::NeedsThread) => Next::NeedsThread,
            (Next::Wait(one), Next::Wait(other)) => Next::Wait(earlier(one, other)),
            (Next::Again(one) | Next::Wait(one), Next::Again(other) | Next::Wait(other)) => {
                Next::Again(earlier(one, other))
            }
        }
    }
}

impl<T> EventLoop<T> {
    pub fn new(poller: Poller<T>) -> Self {
        EventLoop {
            poller,
            found: Vec::new(),
            turns: ReadyLine::default(),
        }
    }

    /// As [`Poller::wait`]; it does not sleep while a value waits for its turn.
    pub fn wait(&mut self, until: Option<Instant>, idle: impl FnOnce() -> bool) -> Option<Instant> {
        let idle = || self.turns.is_empty() && idle();
        let first = self.poller.wait(until, &mut self.found, idle);
        self.found.reverse();
        first
    }

    /// The next of what was found, which is then seen to.
    pub fn next_found(&mut self) -> Option<Ready> {
        self.found.pop()
    }

    /// Has a value do something, and notes what that leaves to do. Gives it back if it is to be watched no longer.
    pub fn with(&mut self, token: Token, act: impl FnOnce(&mut T) -> Next) -> Option<Left<T>> {
        let value = self.poller.get(token)?;
        let left: fn(T) -> Left<T> = match panics::catch(|| act(value)) {
            Ok(Next::Wait(at)) => {
                self.wake_by(token, at);
                return None;
            }
            Ok(Next::Again(at)) => {
                self.wake_by(token, at);
                self.turns.push(token);
                return None;
            }
            Ok(Next::NeedsThread) => Left::NeedsThread,
            Ok(Next::Gone) => Left::Gone,
            Err(_) => Left::Broken,
        };
        self.poller.remove(token).map(left)
    }

    fn wake_by(&mut self, token: Token, at: Option<Instant>) {
        if let Some(at) = at {
            self.poller.set_deadline(token, at);
        }
    }
}
