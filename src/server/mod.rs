//! The server: bind, hooks, events, broadcast, shutdown.

mod accept;
mod admission;
pub(crate) mod batch;
mod builder;
mod capacity;
mod closing;
mod connection;
pub(crate) mod crew;
mod doorbell;
mod drain;
mod driver;
mod events;
pub(crate) mod hooks;
mod http;
pub(crate) mod hub;
pub(crate) mod inbox;
#[cfg(unix)]
mod inherited;
pub(crate) mod leader;
mod lifecycle;
mod lingering;
mod listen;
mod listener;
pub(crate) mod log_writer;
mod members;
mod memory_group;
mod metrics;
mod opening;
mod options;
pub(crate) mod pool;
mod proxied;
mod refusals;
mod session;
mod shutdown;
mod ticks;
#[cfg(unix)]
mod unix_socket;
pub(crate) mod upgrade;
mod workers;

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
use crate::message::{Message, Prepared};
use crate::outbox::Broadcast;
use crate::panics;
use crate::stats::Stats;
use crate::transport::{Guarded, How, Transport};

pub use builder::ServerBuilder;
pub use events::{Events, RecvError};
pub use hooks::HookRequest;
pub use http::responder::Responder;
pub use session::{HandlerResult, Session};
pub use shutdown::ShutdownReport;
pub use ticks::Ticks;
#[cfg(unix)]
pub use unix_socket::UnixSocket;

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
    desk: Mutex<Option<events::Unyielded>, DESK>,
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
            desk: Mutex::new(Some(events::Unyielded::default())),
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
                log_line!(Error, "the handler panicked, shutting down: {message}");
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

    /// Sends a message to every connection whose `Open` event was taken, encoded once; see
    /// [`ServerHandle::broadcast`].
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

