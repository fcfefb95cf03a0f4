//! What the threads of a bridge share: messages that wait to be published, whether Redis is there, what is counted.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Weak};
use std::time::{Duration, Instant};

use super::message::{QueueError, check_len};
use crate::ClusterEvent;
use crate::atomic::AtomicU64;
use crate::cluster::backlog::{Backlog, BacklogBounds};
use crate::cluster::news::{BackplaneDirection, News};
use crate::lock::{Mutex, NEWS, OUTGOING, lock};
use crate::logging::log_line;
use crate::panics;
use crate::socketio::core::Core;

/// Messages that wait while Redis is away.
const BOUNDS: BacklogBounds = BacklogBounds {
    messages: 65_536,
    bytes: 64 << 20,
    age: Duration::from_secs(60),
};
/// What is published at once.
const BATCH_MESSAGES: usize = 512;
const BATCH_BYTES: usize = 1 << 20;

pub(crate) type MessageBytes = Arc<Vec<u8>>;

/// A snapshot of the counters of a [`Bridge`](super::Bridge).
///
/// ```
/// use wshub::Redis;
/// use wshub::socketio::SocketIo;
/// use wshub::socketio::bridge::Bridge;
///
/// let io = SocketIo::new(());
/// let bridge = Bridge::join(&io, &Redis::new("redis://127.0.0.1/")?)?;
/// let stats = bridge.stats();
/// println!("{} of {} messages were lost", stats.unsent, stats.published + stats.unsent);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [beside Flask](crate::guide::flask).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BridgeStats {
    /// Messages of other processes that were taken.
    pub received: u64,
    /// Messages of other processes that were refused: no JSON, pickles, too long, or of an unknown form. The log (warn)
    /// says why.
    pub refused: u64,
    /// Messages that were published.
    pub published: u64,
    /// Messages that were not published, because too many waited, they waited too long, or they were longer than
    /// [`max_message`](super::BridgeBuilder::max_message) or of a form that Python does not know.
    pub unsent: u64,
    /// Messages that wait to be published. 0 while Redis keeps up.
    pub waiting: usize,
}

pub(crate) struct BridgeQueue {
    /// The name of this process among the others.
    pub host: String,
    pub max_message: usize,
    pub core: Weak<Core>,
    started: Instant,
    waiting: Mutex<WaitingMessages, OUTGOING>,
    /// Something of `waiting` has changed.
    changed: Condvar,
    news: Mutex<News, NEWS>,
    received: AtomicU64,
    refused: AtomicU64,
    published: AtomicU64,
    unsent: AtomicU64,
}

struct WaitingMessages {
    backlog: Backlog<MessageBytes>,
    /// Until then what waits is still published.
    leaves_by: Option<Instant>,
    /// Threads of the bridge that have not ended.
    threads: usize,
    /// The last sign of life that was published, by its number.
    beat: u64,
    /// One is wanted at once: a bridge that attached shows itself that it hears.
    wants_beat: bool,
}

/// What is to be published.
pub(crate) struct BridgeTurn {
    pub messages: Vec<MessageBytes>,
    /// The number of the sign of life that goes with it.
    pub beat: Option<u64>,
}

impl BridgeQueue {
    pub fn new(host: String, max_message: usize, core: Weak<Core>) -> Self {
        BridgeQueue {
            host,
            max_message,
            core,
            started: Instant::now(),
            waiting: Mutex::new(WaitingMessages {
                backlog: Backlog::new(BOUNDS),
                leaves_by: None,
                threads: 0,
                beat: 0,
                wants_beat: false,
            }),
            changed: Condvar::new(),
            news: Mutex::default(),
            received: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            published: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
        }
    }

    fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Has a message published, as soon as Redis is there.
    pub fn publish(&self, message: Vec<u8>) {
        if let Err(error) = check_len(&message, self.max_message) {
            return self.cannot_tell(&error.to_string());
        }
        let mut waiting = lock(&self.waiting);
        if waiting.leaves_by.is_some() {
            return;
        }
        let bytes = message.len();
        let lost = waiting
            .backlog
            .push(bytes, self.age(), |_| Arc::new(message));
        drop(waiting);
        self.changed.notify_all();
        self.lose(lost);
    }

    /// Something that the others do not hear of.
    pub fn cannot_tell(&self, why: &str) {
        self.count_unsent(1, why);
    }

    /// Messages waited for Redis too long, or too many did.
    fn lose(&self, messages: u64) {
        if messages > 0 {
            self.tell(ClusterEvent::Unsent { messages });
            self.count_unsent(messages, "Redis was away for too long");
        }
    }

    fn count_unsent(&self, messages: u64, why: &str) {
        let before = self.unsent.fetch_add(messages, Relaxed);
        let unsent = before + messages;
        // One line each time that the number has doubled.
        if before.checked_ilog2() != unsent.checked_ilog2() {
            log_line!(
                Warn,
                "bridge: {unsent} messages were not published, the last one: {why}"
            );
        }
    }

    /// Waits until there is something to publish, or the time for a sign of life; `None` at the end. After a failure
    /// only the sign goes out: it shows that Redis answers, so that no message is sent again and again meanwhile.
    pub fn next_turn(
        &self,
        beat_at: Instant,
        not_before: Instant,
        is_up: bool,
    ) -> Option<BridgeTurn> {
        let mut waiting = lock(&self.waiting);
        loop {
            let lost = waiting.backlog.cut(self.age());
            if lost > 0 {
                drop(waiting);
                self.lose(lost);
                waiting = lock(&self.waiting);
                continue;
            }
            let now = Instant::now();
            if waiting.is_over(now) {
                return None;
            }
            let begin_at = match waiting.backlog.is_empty() && !waiting.wants_beat {
                true => not_before.max(beat_at),
                false => not_before,
            };
            if begin_at <= now {
                return Some(waiting.begin(is_up, beat_at <= now));
            }
            let old_at = waiting.backlog.due().map(|due| self.started + due);
            let times = [Some(begin_at), old_at, waiting.leaves_by];
            let until = times.into_iter().flatten().min().unwrap_or(begin_at);
            // A message is too old only behind its time.
            let wait = until.saturating_duration_since(now) + Duration::from_millis(1);
            waiting = waiting.wait_timeout(&self.changed, wait);
        }
    }

    /// The turn has ended well.
    pub fn published(&self, turn: &BridgeTurn) {
        let mut waiting = lock(&self.waiting);
        waiting.backlog.done();
        if let Some(beat) = turn.beat {
            (waiting.beat, waiting.wants_beat) = (beat, false);
        }
        drop(waiting);
        self.published
            .fetch_add(turn.messages.len() as u64, Relaxed);
    }

    pub fn not_published(&self) {
        lock(&self.waiting).backlog.failed();
    }

    /// The bridge hears from now on. The number of the last sign of life that need not come back.
    pub fn begin_to_hear(&self) -> u64 {
        let mut waiting = lock(&self.waiting);
        waiting.wants_beat = true;
        let beat = waiting.beat;
        drop(waiting);
        self.changed.notify_all();
        beat
    }

    /// The number of the last sign of life that was published.
    pub fn last_beat(&self) -> u64 {
        lock(&self.waiting).beat
    }

    pub fn note_received(&self) {
        self.received.fetch_add(1, Relaxed);
    }

    /// A message of the channel is not taken.
    pub fn refuse(&self, why: &QueueError) {
        let refused = self.refused.fetch_add(1, Relaxed) + 1;
        if refused.is_power_of_two() {
            log_line!(
                Warn,
                "bridge: {refused} messages of the channel were not taken, the last one: {why}"
            );
        }
    }

    fn tell(&self, event: ClusterEvent) {
        lock(&self.news).push(event);
        self.wake();
    }

