//! The near side of a backplane, of a node or of a bridge: what waits to be published, whether it gets through, and
//! what the application is told.

use std::sync::{Arc, Condvar};
use std::time::{Duration, Instant};

use super::backlog::{Backlog, BacklogBounds, Publication};
use super::echo::OwnEcho;
use super::event::ClusterEvent;
use super::news::{BackplaneDirection, News};
use crate::lock::{Mutex, NEWS, OUTGOING, lock};

/// What is published at once: enough that a round trip weighs little, and little enough to be said again.
const BATCH_FRAMES: usize = 512;
const BATCH_BYTES: usize = 1 << 20;

/// How long to rest after a failure, at first and at most.
pub(crate) const RESTS: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_millis(250));

pub(crate) type FrameBytes = Arc<Vec<u8>>;

pub(crate) struct Port {
    settings: PortSettings,
    opened: Instant,
    queue: Mutex<PublishQueue, OUTGOING>,
    /// Something of `queue` has changed.
    changed: Condvar,
    news: Mutex<News, NEWS>,
}

#[derive(Clone, Copy)]
pub(crate) struct PortSettings {
    pub peers: PortPeers,
    pub bounds: BacklogBounds,
    /// Between two signs of life that are published.
    pub beat: Duration,
    /// Who has heard nothing for so long, not even its own signs of life, is deaf.
    pub deaf: Duration,
}

/// Who is at the other ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortPeers {
    /// They number what they publish, and know what comes again. Nothing is published before it comes back, and a
    /// farewell is the last.
    Nodes,
    /// They take for new what comes again. So after a failure a sign of life goes first, alone: it shows that messages
    /// get through.
    #[cfg_attr(not(feature = "socketio"), allow(dead_code))]
    Python,
}

/// Who has a port: what it does there, and how it is told of it.
pub(crate) trait PortUser: Send + Sync + 'static {
    fn port(&self) -> &Port;

    /// What goes out after the messages of a turn: signs of life, farewells.
    fn signs(&self, turn: &PublishTurn) -> Vec<FrameBytes>;

    /// The turn is over; false where nothing of it is known to be published. Before the first turn, too: one before it
    /// may have broken off.
    fn ended(&self, turn: Option<&PublishTurn>, is_published: bool);

    /// So many messages were dropped, for they waited too long, or too many did.
    fn lost(&self, messages: u64);

    /// There is something to take for the application.
    fn wake(&self);

    /// The application has been told that the backplane works, or why not.
    fn log_link(&self, state: Result<(), &str>);

    /// Tells the application, and wakes it.
    fn tell(&self, event: ClusterEvent) {
        lock(&self.port().news).push(event);
        self.wake();
    }

    /// One direction of the backplane works, or fails for a reason.
    fn set_link(&self, way: BackplaneDirection, state: Result<(), &str>) {
        let is_new = lock(&self.port().news).set(way, state);
        if is_new {
            self.wake();
            self.log_link(state);
        }
    }
}

struct PublishQueue {
    peers: PortPeers,
    backlog: Backlog<FrameBytes>,
    /// Messages that were dropped.
    dropped: u64,
    /// Of how many of them the user has been told.
    told: u64,
    /// What is published now comes back.
    hears: bool,
    /// Until then what waits is still published.
    leaves_by: Option<Instant>,
    /// A sign of life is wanted at once: who has attached shows that it is there, and that it hears itself.
    wants_beat: bool,
    /// Threads that have not ended.
    threads: usize,
    /// The age of the last sign of life that was published.
    beat: Option<Duration>,
    /// When the next one is due.
    beat_at: Instant,
    /// The last turn ended well.
    is_up: bool,
    /// After a turn that did not: until then nothing is published.
    rests_until: Instant,
    rest: Duration,
}

/// What is published at once.
pub(crate) struct PublishTurn {
    pub batch: Publication<FrameBytes>,
    begun: Instant,
    /// With a sign of life, which has this age.
    pub beat: Option<Duration>,
    /// Nothing comes after it.
    pub is_last: bool,
}

