//! Coalescing: a thread that has more to do collects the frames that it sends, so that they leave in one write per
//! connection: while more events wait, and from the second message of a burst on.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::atomic::AtomicU64;

thread_local! {
    static COLLECTS: Cell<Collects> = const { Cell::new(Collects::Nothing) };
}

/// What this thread collects now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Collects {
    Nothing,
    /// All that it sends to the Outboxes of one server, until the turn there is another one.
    All(CollectingTurn),
    /// As `All`, from the second message of a burst on: a message that stays alone leaves at once.
    Burst {
        turn: CollectingTurn,
        begun: bool,
    },
}

/// From when a thread begins to collect until it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
struct CollectingTurn {
    of: u64,
    number: u64,
}

/// This thread is about to send a message to many, and may send more before it takes the next event.
#[cfg(feature = "socketio")]
pub(crate) fn note_message_of_burst() {
    COLLECTS.set(match COLLECTS.get() {
        Collects::Burst { turn, begun: false } => Collects::Burst { turn, begun: true },
        Collects::Burst { turn, begun: true } => Collects::All(turn),
        other => other,
    });
}

/// Which thread collects what it sends to the Outboxes of one server: one at a time.
pub(crate) struct Coalescing {
    id: u64,
    /// How many turns of collecting have ended. A thread that remembers an earlier turn collects no more.
    turns: AtomicU64,
}

/// A thread collects what it sends, until this is dropped, on whatever thread.
pub(crate) struct Collecting<'a>(&'a Coalescing);

impl Drop for Collecting<'_> {
    fn drop(&mut self) {
        self.0.turns.fetch_add(1, Ordering::Relaxed);
    }
}

impl Coalescing {
    pub fn new() -> Arc<Self> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        Arc::new(Coalescing {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            turns: AtomicU64::new(0),
        })
    }

    /// What this thread sends is collected until the returned guard is dropped.
    pub fn collect_here(&self) -> Collecting<'_> {
        COLLECTS.set(Collects::All(self.turn()));
        Collecting(self)
    }

    /// Until the returned guard is dropped, this thread's messages are collected from the second one of a burst on.
    pub fn collect_bursts_here(&self) -> Collecting<'_> {
        COLLECTS.set(Collects::Burst {
            turn: self.turn(),
            begun: false,
        });
        Collecting(self)
    }

    fn turn(&self) -> CollectingTurn {
        CollectingTurn {
            of: self.id,
            number: self.turns.load(Ordering::Relaxed),
        }
    }

    #[inline]
    pub fn is_active_here(&self) -> bool {
        COLLECTS.get() == Collects::All(self.turn())
    }
}