/// A server, seen from any thread. Cheap to clone; a server that was made with
/// [`serve`](ServerBuilder::serve) runs on when all its handles are dropped.
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

    pub(crate) fn of_no_server() -> Self {
        ServerHandle { hub: None }
    }

    /// The address the server listens on; the first one of several ([`local_addrs`](Self::local_addrs)).
    ///
    /// # Errors
    /// When it has none: the server was made without a listener, or listens on Unix sockets only.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let mut addrs = self.hub.iter().flat_map(|hub| &hub.local_addrs);
        addrs.next().copied().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "this server listens on no address of the internet protocols",
            )
        })
    }

    /// Every address the server listens on, in the order of [`ServerBuilder::listen`]; Unix sockets have none.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        let hub = self.hub.as_ref();
        hub.map(|hub| hub.local_addrs.clone()).unwrap_or_default()
    }

    /// Sends a message to every open connection, encoded once. Never blocks: for a peer that reads
    /// too slowly [`Overflow`](crate::Overflow) decides.
    ///
    /// Connections count as open from their `Open` event on, as the application takes it, or as
    /// their handler starts.
    pub fn broadcast(&self, message: impl Into<Message>) -> Broadcast {
        self.send(message.into(), None)
    }

    /// As [`broadcast`](ServerHandle::broadcast), to everyone but one: often the sender.
    pub fn broadcast_except(&self, except: &Connection, message: impl Into<Message>) -> Broadcast {
        self.send(message.into(), Some(except))
    }

    /// The open connections, the oldest first: those that a [`broadcast`](ServerHandle::broadcast) goes to at this
    /// moment. Never blocks. It is a copy of the list: nothing waits while you go through it, and a connection that
    /// ends meanwhile is still in it.
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
        let hub = self.hub.as_ref();
        hub.map(|hub| hub.members.announced()).unwrap_or_default()
    }

    /// The connection of this [number](Connection::id), if it is open: one of
    /// [`connections`](ServerHandle::connections), without the list. Never blocks.
    pub fn connection(&self, id: u64) -> Option<Connection> {
        self.hub.as_ref()?.members.find(id)
    }

    fn send(&self, message: Message, except: Option<&Connection>) -> Broadcast {
        let hub = self.hub.as_ref();
        let sent = hub.map(|hub| hub.members.broadcast(&Prepared::new(message), except));
        sent.unwrap_or_default()
    }

    /// What the server has counted so far.
    pub fn stats(&self) -> Stats {
        let hub = self.hub.as_ref();
        hub.map(|hub| hub.stats()).unwrap_or_default()
    }

    /// Wakes the application thread, for a thread that has something for it: there [`Events::recv`] and its siblings
    /// return [`RecvError::Woken`], and [`Server::run`] calls [`Handler::on_wake`]. It comes after the events that
    /// already wait. Several calls before that count as one: so put what you have where the application finds it, for
    /// example into a channel of yours, then call this. Never blocks.
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
            hub.inbox.wake();
        }
    }

    /// Serves a stream of your own as if it had been accepted: opening handshake, limits and slots
    /// included. Never blocks.
    ///
    /// ```
    /// use std::io::Write;
    /// use wshub::{Server, testing};
    ///
    /// let server = Server::builder().without_listener()?;
    /// let (ours, mut peer) = testing::duplex();
    /// server.attach(ours);
    /// peer.write_all(b"GET / HTTP/1.1\r\n")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn attach(&self, transport: impl Transport) {
        let transport = Guarded::new(transport);
        let peer = transport.peer();
        match &self.hub {
            Some(hub) => opening::begin(hub, Arc::new(transport), peer, hub.site.clone()),
            None => transport.shutdown(How::Both),
        }
    }

    /// Starts the graceful shutdown and returns at once: no more accepts, 1001 to all. From any
    /// thread, and again. [`Server::events`] goes on until the last `Close`, then ends;
    /// [`wait`](ServerHandle::wait) returns.
    ///
    /// For a thread that handles signals, as `ctrlc` and the iterator of `signal-hook` have. Never call it inside a
    /// signal handler (`sigaction`): that may have interrupted the thread that holds a lock which this takes.
    pub fn shutdown(&self) {
        if let Some(hub) = &self.hub {
            shutdown::begin(hub);
        }
    }

    /// Starts the shutdown of a server that is restarted, so that its clients do not all connect again at once. Returns
    /// at once. From any thread; a second call changes nothing, and [`shutdown`](ServerHandle::shutdown) ends it early.
    ///
    /// The listeners close. [`health`](ServerBuilder::health) says 503. Handshakes and requests that are under way are
    /// served, and answers say `Connection: close`. Connections get 1012, one after the other, spread evenly over
    /// `time`. When nobody is left, or at the end of `time`, the shutdown begins, with 1012 for those that are still
    /// there; requests that still [wait](crate::Response::later) get 503.
    ///
    /// Choose `time` so that the next process can take the clients that come in each second, and at least as long as a
    /// balancer's health checks need to notice. Kubernetes and systemd kill a process that takes longer to end than
    /// they allow, 30 and 90 seconds by default.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// let server = wshub::Server::builder().health("/healthz").bind("127.0.0.1:9001")?;
    /// let handle = server.handle();
    /// ctrlc::set_handler(move || handle.drain(Duration::from_secs(20)))?; // SIGTERM, too
    /// for event in server.events() {
    ///     println!("{event:?}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drain(&self, time: Duration) {
        if let Some(hub) = &self.hub {
            drain::begin(hub, time);
        }
    }

    /// True once [`drain`](ServerHandle::drain) or a shutdown has begun: for hooks that would begin what takes time.
    pub fn is_draining(&self) -> bool {
        let hub = self.hub.as_ref();
        hub.is_some_and(|hub| hub.lifecycle.is_draining())
    }

    /// Ends the server at once and returns: no more accepts, and every connection is cut off, whatever it is doing. For
    /// a program that will not wait for [`shutdown`](ServerHandle::shutdown), for example at a second Ctrl-C; it does
    /// not matter whether that has begun. As for that: from any thread, and never inside a signal handler.
    ///
    /// [`Server::events`] yields what waits, a `Close` with 1006 for each connection that was open, and
    /// ends; [`wait`](ServerHandle::wait) returns. Messages on their way are lost.
    ///
    /// ```no_run
    /// let server = wshub::Server::bind("127.0.0.1:9001")?;
    /// let handle = server.handle();
    /// let mut asked = false;
    /// ctrlc::set_handler(move || {
    ///     if asked { handle.terminate() } else { handle.shutdown() }
    ///     asked = true;
    /// })?;
    /// for event in server.events() {
    ///     println!("{event:?}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn terminate(&self) {
        if let Some(hub) = &self.hub {
            shutdown::terminate(hub);
        }
    }

    /// Blocks until a thread starts the shutdown and it is done: the last call of the main thread when
    /// [`serve`](ServerBuilder::serve) does the work. Do not call it in a handler: it would wait for itself.
    ///
    /// After the shutdown has begun it takes at most [`close_timeout`](crate::Limits::close_timeout) and two seconds,
    /// then cuts off what is left; three seconds more if a hook, a handler or a stream of yours does not return.
    ///
    /// ```
    /// let handle = wshub::serve("127.0.0.1:0", |mut ws| {
    ///     while let Some(message) = ws.read()? {
    ///         ws.send(message)?;
    ///     }
    ///     Ok(())
    /// })?;
    /// let stop = handle.clone();
    /// std::thread::spawn(move || stop.shutdown()); // as a thread that handles signals would
    /// assert_eq!(handle.wait().threads_left, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait(&self) -> ShutdownReport {
        let hub = self.hub.as_ref();
        hub.map(|hub| shutdown::wait(hub)).unwrap_or_default()
    }
}

impl From<&Server> for ServerHandle {
    fn from(server: &Server) -> Self {
        server.handle()
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
