//! Rooms: a set of connections that the user owns and broadcasts to.

use crate::connection::Connection;
use crate::message::{Message, Prepared};
use crate::outbox::{Broadcast, ReadyState};

/// Some connections of a server, or of several: a room, a topic, the subscribers of a sensor. It is plain data of
/// yours; a connection leaves it when it ends.
///
/// ```
/// use std::collections::HashMap;
/// use wshub::{Event, Group, Server};
///
/// let server = Server::bind("127.0.0.1:0")?;
/// # server.handle().shutdown();
/// let mut rooms: HashMap<String, Group> = HashMap::new();
/// for event in server.events() {
///     match event {
///         Event::Open(connection) => {
///             let room = connection.request().path().to_owned();
///             rooms.entry(room).or_default().join(&connection);
///         }
///         Event::Message(connection, message) => {
///             if let Some(room) = rooms.get_mut(connection.request().path()) {
///                 room.broadcast(message);
///             }
///         }
///         // Peers choose the names: without this they could fill the memory with empty rooms.
///         Event::Close(..) => rooms.retain(|_, room| !room.is_empty()),
///         _ => {}
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [slow peers and large data](crate::guide::slow_peers).
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// In the order of [`key`].
    members: Vec<Connection>,
    /// With so many members it is time to look for ended ones.
    full: usize,
}

impl Group {
    /// A group without members.
    pub fn new() -> Self {
        Group::default()
    }

    /// Adds a connection; false if it was in already.
    pub fn join(&mut self, connection: &Connection) -> bool {
        if self.members.len() >= self.full {
            drop(self.take_ended());
            self.full = 2 * self.members.len().max(8);
        }
        self.insert(connection)
    }

    /// Removes a connection; false if it was not in.
    pub fn leave(&mut self, connection: &Connection) -> bool {
        self.remove(connection).is_some()
    }

    /// True if the connection is in and has not ended.
    pub fn contains(&self, connection: &Connection) -> bool {
        self.holds(connection) && !has_ended(connection)
    }

    /// The members that have not ended, the oldest connection first.
    pub fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.members.iter().filter(|member| !has_ended(member))
    }

    /// How many members have not ended.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// True when no member is left.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Sends a message to every member, encoded once. Never blocks; see
    /// [`Server::broadcast`](crate::Server::broadcast).
    pub fn broadcast(&mut self, message: impl Into<Message>) -> Broadcast {
        drop(self.take_ended());
        self.send(&Prepared::new(message), None)
    }

    /// As [`broadcast`](Group::broadcast), to everyone but one: often the sender.
    pub fn broadcast_except(
        &mut self,
        except: &Connection,
        message: impl Into<Message>,
    ) -> Broadcast {
        drop(self.take_ended());
        self.send(&Prepared::new(message), Some(except))
    }

    /// As [`broadcast`](Group::broadcast), with a message that was encoded before: for several groups, or for one that
    /// threads share.
    pub fn broadcast_prepared(&self, message: &Prepared) -> Broadcast {
        self.send(message, None)
    }

    /// As [`broadcast_prepared`](Group::broadcast_prepared), to everyone but one.
    pub fn broadcast_prepared_except(&self, except: &Connection, message: &Prepared) -> Broadcast {
        self.send(message, Some(except))
    }

    fn send(&self, message: &Prepared, except: Option<&Connection>) -> Broadcast {
        let others = self.members.iter().filter(|&it| Some(it) != except);
        Broadcast::to(others.map(Connection::outbox), |outbox| {
            outbox.send_prepared(message)
        })
    }

    /// Where a connection is, or belongs.
    fn place(&self, connection: &Connection) -> Result<usize, usize> {
        self.members.binary_search_by_key(&key(connection), key)
    }

    /// As [`contains`](Group::contains), of those that have ended, too.
    pub(crate) fn holds(&self, connection: &Connection) -> bool {
        self.place(connection).is_ok()
    }

    /// As [`join`](Group::join), and looks for no ended ones.
    pub(crate) fn insert(&mut self, connection: &Connection) -> bool {
        let place = self.place(connection);
        if let Err(at) = place {
            self.members.insert(at, connection.clone());
        }
        place.is_err()
    }

    /// As [`leave`](Group::leave); the handle that was in.
    pub(crate) fn remove(&mut self, connection: &Connection) -> Option<Connection> {
        let at = self.place(connection).ok()?;
        let member = self.members.remove(at);
        self.trim();
        Some(member)
    }

    /// The members, with those that have ended and were not taken out.
    #[cfg(feature = "redis")]
    pub(crate) fn handles(&self) -> &[Connection] {
        &self.members
    }

    /// Takes the members out that have ended.
    pub(crate) fn take_ended(&mut self) -> Vec<Connection> {
        let mut ended = Vec::new();
        self.members.retain(|member| {
            let has_ended = has_ended(member);
            ended.extend(has_ended.then(|| member.clone()));
            !has_ended
        });
        self.trim();
        ended
    }

    /// Gives memory back that only many more members need.
    fn trim(&mut self) {
        let members = self.members.len().max(8);
        if self.members.capacity() > 4 * members {
            self.members.shrink_to(2 * members);
        }
    }
}

fn has_ended(member: &Connection) -> bool {
    member.ready_state() == ReadyState::Closed
}

/// By id, so that everybody is sent to in the order of their coming; then by address, for servers number their
/// connections separately.
fn key(connection: &Connection) -> (u64, usize) {
    (connection.id(), connection.address())
}

#[cfg(test)]
pub(crate) mod tests;
