//! Names that hold on every server: of a node, of a connection, and of what a room remembers.

use core::fmt;
use core::str::FromStr;

/// The name of one server among those of a cluster. Random, and new each time a program joins.
///
/// ```
/// use wshub::{Cluster, Local, Server};
///
/// let local = Local::new();
/// let servers = [Server::builder().without_listener()?, Server::builder().without_listener()?];
/// let here = Cluster::join(&servers[0], local.clone())?;
/// let there = Cluster::join(&servers[1], local)?;
/// assert_ne!(here.id(), there.id());
/// println!("this is {}", here.id());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u128);

impl NodeId {
    pub(crate) const fn new(number: u128) -> Self {
        NodeId(number)
    }

    pub(crate) fn number(self) -> u128 {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// The name of one connection in the whole cluster: 128 bits of the node, and [`Connection::id`](crate::Connection::id)
/// there. As text it can be kept in a database or sent in a message.
///
/// ```
/// use wshub::ConnectionId;
///
/// let text = "000102030405060708090a0b0c0d0e0f-42";
/// let id: ConnectionId = text.parse()?;
/// assert_eq!(id.number, 42);
/// assert_eq!(id.to_string(), text);
/// # Ok::<(), wshub::InvalidConnectionId>(())
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct ConnectionId {
    /// The server that it is connected to.
    pub node: NodeId,
    /// Its number there: [`Connection::id`](crate::Connection::id).
    pub number: u64,
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.node, self.number, f)
    }
}

impl FromStr for ConnectionId {
    type Err = InvalidConnectionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (node, number) = parse(text).ok_or(InvalidConnectionId)?;
        Ok(ConnectionId { node, number })
    }
}

/// The text is not a [`ConnectionId`].
///
/// ```
/// use wshub::{ConnectionId, InvalidConnectionId};
///
/// assert_eq!("7".parse::<ConnectionId>(), Err(InvalidConnectionId));
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidConnectionId;

impl fmt::Display for InvalidConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the id of a connection: 32 hexadecimal digits, a dash and a number")
    }
}

impl core::error::Error for InvalidConnectionId {}

/// The name of a message that a room remembers, the same on every server: a client keeps the last one that it got, and
/// names it when it comes again, to [`Room::catch_up`](crate::Room::catch_up). As text it is like a [`ConnectionId`].
///
/// ```
/// use wshub::PostId;
///
/// let text = "000102030405060708090a0b0c0d0e0f-7";
/// let id: PostId = text.parse()?;
/// assert_eq!(id.to_string(), text);
/// # Ok::<(), wshub::InvalidPostId>(())
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct PostId {
    /// The server that sent it.
    pub node: NodeId,
    /// The number of the post among those of that server.
    pub number: u64,
}

impl fmt::Display for PostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.node, self.number, f)
    }
}

impl FromStr for PostId {
    type Err = InvalidPostId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (node, number) = parse(text).ok_or(InvalidPostId)?;
        Ok(PostId { node, number })
    }
}

/// The text is not a [`PostId`].
///
/// ```
/// use wshub::{InvalidPostId, PostId};
///
/// // What a page sends is not to be trusted.
/// assert_eq!("../..".parse::<PostId>(), Err(InvalidPostId));
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPostId;

impl fmt::Display for InvalidPostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the id of a post: 32 hexadecimal digits, a dash and a number")
    }
}

impl core::error::Error for InvalidPostId {}

fn write(node: NodeId, number: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{node}-{number}")
}

fn parse(text: &str) -> Option<(NodeId, u64)> {
    let (node, number) = text.split_once('-')?;
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    if node.len() != 32 || !is_plain(node) || !is_plain(number) {
        return None;
    }
    let node = u128::from_str_radix(node, 16).ok()?;
    Some((NodeId(node), number.parse().ok()?))
}
