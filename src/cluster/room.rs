//! A room of a cluster: members on any node, and a name that all know it by.

use super::Cluster;
use super::event::ClusterError;
use crate::{Broadcast, Connection, Message};

/// Some connections of a cluster, whichever node they are connected to; see [`Cluster::group`]. A value to keep or to
/// make anew each time, on any thread; members are those of the name. A connection that has ended falls out by itself.
///
/// ```no_run
/// # fn handle(cluster: &wshub::Cluster, connection: &wshub::Connection) -> Result<(), wshub::ClusterError> {
/// let kitchen = cluster.group("kitchen");
/// kitchen.join(connection);
/// let _ = kitchen.broadcast("dinner is ready")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Room {
    cluster: Cluster,
    name: String,
}

impl Room {
    pub(super) fn new(cluster: Cluster, name: String) -> Self {
        Room { cluster, name }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes a connection of this server in; false if it was in already, or has ended.
    pub fn join(&self, connection: &Connection) -> bool {
        self.cluster.relay().rooms.join(&self.name, connection)
    }

    /// Lets a connection of this server go; false if it was not in.
    pub fn leave(&self, connection: &Connection) -> bool {
        self.cluster.relay().rooms.leave(&self.name, connection)
    }

    /// True if this connection of this server is in.
    pub fn contains(&self, connection: &Connection) -> bool {
        self.cluster.relay().rooms.contains(&self.name, connection)
    }

    /// How many members are connected to this server and have not ended. What the others have is not known here.
    pub fn members_here(&self) -> usize {
        self.cluster.relay().rooms.count(&self.name)
    }

    /// Sends a message to every member on every node. Never blocks; returns what was done on this node, as
    /// [`Cluster::broadcast`] does.
    ///
    /// # Errors
    /// [`ClusterError::TooLong`]: nobody got it.
    pub fn broadcast(&self, message: impl Into<Message>) -> Result<Broadcast, ClusterError> {
        self.cluster.send_to(Some(&self.name), message.into(), None)
    }

    /// As [`broadcast`](Room::broadcast), to everyone but one connection of this server: often the sender.
    ///
    /// # Errors
    /// As [`broadcast`](Room::broadcast).
    pub fn broadcast_except(
        &self,
        except: &Connection,
        message: impl Into<Message>,
    ) -> Result<Broadcast, ClusterError> {
        self.cluster
            .send_to(Some(&self.name), message.into(), Some(except))
    }
}
