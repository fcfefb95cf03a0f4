//! Keeps which Outboxes hold collected frames, and flushes them together; and sends one message to all that broadcasts
//! reach. The leader flushes for a sender that is busy for longer than [`LATEST`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::members::RunMembers;
use super::{Broadcast, Reached};
use crate::lock::{COLLECTOR, Mutex, lock};
use crate::message::Prepared;
use crate::outbox::leader_queue::{Flusher, LeaderQueue};
use crate::outbox::{COLLECT, Coalescing, Collecting, Delivery, Outbox, Run, for_each};

/// How long a frame is collected at most, whatever its sender does meanwhile.
pub(crate) const LATEST: Duration = Duration::from_millis(2);

/// Looks after which the leader forgets a collector that collects nothing.
pub(crate) const IDLE_LOOKS: u32 = 16;

/// The Outboxes that hold frames of one sender, and those that its broadcasts reach.
pub(crate) struct Collector {
    coalescing: Arc<Coalescing>,
    leader_queue: Arc<LeaderQueue>,
    /// There are Outboxes in `state`, under whose lock it changes: its sender looks here after each event.
    holds: AtomicBool,
    /// How often the leader has looked since a frame was last collected.
    looks: AtomicU32,
    state: Mutex<CollectorState, COLLECTOR>,
    /// What is broadcast. It changes under the lock of `state`.
    run: Arc<Run>,
}

#[derive(Default)]
struct CollectorState {
    outboxes: Vec<Arc<Outbox>>,
    /// Since when the first of them holds a frame.
    since: Option<Instant>,
    /// The leader looks here every [`LATEST`].
    watched: bool,
    members: RunMembers,
}

impl Collector {
    pub fn new(leader_queue: Arc<LeaderQueue>) -> Arc<Self> {
        Arc::new(Collector {
            coalescing: Coalescing::new(),
            leader_queue,
            holds: AtomicBool::new(false),
            looks: AtomicU32::new(0),
            state: Mutex::default(),
            run: Arc::default(),
        })
    }

    /// For Outboxes that collect here.
    pub fn delivery(self: &Arc<Self>) -> Delivery {
        Delivery::Events {
            coalescing: self.coalescing.clone(),
            run: self.run.clone(),
            flusher: self.clone(),
        }
    }

    /// As [`Coalescing::collect_here`].
    pub fn collect_here(&self) -> Collecting<'_> {
        self.coalescing.collect_here()
    }

    /// As [`Coalescing::collect_bursts_here`].
    pub fn collect_bursts_here(&self) -> Collecting<'_> {
        self.coalescing.collect_bursts_here()
    }

    #[inline]
    pub fn is_active_here(&self) -> bool {
        self.coalescing.is_active_here()
    }

    pub fn is_empty(&self) -> bool {
        !self.holds.load(Ordering::Acquire) && self.run.is_empty()
    }

    /// From now on broadcasts reach the Outbox. One that has ended is left out: it has left the members, or is about
    /// to.
    pub fn join(&self, outbox: &Arc<Outbox>) {
        let mut entry = outbox.enter();
        if entry.link.is_some() {
            let is_reached = entry.run().is_some();
            let mut state = lock(&self.state);
            state.members.add(outbox);
            entry.member.join(is_reached, self.run.end());
        }
    }

    /// The connection is no longer among those that broadcasts reach.
    pub fn leave(&self, outbox: &Arc<Outbox>) {
        lock(&self.state).members.remove(outbox);
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

    /// Adds the message to the run and returns how many members it goes to. Where it has to be sent to each member by
    /// itself, returns the members instead.
    fn push(
        self: &Arc<Self>,
        message: &Prepared,
        except: Option<&Arc<Outbox>>,
    ) -> Result<usize, Reached> {
        if !self.is_active_here() || message.frame().len() >= COLLECT / 4 {
            return Err(lock(&self.state).members.reached());
        }
        // `except` stays locked until the message is in the run and its own place is after the message.
        let mut except = except.map(Outbox::enter);
        let pushed = lock(&self.state).members.push(&self.run, message)?;
        let passed_over = except.as_mut().is_some_and(|except| {
            let is_own = |own: &Run| std::ptr::eq(own, &*self.run);
            except.run().is_some_and(is_own) && except.member.pass_over(&self.run)
        });
        drop(except);
        // prevents: broadcast, and nobody watches
        self.begin(|_| {});
        if pushed.bytes >= COLLECT {
            self.flush();
        }
        Ok(pushed.members - usize::from(passed_over))
    }

    /// Something waits that was not there before.
    fn begin(self: &Arc<Self>, add: impl FnOnce(&mut CollectorState)) {
        let mut state = lock(&self.state);
        add(&mut state);
        self.looks.store(0, Ordering::Relaxed);
        state.since.get_or_insert_with(Instant::now);
        if !std::mem::replace(&mut state.watched, true) {
            drop(state);
            // prevents: collected, and nobody watches
            self.leader_queue.add_collector(self.clone());
        }
    }

    /// Offers everything that is collected to the sockets.
    pub fn flush(&self) {
        let mut outboxes = {
            let mut state = lock(&self.state);
            state.since = None;
            self.holds.store(false, Ordering::Release);
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
        // prevents: a flush leaves the run
        self.flush_run();
    }

    fn flush_run(&self) {
        if self.run.is_empty() {
            return;
        }
        let state = lock(&self.state);
        let (reached, frames) = (state.members.of_run(), self.run.frames());
        drop(state);
        for_each(reached.iter(), |outbox| outbox.flush_run(&frames));
        let end = frames.end();
        // The run keeps its memory where nobody else holds it.
        drop(frames);
        let mut state = lock(&self.state);
        if self.run.forget_until(end) {
            // prevents: the run keeps a hold on its members
            state.members.forget_run();
        }
    }

    /// What was collected has been offered to the sockets by its sender.
    pub fn flushed(&self) {
        let mut state = lock(&self.state);
        state.since = None;
        self.holds.store(false, Ordering::Release);
        state.outboxes.clear();
    }
}

impl Flusher for Collector {
    fn add(self: Arc<Self>, outbox: &Arc<Outbox>) {
        self.begin(|state| {
            state.outboxes.push(outbox.clone());
            self.holds.store(true, Ordering::Release);
        });
    }

    fn service(&self, now: Instant) -> Option<Instant> {
        let is_idle = self.looks.fetch_add(1, Ordering::Relaxed) + 1 >= IDLE_LOOKS;
        // Most looks find nothing, and there is one for each closure that answers bursts: they take no lock.
        if !is_idle && self.is_empty() {
            return Some(now + LATEST);
        }
        let mut state = lock(&self.state);
        let Some(since) = state.since else {
            state.watched = !is_idle;
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
