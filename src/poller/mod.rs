//! What is ready, what is due, and a wake-up: sockets watched by the system (epoll, kqueue, Windows), their instants,
//! and one value beside each.
//!
//! It knows descriptors, tokens and instants, not what is behind them. One thread at a time holds the poller; any
//! thread may wake it by its [`Bell`]. Edge-triggered: a socket costs no system call but its own reads, and is reported
//! again only when something new comes. The holder that does not take all that is there has to remember that.

mod bell;
mod deadlines;
mod event_loop;
mod mailbox;
mod ready_line;
#[cfg(unix)]
mod source;
mod waker;
#[cfg(windows)]
pub(crate) mod winsock;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use mio::{Events, Interest, Poll};

pub(crate) use bell::Bell;
use deadlines::Deadlines;
pub(crate) use event_loop::{EventLoop, Left, Next};
pub(crate) use mailbox::Mailbox;
#[cfg(unix)]
pub use source::Source;
#[cfg(unix)]
use source::{Registered, Sockets};
pub use waker::Waker;
#[cfg(windows)]
pub use winsock::Source;
#[cfg(windows)]
use winsock::{Registered, Sockets};

/// Sockets that one wait reports at most; what is left comes with the next.
const EVENTS: usize = 256;
/// The bell's token; no entry has it.
const BELL: mio::Token = mio::Token(usize::MAX);

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Token(u32);

impl Token {
    pub fn number(self) -> u32 {
        self.0
    }

    pub fn from_number(number: u32) -> Self {
        Token(number)
    }
}

/// What came up at a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub token: Token,
    /// A read finds something: bytes, the end, a failure.
    pub readable: bool,
    pub writable: bool,
    /// The peer's end, or a failure, is behind what is there: nothing more is reported.
    pub ended: bool,
}

pub(crate) struct Poller<T> {
    poll: Poll,
    events: Events,
    bell: Arc<Bell>,
    sockets: Sockets,
    entries: Vec<Option<Watched<T>>>,
    /// Numbers that are free again.
    free: Vec<u32>,
    deadlines: Deadlines,
}

struct Watched<T> {
    value: T,
    /// `None`: it has deadlines alone.
    registered: Option<Registered>,
}

impl<T> Poller<T> {
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let bell = Arc::new(Bell::new(mio::Waker::new(poll.registry(), BELL)?));
        Ok(Poller {
            poll,
            events: Events::with_capacity(EVENTS),
            sockets: Sockets::new(&bell),
            bell,
            entries: Vec::new(),
            free: Vec::new(),
            deadlines: Deadlines::new(),
        })
    }

    pub fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// A waker for streams without a source: it ends the poller's sleep.
    pub fn waker(&self) -> Waker {
        Waker::new(self.bell.clone())
    }

    /// Keeps `value`, and watches the source that `source` finds in it, from its present state on. Gives the value back
    /// where the system watches no more.
    pub fn insert(
        &mut self,
        value: T,
        source: impl FnOnce(&T) -> Option<Source<'_>>,
    ) -> Result<Token, (T, io::Error)> {
        let number = self.free.pop().unwrap_or(self.entries.len() as u32);
        let interests = Interest::READABLE | Interest::WRITABLE;
        let registered = source(&value).map(|source| {
            let token = mio::Token(number as usize);
            self.sockets
                .watch(source, self.poll.registry(), token, interests)
        });
        let registered = match registered.transpose() {
            Ok(registered) => registered,
            Err(error) => {
                if (number as usize) < self.entries.len() {
                    self.free.push(number);
                }
                return Err((value, error));
            }
        };
        let entry = Some(Watched { value, registered });
        match self.entries.get_mut(number as usize) {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
        Ok(Token(number))
    }

    pub fn get(&mut self, token: Token) -> Option<&mut T> {
        let entry = self.entries.get_mut(token.0 as usize)?.as_mut()?;
        Some(&mut entry.value)
    }

    /// Watches no longer, and gives the value back.
    pub fn remove(&mut self, token: Token) -> Option<T> {
        let entry = self.entries.get_mut(token.0 as usize)?.take()?;
        self.free.push(token.0);
        self.deadlines.forget(token);
        if let Some(registered) = entry.registered {
            registered.deregister(self.poll.registry());
        }
        Some(entry.value)
    }

    /// Every value, with its token.
    pub fn all(&mut self) -> impl Iterator<Item = (Token, &mut T)> {
        let entries = self.entries.iter_mut().zip(0..);
        entries.filter_map(|(entry, number)| Some((Token(number), &mut entry.as_mut()?.value)))
    }

    /// Makes [`next_due`](Poller::next_due) give `token` at this instant, or earlier.
    pub fn set_deadline(&mut self, token: Token, at: Instant) {
        self.deadlines.set(token, at);
    }

    /// A token whose deadline has passed; the deadline is removed.
    pub fn next_due(&mut self, now: Instant) -> Option<Token> {
        self.deadlines.next_due(now)
    }

    /// Sleeps until a socket is ready, a deadline or `until` has come, or the bell is rung; not at all where `idle`
    /// says, with the bell attentive, that there is something to do. Appends what is ready, and returns the earliest
    /// deadline of all.
    pub fn wait(
        &mut self,
        until: Option<Instant>,
        ready: &mut Vec<Ready>,
        idle: impl FnOnce() -> bool,
    ) -> Option<Instant> {
        let first = self.deadlines.first();
        let wake_at = [until, first].into_iter().flatten().min();
        let left = wake_at.map(|at| at.saturating_duration_since(Instant::now()));
        let sockets = &self.sockets;
        let idle = || !sockets.has_shut() && idle();
        let polled = self.bell.attend(idle, |idle| {
            let timeout = match idle {
                true => left,
                false => Some(std::time::Duration::ZERO),
            };
            self.poll.poll(&mut self.events, timeout)
        });
        // After an interrupted or failed wait the caller only looks too early.
        if polled.is_ok() {
            self.note_events(ready);
        }
        ready.extend(self.sockets.take_shut().into_iter().map(|token| Ready {
            token: Token(token.0 as u32),
            readable: true,
            writable: true,
            ended: true,
        }));
        first
    }

    fn note_events(&self, ready: &mut Vec<Ready>) {
        for event in self.events.iter().filter(|event| event.token() != BELL) {
            let number = event.token().0;
            if let Some(Some(Watched { registered, .. })) = self.entries.get(number) {
                registered.iter().for_each(|it| it.note_reported(event));
            }
            let ended = event.is_read_closed() || event.is_error();
            ready.push(Ready {
                token: Token(number as u32),
                readable: event.is_readable() || ended,
                writable: event.is_writable() || event.is_write_closed(),
                ended,
            });
        }
    }
}

#[cfg(test)]
mod tests;
