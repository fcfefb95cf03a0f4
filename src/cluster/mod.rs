//! Many servers as one: broadcasts, rooms, presence and messages across machines, over a backplane.

pub(crate) mod backlog;
mod backplane;
mod builder;
#[cfg(feature = "socketio")]
mod carrier;
mod census;
pub(crate) mod echo;
mod event;
pub(crate) mod frame;
mod history;
mod id;
mod incoming;
mod listener;
mod local;
pub(crate) mod news;
pub(crate) mod pieces;
pub(crate) mod port;
pub(crate) mod redis;
mod relay;
pub(crate) mod report;
mod room;
mod rooms;
mod roster;
pub(crate) mod threads;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::{Broadcast, CloseCode, CloseError, Connection, Message, ServerHandle};

pub use backplane::{Backplane, BackplaneError, Publisher, Subscriber};
pub use builder::ClusterBuilder;
#[cfg(feature = "socketio")]
pub(crate) use carrier::{CarrierEvent, ClusterCarrier};
pub use event::{CatchUpError, ClusterError, ClusterEvent, ClusterNode};
pub use history::Post;
pub use id::{ConnectionId, InvalidConnectionId, InvalidPostId, NodeId, PostId};
pub use incoming::Incoming;
pub use local::Local;
pub use redis::Redis;
pub use room::Room;

use frame::Body;
use port::PortUser;
use relay::{LocalDelivery, Relay, content};

/// As good as for ever, and clocks can still be counted up by it.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// How long a dropped cluster goes on publishing what waits.
const DROP_PATIENCE: Duration = Duration::from_secs(1);

/// A server as one node of a cluster.
///
/// A [`Backplane`] connects the nodes: broadcasts and [rooms](Cluster::group) reach the clients of all of them. A clone
/// is another handle of the same node, for any thread. No method blocks; only the drop of the last handle may.
///
/// ```no_run
/// use wshub::{Cluster, Event, RecvError, Redis, Server};
///
/// let server = Server::bind("127.0.0.1:9001")?;
/// let cluster = Cluster::join(&server, Redis::new("redis://127.0.0.1/")?)?;
/// let mut events = server.events();
/// loop {
///     match events.recv() {
///         Ok(Event::Open(connection)) => drop(cluster.group("lobby").join(&connection)),
///         Ok(Event::Message(_, message)) => drop(cluster.group("lobby").broadcast(message)),
///         Ok(_) => {}
///         // Something happened between the servers.
///         Err(RecvError::Woken) => cluster.events().for_each(|event| println!("{event:?}")),
///         Err(_) => break,
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// **What is promised.** All clients get what one thread sends in the order in which it was sent. Each node numbers
/// what it sends: nothing comes twice, and if something is missing the application is told how much
/// ([`ClusterEvent::Gap`]). The clients of this server get a broadcast at once, also while the backplane is away. What
/// is for other nodes waits then, within the bounds of [`ClusterBuilder`]; beyond them the oldest is dropped, and both
/// sides are told, this one by [`ClusterEvent::Unsent`].
///
/// **What it costs.** Two threads. Each message goes once to each node, also to nodes without clients for it.
///
/// When the last handle is dropped, the node publishes what waits and says that it leaves. If the backplane is away it
/// gives up after a second. After two seconds it does not wait for its threads any more; they end on their own.
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone)]
#[must_use = "the server leaves the cluster when the last handle is dropped, which `let _ =` does at once"]
pub struct Cluster(Arc<Node>);

/// What all handles share.
struct Node(Arc<Relay>);

impl Drop for Node {
    fn drop(&mut self) {
        self.0.leave(DROP_PATIENCE);
    }
}

impl Cluster {
    /// Makes this server a node of the cluster that uses this backplane, with the defaults of
    /// [`builder`](Cluster::builder). Returns at once, also while the backplane is away: the node attaches as soon as
    /// it can, and [`ClusterEvent::Attached`] tells when.
    ///
    /// # Errors
    /// When the system gives no thread, or no random bytes for the name of the node.
    pub fn join(server: impl Into<ServerHandle>, backplane: impl Backplane) -> io::Result<Cluster> {
        Cluster::builder().join(server, backplane)
    }

