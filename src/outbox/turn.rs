//! Writing to a stream of the user's own, none of whose code runs under the lock. One thread at a time has the turn: it
//! copies what leaves next, lets go of the lock, and writes; what others send meanwhile is kept behind that.
//!
//! A stream of wshub's own is written to under the lock, which costs less.

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::Outbox;
use super::queue::COLLECT;
use super::state::State;
use crate::stats::Counters;
use crate::transport::Transport;

/// How it stands with the turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// The stream is the user's own. Over one of wshub's own nobody takes the turn.
    pub is_needed: bool,
    /// A thread writes, without the lock.
    pub taken: bool,
    /// Others came meanwhile, and left it to that thread to call the leader.
    missed: bool,
    /// The stream has refused a part of what is kept. Before, all of that is only on its way, and held to no bounds.
    pub refused: bool,
    /// The last write took less than it was offered: the stream says when there is room again.
    pub full: bool,
}

impl Turn {
    /// For a stream of wshub's own.
    pub const UNNEEDED: Turn = Turn {
        is_needed: false,
        taken: false,
        missed: false,
        refused: true,
        full: true,
    };
    /// For one of the user's own.
    pub const FREE: Turn = Turn {
        is_needed: true,
        refused: false,
        full: false,
        ..Turn::UNNEEDED
    };

    /// True if nobody writes, though the stream may have room.
    pub fn is_idle(&self) -> bool {
        !self.taken && !self.full
    }

    /// Whether others came while a thread had the turn, which it has no more.
    pub fn take_missed(&mut self) -> bool {
        !self.taken && std::mem::take(&mut self.missed)
    }

    /// True if what is kept is about to be written by the thread that keeps it.
    pub fn is_coming(&self) -> bool {
        !self.taken && !self.refused
    }

    /// A write is over. `full`: it took less than it was offered. `waits`: something is kept still.
    pub fn give_back(&mut self, full: bool, waits: bool) {
        self.taken = false;
        self.refused = waits && (self.refused || full);
        self.full = full;
    }
}

/// The turn, which is given back however the write ends. The stream, whose end may be code of a user's too, is let go
/// of behind that, without the lock.
pub(crate) struct TakenTurn<'a> {
    outbox: &'a Arc<Outbox>,
    transport: Arc<dyn Transport>,
    counters: Arc<Counters>,
    bytes: Vec<u8>,
    written: io::Result<usize>,
}

impl<'a> TakenTurn<'a> {
    /// Takes the turn, where it is free and there is something to write.
    pub fn take(outbox: &'a Arc<Outbox>, state: &mut State) -> Option<Self> {
        let (link, queue) = state.parts()?;
        let turn = &mut queue.turn;
        // fault: a thread that missed a turn is not called
        turn.missed |= turn.taken;
        if !turn.is_needed || turn.taken || queue.cut || queue.kept.is_empty() {
            return None;
        }
        turn.taken = true;
        Some(TakenTurn {
            outbox,
            transport: link.transport.clone(),
            counters: link.counters.clone(),
            bytes: queue.kept.offer(COLLECT),
            written: Err(io::ErrorKind::Other.into()),
        })
    }

    pub fn write(mut self) {
        self.written = self.transport.try_write(&[IoSlice::new(&self.bytes)]);
    }
}

impl Drop for TakenTurn<'_> {
    fn drop(&mut self) {
        let mut state = self.outbox.enter();
        // Unless the write panicked.
        let written = std::mem::replace(&mut self.written, Ok(0));
        state.settle(&self.counters, self.bytes.len(), written);
        // fault: a turn is given back and nobody hears of it
        if state.queue.watch.is_attended {
            self.outbox.turned.notify_all();
        }
        let parting = state.queue.parting.take();
        drop(state);
        if let Some(how) = parting {
            self.transport.shutdown(how);
        }
    }
}
