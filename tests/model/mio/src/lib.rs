//! mio as wshub's models see it: what its poller uses, over the played kernel. Every socket is watched for reading and
//! writing, as wshub asks for both.

use std::io;
use std::kernel::{Reported, Watcher};
use std::time::Duration;

use unix::SourceFd;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(pub usize);

#[derive(Clone, Copy)]
pub struct Interest;

impl Interest {
    pub const READABLE: Interest = Interest;
    pub const WRITABLE: Interest = Interest;
}

impl std::ops::BitOr for Interest {
    type Output = Interest;

    fn bitor(self, _: Interest) -> Interest {
        Interest
    }
}

pub mod event {
    pub use super::Event;
}

pub mod unix {
    pub struct SourceFd<'a>(pub &'a std::os::fd::RawFd);
}

pub struct Registry(Watcher);

impl Registry {
    pub fn register(&self, source: &mut SourceFd<'_>, token: Token, _: Interest) -> io::Result<()> {
        self.0.add(*source.0, token.0)
    }

    pub fn deregister(&self, source: &mut SourceFd<'_>) -> io::Result<()> {
        self.0.remove(*source.0)
    }
}

pub struct Poll(Registry);

impl Poll {
    pub fn new() -> io::Result<Self> {
        Ok(Poll(Registry(Watcher::new())))
    }

    pub fn registry(&self) -> &Registry {
        &self.0
    }

    pub fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let reported = self.0.0.wait(events.capacity, timeout);
        events.list = reported.into_iter().map(Event).collect();
        Ok(())
    }
}

pub struct Waker(Watcher, Token);

impl Waker {
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Waker(registry.0.clone(), token))
    }

    pub fn wake(&self) -> io::Result<()> {
        self.0.wake(self.1.0);
        Ok(())
    }
}

pub struct Events {
    capacity: usize,
    list: Vec<Event>,
}

impl Events {
    pub fn with_capacity(capacity: usize) -> Self {
        Events {
            capacity,
            list: Vec::new(),
        }
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Event> {
        self.list.iter()
    }
}

pub struct Event(Reported);

impl Event {
    pub fn token(&self) -> Token {
        Token(self.0.token)
    }

    pub fn is_readable(&self) -> bool {
        self.0.readable
    }

    pub fn is_writable(&self) -> bool {
        self.0.writable
    }

    pub fn is_read_closed(&self) -> bool {
        self.0.read_closed
    }

    pub fn is_write_closed(&self) -> bool {
        self.0.write_closed
    }

    pub fn is_error(&self) -> bool {
        self.0.error
    }
}
