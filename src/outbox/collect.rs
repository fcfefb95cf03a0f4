//! Coalescing: a sender that has more to do collects its frames, so that they leave in one write per
//! connection. Whoever leads flushes for a sender that is busy for longer than [`LATEST`].

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Outbox;
use super::calls::Calls;
use super::queue::COLLECT;
use super::run::Run;
use super::state::Link;
use crate::lock::{COLLECTOR, Mutex, lock};
use crate::message::Prepared;

/// How long a frame is collected at most, whatever its sender does meanwhile.
pub(crate) const LATEST: Duration = Duration::from_millis(2);

/// Looks after which whoever leads forgets a collector that collects nothing.
pub(super) const IDLE_LOOKS: u32 = 16;

thread_local! {
    /// The collector for which this thread collects now; 0: none.
    static ACTIVE: Cell<u64> = const { Cell::new(0) };
}

/// The Outboxes that hold frames of one sender.
pub(crate) struct Collector {
    id: u64,
    calls: Arc<Calls>,
    state: Mutex<State, COLLECTOR>,
    /// What it broadcasts.
    pub(super) run: Run,
    /// Connections that cannot take every frame: their socket refuses, or they are closing. While
    /// there are any, broadcasts go to each connection by itself, which says what becomes of them.
    troubled: AtomicUsize,
    /// Connections for which longer broadcasts are compressed.
    packing: AtomicUsize,
}

#[derive(Default)]
struct State {
    outboxes: Vec<Arc<Outbox>>,
    /// Since when the first of them holds a frame.
    since: Option<Instant>,
    /// Whoever leads looks here every [`LATEST`].
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
            troubled: AtomicUsize::new(0),
            packing: AtomicUsize::new(0),
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

    pub(super) fn note_trouble(&self, troubled: bool) {
        if troubled {
            self.troubled.fetch_add(1, Ordering::SeqCst);
        } else {
            self.troubled.fetch_sub(1, Ordering::SeqCst);
        }
    }

    pub(super) fn note_packing(&self, packing: bool) {
        if packing {
            self.packing.fetch_add(1, Ordering::Relaxed);
        } else {
            self.packing.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// True if some connection takes longer broadcasts in another form than the others.
    pub fn packs(&self) -> bool {
        self.packing.load(Ordering::Relaxed) > 0
    }

    /// True if a broadcast may join the run.
    pub(super) fn takes_broadcasts(&self, frame: &Prepared) -> bool {
        self.is_active_here() && frame.frame().len() < COLLECT / 4 && self.is_untroubled()
    }

    fn is_untroubled(&self) -> bool {
        self.troubled.load(Ordering::SeqCst) == 0
    }

    /// Adds a broadcast to the run; says how many of `members` it goes to. `None`: it has to go to each by itself.
    ///
    /// Who ends or closes says so first and leaves the members later, and looks into the run behind both: so nobody is
    /// counted here who does not see it.
    pub fn broadcast(
        self: &Arc<Self>,
        frame: &Prepared,
        members: impl FnOnce() -> Arc<[Arc<Outbox>]>,
        except: Option<&Arc<Outbox>>,
    ) -> Option<usize> {
        if !self.takes_broadcasts(frame) {
            return None;
        }
        let members = || self.is_untroubled().then(members);
        let (pushed, passed_over) = match except {
            Some(except) => except.pass_over(&self.run, || self.run.push(frame.frame(), members)),
            None => (self.run.push(frame.frame(), members), false),
        };
        let pushed = pushed?;
        // fault: broadcast, and nobody watches
        self.begin(|_| {});
        if pushed.bytes >= COLLECT {
            self.flush();
        }
        Some(pushed.members - usize::from(passed_over))
    }

    /// Something waits that was not there before.
    fn begin(self: &Arc<Self>, add: impl FnOnce(&mut State)) {
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
        Outbox::for_each(frames.members.iter(), |outbox| outbox.flush_run(&frames));
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

    /// A look of whoever leads: flushes what is overdue, and says when to look again. `None`:
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

/// Whether a frame may be collected.
#[derive(Clone, Copy)]
pub(super) enum Collect<'a> {
    Never,
    /// While this thread collects for the connection's server.
    WhileActive,
    For(&'a Arc<Collector>),
}

impl<'a> Collect<'a> {
    pub fn collector(self, link: &'a Link) -> Option<&'a Arc<Collector>> {
        match self {
            Collect::Never => None,
            Collect::WhileActive => {
                let common = link.collector.as_ref();
                common.filter(|collector| collector.is_active_here())
            }
            Collect::For(collector) => Some(collector),
        }
    }
}
