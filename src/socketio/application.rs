//! The server of Socket.IO: its face, and what it does on the thread that runs the server.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answers::{AckError, Answer};
use super::clients::Clients;
use super::core::{AckOwner, Core};
use super::emitter::Emitter;
use super::engine::carriers::{Carriers, hand_to_carriers};
use super::engine::mount::mount;
use super::engine::sessions::Task;
use super::incoming::SocketEvent;
use super::limits::Limits;
use super::listeners::NamespaceListeners;
#[cfg(feature = "redis")]
use super::listeners::OnClusterEvent;
use super::operation::PollNews;
use super::packet::MAIN_NAMESPACE;
use super::reason::DisconnectReason;
use super::reply::{Refused, Reply};
use super::socket::{PendingAcks, Socket};
use super::stats::SocketIoStats;
use crate::lock::{CALLBACKS, Mutex, lock};
use crate::logging::log_line;
use crate::{Handler, Request, ServerBuilder};

/// A server of Socket.IO: listeners, and a state that they share.
///
/// [`ServerBuilder::socketio`](crate::ServerBuilder::socketio) gives it a place on a server, and
/// [`Server::run`](crate::Server::run) runs it. Every listener runs on the thread that calls `run`, one at a time, so
/// the state needs no locks; events of one client come in the order in which they were sent. Other threads send by
/// [`Emitter`].
///
/// ```no_run
/// use wshub::Server;
/// use wshub::socketio::{Refused, SocketIo};
///
/// #[derive(Default)]
/// struct Chat {
///     said: usize,
/// }
///
/// let mut io = SocketIo::new(Chat::default());
/// io.on_connect("/", |_, socket, auth| {
///     if auth["name"].as_str().is_none() {
///         return Err(Refused::new("who are you?"));
///     }
///     socket.join("lobby");
///     Ok(())
/// });
/// io.on("/", "say", |chat, socket, (room, text): (String, String)| {
///     chat.said += 1;
///     socket.to(room).emit("said", (socket.id(), text)); // the others in the room
///     Ok(chat.said) // the acknowledgement, where the client asked for one
/// });
/// let server = Server::builder().socketio(&io, "/socket.io/").bind("127.0.0.1:3000")?;
/// server.run(&mut io)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
pub struct SocketIo<S> {
    pub(crate) state: S,
    pub(crate) listeners: HashMap<Arc<str>, NamespaceListeners<S>>,
    pub(crate) carriers: Carriers,
    pub(crate) core: Arc<Core>,
    pub(crate) pending: Arc<Mutex<PendingAcks<S>, CALLBACKS>>,
    pub(crate) clients: Clients<S>,
    /// What a loop of the program's own has not taken.
    pub(crate) heard: VecDeque<SocketEvent<S>>,
    /// There is such a loop.
    pub(crate) is_looped: bool,
    /// The cluster that the server is in, which this keeps it in, and who hears of it.
    #[cfg(feature = "redis")]
    pub(crate) joined: Option<(crate::Cluster, Vec<OnClusterEvent<S>>)>,
}

impl<S> SocketIo<S> {
    /// A server with the default limits. Without a state, give `()`.
    pub fn new(state: S) -> Self {
        SocketIo::with_limits(state, Limits::default())
    }

    /// A server with limits of your own.
    pub fn with_limits(state: S, limits: Limits) -> Self {
        let main: Arc<str> = Arc::from(MAIN_NAMESPACE);
        let core = Core::new(limits);
        lock(&core.directory).declare(&main);
        SocketIo {
            state,
            listeners: HashMap::from([(main, NamespaceListeners::default())]),
            carriers: Carriers::new(core.sessions.clone()),
            core,
            pending: Arc::default(),
            clients: Clients::default(),
            heard: VecDeque::new(),
            is_looped: false,
            #[cfg(feature = "redis")]
            joined: None,
        }
    }

    /// Decides about each request that would begin a session, by its cookies and addresses. An error refuses it with
    /// 403 and the error's text. What the client says about itself comes later, to
    /// [`on_connect`](SocketIo::on_connect). It runs on threads of the server, as the hooks of
    /// [`ServerBuilder`](crate::ServerBuilder) do. One rule can be set; a second one is ignored, and the log (warn)
    /// says so.
    pub fn allow(
        &mut self,
        rule: impl Fn(&Request) -> Result<(), Refused> + Send + Sync + 'static,
    ) -> &mut Self {
        self.core.sessions.set_allow(Box::new(rule));
        self
    }

