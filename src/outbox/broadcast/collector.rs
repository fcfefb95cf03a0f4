//! Coalescing: a sender that has more to do collects its frames, so that they leave in one write per
//! connection: while more events wait, and from the second message of a burst on. The leader flushes for a sender that
//! is busy for longer than [`LATEST`].

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::run::Run;
use super::{Broadcast, Reached};
use crate::atomic::AtomicU64;
use crate::lock::{COLLECTOR, Mutex, lock};
use crate::message::Prepared;
use crate::outbox::collected::COLLECT;
use crate::outbox::leader_queue::LeaderQueue;
use crate::outbox::{Outbox, for_each};

/// How long a frame is collected at most, whatever its sender does meanwhile.
pub(crate) const LATEST: Duration = Duration::from_millis(2);

/// Looks after which the leader forgets a collector that collects nothing.
pub(crate) const IDLE_LOOKS: u32 = 16;

thread_local! {
    static COLLECTS: Cell<Collects> = const { Cell::new(Collects::Nothing) };
}

/// What this thread collects now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Collects {
    Nothing,
    /// All that goes through a collector, as long as its turn is this one.
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
    collector: u64,
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

/// The Outboxes that hold frames of one sender.
pub(crate) struct Collector {
    id: u64,
    /// How many turns of collecting have ended. A thread that remembers an earlier turn collects no more.
    turns: AtomicU64,
    leader_queue: Arc<LeaderQueue>,
    /// There are Outboxes in `state`, under whose lock it changes: its sender looks here after each event.
    holds: AtomicBool,
    state: Mutex<CollectorState, COLLECTOR>,
    /// What is broadcast, and to which members.
    pub(crate) run: Run,
}

/// A thread collects what it sends, until this is dropped, on whatever thread. One at a time of each collector.
pub(crate) struct Collecting(Arc<Collector>);

impl Drop for Collecting {
    fn drop(&mut self) {
        self.0.turns.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct CollectorState {
    outboxes: Vec<Arc<Outbox>>,
    /// Since when the first of them holds a frame.
    since: Option<Instant>,
    /// The leader looks here every [`LATEST`].
    watched: bool,
    /// How often the leader has looked since a frame was last collected.
    looks: u32,
}

impl Collector {
    pub fn new(leader_queue: Arc<LeaderQueue>) -> Arc<Self> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        Arc::new(Collector {
            id,
            turns: AtomicU64::new(0),
            leader_queue,
            holds: AtomicBool::new(false),
            state: Mutex::default(),
            run: Run::default(),
        })
    }

    /// What this thread sends is collected until the returned guard is dropped.
    pub fn collect_here(self: &Arc<Self>) -> Collecting {
        COLLECTS.set(Collects::All(self.turn()));
        Collecting(self.clone())
    }

    /// Until the returned guard is dropped, this thread's messages are collected from the second one of a burst on.
    pub fn collect_bursts_here(self: &Arc<Self>) -> Collecting {
        COLLECTS.set(Collects::Burst {
            turn: self.turn(),
            begun: false,
        });
        Collecting(self.clone())
    }

    fn turn(&self) -> CollectingTurn {
        CollectingTurn {
            collector: self.id,
            number: self.turns.load(Ordering::Relaxed),
        }
    }

    #[inline]
    pub fn is_active_here(&self) -> bool {
        COLLECTS.get() == Collects::All(self.turn())
    }

    pub fn is_empty(&self) -> bool {
        !self.holds.load(Ordering::Acquire) && self.run.is_empty()
    }

    /// From now on broadcasts reach the Outbox. One that has ended is left out: it has left the members, or is about
    /// to.
    pub fn join(&self, outbox: &Arc<Outbox>) {
        let mut state = outbox.enter();
        if state.link.is_some() {
            let place = self.run.join(outbox);
            state.member.is_reached = state.collector().is_some();
            state.member.place = place;
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

    /// Adds the message to the run and returns how many members it goes to. Where it has to be sent to each member by
    /// itself, returns the members instead.
    fn push(
        self: &Arc<Self>,
        message: &Prepared,
        except: Option<&Arc<Outbox>>,
    ) -> Result<usize, Reached> {
        if !self.is_active_here() || message.frame().len() >= COLLECT / 4 {
            return Err(self.run.reached());
        }
        // `except` stays locked until the message is in the run and its own place is after the message.
        let mut except = except.map(Outbox::enter);
        let pushed = self.run.push(message)?;
        let passed_over = except.as_mut().is_some_and(|except| {
            let own = except.collector();
            let reached = own.is_some_and(|own| Arc::ptr_eq(own, self));
            reached && except.member.pass_over(&self.run)
        });
        drop(except);
        // prevents: broadcast, and nobody watches
        self.begin(|_| {});
        if pushed.bytes >= COLLECT {
            self.flush();
        }
        Ok(pushed.members - usize::from(passed_over))
    }

    /// An Outbox collected its first frame.
    pub fn add(self: &Arc<Self>, outbox: &Arc<Outbox>) {
        self.begin(|state| {
            state.outboxes.push(outbox.clone());
            self.holds.store(true, Ordering::Release);
        });
    }

    /// Something waits that was not there before.
    fn begin(self: &Arc<Self>, add: impl FnOnce(&mut CollectorState)) {
        let mut state = lock(&self.state);
        add(&mut state);
        state.looks = 0;
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
        self.holds.store(false, Ordering::Release);
        state.outboxes.clear();
    }

    /// For the leader: flushes what is overdue, and returns when to look again. `None`: nothing has been collected for
    /// a while, and the collector may be forgotten. That takes a while because a call for the leader costs the sender
    /// more than all these looks.
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
