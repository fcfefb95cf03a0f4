//! A write to a stream of the user's own, by the thread that has the turn.

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::Outbox;
use super::collected::COLLECT;
use super::state::State;
use crate::stats::Counters;
use crate::transport::Transport;

/// The turn, which is given back however the write ends. The stream is dropped after that, without the lock: its drop
/// may be user code, too.
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
        // prevents: a thread that missed a turn is not called
        turn.missed |= turn.taken;
        if !turn.is_needed || turn.taken || queue.cut || queue.kept.is_empty() {
            return None;
        }
        turn.taken = true;
        Some(TakenTurn {
            outbox,
            transport: link.transport.clone(),
            counters: link.server.counters.clone(),
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
        state.end_turn(&self.counters, self.bytes.len(), written);
        // prevents: a turn is given back and nobody hears of it
        if state.queue.turn.waiting > 0 {
            self.outbox.turned.notify_all();
        }
        state.queue.leader_call.wake_reader(&self.outbox.turned);
        let parting = state.queue.parting.take();
        drop(state);
        if let Some(how) = parting {
            self.transport.shutdown(how);
        }
    }
}
