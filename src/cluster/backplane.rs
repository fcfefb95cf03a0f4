//! What carries bytes between the nodes of a cluster: Redis, memory, or something of the user's own.

use std::fmt;
use std::io;

use super::Incoming;

/// What carries bytes from each node of a cluster to every node: [`Redis`](crate::Redis), [`Local`](crate::Local), or
/// one of your own. `examples/backplane.rs` has one over plain TCP.
///
/// A backplane may lose messages. The cluster numbers what it sends: it drops duplicates, reports what is missing
/// ([`ClusterEvent::Gap`](crate::ClusterEvent::Gap)), and tries again after an error for as long as it takes. It relies
/// on one thing: what a publisher publishes arrives in that order everywhere, at its own node too. Clients of Socket.IO
/// that come back to any server need more: what all publishers publish arrives in one order, the same at every node.
///
/// ```
/// use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
/// use std::time::Duration;
/// use wshub::{Backplane, BackplaneError, Cluster, Incoming, Publisher, Server, Subscriber};
///
/// /// A cluster of one: what is published comes back.
/// struct Mirror;
/// struct Out(SyncSender<Vec<u8>>);
/// struct Back(Receiver<Vec<u8>>);
///
/// impl Backplane for Mirror {
///     fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>) {
///         let (sender, receiver) = sync_channel(1024);
///         (Box::new(Out(sender)), Box::new(Back(receiver)))
///     }
/// }
///
/// impl Publisher for Out {
///     fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError> {
///         frames.iter().try_for_each(|frame| self.0.send(frame.to_vec())).map_err(|_| BackplaneError::new("the mirror broke"))
///     }
/// }
///
/// impl Subscriber for Back {
///     fn receive(&mut self, incoming: &mut Incoming<'_>) -> Result<(), BackplaneError> {
///         incoming.attached();
///         while let Some(patience) = incoming.patience() {
///             match self.0.recv_timeout(patience.min(Duration::from_secs(1))) {
///                 Ok(frame) => incoming.take(&frame),
///                 Err(RecvTimeoutError::Timeout) => {}
///                 Err(RecvTimeoutError::Disconnected) => return Err(BackplaneError::new("the mirror broke")),
///             }
///         }
///         Ok(())
///     }
/// }
///
/// let server = Server::builder().without_listener()?;
/// let cluster = Cluster::join(&server, Mirror)?;
/// # drop(cluster);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
pub trait Backplane {
    /// The two halves. Each goes to a thread of its own, which may block in it. Nothing connects here.
    fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>);
}

/// The half of a [`Backplane`] that sends.
///
/// ```
/// use std::io::Write;
/// use std::net::TcpStream;
/// use wshub::{BackplaneError, Publisher};
///
/// /// To a program that hands each line to all who are connected to it.
/// struct Lines(TcpStream);
///
/// impl Publisher for Lines {
///     fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError> {
///         for frame in frames {
///             let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
///             writeln!(self.0, "{hex}")?;
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
pub trait Publisher: Send {
    /// Publishes the frames in this order, and returns once they are out of this node's hands. Blocks for a few seconds
    /// at most, the time to connect included.
    ///
    /// # Errors
    /// If one of them may not have been published. The next call gets all of them again, and has to connect first.
    fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError>;
}

/// The half of a [`Backplane`] that receives.
///
/// ```
/// use std::io::{BufRead, BufReader};
/// use std::net::TcpStream;
/// use wshub::{BackplaneError, Incoming, Subscriber};
///
/// /// From a program that hands each line to all who are connected to it. The stream has a read timeout.
/// struct Lines(BufReader<TcpStream>);
///
/// impl Subscriber for Lines {
///     fn receive(&mut self, incoming: &mut Incoming<'_>) -> Result<(), BackplaneError> {
///         incoming.attached();
///         let mut line = String::new();
///         while incoming.patience().is_some() {
///             line.clear();
///             if self.0.read_line(&mut line)? == 0 {
///                 return Err(BackplaneError::new("the connection ended"));
///             }
///             let digits = line.trim_end().as_bytes().chunks(2);
///             let frame: Option<Vec<u8>> = digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect();
///             incoming.take(&frame.ok_or_else(|| BackplaneError::new("a line is not hexadecimal"))?);
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
pub trait Subscriber: Send {
    /// Connects, calls [`attached`](Incoming::attached), and hands on what comes until
    /// [`patience`](Incoming::patience) says that it is enough.
    ///
    /// # Errors
    /// If the connection fails, or cannot be made within a few seconds. Then it is called again soon.
    fn receive(&mut self, incoming: &mut Incoming<'_>) -> Result<(), BackplaneError>;
}

/// Why a backplane does not work: a text that says what is wrong and what to do.
///
/// ```
/// use wshub::{BackplaneError, Redis};
///
/// let error: BackplaneError = Redis::new("http://127.0.0.1/").unwrap_err();
/// println!("{error}");
/// ```
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
