//! A room of a cluster: members on any node, and a name that all know it by.

use super::Cluster;
use super::event::{CatchUpError, ClusterError};
use super::frame::Body;
use super::history::{Missed, Post};
use super::id::PostId;
use super::relay::content;
use super::rooms::ClusterRooms;
use crate::lock::lock;
use crate::{Broadcast, Connection, Message};

/// Some connections of a cluster, on any of its nodes; see [`Cluster::group`]. Keep the value, or get it anew each
/// time, on any thread: rooms of one name have the same members. A connection leaves when it ends.
///
/// ```no_run
/// # fn handle(cluster: &wshub::Cluster, connection: &wshub::Connection) -> Result<(), wshub::ClusterError> {
/// let kitchen = cluster.group("kitchen");
/// kitchen.join(connection);
/// let _ = kitchen.broadcast("dinner is ready")?;
/// # Ok(())
/// # }
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone, Debug)]
pub struct Room {
    cluster: Cluster,
    name: String,
}

impl Room {
    pub(crate) fn new(cluster: Cluster, name: String) -> Self {
        Room { cluster, name }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes a connection of this server in; false if it was in already, or has ended.
    pub fn join(&self, connection: &Connection) -> bool {
        self.rooms().join(&self.name, connection)
    }

    /// Lets a connection of this server go; false if it was not in.
    pub fn leave(&self, connection: &Connection) -> bool {
        self.rooms().leave(&self.name, connection)
    }

    /// True if this connection of this server is in and has not ended.
    pub fn contains(&self, connection: &Connection) -> bool {
        self.rooms().contains(&self.name, connection)
    }

    /// How many members are connected to this server and have not ended.
    pub fn members_here(&self) -> usize {
        self.rooms().count(&self.name)
    }

    /// How many members there are on all nodes. Those of this server are counted now; those of the others are what
    /// they told with their last [heartbeat](crate::ClusterBuilder::heartbeat), up to half of one ago, and later where
    /// the rooms that change between two have more than 8 KiB of names. A node that has just attached is told all rooms
    /// of the others, also 8 KiB at a time. The members of a node that was killed are gone within two heartbeats. While
    /// this node is detached what the others told stays as it was. Never blocks.
    ///
    /// ```
    /// use wshub::Cluster;
    ///
    /// fn show(cluster: &Cluster) {
    ///     println!("{} in the lobby, on all servers", cluster.group("lobby").members());
    /// }
    /// ```
    pub fn members(&self) -> usize {
        let elsewhere = lock(&self.cluster.relay().census).members(&self.name);
        self.members_here() + elsewhere
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

    /// Sends a message to every member on every node, and has the room remember it on the nodes that keep a
    /// [history](crate::ClusterBuilder::history). `message` makes the message from the name of the post, which the
    /// client needs to [catch up](Room::catch_up). Never blocks.
    ///
    /// Posts come in one order on all nodes, that of the history: the members here, too, get them when they come back
    /// from the backplane, and get none while it is away. `message` runs on this thread, before anything is sent.
    ///
    /// ```no_run
    /// use wshub::{CatchUpError, Cluster, Connection, Local, PostId, Server};
    ///
    /// let server = Server::bind("127.0.0.1:9001")?;
    /// let cluster = Cluster::builder().history(100).join(&server, Local::new())?;
    /// cluster.group("news").post(|id| format!("{id} It rains."))?;
    ///
    /// // A client that was there before names the last post that it got, as in `/?last=ID`.
    /// fn open(cluster: &Cluster, connection: &Connection) -> Result<usize, CatchUpError> {
    ///     let news = cluster.group("news");
    ///     let last = connection.request().query("last").and_then(|id| id.parse::<PostId>().ok());
    ///     match last.map(|last| news.catch_up(connection, last)) {
    ///         Some(Err(CatchUpError::Gone)) | None => news.join_with_history(connection, 20),
    ///         Some(caught_up) => caught_up,
    ///     }
    /// }
    /// # let _ = open;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ClusterError::TooLong`]: nobody got it. [`ClusterError::Left`].
    pub fn post<M: Into<Message>>(
        &self,
        message: impl FnOnce(PostId) -> M,
    ) -> Result<PostId, ClusterError> {
        let relay = self.cluster.relay();
        let id = relay.next_post();
        let message = message(id).into();
        relay.publish(&Body::Post {
            room: &self.name,
            number: id.number,
            content: content(&message),
        })?;
        Ok(id)
    }

    /// The last posts that this node remembers of the room, `count` at most, the oldest first. Never blocks.
    pub fn history(&self, count: usize) -> Vec<Post> {
        let last = lock(&self.rooms().history).last(&self.name, count);
        last.posts.iter().map(|post| Post::clone(post)).collect()
    }

    /// Sends a connection of this server what was posted after `last`, and takes it into the room: it gets every post
    /// once, and in order. Returns how many posts it had missed; 0, and nothing is sent, if it was in the room already.
    /// Never blocks.
    ///
    /// # Errors
    /// Then it is not in. [`CatchUpError::Gone`]; [`CatchUpError::Unsent`].
    pub fn catch_up(&self, connection: &Connection, last: PostId) -> Result<usize, CatchUpError> {
        let missed = lock(&self.rooms().history).behind(&self.name, last)?;
        self.join_behind(connection, missed)
    }

    /// As [`catch_up`](Room::catch_up), for a connection that is new: it gets the last posts first, `count` at most.
    ///
    /// # Errors
    /// Then it is not in. [`CatchUpError::Unsent`]; [`CatchUpError::Gone`] if posts were lost just then.
    pub fn join_with_history(
        &self,
        connection: &Connection,
        count: usize,
    ) -> Result<usize, CatchUpError> {
        let last = lock(&self.rooms().history).last(&self.name, count);
        self.join_behind(connection, last)
    }

    fn rooms(&self) -> &ClusterRooms {
        &self.cluster.relay().rooms
    }

    fn join_behind(
        &self,
        connection: &Connection,
        mut missed: Missed,
    ) -> Result<usize, CatchUpError> {
        let mut sent = 0;
        if self.contains(connection) {
            return Ok(sent);
        }
        loop {
            for post in &missed.posts {
                let send = connection.send(post.message.clone());
                send.map_err(|error| CatchUpError::Unsent(error.kind()))?;
                sent += 1;
            }
            // More may have come meanwhile.
            match self
                .rooms()
                .join_behind(&self.name, connection, missed.upto)?
            {
                Some(more) => missed = more,
                None => return Ok(sent),
            }
        }
    }
}
