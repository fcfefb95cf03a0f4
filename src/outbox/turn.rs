//! Writing to a stream of the user's own, none of whose code runs under the lock. One thread at a time has the turn: it
//! copies what leaves next, releases the lock, and writes. What others send meanwhile is kept.
//!
//! A stream of wshub's own is written to under the lock, which costs less.

use std::io::{self, IoSlice};

use crate::transport::Transport;

/// The state of the turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// The stream is the user's own. For a stream of wshub's own no thread takes the turn.
    pub is_needed: bool,
    /// A thread writes, without the lock.
    pub taken: bool,
    /// Other threads came meanwhile; the thread that has the turn calls the leader for them.
    pub missed: bool,
    /// The stream has refused a part of what is kept. Until then what is kept is only on its way, and no bound applies.
    pub blocked: bool,
    /// Threads that wait for the turn to be given back.
    pub waiting: u32,
    /// The last write took less than it was offered: the stream will say when it has room again.
    pub full: bool,
}

impl Turn {
    /// For a stream of wshub's own.
    pub const UNNEEDED: Turn = Turn {
        is_needed: false,
        taken: false,
        missed: false,
        blocked: true,
        waiting: 0,
        full: true,
    };
    /// For one of the user's own.
    pub const FREE: Turn = Turn {
        is_needed: true,
        blocked: false,
        full: false,
        ..Turn::UNNEEDED
    };

    /// Offers bytes to a stream of wshub's own. One of the user's own takes nothing here: the thread that has the turn
    /// writes to it, without the lock.
    pub fn offer(&self, transport: &dyn Transport, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.is_needed {
            false => transport.try_write(slices),
            true => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Whether other threads came while one had the turn; resets that.
    pub fn take_missed(&mut self) -> bool {
        !self.taken && std::mem::take(&mut self.missed)
    }

    /// True if what is kept is about to be written by the thread that keeps it.
    pub fn is_coming(&self) -> bool {
        !self.taken && !self.blocked
    }

    /// A write is over. `full`: it took less than it was offered. `waits`: something is kept still.
    pub fn give_back(&mut self, full: bool, waits: bool) {
        self.taken = false;
        self.blocked = waits && (self.blocked || full);
        self.full = full;
    }
}