    /// Adds a listener for clients that want to join a namespace. It gets the `auth` object of the client, which may be
    /// empty: `io({auth: {token: "…"}})` in JavaScript. An error refuses the client, which gets the message and the
    /// data as `connect_error`. What the listener sends to the socket reaches the client once it has joined. Several
    /// listeners are asked one after the other, up to the first that refuses.
    ///
    /// A namespace exists if it has a listener of any kind; `/` always exists.
    pub fn on_connect(
        &mut self,
        namespace: &str,
        listener: impl FnMut(&mut S, &Socket<S>, &Value) -> Result<(), Refused> + Send + 'static,
    ) -> &mut Self {
        self.namespace(namespace).connect.push(Box::new(listener));
        self
    }

    /// Adds a listener for an event. The type of its last parameter says how the arguments are read: a tuple takes as
    /// many as it has places, a missing one is null, and further ones are ignored; a `Vec` takes all; any other type
    /// takes the first; [`Bytes`](super::Bytes) are binary data. If the arguments do not fit, the listener is not
    /// called, the log (warn) says what is wrong and where, and a client that wants an answer gets `{"error": "…"}`.
    ///
    /// What it returns is the answer for a client that asked for one: see [`Reply`]; to answer later, take an
    /// [`Ack`](super::Ack). Of several listeners of one event the first one's answer counts.
    pub fn on<A: DeserializeOwned, R: Reply>(
        &mut self,
        namespace: &str,
        event: &str,
        listener: impl FnMut(&mut S, &Socket<S>, A) -> R + Send + 'static,
    ) -> &mut Self {
        self.namespace(namespace).add(event, listener);
        self
    }

    /// Adds a listener for every event of a namespace, called before those of the event, with its name and arguments.
    pub fn on_any(
        &mut self,
        namespace: &str,
        listener: impl FnMut(&mut S, &Socket<S>, &str, &[Value]) + Send + 'static,
    ) -> &mut Self {
        self.namespace(namespace).any.push(Box::new(listener));
        self
    }

    /// Adds a listener for clients that leave a namespace. The socket has left its rooms; [`Socket::rooms`] says which
    /// they were.
    pub fn on_disconnect(
        &mut self,
        namespace: &str,
        listener: impl FnMut(&mut S, &Socket<S>, DisconnectReason) + Send + 'static,
    ) -> &mut Self {
        self.namespace(namespace)
            .disconnect
            .push(Box::new(listener));
        self
    }

    /// Takes a handler for plain WebSockets, those on other paths than Socket.IO's. Without a handler they are closed
    /// with 1000 at once.
    pub fn websockets(&mut self, handler: impl Handler + Send + 'static) -> &mut Self {
        self.carriers.set_plain(Box::new(handler));
        self
    }

    /// The counters; [`Emitter::stats`] has them for other threads.
    pub fn stats(&self) -> SocketIoStats {
        self.core.stats()
    }

    /// All sockets of a namespace, for any thread.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Emitter {
        Emitter::new(self.core.clone(), named(namespace).into())
    }

    /// All sockets in this room of the main namespace.
    #[must_use]
    pub fn to(&self, room: impl Into<String>) -> Emitter {
        self.of(MAIN_NAMESPACE).to(room)
    }

    /// Sends an event to all sockets of the main namespace; see [`Emitter::emit`].
    pub fn emit(&self, event: &str, arguments: impl Serialize) -> usize {
        self.of(MAIN_NAMESPACE).emit(event, arguments)
    }

    /// The state.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The state, to change it between two runs.
    pub fn state_mut(&mut self) -> &mut S {
        &mut self.state
    }

    fn namespace(&mut self, name: &str) -> &mut NamespaceListeners<S> {
        let name = named(name).into();
        lock(&self.core.directory).declare(&name);
        self.listeners.entry(name).or_default()
    }

    /// Does what waits for the application, in order, and what is due.
    pub(crate) fn see_to_all(&mut self) {
        while self.see_to_next() {}
        self.see_to_time();
    }

    /// Does the next thing that waits; false if nothing does.
    pub(crate) fn see_to_next(&mut self) -> bool {
        if let Some(disconnect) = self.core.next_disconnect() {
            self.disconnect(disconnect);
            return true;
        }
        let task = self.carriers.next_task();
        task.map(|task| self.see_to(task)).is_some()
    }

    fn see_to(&mut self, task: Task) {
        let sessions = self.core.sessions.clone();
        match task {
            Task::Opened(link, slot) => {
                let limits = &self.core.limits;
                self.clients.add(&link, slot, limits, sessions.now());
            }
            Task::Message(link, message) => {
                let len = message.len();
                self.receive(&link, message);
                link.note_taken(len, &sessions);
            }
            Task::Ended(link, reason) => self.ended(&link, reason),
            // `Carriers::next_task` has done it.
            Task::PongDue(..) => {}
        }
    }

    /// Does what is due: acknowledgements that do not come, and clients that join nothing.
    pub(crate) fn see_to_time(&mut self) {
        let now = self.core.sessions.now();
        // A callback may ask again, and be refused again: that is for the next time, which `refuse` has noted.
        let refused = std::mem::take(&mut lock(&self.pending).refused);
        for (why, then) in refused {
            then(&mut self.state, Err(why));
        }
        while let Some((id, owner)) = self.overdue_ack(now) {
            self.settle(id, owner, Err(AckError::Timeout));
        }
        #[cfg(feature = "redis")]
        self.see_to_cluster();
        let finished: Vec<_> = std::iter::from_fn(|| self.core.finished_poll(now)).collect();
        for (then, answers) in finished {
            then(answers);
        }
        while let Some(link) = self.clients.take_overdue(now) {
            log_line!(Debug, "a client joined no namespace within connect_timeout");
            self.end_session(&link, DisconnectReason::ForcedServerClose);
        }
        let ack = lock(&self.core.acks).deadline();
        let poll = lock(&self.core.polls).deadline();
        let deadlines = [
            ack,
            poll,
            self.clients.deadline(),
            self.forget_departed(now),
        ];
        if let Some(deadline) = deadlines.into_iter().flatten().min() {
            self.core.sessions.timer.note_application(deadline);
        }
    }

    /// Drops what sockets were that may come back no longer; gives when the next one may not.
    fn forget_departed(&self, now: Duration) -> Option<Duration> {
        self.core.limits.recovery_window?;
        self.core
            .with_directory(|directory| directory.forget_departed(now))
    }

    fn overdue_ack(&self, now: Duration) -> Option<(u64, AckOwner)> {
        lock(&self.core.acks).take_overdue(now)
    }

    /// An acknowledgement came, or will not come.
    pub(crate) fn settle(&mut self, id: u64, owner: AckOwner, answer: Result<Answer, AckError>) {
        match owner {
            AckOwner::Poll(sink) => sink(PollNews::Answered(answer)),
            AckOwner::Listener => {
                let then = lock(&self.pending).waiting.remove(&id);
                if let Some(then) = then {
                    then(&mut self.state, answer);
                }
            }
        }
    }

    /// Tells a loop of the program's own, if there is one.
    pub(crate) fn tell(&mut self, event: impl FnOnce() -> SocketEvent<S>) {
        if self.is_looped {
            self.heard.push_back(event());
        }
    }
}

