//! What any thread may do with a server that runs. [`shutdown`](super::shutdown) and [`drain`](super::drain) end it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::hub::Hub;
use super::members::Members;
use crate::connection::Connection;
use crate::message::{Message, Prepared};
use crate::outbox::Broadcast;
#[cfg(feature = "redis")]
use crate::outbox::{Collecting, broadcast::Collector};
use crate::stats::Stats;

/// A server, seen from any thread. Cheap to clone; a server that was made with
/// [`serve`](crate::ServerBuilder::serve) runs on when all its handles are dropped.
///
/// ```no_run
/// use std::{io, thread};
/// use wshub::Server;
///
/// let server = Server::bind("127.0.0.1:9001")?;
/// let handle = server.handle();
/// thread::spawn(move || {
///     for line in io::stdin().lines().map_while(Result::ok) {
///         handle.broadcast(line);
///     }
///     handle.shutdown();
/// });
/// for event in server.events() {
///     println!("{event:?}");
/// }
/// # Ok::<(), io::Error>(())
/// ```
///
/// The guide: [deployment](crate::guide::deployment).
#[derive(Clone)]
pub struct ServerHandle {
    /// `None`: over a stream of a user's own there is no server for its hooks.
    hub: Option<Arc<Hub>>,
}

impl ServerHandle {
    pub(crate) fn new(hub: &Arc<Hub>) -> Self {
        ServerHandle {
            hub: Some(hub.clone()),
        }
    }

    /// The headers that connections keep; `None`: all.
    #[cfg_attr(not(feature = "socketio"), allow(dead_code))]
    pub(crate) fn kept_headers(&self) -> Option<&[String]> {
        self.hub.as_ref()?.options.kept_headers.as_deref()
    }

    pub(crate) fn of_no_server() -> Self {
        ServerHandle { hub: None }
    }

    pub(crate) fn hub(&self) -> Option<&Arc<Hub>> {
        self.hub.as_ref()
    }

    /// The address the server listens on; the first one of several ([`local_addrs`](Self::local_addrs)).
    ///
    /// # Errors
    /// When it has none: the server was made without a listener, or listens on Unix sockets only.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let first = self.hub.as_ref().and_then(|hub| hub.local_addrs.first());
        first.copied().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "this server listens on no address of the internet protocols",
            )
        })
    }

    /// Every address the server listens on, in the order of
    /// [`ServerBuilder::listen`](crate::ServerBuilder::listen); Unix sockets have none.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        let hub = self.hub.as_ref();
        hub.map(|hub| hub.local_addrs.to_vec()).unwrap_or_default()
    }

    /// Sends a message to every open connection, encoded once. Never blocks: for a peer that reads
    /// too slowly [`Overflow`](crate::Overflow) decides.
    ///
    /// Connections count as open from their `Open` event on, as the application takes it, or as their handler starts.
    pub fn broadcast(&self, message: impl Into<Message>) -> Broadcast {
        self.send(message.into(), None)
    }

    /// As [`broadcast`](ServerHandle::broadcast), to everyone but one: often the sender.
    pub fn broadcast_except(&self, except: &Connection, message: impl Into<Message>) -> Broadcast {
        self.send(message.into(), Some(except))
    }

    /// The open connections, the oldest first: those that a [`broadcast`](ServerHandle::broadcast) goes to at this
    /// moment. Never blocks. It is a copy of the list: nothing waits while you go through it, and a connection that
    /// ends meanwhile is still in it. One that is about to open is not in it yet: two clients that the accept hook
    /// looks at together do not find each other here. What there may be once only, such as a name, is best decided
    /// where their `Open` events are taken.
    ///
    /// ```
    /// use wshub::Server;
    ///
    /// /// To those of one room, which keep its name; see `Accept::with_data`.
    /// fn tell(server: &Server, room: &str, text: &str) {
    ///     for connection in server.connections() {
    ///         if connection.data::<String>().is_some_and(|own| own == room) {
    ///             let _ = connection.send(text);
    ///         }
    ///     }
    /// }
    /// # let server = Server::builder().without_listener()?;
    /// # tell(&server, "kitchen", "dinner is ready");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connections(&self) -> Vec<Connection> {
        self.members().map(Members::announced).unwrap_or_default()
    }

    /// The connection of this [number](Connection::id), if it is open: one of
    /// [`connections`](ServerHandle::connections), without the list. Never blocks.
    pub fn connection(&self, id: u64) -> Option<Connection> {
        self.members()?.find(id)
    }

    /// What this thread sends to connections of this server is collected until that is dropped, for a moment at most,
    /// and leaves in one write for each of them: for a thread that has many messages at once.
    #[cfg(feature = "redis")]
    pub(crate) fn send_together(&self) -> SendingTogether<'_> {
        // The connections of closures have no part in what a collector holds: theirs leaves at once.
        let with_events = self.hub.as_ref().filter(|hub| hub.handler.is_none());
        let collector = with_events.map(|hub| &hub.connections.members.collector);
        SendingTogether {
            collector,
            collecting: collector.map(|it| it.collect_here()),
        }
    }

    fn send(&self, message: Message, except: Option<&Connection>) -> Broadcast {
        let sent = self
            .members()
            .map(|members| members.broadcast(&Prepared::new(message), except));
        sent.unwrap_or_default()
    }

    fn members(&self) -> Option<&Members> {
        self.hub.as_ref().map(|hub| &*hub.connections.members)
    }

    /// What the server has counted so far.
    pub fn stats(&self) -> Stats {
        let hub = self.hub.as_ref();
        hub.map(|hub| hub.stats()).unwrap_or_default()
    }

    /// Wakes the application thread, for a thread that has something for it: there
    /// [`Events::recv`](crate::Events::recv) and its siblings return [`RecvError::Woken`](crate::RecvError::Woken), and
    /// [`Server::run`](crate::Server::run) calls [`Handler::on_wake`](crate::Handler::on_wake). It comes after the
    /// events that already wait. Several calls before that count as one: so put what you have where the application
    /// finds it, for example into a channel of yours, then call this. Never blocks.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use wshub::{RecvError, Server};
    ///
    /// let server = Server::builder().without_listener()?;
    /// let handle = server.handle();
    /// let (readings, incoming) = mpsc::channel();
    /// std::thread::spawn(move || {
    ///     readings.send(21.5).unwrap();
    ///     handle.wake();
    /// });
    /// let mut events = server.events();
    /// loop {
    ///     match events.recv() {
    ///         Ok(event) => println!("{event:?}"),
    ///         Err(RecvError::Woken) => break, // the reading is there
    ///         Err(error) => return Err(error.into()),
    ///     }
    /// }
    /// assert_eq!(incoming.try_iter().collect::<Vec<_>>(), [21.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wake(&self) {
        if let Some(hub) = &self.hub {
            hub.connections.inbox.wake();
        }
    }
}

impl From<&ServerHandle> for ServerHandle {
    fn from(handle: &ServerHandle) -> Self {
        handle.clone()
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle")
            .field("local_addr", &self.local_addr().ok())
            .finish_non_exhaustive()
    }
}

/// A thread collects what it sends.
#[cfg(feature = "redis")]
pub(crate) struct SendingTogether<'a> {
    collector: Option<&'a Arc<Collector>>,
    collecting: Option<Collecting<'a>>,
}

#[cfg(feature = "redis")]
impl Drop for SendingTogether<'_> {
    fn drop(&mut self) {
        self.collecting = None;
        if let Some(collector) = self.collector.filter(|it| !it.is_empty()) {
            collector.flush();
        }
    }
}
