//! What carries bytes between the nodes of a cluster: Redis, memory, or something of the user's own.

use std::fmt;
use std::io;

use super::Incoming;

/// What carries bytes from each node of a cluster to every node: [`Redis`](crate::Redis), [`Local`](crate::Local), or
/// one of your own. `examples/backplane.rs` has one over plain TCP.
///
/// A backplane need not be reliable. The cluster numbers what it sends: duplicates fall out, what is missing is told
/// ([`ClusterEvent::Gap`](crate::ClusterEvent::Gap)), and after an error it tries again for as long as it takes. What
/// it relies on: what one publisher publishes arrives in that order, at its own node, too.
///
/// The guide: [clusters](crate::guide::cluster).
pub trait Backplane {
    /// The two halves. Each goes to a thread of its own, which may block in it. Nothing connects here.
    fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>);
}

/// The half of a [`Backplane`] that sends.
///
/// The guide: [clusters](crate::guide::cluster).
pub trait Publisher: Send {
    /// Publishes the frames in this order, and returns once they are out of this node's hands. Blocks for a few seconds
    /// at most, the time to connect included.
    ///
    /// # Errors
    /// When that is not known of all of them. They are all published again, so the next call starts anew: it connects.
    fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError>;
}

/// The half of a [`Backplane`] that receives.
///
/// The guide: [clusters](crate::guide::cluster).
pub trait Subscriber: Send {
    /// Connects, calls [`attached`](Incoming::attached), and hands on what comes until
    /// [`patience`](Incoming::patience) says that it is enough.
    ///
    /// # Errors
    /// When the connection fails, or cannot be made within a few seconds. It is called again, soon.
    fn receive(&mut self, incoming: &mut Incoming<'_>) -> Result<(), BackplaneError>;
}

/// Why a backplane does not carry: text for people, what is wrong and what to do.
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackplaneError(String);

impl BackplaneError {
    /// An error with this text.
    pub fn new(text: impl Into<String>) -> Self {
        BackplaneError(text.into())
    }
}

impl From<io::Error> for BackplaneError {
    fn from(error: io::Error) -> Self {
        BackplaneError(error.to_string())
    }
}

impl fmt::Display for BackplaneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BackplaneError {}