impl ServerBuilder {
    /// Serves Socket.IO below `path`. Clients expect it at `/socket.io/` unless they are told otherwise. Other paths
    /// stay with [`accept`](ServerBuilder::accept) and [`http`](ServerBuilder::http), for pages and plain WebSockets
    /// ([`SocketIo::websockets`]). [`origins`](ServerBuilder::origins) decides which pages may connect, as for all
    /// WebSockets. Feature `socketio`.
    ///
    /// Clients begin with long polling and go on over a WebSocket if they can, or begin with a WebSocket. Pages of
    /// other sites that poll need [`cors`](ServerBuilder::cors) as well. A poll that waits holds no thread; see
    /// [`max_waiting_requests`](crate::Limits::max_waiting_requests), and let
    /// [`answer_timeout`](crate::Limits::answer_timeout) be longer than
    /// [`Limits::ping_interval`](crate::socketio::Limits::ping_interval).
    ///
    /// ```
    /// use wshub::Server;
    /// use wshub::socketio::SocketIo;
    ///
    /// let mut io = SocketIo::new(());
    /// io.on("/", "hello", |_, socket, name: String| {
    ///     socket.emit("welcome", name);
    /// });
    /// let server = Server::builder().socketio(&io, "/socket.io/").bind("127.0.0.1:0")?;
    /// # server.handle().shutdown();
    /// server.run(&mut io)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn socketio<S>(self, io: &SocketIo<S>, path: &str) -> ServerBuilder {
        mount(self, &io.core.sessions, path)
    }
}

/// Callbacks that wait for answers may hold sockets, and sockets hold these callbacks. What is kept with a socket may
/// hold emitters, and emitters hold the sockets. These circles are cut here.
impl<S> Drop for SocketIo<S> {
    fn drop(&mut self) {
        // First: what comes after this is not taken in.
        self.core.has_ended.store(true, SeqCst);
        let pending = std::mem::take(&mut *lock(&self.pending));
        let acks = std::mem::take(&mut *lock(&self.core.acks));
        let polls = std::mem::take(&mut *lock(&self.core.polls));
        let sockets = lock(&self.core.directory).end();
        let disconnects = self.core.take_disconnects();
        drop((pending, acks, polls, sockets, disconnects));
    }
}

/// Called by [`Server::run`](crate::Server::run).
impl<S> Handler for SocketIo<S> {
    hand_to_carriers!();
}

/// Names of namespaces begin with a slash; one without it is meant with it.
fn named(namespace: &str) -> String {
    match namespace.strip_prefix('/') {
        Some(_) => namespace.to_owned(),
        None => ["/", namespace].concat(),
    }
}

impl<S: fmt::Debug> fmt::Debug for SocketIo<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketIo")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
