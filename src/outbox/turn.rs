//! Writing to a stream of the user's own, none of whose code runs under the lock. One thread at a time has the turn: it
//! copies what leaves next, lets go of the lock, and writes; what others send meanwhile is kept behind that.
//!
//! A stream of wshub's own is written to under the lock, which costs less.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Outbox;
use super::queue::{COLLECT, Queue};
use super::state::State;
use crate::lock::Guard;
use crate::stats::Counters;
use crate::transport::Transport;

/// How it stands with the turn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    /// A thread writes.
    taken: bool,
    /// Others came meanwhile, and left it to that thread to call the leader.
    missed: bool,
    /// The stream has refused a part of what is kept. Before, all of that is only on its way, and held to no bounds.
    refused: bool,
    /// The last write took less than it was offered: the stream says when there is room again.
    full: bool,
}

/// The turn, which is given back however the write ends. The stream, whose end may be code of a user's too, is let go
/// of behind that, without the lock.
struct TakenTurn<'a> {
    outbox: &'a Outbox,
    transport: Arc<dyn Transport>,
    counters: Arc<Counters>,
    bytes: Vec<u8>,
    written: io::Result<usize>,
}

impl TakenTurn<'_> {
    fn write(mut self) {
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
        if state.queue.watch.is_attended() {
            self.outbox.turned.notify_all();
        }
        let parting = state.queue.parting.take();
        drop(state);
        if let Some(how) = parting {
            self.transport.shutdown(how);
        }
    }
}

impl Outbox {
    /// Writes what is kept, as far as the stream takes it.
    pub(super) fn write_kept<'a>(&'a self, mut state: Guard<'a, State>) -> Guard<'a, State> {
        if let Some((link, queue)) = state.parts() {
            queue.drain(link);
        }
        self.take_turn(state)
    }

    /// Writes what is kept to a stream of the user's own: without the lock meanwhile, and nothing where another thread
    /// has the turn. What others send while this goes on may stay.
    pub(super) fn take_turn<'a>(&'a self, mut state: Guard<'a, State>) -> Guard<'a, State> {
        let last = state.queue.kept.last();
        while let Some(taken) = state.take_turn(self) {
            drop(state);
            taken.write();
            state = self.enter();
            if state.queue.is_full() || state.queue.kept.has_left(last) {
                break;
            }
        }
        state
    }

    /// Waits until no other thread has the turn, at most until `deadline`.
    pub(super) fn wait_for_turn(&self, deadline: Instant) -> Guard<'_, State> {
        let mut state = self.enter();
        while state.queue.is_written_to() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = state.wait_timeout(&self.turned, left);
        }
        state.catch_up();
        state
    }

    /// Lets go of the lock, and ends the stream where that was decided under it.
    pub(super) fn let_go(&self, mut state: Guard<'_, State>) {
        let parting = state.queue.parting.take();
        let transport = parting.and(state.link.as_ref().map(|link| link.transport.clone()));
        drop(state);
        if let (Some(how), Some(transport)) = (parting, transport) {
            transport.shutdown(how);
        }
    }
}

impl State {
    /// Takes the turn, where it is free and there is something to write.
    fn take_turn<'a>(&mut self, outbox: &'a Outbox) -> Option<TakenTurn<'a>> {
        let (link, queue) = self.parts()?;
        let turn = queue.turn.as_mut()?;
        // fault: whoever missed a turn is not called
        turn.missed |= turn.taken;
        if turn.taken || queue.cut || queue.kept.is_empty() {
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

    /// The write of `offered` bytes is over: gives the turn back.
    fn settle(&mut self, counters: &Counters, offered: usize, written: io::Result<usize>) {
        let (link, queue) = (self.link.as_ref(), &mut self.queue);
        let written = match link {
            Some(link) if !queue.cut => queue.accepted(link, written),
            _ => written.unwrap_or_default(),
        };
        queue.give_turn_back(written, written < offered);
        match link {
            Some(link) if !queue.cut => queue.hold_to_bounds(link),
            // Given up meanwhile, or ended: what has not left is lost.
            _ => {
                let lost = queue.kept.clear();
                counters.dropped.fetch_add(lost, Ordering::Relaxed);
            }
        }
    }
}

impl Queue {
    /// True while a thread writes without the lock.
    pub fn is_written_to(&self) -> bool {
        self.turn.is_some_and(|turn| turn.taken)
    }

    /// The last write took less than it was offered.
    fn is_full(&self) -> bool {
        self.turn.is_some_and(|turn| turn.full)
    }

    /// Whether others came while a thread had the turn, which it has no more.
    pub fn take_missed(&mut self) -> bool {
        let turn = self.turn.as_mut().filter(|turn| !turn.taken);
        turn.is_some_and(|turn| std::mem::take(&mut turn.missed))
    }

    /// True if what is kept is about to be written by who keeps it.
    pub fn is_on_its_way(&self) -> bool {
        self.turn.is_some_and(|turn| !turn.taken && !turn.refused)
    }

    /// True if the stream has refused a part of what is kept.
    pub fn is_refused(&self) -> bool {
        !self.kept.is_empty() && self.turn.is_none_or(|turn| turn.refused)
    }

    /// True if something is kept that nobody is about to write, though the stream may have room.
    pub fn is_left_over(&self) -> bool {
        let idle = self.turn.is_some_and(|turn| !turn.taken && !turn.full);
        idle && !self.kept.is_empty() && !self.cut
    }

    fn give_turn_back(&mut self, written: usize, full: bool) {
        let Some(turn) = self.turn.take() else {
            return;
        };
        match turn.refused {
            true => self.advance(written),
            // It had not waited: that it leaves is no progress of the peer's.
            false => self.kept.pass(written),
        }
        // fault: what was offered is held for ever
        self.kept.take_back();
        self.turn = Some(Turn {
            taken: false,
            refused: !self.kept.is_empty() && (turn.refused || full),
            full,
            ..turn
        });
    }
}
