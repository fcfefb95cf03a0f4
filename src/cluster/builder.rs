//! What is chosen before a node joins.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::backlog::BacklogBounds;
use super::backplane::Backplane;
use super::history::HistoryBounds;
use super::id::NodeId;
use super::listener::listen;
use super::relay::{LocalDelivery, Relay, RelaySettings};
use super::threads;
use super::{Cluster, Node, YEAR};
use crate::ServerHandle;

/// Bounds, heartbeat and order of a node; made by [`Cluster::builder`].
///
/// ```
/// use std::time::Duration;
/// use wshub::{Cluster, Local, Server};
///
/// let server = Server::bind("127.0.0.1:0")?;
/// let cluster = Cluster::builder()
///     .ordered()
///     .heartbeat(Duration::from_secs(5))
///     .max_waiting(10_000)
///     .join(&server, Local::new())?;
/// # drop(cluster);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone, Debug)]
pub struct ClusterBuilder {
    settings: RelaySettings,
}

impl Default for ClusterBuilder {
    fn default() -> Self {
        ClusterBuilder {
            settings: RelaySettings {
                delivery: LocalDelivery::AtOnce,
                heartbeat: Duration::from_secs(2),
                max_message: 1 << 20,
                bounds: BacklogBounds {
                    messages: 65_536,
                    bytes: 64 << 20,
                    age: Duration::from_secs(60),
                },
                history: HistoryBounds {
                    posts: 0,
                    bytes: 64 << 20,
                },
            },
        }
    }
}

impl ClusterBuilder {
    /// One order on all nodes: the clients of this server, too, get what it broadcasts only when it comes back from the
    /// backplane. That costs one round trip, and while the backplane is away the clients get no broadcasts. Without it,
    /// the clients of two nodes may get messages that these nodes send at the same time in different orders. Set it on
    /// all nodes or on none.
    ///
    /// What goes to one connection of this server is in no such order: [`Connection::send`](crate::Connection::send)
    /// and Socket.IO's `Socket::emit` do not wait for the backplane, and overtake what was broadcast just before. With
    /// Socket.IO, `io.to(id).emit` keeps behind it, and where clients [may come
    /// back](crate::guide::cluster#socketio) `Socket::emit`, too.
    #[must_use]
    pub fn ordered(mut self) -> Self {
        self.settings.delivery = LocalDelivery::InOneOrder;
        self
    }

    /// The time between two signs of life. A node that is killed is removed within two of these. Default 2 s, longer
    /// than a loaded machine or a short pause of the backplane delays a sign. At least 100 ms, at most a year. Use the
    /// same on all nodes: each sends two signs in this time.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: Duration) -> Self {
        self.settings.heartbeat = heartbeat.clamp(Duration::from_millis(100), YEAR);
        self
    }

    /// How many messages wait for the backplane at most; then the oldest is dropped, counted and told. Default 65,536:
    /// 3 s of 20,000 messages a second.
    #[must_use]
    pub fn max_waiting(mut self, messages: usize) -> Self {
        self.settings.bounds.messages = messages.max(1);
        self
    }

    /// How many bytes of messages wait for the backplane at most. Default 64 MiB.
    #[must_use]
    pub fn max_waiting_bytes(mut self, bytes: usize) -> Self {
        self.settings.bounds.bytes = bytes;
        self
    }

    /// How long a message waits at most. Default 60 s: a Redis that restarts is back by then, and an older message is
    /// of little use to a live client.
    #[must_use]
    pub fn max_waiting_time(mut self, age: Duration) -> Self {
        self.settings.bounds.age = age.min(YEAR);
        self
    }

    /// How many bytes a message has at most, the name of its room included. Default 1 MiB: a backplane keeps many of
    /// them. Use the same on all nodes, for what they read from it is bounded by it.
    #[must_use]
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.settings.max_message = bytes;
        self
    }

    /// How many [posts](crate::Room::post) this node remembers of each room at most. Default 0: rooms have no history
    /// here. A node that joins reads from the backplane what was posted before, as far as it is kept there. Use the
    /// same on all nodes, so that a client may come back to any of them.
    #[must_use]
    pub fn history(mut self, posts: usize) -> Self {
        self.settings.history.posts = posts;
        self
    }

    /// How many bytes the posts of all rooms take at most, counting 256 for each post and the names of rooms; then the
    /// oldest is dropped. Default 64 MiB: clients choose the names of rooms in many programs.
    #[must_use]
    pub fn max_history_bytes(mut self, bytes: usize) -> Self {
        self.settings.history.bytes = bytes;
        self
    }

    /// Joins, as [`Cluster::join`] does.
    ///
    /// # Errors
    /// As [`Cluster::join`].
    pub fn join(
        self,
        server: impl Into<ServerHandle>,
        backplane: impl Backplane,
    ) -> io::Result<Cluster> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(io::Error::from)?;
        let id = NodeId::new(u128::from_be_bytes(id));
        let relay = Arc::new(Relay::new(id, server.into(), self.settings));
        let node = Node(relay);
        let (publisher, subscriber) = backplane.split();
        threads::start(&node.0, "wshub-cluster", publisher, move |running| {
            listen(running, subscriber)
        })?;
        Ok(Cluster(Arc::new(node)))
    }
}
