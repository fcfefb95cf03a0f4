//! What the threads of a node share: what waits to be published, the members of each room, what the application is to
//! be told.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, OnceLock};
use std::time::{Duration, Instant};

use super::ClusterNode;
use super::backlog::{Backlog, BacklogBounds, Publication};
use super::event::{ClusterError, ClusterEvent};
use super::frame::{Body, Content, FrameNumber, Head, SHORT, encode, set_number};
use super::history::HistoryBounds;
use super::id::{ConnectionId, NodeId, PostId};
use super::news::{BackplaneDirection, News};
use super::rooms::ClusterRooms;
use crate::atomic::AtomicU64;
use crate::lock::{Guard, Mutex, NEWS, OUTGOING, lock};
use crate::logging::log_line;
use crate::panics;
use crate::{Broadcast, Connection, Message, Prepared, ServerHandle};

/// What is published at once: enough that a round trip weighs little, and little enough to be said again.
const BATCH_FRAMES: usize = 512;
const BATCH_BYTES: usize = 1 << 20;

pub(crate) type FrameBytes = Arc<Vec<u8>>;

pub(crate) struct Relay {
    pub id: NodeId,
    pub server: ServerHandle,
    pub rooms: ClusterRooms,
    pub settings: RelaySettings,
    joined: Instant,
    /// How many posts of this node were given a number.
    posts: AtomicU64,
    outgoing: Mutex<PublishQueue, OUTGOING>,
    /// Something of `outgoing` has changed.
    changed: Condvar,
    news: Mutex<(News, Vec<ClusterNode>), NEWS>,
    /// What is built on the cluster: Socket.IO.
    carrier_handler: OnceLock<CarrierHandler>,
}