impl Port {
    pub fn new(settings: PortSettings) -> Self {
        let now = Instant::now();
        Port {
            settings,
            opened: now,
            queue: Mutex::new(PublishQueue {
                peers: settings.peers,
                backlog: Backlog::new(settings.bounds),
                dropped: 0,
                told: 0,
                hears: settings.peers == PortPeers::Python,
                leaves_by: None,
                wants_beat: false,
                threads: 0,
                beat: None,
                beat_at: now,
                is_up: false,
                rests_until: now,
                rest: RESTS.0,
            }),
            changed: Condvar::new(),
            news: Mutex::default(),
        }
    }

    /// How long ago it was opened, in whole milliseconds as signs of life tell it: one that comes back is known by it.
    pub fn age(&self) -> Duration {
        Duration::from_millis(self.opened.elapsed().as_millis() as u64)
    }

    /// Has the frame published that `frame` makes of its number. False if this side leaves.
    pub fn push(&self, bytes: usize, frame: impl FnOnce(u64) -> FrameBytes) -> bool {
        let mut queue = lock(&self.queue);
        if queue.leaves_by.is_some() {
            return false;
        }
        // The thread that publishes tells it: the sender may hold a lock.
        queue.dropped += queue.backlog.push(bytes, self.age(), frame);
        drop(queue);
        self.changed.notify_all();
        true
    }

    /// Waits until there is something to publish; `None` at the end. `tell_lost` gets how many messages were dropped.
    pub fn next_turn(&self, tell_lost: impl Fn(u64)) -> Option<PublishTurn> {
        let mut queue = lock(&self.queue);
        loop {
            queue.dropped += queue.backlog.cut(self.age());
            let lost = queue.take_untold();
            if lost > 0 {
                drop(queue);
                tell_lost(lost);
                queue = lock(&self.queue);
                continue;
            }
            let now = Instant::now();
            if queue.has_said_all(now) {
                return None;
            }
            let begin_at = queue.begin_at();
            if begin_at.is_some_and(|begin_at| begin_at <= now) {
                return Some(queue.begin(now, self.age()));
            }
            let old_at = queue.backlog.due().map(|due| self.opened + due);
            let wakes = [begin_at, old_at, queue.leaves_by];
            queue = match wakes.into_iter().flatten().min() {
                // A frame is too old only after its time.
                Some(until) => {
                    let wait = until.saturating_duration_since(now) + Duration::from_millis(1);
                    queue.wait_timeout(&self.changed, wait)
                }
                None => queue.wait(&self.changed),
            };
        }
    }

    /// The thread that publishes begins, or begins anew where a panic has broken off a turn.
    pub fn turns_begin(&self) {
        lock(&self.queue).give_back();
    }

    /// The turn has ended well.
    pub fn published(&self, turn: &PublishTurn) {
        let mut queue = lock(&self.queue);
        queue.backlog.done();
        (queue.is_up, queue.rest) = (true, RESTS.0);
        if turn.beat.is_some() {
            queue.beat = turn.beat;
            queue.wants_beat = false;
            queue.beat_at = turn.begun + self.settings.beat;
        }
    }

    /// Nobody knows what of the last turn was published: after a rest it is tried again.
    pub fn not_published(&self) {
        let mut queue = lock(&self.queue);
        queue.give_back();
        queue.rests_until = Instant::now() + queue.rest;
        queue.beat_at = queue.rests_until;
        queue.rest = next_rest(queue.rest);
    }

    /// Whether what is published comes back.
    pub fn set_hears(&self, hears: bool) {
        let mut queue = lock(&self.queue);
        queue.hears = hears;
        queue.wants_beat = hears;
        drop(queue);
        self.changed.notify_all();
    }

    /// A sign of life is to go out at once.
    pub fn beat_soon(&self) {
        lock(&self.queue).wants_beat = true;
        self.changed.notify_all();
    }

    /// The age of the last sign of life that was published.
    pub fn last_beat(&self) -> Option<Duration> {
        lock(&self.queue).beat
    }

    /// Whether what is published does not come back.
    pub fn is_deaf(&self, echo: &mut OwnEcho) -> bool {
        echo.is_deaf(self.age(), self.last_beat(), self.settings.deaf)
    }