    /// Sets bounds and the order before joining.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::default()
    }

    /// The name of this node.
    pub fn id(&self) -> NodeId {
        self.relay().id
    }

    /// The name of a connection of this server, for [`close`](Cluster::close) on any server.
    pub fn id_of(&self, connection: &Connection) -> ConnectionId {
        ConnectionId {
            node: self.id(),
            number: connection.id(),
        }
    }

    /// Sends a message to every connection of every node. Returns what was done on this node; with
    /// [`ordered`](ClusterBuilder::ordered) that is nothing yet.
    ///
    /// # Errors
    /// [`ClusterError::TooLong`]: nobody got it.
    pub fn broadcast(&self, message: impl Into<Message>) -> Result<Broadcast, ClusterError> {
        self.send_to(None, message.into(), None)
    }

    /// As [`broadcast`](Cluster::broadcast), to everyone but one connection of this server: often the sender.
    ///
    /// # Errors
    /// As [`broadcast`](Cluster::broadcast).
    pub fn broadcast_except(
        &self,
        except: &Connection,
        message: impl Into<Message>,
    ) -> Result<Broadcast, ClusterError> {
        self.send_to(None, message.into(), Some(except))
    }

    /// The room of this name, with members on any node. It is made by its first member, and gone with its last.
    pub fn group(&self, name: impl Into<String>) -> Room {
        Room::new(self.clone(), name.into())
    }

    /// Closes a connection of any node, as [`Connection::close`] does on its own server. If a connection of another
    /// node has ended already, nothing happens and nobody is told.
    ///
    /// # Errors
    /// [`CloseError::ReservedCode`] for a code that must not be sent, [`CloseError::Closed`] where it can be seen from
    /// here: the connection was of this node and has ended, or this node has left. A reason of more than 123 bytes is
    /// cut at a character.
    pub fn close(
        &self,
        connection: ConnectionId,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<(), CloseError> {
        let code = code.into();
        let relay = self.relay();
        if connection.node == relay.id {
            let connection = relay.server.connection(connection.number);
            return connection.ok_or(CloseError::Closed)?.close(code, reason);
        }
        let code = CloseError::unless_reserved(code)?;
        let body = Body::Close {
            connection,
            code: code.into(),
            reason: cut(reason),
        };
        relay.publish(&body).map_err(|_| CloseError::Closed)
    }

    /// Sends a message to the application of one other node, or of all others with `None`: there it is a
    /// [`ClusterEvent::Message`].
    ///
    /// # Errors
    /// [`ClusterError::TooLong`]; [`ClusterError::Left`].
    pub fn send(
        &self,
        to: Option<NodeId>,
        message: impl Into<Message>,
    ) -> Result<(), ClusterError> {
        let message = message.into();
        let content = content(&message);
        self.relay().publish(&Body::Note { to, content })
    }

    /// The events that wait now, the oldest first. Never blocks: [`RecvError::Woken`](crate::RecvError::Woken) and
    /// [`Handler::on_wake`](crate::Handler::on_wake) tell when there are some. 4,096 wait at most, with 16 MiB of
    /// messages; further events are counted, and [`ClusterEvent::Untaken`] tells how many.
    pub fn events(&self) -> impl Iterator<Item = ClusterEvent> + '_ {
        std::iter::from_fn(|| self.relay().port().take_event())
    }

    /// The nodes of the cluster, this one first, which is there right after [`Attached`](ClusterEvent::Attached). A
    /// node that was killed is gone from the list within two [heartbeats](ClusterBuilder::heartbeat). While this node
    /// is detached the list stays as it was.
    pub fn nodes(&self) -> Vec<ClusterNode> {
        self.relay().nodes()
    }

    /// How many connections all nodes have together, as they were heard last.
    pub fn connections(&self) -> u64 {
        self.nodes().iter().map(|node| node.connections).sum()
    }

    /// True from [`Attached`](ClusterEvent::Attached) to [`Detached`](ClusterEvent::Detached).
    pub fn is_attached(&self) -> bool {
        self.relay().port().is_attached()
    }

    /// How many messages wait to be published. 0 while the backplane keeps up.
    pub fn waiting(&self) -> usize {
        self.relay().port().waiting()
    }

    fn relay(&self) -> &Relay {
        &self.0.0
    }

    fn send_to(
        &self,
        room: Option<&str>,
        message: Message,
        except: Option<&Connection>,
    ) -> Result<Broadcast, ClusterError> {
        let relay = self.relay();
        relay.publish(&Body::Broadcast {
            room,
            except: except.map(Connection::id),
            content: content(&message),
        })?;
        Ok(match relay.settings.delivery {
            LocalDelivery::AtOnce => relay.deliver(room, message, except),
            LocalDelivery::InOneOrder => Broadcast::default(),
        })
    }
}

/// The beginning of a reason that fits into a Close frame (RFC 6455 5.5).
fn cut(reason: &str) -> &str {
    let ends = reason.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| *end <= 123).last();
    reason.get(..end.unwrap_or_default()).unwrap_or_default()
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("id", &self.id())
            .field("is_attached", &self.is_attached())
            .finish_non_exhaustive()
    }
}
