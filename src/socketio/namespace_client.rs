//! A client in a namespace: who it is, what the application keeps with it, and the way to it.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::engine::link::SessionLink;
use super::engine::part::Part;
use super::engine::protocol::queue::{PacketQueue, QueueFull, QueuedPacket};
use super::engine::sessions::Sessions;
use super::gate::{Gate, Reliability};
use super::reason::DisconnectReason;
use crate::lock::{DATA, GATE_OF_SOCKET, Mutex, lock};

/// A client in a namespace.
pub(crate) struct NamespaceClient {
    /// A number that no other one has.
    pub key: u64,
    /// Its name for other clients too; not the secret of its session.
    pub id: String,
    pub namespace: Arc<str>,
    pub link: Arc<SessionLink>,
    /// The secret name by which it may come back.
    pub recovery: Option<String>,
    pub is_recovered: bool,
    /// Where it came back: the number of the last packet that had stayed here before it came, and was not for it.
    pub arrived: u64,
    /// The application has been asked to disconnect it: once is enough.
    pub ends: AtomicBool,
    gate: Mutex<Gate, GATE_OF_SOCKET>,
    pub data: Mutex<Option<SocketData>, DATA>,
}

/// What the application keeps with a socket.
pub(crate) type SocketData = Arc<dyn Any + Send + Sync>;

/// What a socket that comes back was.
pub(crate) struct RememberedSocket {
    pub id: String,
    pub data: Option<SocketData>,
}

impl NamespaceClient {
    pub fn new(
        id: String,
        recovery: Option<String>,
        namespace: Arc<str>,
        link: Arc<SessionLink>,
        sessions: &Sessions,
    ) -> NamespaceClient {
        let held = PacketQueue::new(sessions.config.queue);
        NamespaceClient {
            key: sessions.key(),
            id,
            namespace,
            link,
            recovery,
            is_recovered: false,
            arrived: 0,
            ends: AtomicBool::new(false),
            gate: Mutex::new(Gate::Joining(held)),
            data: Mutex::default(),
        }
    }

    /// As the socket that left and may come back by this name.
    pub fn come_back(self, name: &str, remembered: RememberedSocket, arrived: u64) -> Self {
        NamespaceClient {
            id: remembered.id,
            recovery: Some(name.to_owned()),
            is_recovered: true,
            arrived,
            data: Mutex::new(remembered.data),
            ..self
        }
    }

    pub fn send(&self, packet: &[Part], delivery: Reliability, sessions: &Sessions) {
        let held = lock(&self.gate).hold(packet, delivery);
        match (held, delivery) {
            (Some(held), _) => self.note_held(held, sessions),
            (None, Reliability::Reliable) => self.link.send(packet, sessions),
            (None, Reliability::Volatile) => self.link.send_volatile(packet, sessions),
        }
    }

    /// Puts a packet in line. It leaves when the socket is [seen to](NamespaceClient::see_to): this runs no code of the
    /// user's, and may be called under a lock.
    pub fn put_in_line(&self, packet: &[Part], sessions: &Sessions) -> Result<usize, QueueFull> {
        let held = lock(&self.gate).hold(packet, Reliability::Reliable);
        held.unwrap_or_else(|| {
            self.link.put_in_line(packet, sessions);
            Ok(0)
        })
    }

    /// Sends what is in line; with what became of that.
    pub fn see_to(&self, held: Result<usize, QueueFull>, sessions: &Sessions) {
        self.note_held(held, sessions);
        self.link.see_to(sessions);
    }

    /// Counts what found no room while it joins, and ends its session where the policy is so.
    fn note_held(&self, held: Result<usize, QueueFull>, sessions: &Sessions) {
        sessions.note_dropped(held.unwrap_or(1));
        if held.is_err() {
            sessions.limited_log.warn(module_path!(), "joins", || {
                "a client is disconnected: more is sent to it while it joins than may wait; send less, or raise \
                 socketio::Limits::max_queued_packets and max_queued_bytes"
                    .to_owned()
            });
            self.link.end(DisconnectReason::TransportError, sessions);
        }
    }

    /// The client is told that it is in, and then what it missed and what was sent to it meanwhile.
    pub fn let_in(&self, welcome: &[Part], missed: &[Vec<Part>], sessions: &Sessions) {
        let mut gate = lock(&self.gate);
        let held = match std::mem::replace(&mut *gate, Gate::Joined) {
            Gate::Joining(held) => held.into_packets(),
            _ => VecDeque::new(),
        };
        let told = std::iter::once(welcome).chain(missed.iter().map(Vec::as_slice));
        let packets = told.flat_map(QueuedPacket::group).chain(held);
        // Under the lock: what is sent from now on comes after them.
        self.link.put_owed_in_line(packets);
        drop(gate);
        self.link.see_to(sessions);
    }

    /// It is there no longer, and was in these rooms.
    pub fn leave(&self, rooms: Vec<String>) {
        *lock(&self.gate) = Gate::Left(rooms);
    }

    pub fn is_in(&self) -> bool {
        !matches!(*lock(&self.gate), Gate::Left(_))
    }

    /// The rooms that it was in when it left.
    pub fn left_rooms(&self) -> Option<Vec<String>> {
        match &*lock(&self.gate) {
            Gate::Left(rooms) => Some(rooms.clone()),
            _ => None,
        }
    }
}