/// Takes what nodes carry for what is built on the cluster, and hears that one is gone.
pub(crate) type CarrierHandler = Box<dyn Fn(NodeId, CarrierEvent<'_>) + Send + Sync>;

/// What a carrier_handler hears of a node.
// Without the feature `socketio` nobody rides.
#[cfg_attr(not(feature = "socketio"), allow(dead_code))]
pub(crate) enum CarrierEvent<'a> {
    Came(&'a [u8]),
    Left,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct RelaySettings {
    pub delivery: LocalDelivery,
    pub heartbeat: Duration,
    pub max_message: usize,
    pub bounds: BacklogBounds,
    pub history: HistoryBounds,
}

/// When a node's own clients get what it broadcasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LocalDelivery {
    /// At once.
    AtOnce,
    /// When it comes back, in the one order that all nodes see.
    InOneOrder,
}

struct PublishQueue {
    backlog: Backlog<FrameBytes>,
    /// Messages that were dropped, and the application has not been told.
    unsent: u64,
    /// What is published now comes back: nothing is published before.
    hears: bool,
    /// Until then what waits is still published.
    leaves_by: Option<Instant>,
    /// A heartbeat is wanted at once: a node that attached shows that it is there, and that it hears itself.
    wants_beat: bool,
    /// Threads of the node that have not ended; the one that publishes ends first.
    threads: usize,
    /// The age that the last published heartbeat tells.
    beat: Option<Duration>,
}

/// What the publishing thread is to do.
pub(crate) enum PublisherStep {
    Publish {
        batch: Publication<FrameBytes>,
        with_beat: bool,
        /// Nothing comes behind it.
        is_last: bool,
    },
    End,
}

impl Relay {
    pub fn new(id: NodeId, server: ServerHandle, settings: RelaySettings) -> Self {
        Relay {
            id,
            server,
            rooms: ClusterRooms::new(settings.history),
            settings,
            joined: Instant::now(),
            posts: AtomicU64::new(0),
            outgoing: Mutex::new(PublishQueue {
                backlog: Backlog::new(settings.bounds),
                unsent: 0,
                hears: false,
                wants_beat: false,
                leaves_by: None,
                threads: 0,
                beat: None,
            }),
            changed: Condvar::new(),
            news: Mutex::default(),
            carrier_handler: OnceLock::new(),
        }
    }

    /// How long ago the node joined, in whole milliseconds as frames tell it: a heartbeat that comes back is known by
    /// it.
    pub fn age(&self) -> Duration {
        Duration::from_millis(self.joined.elapsed().as_millis() as u64)
    }

    pub fn head(&self, number: FrameNumber) -> Head {
        Head {
            node: self.id,
            number,
            age: self.age(),
        }
    }

    pub fn next_post(&self) -> PostId {
        PostId {
            node: self.id,
            number: self.posts.fetch_add(1, Relaxed) + 1,
        }
    }

    /// Puts a message into the backlog.
    pub fn publish(&self, body: &Body<'_>) -> Result<(), ClusterError> {
        self.check(body)?;
        // It gets its number under the lock, and everything else here.
        let mut frame = encode(&self.head(FrameNumber::Own(0)), body);
        let bytes = frame.len();
        let numbered = |number| {
            set_number(&mut frame, number);
            Arc::new(frame)
        };
        let mut outgoing = lock(&self.outgoing);
        if outgoing.leaves_by.is_some() {
            return Err(ClusterError::Left);
        }
        // The thread that publishes tells it: the sender may hold a lock.
        outgoing.unsent += outgoing.backlog.push(bytes, self.age(), numbered);
        drop(outgoing);
        self.changed.notify_all();
        Ok(())
    }

    fn check(&self, body: &Body<'_>) -> Result<(), ClusterError> {
        let len = body.len();
        let short = match body {
            Body::Broadcast { room, .. } => room.map_or(0, str::len),
            Body::Post { room, .. } => room.len(),
            _ => 0,
        };
        let (len, limit) = match short > SHORT {
            true => (short, SHORT),
            false => (len, self.settings.max_message),
        };
        match len > limit {
            true => Err(ClusterError::TooLong { len, limit }),
            false => Ok(()),
        }
    }

    /// Sends to the members that are here of a room, or to all that are here.
    pub fn deliver(
        &self,
        room: Option<&str>,
        message: Message,
        except: Option<&Connection>,
    ) -> Broadcast {
        match (room, except) {
            (Some(room), _) => self.rooms.broadcast(room, &Prepared::new(message), except),
            (None, Some(except)) => self.server.broadcast_except(except, message),
            (None, None) => self.server.broadcast(message),
        }
    }

    /// Closes a connection of this node.
    pub fn close(&self, connection: ConnectionId, code: u16, reason: &str) {
        if let Some(connection) = self.server.connection(connection.number) {
            // An error says that it is closing already; the code was looked at before.
            let _ = connection.close(code, reason);
        }
    }

    /// False if there is one already.
    #[cfg(feature = "socketio")]
    pub fn set_carrier_handler(&self, carrier_handler: CarrierHandler) -> bool {
        self.carrier_handler.set(carrier_handler).is_ok()
    }

    pub fn hand_on(&self, node: NodeId, news: CarrierEvent<'_>) {
        if let Some(carrier_handler) = self.carrier_handler.get() {
            carrier_handler(node, news);
        }
    }

    /// Tells the application, and wakes it.
    pub fn tell(&self, event: ClusterEvent) {
        lock(&self.news).0.push(event);
        self.server.wake();
    }

    fn tell_unsent(&self, messages: u64) {
        if messages > 0 {
            self.tell(ClusterEvent::Unsent { messages });
        }
    }

    /// One direction of the backplane works, or fails for a reason.
    pub fn set_link(&self, way: BackplaneDirection, state: Result<(), &str>) {
        let is_new = lock(&self.news).0.set(way, state);
        if !is_new {
            return;
        }
        self.server.wake();
        match state {
            Ok(()) => log_line!(Info, "cluster: attached as {}", self.id),
            Err(reason) => log_line!(Warn, "cluster: detached: {reason}"),
        }
    }

    pub fn is_attached(&self) -> bool {
        lock(&self.news).0.is_attached()
    }

    pub fn take_event(&self) -> Option<ClusterEvent> {
        lock(&self.news).0.take()
    }

    pub fn set_nodes(&self, nodes: Vec<ClusterNode>) {
        lock(&self.news).1 = nodes;
    }

    pub fn nodes(&self) -> Vec<ClusterNode> {
        lock(&self.news).1.clone()
    }

    /// Whether what is published comes back.
    pub fn set_hears(&self, hears: bool) {
        let mut outgoing = lock(&self.outgoing);
        outgoing.hears = hears;
        outgoing.wants_beat = hears;
        drop(outgoing);
        self.changed.notify_all();
    }

    /// A heartbeat is to go out at once.
    pub fn beat_soon(&self) {
        lock(&self.outgoing).wants_beat = true;
        self.changed.notify_all();
    }

    /// Waits until there is something to publish, or `beat_at`; not before `not_before`.
    pub fn next_turn(&self, beat_at: Instant, not_before: Instant) -> PublisherStep {
        let mut outgoing = lock(&self.outgoing);
        loop {
            let lost = outgoing.backlog.cut(self.age()) + std::mem::take(&mut outgoing.unsent);
            if lost > 0 {
                drop(outgoing);
                self.tell_unsent(lost);
                outgoing = lock(&self.outgoing);
                continue;
            }
            let now = Instant::now();
            if outgoing.leaves_by.is_some_and(|leaves_by| leaves_by <= now) {
                return PublisherStep::End;
            }
            let begin_at = outgoing.begin_at(beat_at, not_before);
            if begin_at.is_some_and(|begin_at| begin_at <= now) {
                return outgoing.begin(beat_at <= now);
            }
            let old_at = outgoing.backlog.due().map(|due| self.joined + due);
            let times = [begin_at, old_at, outgoing.leaves_by];
            outgoing = match times.into_iter().flatten().min() {
                // A frame is too old only behind its time.
                Some(until) => {
                    let wait = until.saturating_duration_since(now) + Duration::from_millis(1);
                    outgoing.wait_timeout(&self.changed, wait)
                }
                None => outgoing.wait(&self.changed),
            };
        }
    }

    /// The turn has ended well; with the age that its heartbeat told.
    pub fn published(&self, beat: Option<Duration>) {
        let mut outgoing = lock(&self.outgoing);
        outgoing.backlog.done();
        if beat.is_some() {
            outgoing.beat = beat;
            outgoing.wants_beat = false;
        }
    }

    pub fn not_published(&self) {
        lock(&self.outgoing).backlog.failed();
    }

    /// The age that the last published heartbeat tells.
    pub fn last_beat(&self) -> Option<Duration> {
        lock(&self.outgoing).beat
    }

    /// How many messages wait to be published.
    pub fn waiting(&self) -> usize {
        lock(&self.outgoing).backlog.len()
    }

    /// The node leaves, and has said its last.
    pub fn is_over(&self) -> bool {
        lock(&self.outgoing).is_over()
    }

    pub fn is_leaving(&self) -> bool {
        lock(&self.outgoing).leaves_by.is_some()
    }

    /// Sleeps, at most until the node has left.
    pub fn pause(&self, time: Duration) {
        self.wait_until(Instant::now() + time, PublishQueue::is_over);
    }

    /// What waits is published for as long as this; returns when the threads have ended, or a little later.
    pub fn leave(&self, patience: Duration) {
        let mut outgoing = lock(&self.outgoing);
        let leaves_by = Instant::now() + patience;
        outgoing.leaves_by.get_or_insert(leaves_by);
        drop(outgoing);
        self.changed.notify_all();
        let until = leaves_by + patience;
        self.wait_until(until, |outgoing| outgoing.threads == 0);
        match self.waiting() {
            0 => log_line!(Info, "cluster: left"),
            left => log_line!(Warn, "cluster: left with {left} messages not published"),
        }
    }

    fn wait_until(&self, until: Instant, is_so: impl Fn(&PublishQueue) -> bool) {
        let mut outgoing = lock(&self.outgoing);
        while !is_so(&outgoing) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            outgoing = outgoing.wait_timeout(&self.changed, left);
        }
    }

    fn outgoing(&self) -> Guard<'_, PublishQueue> {
        lock(&self.outgoing)
    }
}

