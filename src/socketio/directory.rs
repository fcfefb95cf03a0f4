//! The sockets of each namespace, and their rooms.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::arguments::Written;
use super::namespace_client::{NamespaceClient, RememberedSocket};
use super::position::{ClientPosition, PacketName, PacketOrigin};
use super::recovery::{Audience, Departed, Recovery, RecoveryBounds};
use super::rooms::{NotJoined, Rooms};
use crate::lock::lock;

type SocketRecovery = Recovery<Written, RememberedSocket>;

#[derive(Default)]
pub(crate) struct Namespace {
    members: BTreeMap<u64, Arc<NamespaceClient>>,
    rooms: Rooms,
    kept: Option<SocketRecovery>,
}

pub(crate) struct Directory {
    namespaces: HashMap<Arc<str>, Namespace>,
    recovery: Option<RecoveryBounds>,
    /// Of what goes to all servers, in a cluster.
    shared: Option<PacketOrigin>,
    /// Of what stays on this one.
    own: PacketOrigin,
}

/// What other servers are told of a socket that may come back to any of them.
// Without the feature `redis` there are none.
#[cfg_attr(not(feature = "redis"), allow(dead_code))]
pub(crate) struct SocketMove {
    pub namespace: Arc<str>,
    /// The secret name by which it may come back.
    pub name: String,
    /// What it was when it left; `None`: it came back.
    pub left: Option<LeftSocket>,
}

/// What a socket was that left, for other servers.
#[cfg_attr(not(feature = "redis"), allow(dead_code))]
pub(crate) struct LeftSocket {
    pub id: String,
    pub rooms: Vec<String>,
    /// How far the sockets of its server had come.
    pub last: ClientPosition,
    /// What it had got of origins of which its position does not tell.
    pub before: ClientPosition,
}

impl Directory {
    /// With a bound, sockets may come back.
    pub fn new(recovery: Option<RecoveryBounds>) -> Self {
        Directory {
            namespaces: HashMap::new(),
            recovery,
            shared: None,
            own: PacketOrigin::ALONE,
        }
    }

    /// The server is this node of a cluster. What was kept before is for nobody, and is given back to be dropped
    /// without the lock.
    #[cfg(feature = "redis")]
    pub fn set_node(&mut self, node: u128) -> Vec<SocketRecovery> {
        let shared = PacketOrigin::of_node(node);
        self.shared = Some(shared);
        self.own = shared.staying();
        let namespaces = self.namespaces.values_mut();
        namespaces.filter_map(|it| it.kept.take()).collect()
    }

    /// The application is gone: nobody is here, and nothing is kept. To be dropped without the lock.
    pub fn end(&mut self) -> HashMap<Arc<str>, Namespace> {
        std::mem::take(&mut self.namespaces)
    }

    /// A namespace that clients may join: what is sent to it is kept from now on.
    pub fn declare(&mut self, namespace: &Arc<str>) {
        self.namespaces.entry(namespace.clone()).or_default();
    }

    /// Sockets in all namespaces.
    pub fn count(&self) -> usize {
        self.namespaces.values().map(|it| it.members.len()).sum()
    }

    fn kept(&mut self, namespace: &str) -> Option<&mut SocketRecovery> {
        let bounds = self.recovery?;
        let namespace = self.namespaces.get_mut(namespace)?;
        Some(namespace.kept.get_or_insert_with(|| Recovery::new(bounds)))
    }

    /// A name for a packet that goes to all servers; `at_once`: it has reached its one client before.
    pub fn name_for_all(&mut self, namespace: &str, at_once: bool) -> Option<PacketName> {
        let shared = self.shared?;
        let origin = if at_once { shared.at_once() } else { shared };
        Some(self.kept(namespace)?.name(origin))
    }

    /// The last name was given to a packet that goes nowhere.
    pub fn take_name_back(&mut self, namespace: &str, name: PacketName) {
        if let Some(kept) = self.kept(namespace) {
            kept.take_name_back(name);
        }
    }

    /// Keeps a packet, which gets a name if it has none yet; gives the position of the sockets that it is sent to.
    /// Nothing where packets are not kept.
    pub fn keep(
        &mut self,
        namespace: &str,
        name: Option<PacketName>,
        written: &Written,
        audience: Audience,
        now: Duration,
    ) -> Option<ClientPosition> {
        let own = self.own;
        let kept = self.kept(namespace)?;
        let name = name.unwrap_or_else(|| kept.name(own));
        let position = kept.advance(name, now);
        let attachments = written.attachments.iter().map(|bytes| bytes.len());
        let names = audience.names().map(String::len);
        let len = written.json.len() + attachments.chain(names).sum::<usize>();
        kept.keep(written.clone(), len, name, audience, now);
        Some(position)
    }

