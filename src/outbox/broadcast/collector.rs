//! Coalescing: a sender that has more to do collects its frames, so that they leave in one write per
//! connection. The leader flushes for a sender that is busy for longer than [`LATEST`].

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::run::Run;
use crate::lock::{COLLECTOR, Mutex, lock};
use crate::outbox::Outbox;
use crate::outbox::calls::Calls;
use crate::outbox::queue::COLLECT;

/// How long a frame is collected at most, whatever its sender does meanwhile.
pub(crate) const LATEST: Duration = Duration::from_millis(2);

/// Looks after which the leader forgets a collector that collects nothing.
pub(crate) const IDLE_LOOKS: u32 = 16;

thread_local! {
    /// The collector for which this thread collects now; 0: none.
    static ACTIVE: Cell<u64> = const { Cell::new(0) };
}

/// The Outboxes that hold frames of one sender.
pub(crate) struct Collector {
    id: u64,
    calls: Arc<Calls>,
    state: Mutex<CollectorState, COLLECTOR>,
    /// What is broadcast, and to whom.
    pub(super) run: Run,
}

#[derive(Default)]
struct CollectorState {
    outboxes: Vec<Arc<Outbox>>,
    /// Since when the first of them holds a frame.
    since: Option<Instant>,
    /// The leader looks here every [`LATEST`].
    watched: bool,
    /// Its looks since a frame was collected.
    looks: u32,
}

impl Collector {
    pub fn new(calls: Arc<Calls>) -> Arc<Self> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        Arc::new(Collector {
            id,
            calls,
            state: Mutex::default(),
            run: Run::default(),
        })
    }

    /// Collect what this thread sends, or send it at once.
    pub fn set_active_here(&self, active: bool) {
        ACTIVE.set(if active { self.id } else { 0 });
    }

    pub fn is_active_here(&self) -> bool {
        ACTIVE.get() == self.id
    }

    pub fn is_empty(&self) -> bool {
        lock(&self.state).outboxes.is_empty() && self.run.is_empty()
    }

    /// An Outbox collected its first frame.
    pub fn add(self: &Arc<Self>, outbox: &Arc<Outbox>) {
        self.begin(|state| state.outboxes.push(outbox.clone()));
    }

    /// Something waits in the run, so many bytes by now.
    pub(super) fn hold_run(self: &Arc<Self>, bytes: usize) {
        // fault: broadcast, and nobody watches
        self.begin(|_| {});
        if bytes >= COLLECT {
            self.flush();
        }
    }

    /// Something waits that was not there before.
    fn begin(self: &Arc<Self>, add: impl FnOnce(&mut CollectorState)) {
        let mut state = lock(&self.state);
        add(&mut state);
        state.looks = 0;
        state.since.get_or_insert_with(Instant::now);
        if !std::mem::replace(&mut state.watched, true) {
            drop(state);
            // fault: collected, and nobody watches
            self.calls.call_for_collector(self.clone());
        }
    }

    /// Offers everything that is collected to the sockets.
    pub fn flush(&self) {
        let mut outboxes = {
            let mut state = lock(&self.state);
            state.since = None;
            std::mem::take(&mut state.outboxes)
        };
        Outbox::for_each(&outboxes, Outbox::flush);
        outboxes.clear();
        // The list's memory goes back, so that a busy sender allocates none.
        let mut state = lock(&self.state);
        if state.outboxes.is_empty() {
            state.outboxes = outboxes;
        }
        drop(state);
        // fault: a flush leaves the run
        self.flush_run();
    }

    fn flush_run(&self) {
        if self.run.is_empty() {
            return;
        }
        let frames = self.run.frames();
        Outbox::for_each(frames.reached.iter(), |outbox| outbox.flush_run(&frames));
        let end = frames.end();
        drop(frames);
        self.run.forget_until(end);
    }

    /// What was collected has been offered to the sockets by its sender.
    pub fn flushed(&self) {
        let mut state = lock(&self.state);
        state.since = None;
        state.outboxes.clear();
    }

    /// A look of the leader: flushes what is overdue, and says when to look again. `None`:
    /// nothing has been collected for a while, the collector may be forgotten. Not at once: to
    /// be told again costs the sender more than all these looks.
    pub fn service(&self, now: Instant) -> Option<Instant> {
        let mut state = lock(&self.state);
        state.looks += 1;
        let Some(since) = state.since else {
            state.watched = state.looks < IDLE_LOOKS;
            return state.watched.then(|| now + LATEST);
        };
        if since + LATEST > now {
            return Some(since + LATEST);
        }
        drop(state);
        self.flush();
        Some(now + LATEST)
    }
}