impl PublishQueue {
    fn is_over(&self) -> bool {
        self.leaves_by.is_some() && self.threads < 2
    }

    /// When there is something to publish; `None` while it would not come back.
    fn begin_at(&self, beat_at: Instant, not_before: Instant) -> Option<Instant> {
        let at_once = self.wants_beat || self.leaves_by.is_some() || !self.backlog.is_empty();
        let begin_at = match at_once {
            true => not_before,
            false => beat_at.max(not_before),
        };
        self.hears.then_some(begin_at)
    }

    fn begin(&mut self, beat_is_due: bool) -> PublisherStep {
        let batch = self.backlog.begin(BATCH_FRAMES, BATCH_BYTES);
        let is_last = self.leaves_by.is_some() && self.backlog.len() == batch.frames.len();
        PublisherStep::Publish {
            batch,
            with_beat: beat_is_due || self.wants_beat,
            is_last,
        }
    }
}

/// A thread of the node; dropped when it ends.
pub(crate) struct Running(Arc<Relay>);

impl Running {
    pub fn new(relay: &Arc<Relay>) -> Self {
        relay.outgoing().threads += 1;
        Running(relay.clone())
    }

    pub fn relay(&self) -> &Arc<Relay> {
        &self.0
    }

    /// Does what the thread is for, after a panic again unless the node leaves. Meanwhile it is detached for that
    /// reason.
    pub fn work(&self, way: BackplaneDirection, work: impl FnMut()) {
        panics::work_on(work, |message| {
            let reason = format!("a thread panicked, a bug of wshub: {message}");
            self.0.set_link(way, Err(&reason));
            !self.0.is_leaving()
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.outgoing().threads -= 1;
        self.0.changed.notify_all();
    }
}

pub(crate) fn content(message: &Message) -> Content<'_> {
    match message {
        Message::Text(text) => Content::Text(text),
        Message::Binary(bytes) => Content::Binary(bytes),
    }
}

pub(crate) fn message(content: &Content<'_>) -> Message {
    match *content {
        Content::Text(text) => text.into(),
        Content::Binary(bytes) => bytes.into(),
    }
}

#[cfg(test)]
mod tests;
