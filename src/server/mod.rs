//! The server: bind, hooks, events, broadcast, shutdown.

// What the application holds and takes.
mod builder;
mod desk;
mod events;
mod handle;
mod hooks;
mod session;
mod ticks;

// What all threads of a server share, and how much of it the process carries.
mod capacity;
pub(crate) mod hub;
pub(crate) mod limited_log;
mod members;
mod memory_group;
mod metrics;
mod options;

// Streams come in, and are let in or refused.
mod accept;
pub(crate) mod admission;
mod early_read;
#[cfg(unix)]
mod inherited;
mod listen;
mod listener;
mod opening;
mod proxied;
mod refuse;
mod tcp_socket;
#[cfg(unix)]
mod unix_socket;

// Plain requests.
mod http;

// A connection, from its 101 to its end.
mod closing;
mod connections;
mod driver;
pub(crate) mod leader;

// The way of its messages to the application.
pub(crate) mod batch;
mod doorbell;
pub(crate) mod inbox;

// Threads, and what they do for the application.
mod callbacks;
mod contain;
pub(crate) mod log_writer;
mod places;
pub(crate) mod pool;
pub(crate) mod threads;
mod workers;

// The end of a server.
mod drain;
mod lifecycle;
mod shutdown;

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::event::Step;
use crate::handler::{Handler, RunError};
use crate::lock::{DESK, Mutex};
use crate::logging::log_line;
use crate::message::Message;
use crate::outbox::Broadcast;
use crate::panics;
use crate::stats::Stats;
use crate::transport::Transport;

pub use builder::ServerBuilder;
pub use events::{Events, RecvError};
pub use handle::ServerHandle;
pub use hooks::HookRequest;
#[cfg(all(test, feature = "socketio"))]
pub(crate) use http::responder::Promise;
pub use http::responder::Responder;
pub use session::{HandlerResult, Session};
pub use shutdown::ShutdownReport;
pub use ticks::Ticks;
#[cfg(unix)]
pub use unix_socket::UnixSocket;

use desk::Desk;
use hub::Hub;

/// How long a dropped server waits for its connections to close.
const DROP_PATIENCE: Duration = Duration::from_secs(1);

/// A WebSocket server whose events one application thread takes.
///
/// ```no_run
/// use wshub::{Event, Server};
///
/// let server = Server::bind("127.0.0.1:9001")?;
/// for event in server.events() {
///     match event {
///         Event::Open(connection) => drop(connection.send("hello")),
///         Event::Message(_, message) => drop(server.broadcast(message)),
///         Event::Close(connection, close) => println!("{} left: {}", connection.id(), close.code),
///         Event::Error(connection, error) => eprintln!("{}: {error}", connection.id()),
///         _ => {}
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Dropping the server shuts it down: it tells all connections (1001), waits a second for their answers, then cuts them
/// off. If a hook, a handler or a stream of yours does not return, it waits three seconds more and leaves that thread
/// behind. After [`shutdown`](Server::shutdown) the drop waits for nothing.
///
/// A process that forks after the start has the sockets in its child, but no thread that serves them. In the child a
/// shutdown or a drop does nothing and does not wait; the clients stay with the parent. Send nothing from the child and
/// take no events there. It is best to exec another program.
///
/// The guide: [start](crate::guide::start).
pub struct Server {
    handle: ServerHandle,
    pub(crate) hub: Arc<Hub>,
    /// Events taken off the channel and not yielded; `None` while an [`Events`] is alive.
    desk: Mutex<Option<Desk>, DESK>,
}

impl Server {
    /// Listens on `addr` with the default limits; port 0 picks a free one
    /// ([`local_addr`](Server::local_addr) tells it). For anything else see [`builder`](Server::builder).
    ///
    /// # Errors
    /// When the address cannot be bound: the port is taken, or the address is not this machine's. The
    /// text names the address and says what to do; the source is the system's error.
    pub fn bind(addr: impl ToSocketAddrs + fmt::Debug) -> io::Result<Server> {
        Server::builder().bind(addr)
    }