    /// How many messages wait to be published.
    pub fn waiting(&self) -> usize {
        lock(&self.queue).backlog.len()
    }

    /// How many were dropped, for they waited too long, or too many did.
    #[cfg(feature = "socketio")]
    pub fn dropped(&self) -> u64 {
        lock(&self.queue).dropped
    }

    pub fn is_attached(&self) -> bool {
        lock(&self.news).is_attached()
    }

    pub fn take_event(&self) -> Option<ClusterEvent> {
        lock(&self.news).take()
    }

    pub fn is_leaving(&self) -> bool {
        lock(&self.queue).leaves_by.is_some()
    }

    /// This side leaves, and need not hear any more.
    pub fn is_over(&self) -> bool {
        lock(&self.queue).is_over()
    }

    /// Sleeps, at most until it is over.
    pub fn pause(&self, time: Duration) {
        self.wait_until(Instant::now() + time, PublishQueue::is_over);
    }

    /// What waits is published for as long as this; returns when the threads have ended, or a little later, and how
    /// much still waits. `tell_lost` as in [`next_turn`](Port::next_turn): the thread that publishes tells no more.
    pub fn leave(&self, patience: Duration, tell_lost: impl Fn(u64)) -> usize {
        let leaves_by = Instant::now() + patience;
        lock(&self.queue).leaves_by.get_or_insert(leaves_by);
        self.changed.notify_all();
        self.wait_until(leaves_by + patience, |queue| queue.threads == 0);
        let lost = lock(&self.queue).take_untold();
        if lost > 0 {
            tell_lost(lost);
        }
        self.waiting()
    }

    pub fn thread_begins(&self) {
        lock(&self.queue).threads += 1;
    }

    pub fn thread_ends(&self) {
        lock(&self.queue).threads -= 1;
        self.changed.notify_all();
    }

    fn wait_until(&self, until: Instant, is_so: impl Fn(&PublishQueue) -> bool) {
        let mut queue = lock(&self.queue);
        while !is_so(&queue) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            queue = queue.wait_timeout(&self.changed, left);
        }
    }
}

impl PublishQueue {
    /// How many were dropped since this was asked for the last time.
    fn take_untold(&mut self) -> u64 {
        self.dropped - std::mem::replace(&mut self.told, self.dropped)
    }

    /// Nobody knows what of a turn was published.
    fn give_back(&mut self) {
        self.backlog.failed();
        self.is_up = false;
    }

    /// A node hears on until its other thread, which publishes, has ended: only what comes back is published.
    fn is_over(&self) -> bool {
        let hears_on = self.peers == PortPeers::Nodes && self.threads == 2;
        self.leaves_by.is_some() && !hears_on
    }

    fn has_said_all(&self, now: Instant) -> bool {
        let says_no_farewell = self.peers == PortPeers::Python && self.backlog.is_empty();
        self.leaves_by
            .is_some_and(|leaves_by| leaves_by <= now || says_no_farewell)
    }

    /// When there is something to publish; `None` while it would not come back.
    fn begin_at(&self) -> Option<Instant> {
        let at_once = self.wants_beat || self.leaves_by.is_some() || !self.backlog.is_empty();
        let begin_at = match at_once {
            true => self.rests_until,
            false => self.rests_until.max(self.beat_at),
        };
        self.hears.then_some(begin_at)
    }

    fn begin(&mut self, now: Instant, age: Duration) -> PublishTurn {
        let is_trial = self.peers == PortPeers::Python && !self.is_up;
        let most = if is_trial { 0 } else { BATCH_FRAMES };
        let batch = self.backlog.begin(most, BATCH_BYTES);
        let with_beat = is_trial || self.wants_beat || self.beat_at <= now;
        PublishTurn {
            is_last: self.leaves_by.is_some() && self.backlog.len() == batch.frames.len(),
            beat: with_beat.then_some(age),
            batch,
            begun: now,
        }
    }
}

/// How long to rest after another failure.
pub(crate) fn next_rest(rest: Duration) -> Duration {
    (rest * 2).min(RESTS.1)
}