    /// Forgets the sockets that may come back no longer; gives when the next one may not.
    pub fn forget_departed(&mut self, now: Duration) -> Option<Duration> {
        let next = self.all_kept().filter_map(|kept| kept.forget_sockets(now));
        next.min()
    }

    /// Sockets that left and were forgotten, to be dropped without the lock.
    pub fn take_forgotten(&mut self) -> Vec<Departed<RememberedSocket>> {
        let forgotten = self.all_kept().flat_map(Recovery::take_forgotten);
        forgotten.collect()
    }

    fn all_kept(&mut self) -> impl Iterator<Item = &mut SocketRecovery> {
        let namespaces = self.namespaces.values_mut();
        namespaces.filter_map(|it| it.kept.as_mut())
    }

    /// A socket that left may come back as what it was; in a cluster to any server, if these are told.
    pub fn depart(&mut self, member: &NamespaceClient, now: Duration) -> Option<SocketMove> {
        let is_in_cluster = self.shared.is_some();
        let name = member.recovery.clone()?;
        let rooms = member.left_rooms()?;
        let remembered = RememberedSocket {
            id: member.id.clone(),
            data: lock(&member.data).clone(),
        };
        let kept = self.kept(&member.namespace)?;
        let before = kept.before(member.arrived, now);
        let told = is_in_cluster.then(|| SocketMove {
            namespace: member.namespace.clone(),
            name: name.clone(),
            left: Some(LeftSocket {
                id: member.id.clone(),
                rooms: rooms.clone(),
                last: kept.last(),
                before: before.clone(),
            }),
        });
        kept.depart(name, rooms, remembered, before, None, now);
        told
    }

    /// Another server tells of a socket.
    #[cfg(feature = "redis")]
    pub fn hear_move(&mut self, told: SocketMove, now: Duration) {
        let Some(kept) = self.kept(&told.namespace) else {
            return;
        };
        let Some(left) = told.left else {
            return kept.forget(&told.name);
        };
        kept.hear_last(&left.last, now);
        let before = kept.before_of(left.before, now);
        // What the application kept with it is on that server.
        let (id, data) = (left.id, None);
        let remembered = RememberedSocket { id, data };
        kept.depart(
            told.name,
            left.rooms,
            remembered,
            before,
            left.last.staying(),
            now,
        );
    }

    /// A socket is there, in the room of its own name. If its client left under this name, and has come so far, it is
    /// what it was then; with what it missed.
    pub fn add(
        &mut self,
        mut member: NamespaceClient,
        name: &str,
        position: Option<ClientPosition>,
        now: Duration,
    ) -> (Arc<NamespaceClient>, Vec<(Written, ClientPosition)>) {
        let own = self.own;
        let kept = self.kept(&member.namespace).zip(position);
        let returned = kept.and_then(|(kept, from)| kept.return_of(name, &from, now));
        let (mut rooms, mut missed) = (Vec::new(), Vec::new());
        if let Some((departed, packets)) = returned {
            let arrived = departed.before(own);
            member = member.come_back(name, departed.known, arrived);
            (rooms, missed) = (departed.rooms, packets);
        }
        let member = Arc::new(member);
        let namespace = self.namespaces.entry(member.namespace.clone());
        let namespace = namespace.or_default();
        namespace.members.insert(member.key, member.clone());
        for room in std::iter::once(&member.id).chain(&rooms) {
            // As many as it was in before, and its own.
            let _ = namespace.rooms.join(member.key, room, usize::MAX);
        }
        (member, missed)
    }

    /// A socket is there no longer, and in no room.
    pub fn remove(&mut self, member: &NamespaceClient) {
        let Some(namespace) = self.namespaces.get_mut(&member.namespace) else {
            return;
        };
        if namespace.members.remove(&member.key).is_some() {
            let rooms = namespace.rooms.remove(member.key);
            member.leave(rooms.into_iter().collect());
        }
    }

    /// Joins a room; nothing for a socket that has left.
    pub fn join(
        &mut self,
        member: &NamespaceClient,
        room: &str,
        most: usize,
    ) -> Result<(), NotJoined> {
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
    pub fn select(&self, namespace: &str, audience: &Audience) -> Vec<Arc<NamespaceClient>> {
        let Audience { rooms, except } = audience;
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