    fn wake(&self) {
        if let Some(core) = self.core.upgrade() {
            core.sessions.wake();
        }
    }

    /// One direction works, or fails for a reason.
    pub fn set_link(&self, way: BackplaneDirection, state: Result<(), &str>) {
        let is_new = lock(&self.news).set(way, state);
        if !is_new {
            return;
        }
        self.wake();
        match state {
            Ok(()) => log_line!(Info, "bridge: attached as {}", self.host),
            Err(reason) => log_line!(Warn, "bridge: detached: {reason}"),
        }
    }

    pub fn is_attached(&self) -> bool {
        lock(&self.news).is_attached()
    }

    pub fn take_event(&self) -> Option<ClusterEvent> {
        lock(&self.news).take()
    }

    pub fn stats(&self) -> BridgeStats {
        BridgeStats {
            received: self.received.load(Relaxed),
            refused: self.refused.load(Relaxed),
            published: self.published.load(Relaxed),
            unsent: self.unsent.load(Relaxed),
            waiting: lock(&self.waiting).backlog.len(),
        }
    }

    pub fn is_leaving(&self) -> bool {
        lock(&self.waiting).leaves_by.is_some()
    }

    /// Sleeps, at most until the bridge leaves.
    pub fn pause(&self, time: Duration) {
        self.wait_until(Instant::now() + time, |waiting| waiting.leaves_by.is_some());
    }

    /// What waits is published for as long as this; returns when the threads have ended, or a little later.
    pub fn leave(&self, patience: Duration) {
        let leaves_by = Instant::now() + patience;
        lock(&self.waiting).leaves_by.get_or_insert(leaves_by);
        self.changed.notify_all();
        self.wait_until(leaves_by + patience, |waiting| waiting.threads == 0);
        let left = lock(&self.waiting).backlog.len();
        if left > 0 {
            self.lose(left as u64);
        }
        log_line!(Info, "bridge: left");
    }

    fn wait_until(&self, until: Instant, is_so: impl Fn(&WaitingMessages) -> bool) {
        let mut waiting = lock(&self.waiting);
        while !is_so(&waiting) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            waiting = waiting.wait_timeout(&self.changed, left);
        }
    }
}

impl WaitingMessages {
    fn is_over(&self, now: Instant) -> bool {
        let has_time = |leaves_by| now < leaves_by && !self.backlog.is_empty();
        self.leaves_by.is_some_and(|leaves_by| !has_time(leaves_by))
    }

    fn begin(&mut self, is_up: bool, beat_is_due: bool) -> BridgeTurn {
        let messages = match is_up {
            true => self.backlog.begin(BATCH_MESSAGES, BATCH_BYTES).frames,
            false => Vec::new(),
        };
        BridgeTurn {
            messages,
            beat: (beat_is_due || self.wants_beat || !is_up).then_some(self.beat + 1),
        }
    }
}

/// A thread of a bridge; dropped when it ends.
pub(crate) struct BridgeThread(Arc<BridgeQueue>);

impl BridgeThread {
    pub fn new(queue: &Arc<BridgeQueue>) -> Self {
        lock(&queue.waiting).threads += 1;
        BridgeThread(queue.clone())
    }

    pub fn queue(&self) -> &Arc<BridgeQueue> {
        &self.0
    }

    /// Does what the thread is for, after a panic again unless the bridge leaves. Meanwhile it is detached for that
    /// reason.
    pub fn work(&self, way: BackplaneDirection, work: impl FnMut()) {
        panics::work_on(work, |message| {
            let reason = format!("a thread panicked, a bug of wshub: {message}");
            self.0.set_link(way, Err(&reason));
            !self.0.is_leaving()
        });
    }
}

impl Drop for BridgeThread {
    fn drop(&mut self) {
        lock(&self.0.waiting).threads -= 1;
        self.0.changed.notify_all();
    }
}