    /// Sets limits, rules and hooks before binding.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    fn new(hub: Arc<Hub>) -> Server {
        Server {
            handle: ServerHandle::new(&hub),
            hub,
            desk: Mutex::new(Some(Desk::default())),
        }
    }

    /// The events, in order, to be taken on one thread: the application thread.
    ///
    /// Only one [`Events`] may be alive; a second one yields nothing and says so in the log. When it
    /// is dropped and made again, it goes on where the first stopped.
    pub fn events(&self) -> Events<'_> {
        Events::new(self)
    }

    /// Calls `handler` for each event on this thread until the server has shut down: a
    /// [`Handler`] of your own, or [`Listeners`](crate::Listeners) as in a browser. Blocks meanwhile;
    /// to end it, call [`ServerHandle::shutdown`], from within the handler too.
    ///
    /// # Errors
    /// [`RunError::Panicked`] when the handler panicked: the server is shut down then.
    /// [`RunError::InUse`] while an [`Events`] of this server is alive.
    pub fn run<H: Handler + ?Sized>(&self, handler: &mut H) -> Result<(), RunError> {
        let mut events = self.events();
        self.run_through(handler, || Step::of(events.recv()))
    }

    /// As [`run`](Server::run), and calls [`Handler::on_tick`] on a fixed schedule meanwhile: a game's world at 50 Hz,
    /// a measurement. Tick number n comes n intervals after the start, so nothing adds up; where the handler was away
    /// for longer, the ticks that it missed are told and not made up for. At least 1 ms, the system's clock for such
    /// waits; see [`Events::tick`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use wshub::{Connection, Handler, Message, Server, ServerHandle, Tick};
    ///
    /// struct World {
    ///     server: ServerHandle,
    ///     steps: u64,
    /// }
    ///
    /// impl Handler for World {
    ///     fn on_message(&mut self, _player: &Connection, _input: Message) {}
    ///
    ///     fn on_tick(&mut self, tick: Tick) {
    ///         self.steps += 1 + tick.missed;
    ///         self.server.broadcast(format!("step {}", self.steps));
    /// #       if self.steps > 2 { self.server.shutdown(); }
    ///     }
    /// }
    ///
    /// let server = Server::bind("127.0.0.1:0")?;
    /// let mut world = World { server: server.handle(), steps: 0 };
    /// server.run_with_tick(Duration::from_millis(20), &mut world)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`run`](Server::run).
    pub fn run_with_tick<H: Handler + ?Sized>(
        &self,
        interval: Duration,
        handler: &mut H,
    ) -> Result<(), RunError> {
        let mut ticks = self.events().tick(interval);
        self.run_through(handler, || ticks.recv())
    }

    fn run_through<H: Handler + ?Sized>(
        &self,
        handler: &mut H,
        mut next: impl FnMut() -> Result<Step, RecvError>,
    ) -> Result<(), RunError> {
        loop {
            let step = match next() {
                Ok(step) => step,
                Err(RecvError::InUse) => return Err(RunError::InUse),
                Err(_) => return Ok(()),
            };
            let call = || step.dispatch(handler);
            // The handler is not called again after a panic: nothing sees what it left half done.
            if let Err(panic) = panics::catch(call) {
                let message = panic.message().to_owned();
                self.handle.shutdown();
                let shown = panic.excerpt();
                log_line!(Error, "the handler panicked, shutting down: {shown}");
                self.shutdown();
                return Err(RunError::Panicked(message));
            }
        }
    }

    /// A handle for other threads: shutdown, broadcast, statistics.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// The address the server listens on; the first one of several ([`local_addrs`](Self::local_addrs)).
    ///
    /// # Errors
    /// When it has none: the server was made without a listener, or listens on Unix sockets only.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.handle.local_addr()
    }

    /// Every address the server listens on, in the order of [`ServerBuilder::listen`]; Unix sockets have none.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.handle.local_addrs()
    }

    /// Sends a message to every connection whose `Open` event was taken, encoded once; see [`ServerHandle::broadcast`].
    pub fn broadcast(&self, message: impl Into<Message>) -> Broadcast {
        self.handle.broadcast(message)
    }

    /// As [`broadcast`](Server::broadcast), to everyone but one.
    pub fn broadcast_except(&self, except: &Connection, message: impl Into<Message>) -> Broadcast {
        self.handle.broadcast_except(except, message)
    }

    /// The open connections, the oldest first; see [`ServerHandle::connections`].
    pub fn connections(&self) -> Vec<Connection> {
        self.handle.connections()
    }

    /// The connection of this number, if it is open; see [`ServerHandle::connection`].
    pub fn connection(&self, id: u64) -> Option<Connection> {
        self.handle.connection(id)
    }

    /// What the server has counted so far.
    pub fn stats(&self) -> Stats {
        self.handle.stats()
    }

    /// Serves a stream of your own as if it had been accepted; see [`ServerHandle::attach`].
    pub fn attach(&self, transport: impl Transport) {
        self.handle.attach(transport);
    }

    /// Shuts down and waits: no more accepts, 1001 to all, at most [`close_timeout`](crate::Limits::close_timeout) for
    /// their answers; then connections are cut off, and every thread is joined. If a hook, a handler or a stream of
    /// yours does not return, it waits three seconds more, leaves that thread behind and counts it. You may call it on
    /// the application thread, and more than once.
    ///
    /// Afterwards [`events`](Server::events) yields the events that wait, every `Close` included, and ends. Nobody
    /// takes events while this waits, so messages that find no room meanwhile are lost and counted.
    ///
    /// To go on handling events while the connections close, use [`ServerHandle::shutdown`].
    pub fn shutdown(&self) -> ShutdownReport {
        let patience = self.hub.options.limits.close_timeout;
        shutdown::finish(&self.hub, Instant::now() + patience)
    }
}

impl From<&Server> for ServerHandle {
    fn from(server: &Server) -> Self {
        server.handle()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.hub.lifecycle.is_done() {
            shutdown::finish(&self.hub, Instant::now() + DROP_PATIENCE);
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr().ok())
            .finish_non_exhaustive()
    }
}

/// Serves each connection with a closure on the connection's own thread: shorthand for
/// [`Server::builder`]`().serve(addr, handler)`; see [`ServerBuilder::serve`].
///
/// ```no_run
/// wshub::serve("127.0.0.1:9001", |mut session| {
///     while let Some(message) = session.read()? {
///         session.send(message)?;
///     }
///     Ok(())
/// })?
/// .wait();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// As [`Server::bind`].
///
/// The guide: [forms](crate::guide::forms).
pub fn serve<F>(addr: impl ToSocketAddrs + fmt::Debug, handler: F) -> io::Result<ServerHandle>
where
    F: Fn(Session<'_>) -> HandlerResult + Send + Sync + 'static,
{
    Server::builder().serve(addr, handler)
}
