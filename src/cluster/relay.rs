//! What the threads of a node share: its way to the other nodes, the members of each room, who the others are.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::backlog::BacklogBounds;
use super::census::Census;
use super::event::{ClusterError, ClusterEvent, ClusterNode};
use super::frame::{Body, Content, FrameNumber, Head, encode, set_number};
use super::history::HistoryBounds;
use super::id::{ConnectionId, NodeId, PostId};
use super::pieces::SHORT;
use super::port::{FrameBytes, Port, PortPeers, PortSettings, PortUser, PublishTurn};
use super::report::{RoomCounts, RoomReport};
use super::rooms::ClusterRooms;
use crate::atomic::AtomicU64;
use crate::lock::{CENSUS, Mutex, NODES, lock};
use crate::logging::log_line;
use crate::{Broadcast, Connection, Message, Prepared, ServerHandle};

/// A node that has heard nothing for so long, and for two heartbeats, not even what it published itself, is deaf.
const DEAF: Duration = Duration::from_secs(2);

pub(crate) struct Relay {
    pub id: NodeId,
    pub server: ServerHandle,
    pub rooms: ClusterRooms,
    /// Members of the rooms on other nodes.
    pub census: Mutex<Census, CENSUS>,
    pub settings: RelaySettings,
    port: Port,
    /// How many posts of this node were given a number.
    posts: AtomicU64,
    /// How many reports of its rooms.
    reports: AtomicU64,
    nodes: Mutex<Vec<ClusterNode>, NODES>,
    /// What is built on the cluster: Socket.IO.
    pub carrier_handler: OnceLock<CarrierHandler>,
}

/// Takes what nodes carry for what is built on the cluster, and hears that one is gone.
pub(crate) type CarrierHandler = Box<dyn Fn(NodeId, CarrierEvent<'_>) + Send + Sync>;

/// What it hears of a node.
// Without the feature `socketio` there is no such handler.
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

impl Relay {
    pub fn new(id: NodeId, server: ServerHandle, settings: RelaySettings) -> Self {
        Relay {
            id,
            server,
            rooms: ClusterRooms::new(settings.history),
            census: Mutex::default(),
            settings,
            port: Port::new(PortSettings {
                peers: PortPeers::Nodes,
                bounds: settings.bounds,
                // Twice as often as others expect it.
                beat: settings.heartbeat / 2,
                deaf: DEAF.max(2 * settings.heartbeat),
            }),
            posts: AtomicU64::new(0),
            reports: AtomicU64::new(0),
            nodes: Mutex::default(),
            carrier_handler: OnceLock::new(),
        }
    }

    fn head(&self, number: FrameNumber) -> Head {
        Head {
            node: self.id,
            number,
            age: self.port.age(),
        }
    }

    pub fn next_post(&self) -> PostId {
        PostId {
            node: self.id,
            number: self.posts.fetch_add(1, Relaxed) + 1,
        }
    }

    /// Has a message published, as soon as the backplane is there.
    pub fn publish(&self, body: &Body<'_>) -> Result<(), ClusterError> {
        self.check(body)?;
        // It gets its number under the lock, and everything else here.
        let mut frame = encode(&self.head(FrameNumber::Own(0)), body);
        let bytes = frame.len();
        let numbered = |number| {
            set_number(&mut frame, number);
            Arc::new(frame)
        };
        match self.port.push(bytes, numbered) {
            true => Ok(()),
            false => Err(ClusterError::Left),
        }
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

    pub fn hand_on(&self, node: NodeId, news: CarrierEvent<'_>) {
        if let Some(carrier_handler) = self.carrier_handler.get() {
            carrier_handler(node, news);
        }
    }

    pub fn set_nodes(&self, nodes: Vec<ClusterNode>) {
        *lock(&self.nodes) = nodes;
    }

    pub fn nodes(&self) -> Vec<ClusterNode> {
        lock(&self.nodes).clone()
    }

    /// What waits is published for as long as this.
    pub fn leave(&self, patience: Duration) {
        match self.port.leave(patience, |messages| self.lost(messages)) {
            0 => log_line!(Info, "cluster: left"),
            left => log_line!(Warn, "cluster: left with {left} messages not published"),
        }
    }

    /// A heartbeat after the frame of this number.
    fn alive(&self, last: u64) -> Vec<u8> {
        let (counts, is_whole) = self.rooms.report();
        let rooms = RoomCounts::read(&counts).ok().map(|counts| RoomReport {
            number: self.reports.fetch_add(1, Relaxed) + 1,
            is_whole,
            lacks: lock(&self.census).lacks(),
            counts,
        });
        let body = Body::Alive {
            connections: self.server.stats().connections as u64,
            rooms,
        };
        encode(&self.head(FrameNumber::Behind(last)), &body)
    }
}

impl PortUser for Relay {
    fn port(&self) -> &Port {
        &self.port
    }

    fn signs(&self, turn: &PublishTurn) -> Vec<FrameBytes> {
        let last = turn.batch.last;
        let alive = turn.beat.map(|_| self.alive(last));
        let bye = || encode(&self.head(FrameNumber::Behind(last)), &Body::Bye);
        let bye = turn.is_last.then(bye);
        alive.into_iter().chain(bye).map(Arc::new).collect()
    }

    fn ended(&self, turn: Option<&PublishTurn>, is_published: bool) {
        match turn.is_none_or(|turn| turn.beat.is_some()) {
            true if is_published => lock(&self.census).asked(),
            true => self.rooms.report_everything(),
            false => {}
        }
    }

    fn lost(&self, messages: u64) {
        self.tell(ClusterEvent::Unsent { messages });
    }

    fn wake(&self) {
        self.server.wake();
    }

    fn log_link(&self, state: Result<(), &str>) {
        match state {
            Ok(()) => log_line!(Info, "cluster: attached as {}", self.id),
            Err(reason) => log_line!(Warn, "cluster: detached: {reason}"),
        }
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
