//! The sockets of each namespace, and their rooms.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::core::Core;
use super::engine::link::SessionLink;
use super::engine::part::Part;
use super::engine::protocol::queue::Carried;
use super::recovery::{Audience, Departed, Recovery, RecoveryBounds};
use super::rooms::{Rooms, TooManyRooms};
use crate::lock::{DATA, GATE_OF_SOCKET, Mutex, lock};

/// A client in a namespace.
pub(super) struct NamespaceClient {
    /// A number that no other one has.
    pub key: u64,
    /// Its name for other clients too; not the secret of its session.
    pub id: String,
    pub namespace: Arc<str>,
    pub link: Arc<SessionLink>,
    /// The secret name by which it may come back.
    pub recovery: Option<String>,
    pub is_recovered: bool,
    /// The application has been asked to disconnect it: once is enough.
    pub ends: AtomicBool,
    gate: Mutex<Gate, GATE_OF_SOCKET>,
    pub data: Mutex<Option<SocketData>, DATA>,
}

/// What the application keeps with a socket.
pub(super) type SocketData = Arc<dyn Any + Send + Sync>;

/// What a socket that comes back was.
pub(super) struct Known {
    pub id: String,
    pub data: Option<SocketData>,
}

type SocketRecovery = Recovery<Vec<Part>, Known>;
/// What a socket is that comes back, with its rooms and what it missed.
pub(super) type Returned = (Departed<Known>, Vec<Vec<Part>>);

