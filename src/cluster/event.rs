//! What a cluster tells the application, and what it refuses.

use std::fmt;

use super::id::NodeId;
use crate::{Message, SendErrorKind};

/// Something that happened between the servers; see [`Cluster::events`](crate::Cluster::events).
///
/// ```
/// use wshub::{Cluster, ClusterEvent};
///
/// /// On a thread of its own.
/// fn watch(cluster: &Cluster) {
///     for event in cluster.events() {
///         match event {
///             ClusterEvent::NodeJoined(node) => println!("{node} joined"),
///             ClusterEvent::Gap { node, missing } => eprintln!("{missing} messages of {node} are lost"),
///             ClusterEvent::Detached { reason } => eprintln!("alone for now: {reason}"),
///             _ => {}
///         }
///     }
/// }
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClusterEvent {
    /// Another server has joined.
    NodeJoined(NodeId),
    /// Another server left, or was not heard for two heartbeats: killed, hung or cut off. It may come back, as the same
    /// node.
    NodeLeft(NodeId),
    /// This many messages of that node are lost: broadcasts, closes and messages between servers. If the node is this
    /// one, the application took its events too slowly, or, in the mode [`ordered`](crate::ClusterBuilder::ordered) and
    /// of [posts](crate::Room::post), they were lost for the clients here, too. The history of a room starts again
    /// after a gap.
    Gap {
        /// The node that sent them.
        node: NodeId,
        /// How many.
        missing: u64,
    },
    /// Messages of this node that were not published, because too many waited, or they waited too long. The other nodes
    /// get a [`Gap`](ClusterEvent::Gap).
    Unsent {
        /// How many.
        messages: u64,
    },
    /// The backplane is away. Clients of this server are still served; what is meant for others waits. The event comes
    /// again if the reason changes: Redis is not there, then it loads its data.
    Detached {
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The backplane works, for the first time or again.
    Attached,
    /// What the application of another node sent with [`Cluster::send`](crate::Cluster::send).
    Message {
        /// The node that sent it.
        node: NodeId,
        /// What it sent.
        message: Message,
    },
    /// Events that found no room, because the application has not taken those before them.
    Untaken {
        /// How many.
        events: u64,
    },
}

/// A server of a cluster, as it was heard last; see [`Cluster::nodes`](crate::Cluster::nodes).
///
/// ```
/// use wshub::Cluster;
///
/// fn show(cluster: &Cluster) {
///     for node in cluster.nodes() {
///         println!("{}: {} connections", node.id, node.connections);
///     }
/// }
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterNode {
    /// Its name.
    pub id: NodeId,
    /// How many connections it had with its last heartbeat: [`Stats::connections`](crate::Stats::connections) there.
    pub connections: u64,
}

/// Why a cluster did not take a message.
///
/// ```
/// use wshub::{Cluster, ClusterError};
///
/// fn announce(cluster: &Cluster, text: &str) {
///     match cluster.broadcast(text) {
///         Ok(broadcast) => println!("{} of this server's clients got it", broadcast.sent),
///         Err(ClusterError::TooLong { len, limit }) => eprintln!("{len} bytes, at most {limit} go to the other servers"),
///         Err(error) => eprintln!("{error}"),
///     }
/// }
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClusterError {
    /// With the name of its room the message is larger than
    /// [`ClusterBuilder::max_message`](crate::ClusterBuilder::max_message), or the name alone is longer than 65,535
    /// bytes. Nobody got it. Remedy: send less, or allow more on every node.
    TooLong {
        /// Bytes that it has.
        len: usize,
        /// Bytes that it may have.
        limit: usize,
    },
    /// This node has left the cluster. Remedy: none; its server has ended.
    Left,
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClusterError::TooLong { len, limit } => write!(
                f,
                "a message of {len} bytes for other servers, where {limit} are allowed: see ClusterBuilder::max_message"
            ),
            ClusterError::Left => f.write_str("this node has left the cluster"),
        }
    }
}

impl std::error::Error for ClusterError {}

/// Why a connection was not taken into a room with what it has missed; see [`Room::catch_up`](crate::Room::catch_up).
///
/// ```
/// use wshub::{CatchUpError, Connection, PostId, Room};
///
/// /// The page says which post it saw last.
/// fn come_back(room: &Room, connection: &Connection, last: PostId) -> Result<(), CatchUpError> {
///     match room.catch_up(connection, last) {
///         Err(CatchUpError::Gone) => room.join_with_history(connection, 20).map(drop),
///         other => other.map(drop),
///     }
/// }
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CatchUpError {
    /// Not all that it has missed is remembered: it was too long ago, this node keeps no
    /// [history](crate::ClusterBuilder::history), messages were lost in between, or this node is late and has not got
    /// the post that it names yet. Remedy: send the client the present state as to one that is new, and take it in with
    /// [`Room::join_with_history`](crate::Room::join_with_history).
    Gone,
    /// The connection does not take all of it: it has ended, or that much may not wait for it. Remedy: raise
    /// `outbound_per_connection`, or remember less.
    Unsent(SendErrorKind),
}

impl fmt::Display for CatchUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CatchUpError::Gone => {
                f.write_str("what was missed is not remembered: see ClusterBuilder::history")
            }
            CatchUpError::Unsent(kind) => write!(f, "what was missed is not sent: {kind}"),
        }
    }
}

impl std::error::Error for CatchUpError {}
