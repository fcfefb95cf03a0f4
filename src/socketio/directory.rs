//! Who is there: the sockets of each namespace, and their rooms.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::core::Core;
use super::link::Link;
use super::part::Part;
use super::rooms::{Rooms, TooManyRooms};
use crate::lock::{DATA, GATE_OF_SOCKET, Mutex, lock};

/// A client in a namespace.
pub(super) struct Member {
    /// A number that no other one has.
    pub key: u64,
    /// Its name for everybody; not the secret of its session.
    pub id: String,
    pub namespace: Arc<str>,
    pub link: Arc<Link>,
    gate: Mutex<Gate, GATE_OF_SOCKET>,
    pub data: Mutex<Option<Arc<dyn Any + Send + Sync>>, DATA>,
}

/// Whether what is sent may go out.
enum Gate {
    /// The client has not been told that it is in: what it is sent waits for that.
    Joining(Vec<Vec<Part>>),
    Joined,
    /// With the rooms that it was in.
    Left(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Reliable,
    /// Only if it can leave now.
    Volatile,
}

impl Member {
    pub fn new(key: u64, id: String, namespace: Arc<str>, link: Arc<Link>) -> Arc<Member> {
        Arc::new(Member {
            key,
            id,
            namespace,
            link,
            gate: Mutex::new(Gate::Joining(Vec::new())),
            data: Mutex::default(),
        })
    }

    pub fn send(&self, packet: &[Part], delivery: Delivery, core: &Core) {
        match &mut *lock(&self.gate) {
            Gate::Joining(held) => return held.push(packet.to_vec()),
            Gate::Left(_) => return,
            Gate::Joined => {}
        }
        match delivery {
            Delivery::Reliable => self.link.send(packet, core),
            Delivery::Volatile => self.link.send_volatile(packet, core),
        }
    }

    /// The client is told that it is in, and then what was sent to it meanwhile.
    pub fn let_in(&self, welcome: &[Part], core: &Core) {
        self.link.send(welcome, core);
        loop {
            let held = match &mut *lock(&self.gate) {
                Gate::Joining(held) if !held.is_empty() => std::mem::take(held),
                gate => {
                    *gate = Gate::Joined;
                    return;
                }
            };
            for packet in held {
                self.link.send(&packet, core);
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
    members: BTreeMap<u64, Arc<Member>>,
    rooms: Rooms,
}

#[derive(Default)]
pub(super) struct Directory {
    namespaces: HashMap<Arc<str>, Namespace>,
}

impl Directory {
    /// A socket is there, in the room of its own name.
    pub fn add(&mut self, member: &Arc<Member>) {
        let namespace = self.namespaces.entry(member.namespace.clone());
        let namespace = namespace.or_default();
        namespace.members.insert(member.key, member.clone());
        // One room is always allowed.
        let _ = namespace.rooms.join(member.key, &member.id, 1);
    }

    /// A socket is there no longer, and in no room.
    pub fn remove(&mut self, member: &Member) {
        let Some(namespace) = self.namespaces.get_mut(&member.namespace) else {
            return;
        };
        if namespace.members.remove(&member.key).is_some() {
            let rooms = namespace.rooms.remove(member.key);
            *lock(&member.gate) = Gate::Left(rooms.into_iter().collect());
        }
    }

    /// Joins a room; nothing for a socket that has left.
    pub fn join(&mut self, member: &Member, room: &str, most: usize) -> Result<(), TooManyRooms> {
        match self.namespaces.get_mut(&member.namespace) {
            Some(namespace) if namespace.members.contains_key(&member.key) => {
                namespace.rooms.join(member.key, room, most)
            }
            _ => Ok(()),
        }
    }

    pub fn leave(&mut self, member: &Member, room: &str) {
        if let Some(namespace) = self.namespaces.get_mut(&member.namespace) {
            namespace.rooms.leave(member.key, room);
        }
    }

    pub fn rooms_of(&self, member: &Member) -> Vec<String> {
        let namespace = self.namespaces.get(&member.namespace);
        let rooms = namespace.map(|namespace| namespace.rooms.of(member.key));
        rooms.into_iter().flatten().map(str::to_owned).collect()
    }

    /// Everybody of a namespace, or whoever is in one of these rooms; but nobody who is in one of those.
    pub fn select(&self, namespace: &str, rooms: &[String], except: &[String]) -> Vec<Arc<Member>> {
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