/// Whether what is sent may go out.
enum Gate {
    /// The client has not been told that it is in: what it is sent waits for that.
    Joining(Vec<Vec<Part>>),
    Joined,
    /// With the rooms that it was in.
    Left(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reliability {
    Reliable,
    /// Only if it can leave now.
    Volatile,
}

impl NamespaceClient {
    pub fn new(
        key: u64,
        known: Known,
        namespace: Arc<str>,
        link: Arc<SessionLink>,
        recovery: Option<String>,
        is_recovered: bool,
    ) -> Arc<NamespaceClient> {
        Arc::new(NamespaceClient {
            key,
            id: known.id,
            namespace,
            link,
            recovery,
            is_recovered,
            ends: AtomicBool::new(false),
            gate: Mutex::new(Gate::Joining(Vec::new())),
            data: Mutex::new(known.data),
        })
    }

    pub fn send(&self, packet: &[Part], delivery: Reliability, core: &Core) {
        match &mut *lock(&self.gate) {
            Gate::Joining(_) if delivery == Reliability::Volatile => return,
            Gate::Joining(held) => return held.push(packet.to_vec()),
            Gate::Left(_) => return,
            Gate::Joined => {}
        }
        match delivery {
            Reliability::Reliable => self.link.send(packet, &core.sessions),
            Reliability::Volatile => self.link.send_volatile(packet, &core.sessions),
        }
    }

    /// The client is told that it is in, and then what it missed and what was sent to it meanwhile.
    pub fn let_in(&self, welcome: &[Part], missed: &[Vec<Part>], core: &Core) {
        self.link.send(welcome, &core.sessions);
        for packet in missed {
            self.link.send(packet, &core.sessions);
        }
        loop {
            let held = match &mut *lock(&self.gate) {
                Gate::Joining(held) if !held.is_empty() => std::mem::take(held),
                gate => {
                    *gate = Gate::Joined;
                    return;
                }
            };
            for packet in held {
                self.link.send(&packet, &core.sessions);
            }
        }
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

#[derive(Default)]
struct Namespace {
    members: BTreeMap<u64, Arc<NamespaceClient>>,
    rooms: Rooms,
    kept: Option<SocketRecovery>,
}

pub(super) struct Directory {
    namespaces: HashMap<Arc<str>, Namespace>,
    recovery: Option<RecoveryBounds>,
}

impl Directory {
    /// With a bound, sockets may come back.
    pub fn new(recovery: Option<RecoveryBounds>) -> Self {
        Directory {
            namespaces: HashMap::new(),
            recovery,
        }
    }

    /// Sockets in all namespaces.
    pub fn count(&self) -> usize {
        self.namespaces.values().map(|it| it.members.len()).sum()
    }

    pub fn has_recovery(&self) -> bool {
        self.recovery.is_some()
    }

    fn kept(&mut self, namespace: &str) -> Option<&mut SocketRecovery> {
        let bounds = self.recovery?;
        let namespace = self.namespaces.get_mut(namespace)?;
        Some(namespace.kept.get_or_insert_with(|| Recovery::new(bounds)))
    }

    /// The offset of the next packet of a namespace, if packets are kept.
    pub fn next_offset(&mut self, namespace: &str) -> Option<u64> {
        self.kept(namespace).map(|kept| kept.next_offset())
    }

    pub fn keep(&mut self, namespace: &str, packet: Vec<Part>, audience: Audience, now: Duration) {
        let len = packet.iter().map(Carried::payload_len).sum();
        if let Some(kept) = self.kept(namespace) {
            kept.keep(packet, len, audience, now);
        }
    }

    /// A socket that comes back to a namespace.
    pub fn return_of(
        &mut self,
        namespace: &str,
        name: &str,
        offset: u64,
        now: Duration,
    ) -> Option<Returned> {
        self.kept(namespace)?.return_of(name, offset, now)
    }

    /// Sockets that left and were forgotten, to be dropped without the lock.
    pub fn take_forgotten(&mut self, namespace: &str) -> Vec<Departed<Known>> {
        let kept = self.kept(namespace);
        kept.map(Recovery::take_forgotten).unwrap_or_default()
    }

    /// A socket that left may come back as what it was.
    pub fn depart(&mut self, member: &NamespaceClient, now: Duration) {
        let (Some(name), Some(rooms)) = (&member.recovery, member.left_rooms()) else {
            return;
        };
        let known = Known {
            id: member.id.clone(),
            data: lock(&member.data).clone(),
        };
        if let Some(kept) = self.kept(&member.namespace) {
            kept.depart(name.clone(), rooms, known, now);
        }
    }

    /// A socket is there, in the room of its own name.
    pub fn add(&mut self, member: &Arc<NamespaceClient>) {
        let namespace = self.namespaces.entry(member.namespace.clone());
        let namespace = namespace.or_default();
        namespace.members.insert(member.key, member.clone());
        // One room is always allowed.
        let _ = namespace.rooms.join(member.key, &member.id, 1);
    }

    /// A socket is there no longer, and in no room.
    pub fn remove(&mut self, member: &NamespaceClient) {
        let Some(namespace) = self.namespaces.get_mut(&member.namespace) else {
            return;
        };
        if namespace.members.remove(&member.key).is_some() {
            let rooms = namespace.rooms.remove(member.key);
            *lock(&member.gate) = Gate::Left(rooms.into_iter().collect());
        }
    }

    /// Joins a room; nothing for a socket that has left.
    pub fn join(
        &mut self,
        member: &NamespaceClient,
        room: &str,
        most: usize,
    ) -> Result<(), TooManyRooms> {
        match self.namespaces.get_mut(&member.namespace) {
            Some(namespace) if namespace.members.contains_key(&member.key) => {
                namespace.rooms.join(member.key, room, most)
            }
            _ => Ok(()),
        }
    }

    pub fn leave(&mut self, member: &NamespaceClient, room: &str) {
        if let Some(namespace) = self.namespaces.get_mut(&member.namespace) {
            namespace.rooms.leave(member.key, room);
        }
    }

    pub fn rooms_of(&self, member: &NamespaceClient) -> Vec<String> {
        let namespace = self.namespaces.get(&member.namespace);
        let rooms = namespace.map(|namespace| namespace.rooms.of(member.key));
        rooms.into_iter().flatten().map(str::to_owned).collect()
    }

    /// The sockets of a namespace, or those in one of these rooms; without those in one of the excepted rooms.
    pub fn select(
        &self,
        namespace: &str,
        rooms: &[String],
        except: &[String],
    ) -> Vec<Arc<NamespaceClient>> {
        let Some(namespace) = self.namespaces.get(namespace) else {
            return Vec::new();
        };
        if rooms.is_empty() {
            let others = namespace.members.iter();
            return others
                .filter(|(key, _)| !namespace.rooms.is_in_any(**key, except))
                .map(|(_, member)| member.clone())
                .collect();
        }
        let selected = namespace.rooms.select(rooms, except);
        selected
            .iter()
            .filter_map(|key| namespace.members.get(key).cloned())
            .collect()
    }
}
