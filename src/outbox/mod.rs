//! The outgoing half of a connection: writes at once without blocking, keeps what the socket
//! refuses within bounds, and is drained by the leader ([`calls`]) for all connections.
//!
//! Frames wait in one of two places, never in both: `collected` holds frames of a sender that has
//! more to do (see [`broadcast`]) and that have not been offered to the socket; `kept` holds what the
//! socket refused. Bounds apply to `kept` alone. Collected broadcasts wait elsewhere, once for all
//! connections, [there](broadcast), too.
//!
//! What one does with an Outbox: [`send`], and [`wait`] until it has left; [`contained`], what one does with many.
//! What is in it: [`state`], what its lock guards; [`queue`], the frames on their way; [`kept`], those
//! that the socket refused; [`overflow`], how many, and for how long. Who else handles it: [`watch`], the leader;
//! [`turn`], who writes to a stream of the user's own.

pub(crate) mod broadcast;
pub(crate) mod calls;
mod contained;
mod frame;
mod kept;
mod outbound;
mod overflow;
mod queue;
mod ready_state;
mod send;
mod state;
#[cfg(test)]
mod tests;
mod turn;
mod wait;
mod watch;

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Condvar};
use std::time::{Duration, Instant};

use crate::compression::{Context, Packing};
use crate::lock::{Guard, Mutex, OUTBOX, lock};
use crate::protocol::pace::Pace;
use crate::stats::Counters;
use crate::transport::Transport;

pub use broadcast::Broadcast;
use broadcast::Member;
use calls::Calls;
pub(crate) use overflow::Bounds;
pub use overflow::Overflow;
pub(crate) use queue::Failure;
use queue::Queue;
pub use ready_state::ReadyState;
pub(crate) use state::{Alarm, Delivery, DrainedCall};
use state::{Link, State};
use turn::Turn;

/// Buffer that stays with an idle connection.
const IDLE: usize = 1 << 10;

// In this order in memory, as `State` and `Queue`: what a send looks at comes first, in few cache lines. A
// broadcast finds those of no connection in the cache.
#[repr(C)]
pub(crate) struct Outbox {
    state: Mutex<State, OUTBOX>,
    ready: AtomicU8,
    /// One more than the number of its token with the poller ([`watch`]); 0: it has none.
    token: AtomicU32,
    /// Whoever had the turn has given it back, where somebody waits for that.
    turned: Condvar,
    pace: Pace,
    /// How messages are compressed; those that refer to no other, before the lock is taken.
    packing: Option<Packing>,
}

impl Outbox {
    pub fn new(
        transport: Arc<dyn Transport>,
        calls: Arc<Calls>,
        counters: Arc<Counters>,
        delivery: Delivery,
        bounds: Bounds,
        close_timeout: Duration,
        packing: Option<Packing>,
    ) -> Arc<Self> {
        let mut queue = Queue::new(bounds, close_timeout, Instant::now);
        queue.turn = (!transport.never_calls_back()).then(Turn::default);
        let link = Link {
            transport,
            calls,
            counters,
            delivery,
            alarm: None,
            drained: None,
            told: false,
        };
        Arc::new(Outbox {
            packing,
            pace: bounds.pace,
            ready: AtomicU8::new(ReadyState::Open as u8),
            token: AtomicU32::new(0),
            turned: Condvar::new(),
            state: Mutex::new(State {
                link: Some(link),
                queue,
                member: Member::default(),
                context: Context::new(packing.filter(Packing::keeps_context)),
            }),
        })
    }

    /// What is done as soon as the peer is too slow: the reading thread finds that only when the stream ends,
    /// and that waits for our Close.
    pub fn set_alarm(&self, alarm: Alarm) {
        if let Some(link) = &mut self.enter().link {
            link.alarm = Some(alarm);
        }
    }

    /// What is done where there is room for what was refused.
    pub fn set_drained(&self, drained: DrainedCall) {
        if let Some(link) = &mut self.enter().link {
            link.drained = Some(drained);
        }
    }

    /// The application hears of room: what was refused until now need not be told again where it has room.
    pub fn note_told(&self) {
        let mut state = self.enter();
        state.queue.take_refused();
        if let Some(link) = &mut state.link {
            link.told = false;
        }
    }

    /// So much waits for the peer that it is not to be read from: the leader is called when it may be. `pending`: bytes
    /// of its messages that the application has still to answer.
    pub fn awaits_room(&self, pending: usize) -> bool {
        self.enter().queue.await_room(pending)
    }

    pub fn ready_state(&self) -> ReadyState {
        ReadyState::from_u8(self.ready.load(Ordering::Acquire))
    }

    pub fn has_ended(&self) -> bool {
        self.ready_state() == ReadyState::Closed
    }

    fn set_ready(&self, ready: ReadyState) {
        self.ready.fetch_max(ready as u8, Ordering::AcqRel);
    }

    /// Bytes that the socket has not taken yet.
    pub fn buffered_amount(&self) -> usize {
        let state = self.enter();
        let queue = &state.queue;
        match state.link.is_none() || queue.cut {
            // A thread may be about to write something still.
            true => 0,
            false => queue.collected.len() + queue.kept.unsent(),
        }
    }

    /// True while the peer does not take what is sent.
    pub fn is_stalled(&self) -> bool {
        self.enter().queue.is_refused()
    }

    /// Bytes that have left in all of what had to wait.
    pub fn left(&self) -> u64 {
        self.enter().queue.kept.left()
    }

    /// When the peer has last made room for what waits.
    pub fn left_at(&self) -> Option<Instant> {
        self.enter().queue.kept.left_at()
    }

    /// Why the Outbox gave the connection up, if it did.
    pub fn failure(&self) -> Option<Failure> {
        self.enter().queue.failure
    }

    /// True if the stream was ended from here: nothing is written any more.
    pub fn is_cut(&self) -> bool {
        self.enter().queue.cut
    }

    /// Offers what was collected to the socket.
    pub fn flush(self: &Arc<Self>) {
        let mut state = self.enter();
        let Some((link, queue)) = state.parts() else {
            return;
        };
        queue.flush(link);
        self.watch(state);
    }

    /// Gives buffers of an idle connection back.
    pub fn trim(&self) {
        let queue = &mut self.enter().queue;
        if queue.collected.is_empty() && queue.collected.capacity() > IDLE {
            queue.collected = Vec::new();
        }
    }

    /// Ends the stream whatever waits, because the server can wait no longer.
    pub fn abort(&self) {
        self.give_up(Failure::CloseTimeout);
    }

    /// As [`abort`](Outbox::abort), because the application wants it so.
    pub fn terminate(&self) {
        self.set_ready(ReadyState::Closed);
        self.give_up(Failure::Terminated);
    }

    fn give_up(&self, failure: Failure) {
        let mut state = self.enter();
        if let Some((link, queue)) = state.parts() {
            queue.give_up(link, failure);
        }
        state.note_trouble();
        self.let_go(state);
    }

    /// The connection has ended: lets everything go.
    pub fn finish(self: &Arc<Self>) {
        self.set_ready(ReadyState::Closed);
        let ended = self.enter().end();
        // fault: an ended connection is led on
        if let Some((link, true)) = &ended {
            // When nobody leads any more, nobody has it.
            let _ = link.calls.call(self.clone());
        }
    }

    /// Takes the lock, and over what waits in the run: what is done next comes behind that.
    fn enter(&self) -> Guard<'_, State> {
        let mut state = lock(&self.state);
        // fault: a send overtakes the run
        state.catch_up();
        state
    }
}
