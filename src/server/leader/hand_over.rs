//! A connection that gives much to do gets a thread of the pool while that lasts, where others wait for the leader
//! meanwhile: what one thread reads, decrypts and inflates is no more than one core can.
//!
//! What the leader has read before goes before what the thread reads, and that before what the leader reads again:
//! the leader puts its events where they go behind all that other threads have put in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread::available_parallelism;
use std::time::Duration;

use super::super::connection::deliver_while_busy;
use super::parked::Parked;

/// Bytes that make a turn a long one. Less is read faster than a thread is woken.
pub(super) const LONG: usize = 16 << 10;
/// So many long turns in a row, and the next ones will be long, too.
pub(super) const LONG_TURNS: u8 = 4;
/// Silence after which the leader has it back.
pub(crate) const QUIET: Duration = Duration::from_millis(10);

/// How many may have a thread so.
pub(super) struct ThreadPlaces {
    max: usize,
    taken: AtomicUsize,
}

impl ThreadPlaces {
    /// One for each core: more threads would wait for each other. None where there is one core, which the leader uses.
    pub fn new() -> Arc<Self> {
        let cores = available_parallelism().map_or(1, usize::from);
        Arc::new(ThreadPlaces {
            max: if cores > 1 { cores } else { 0 },
            taken: AtomicUsize::new(0),
        })
    }

    pub fn take(self: &Arc<Self>) -> Option<ThreadPlace> {
        let free = |taken| (taken < self.max).then_some(taken + 1);
        let taken = self.taken.fetch_update(SeqCst, SeqCst, free);
        taken.is_ok().then(|| ThreadPlace(self.clone()))
    }

    #[cfg(test)]
    pub fn taken(&self) -> usize {
        self.taken.load(SeqCst)
    }
}

/// A connection has a thread.
pub(super) struct ThreadPlace(Arc<ThreadPlaces>);

impl Drop for ThreadPlace {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, SeqCst);
    }
}

/// Gives it a thread. Where there is none it goes back to the leader.
pub(super) fn hand_over(parked: Box<Parked>, place: ThreadPlace) {
    let hub = parked.hub().clone();
    let mut on_its_way = HandOverGuard(Some(parked));
    let serve = move || {
        if let Some(parked) = on_its_way.0.take() {
            let (open, driver) = parked.take_apart();
            deliver_while_busy(open, driver);
        }
        drop(place);
    };
    // What was refused was dropped, and is on its way back.
    let _ = hub.workers.run(serve);
}

/// A connection between the leader and a thread. Where the thread does not come it goes back.
struct HandOverGuard(Option<Box<Parked>>);

impl Drop for HandOverGuard {
    fn drop(&mut self) {
        if let Some(parked) = self.0.take() {
            let hub = parked.hub().clone();
            hub.lead.arrive(parked);
        }
    }
}
