//! Coalescing: a sender that has more to do collects its frames, so that they leave in one write per
//! connection. The leader flushes for a sender that is busy for longer than [`LATEST`].

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::run::Run;
use super::{Broadcast, Reached};
use crate::atomic::AtomicU64;
use crate::lock::{COLLECTOR, Mutex, lock};
use crate::message::Prepared;
use crate::outbox::calls::Calls;
use crate::outbox::queue::COLLECT;
use crate::outbox::{Outbox, for_each};

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
    /// What is broadcast, and to which members.
    pub(crate) run: Run,
}

/// A thread collects what it sends; one at a time on each.
pub(crate) struct Collecting(());

impl Drop for Collecting {
    fn drop(&mut self) {
        ACTIVE.set(0);
    }
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

    /// What this thread sends is collected until that is dropped.
    pub fn collect_here(&self) -> Collecting {
        ACTIVE.set(self.id);
        Collecting(())
    }

    pub fn is_active_here(&self) -> bool {
        ACTIVE.get() == self.id
    }

    pub fn is_empty(&self) -> bool {
        lock(&self.state).outboxes.is_empty() && self.run.is_empty()
    }

    /// From now on broadcasts reach it, unless it has ended: then it has left, or is about to.
    pub fn join(&self, outbox: &Arc<Outbox>) {
        let mut state = outbox.enter();
        if state.link.is_some() {
            let place = self.run.join(outbox);
            state.member.place = state.collector().map(|_| place);
        }
    }

    /// The connection is no longer among those that broadcasts reach.
    pub fn leave(&self, outbox: &Arc<Outbox>) {
        self.run.leave(outbox);
        outbox.enter().member.leave(&self.run);
    }

    /// Sends one encoded message to all members but `except`.
    pub fn broadcast(
        self: &Arc<Self>,
        message: &Prepared,
        except: Option<&Arc<Outbox>>,
    ) -> Broadcast {
        match self.push(message, except) {
            Ok(sent) => Broadcast { sent, dropped: 0 },
            Err(reached) => {
                let excepted = |member| except.is_some_and(|except| Arc::ptr_eq(member, except));
                let others = reached.iter().filter(|&member| !excepted(member));
                Broadcast::to(others, |member| member.send_uncounted(message))
            }
        }
    }

    /// Adds it to the run, and says how many of the members it goes to; gives them where it has to go to each by
    /// itself.
    fn push(
        self: &Arc<Self>,
        message: &Prepared,
        except: Option<&Arc<Outbox>>,
    ) -> Result<usize, Reached> {
        if !self.is_active_here() || message.frame().len() >= COLLECT / 4 {
            return Err(self.run.reached());
        }
        // Locked until the message is in the run, and its place behind that.
        let mut except = except.map(Outbox::enter);
        let pushed = self.run.push(message)?;
        let passed_over = except.as_mut().is_some_and(|except| {
            let own = except.collector();
            let reached = own.is_some_and(|own| Arc::ptr_eq(own, self));
            reached && except.member.pass_over(&self.run)
        });
        drop(except);
        // fault: broadcast, and nobody watches
        self.begin(|_| {});
        if pushed.bytes >= COLLECT {
            self.flush();
        }
        Ok(pushed.members - usize::from(passed_over))
    }

    /// An Outbox collected its first frame.
    pub fn add(self: &Arc<Self>, outbox: &Arc<Outbox>) {
        self.begin(|state| state.outboxes.push(outbox.clone()));
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
        for_each(&outboxes, Outbox::flush);
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
        for_each(frames.reached.iter(), |outbox| outbox.flush_run(&frames));
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
