//! The application: listeners and their state, on the thread that runs the server.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::arguments::{self, Written};
use super::bytes::Bytes;
use super::core::{Core, DisconnectScope, NoRandom, Task, random_id};
use super::decoder::{Decoder, WholePacket};
use super::directory::{Known, NamespaceClient};
use super::emitter::Emitter;
use super::engine::handshake::{Carrier, SessionRequest, check};
use super::engine::session::EndReason;
use super::limits::Limits;
use super::link::SessionLink;
use super::packet::{MAIN_NAMESPACE, PacketKind, encode};
use super::part::Part;
use super::reason::DisconnectReason;
use super::reply::{Refused, Reply, ReplyText};
use super::socket::{AckError, Answer, PendingAcks, Socket};
use crate::lock::{ACKS, Mutex, lock};
use crate::logging::log_line;
use crate::{CloseEvent, Connection, Error, Handler, Message, Request};

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
pub struct SocketIo<S> {
    state: S,
    listeners: HashMap<Arc<str>, NamespaceListeners<S>>,
    websockets: Option<Box<dyn Handler + Send>>,
    pub(super) core: Arc<Core>,
    pending: Arc<Mutex<PendingAcks<S>, ACKS>>,
    /// The sessions of the WebSockets that are open, by the number of the connection.
    links: HashMap<u64, Arc<SessionLink>>,
    clients: HashMap<u64, ClientState<S>>,
    /// Clients that have not joined a namespace yet, with the time until which they have to.
    joining: BTreeSet<(Duration, u64)>,
    /// Pongs that were due, and when. They are missed by the next wake, which comes behind what waits now.
    pongs_due: Vec<(Arc<SessionLink>, Duration)>,
}

/// What one client has sent, and where it is.
struct ClientState<S> {
    link: Arc<SessionLink>,
    decoder: Decoder,
    sockets: HashMap<Arc<str>, Socket<S>>,
    /// Until when it has to join a namespace.
    join_by: Option<Duration>,
}

type OnConnect<S> = Box<dyn FnMut(&mut S, &Socket<S>, &Value) -> Result<(), Refused> + Send>;
type OnEvent<S> = Box<dyn FnMut(&mut S, &Socket<S>, &Given<'_>) -> ListenerOutcome + Send>;
type OnAny<S> = Box<dyn FnMut(&mut S, &Socket<S>, &str, &[Value]) + Send>;
type OnDisconnect<S> = Box<dyn FnMut(&mut S, &Socket<S>, DisconnectReason) + Send>;

struct NamespaceListeners<S> {
    connect: Vec<OnConnect<S>>,
    events: HashMap<String, Vec<OnEvent<S>>>,
    any: Vec<OnAny<S>>,
    disconnect: Vec<OnDisconnect<S>>,
}

/// An event that came.
struct Given<'a> {
    arguments: &'a [Value],
    attachments: &'a [Bytes],
}

/// What a listener made of an event.
enum ListenerOutcome {
    Answer(Result<Written, serde_json::Error>),
    Refused(Refused),
    /// The arguments are not of the listener's types.
    WrongArguments(serde_json::Error),
}

impl<S> Default for NamespaceListeners<S> {
    fn default() -> Self {
        NamespaceListeners {
            connect: Vec::new(),
            events: HashMap::new(),
            any: Vec::new(),
            disconnect: Vec::new(),
        }
    }
}

impl<S> SocketIo<S> {
    /// A server with the default limits; `()` where there is no state.
    pub fn new(state: S) -> Self {
        SocketIo::with_limits(state, Limits::default())
    }

    /// A server with limits of your own.
    pub fn with_limits(state: S, limits: Limits) -> Self {
        let main = (Arc::from(MAIN_NAMESPACE), NamespaceListeners::default());
        SocketIo {
            state,
            listeners: HashMap::from([main]),
            websockets: None,
            core: Core::new(limits),
            pending: Arc::default(),
            links: HashMap::new(),
            clients: HashMap::new(),
            joining: BTreeSet::new(),
            pongs_due: Vec::new(),
        }
    }

    /// Asks about each request that would begin a session, before anything else is known of the client: with a text it
    /// is refused with 403. For what the request shows, cookies and addresses; who the client is says it behind that,
    /// to [`on_connect`](SocketIo::on_connect). Runs on threads of the server's, as the hooks of
    /// [`ServerBuilder`](crate::ServerBuilder) do. One rule can be set; a second one is ignored, and the log (warn)
    /// says so.
    pub fn allow(
        &mut self,
        rule: impl Fn(&Request) -> Result<(), Refused> + Send + Sync + 'static,
    ) -> &mut Self {
        if self.core.allow.set(Box::new(rule)).is_err() {
            log_line!(
                Warn,
                "SocketIo::allow: there is a rule already, and that one stays"
            );
        }
        self
    }

    /// Adds a listener for clients that want to join a namespace, with what they send for their proof, an object that
    /// may be empty: `io({auth: {token: "…"}})` in JavaScript. An error refuses the client, which gets the message and
    /// the data as `connect_error`. What is sent to the socket meanwhile reaches it once it is in. Several are asked
    /// one after the other, up to the first that refuses.
    ///
    /// A namespace is there if it has a listener of whatever kind; `/` always is.
    pub fn on_connect(
        &mut self,
        namespace: &str,
        listener: impl FnMut(&mut S, &Socket<S>, &Value) -> Result<(), Refused> + Send + 'static,
    ) -> &mut Self {
        self.namespace(namespace).connect.push(Box::new(listener));
        self
    }

    /// Adds a listener for an event. Its arguments are read as the listener's last parameter has them: a tuple takes as
    /// many as it has places, of which a missing one is null, and others are left; a `Vec` takes all; anything else
    /// takes the first; [`Bytes`] are binary data. Where they do not fit, the listener is not called, the log (warn)
    /// says what is wrong, and a client that wants an answer gets `{"error": "…"}`.
    ///
    /// What it returns is the answer for a client that asked for one: see [`Reply`]. Of several listeners of one event
    /// the first one's counts.
    pub fn on<A: DeserializeOwned, R: Reply>(
        &mut self,
        namespace: &str,
        event: &str,
        mut listener: impl FnMut(&mut S, &Socket<S>, A) -> R + Send + 'static,
    ) -> &mut Self {
        let call = move |state: &mut S, socket: &Socket<S>, given: &Given<'_>| match arguments::read(
            given.arguments.to_vec(),
            given.attachments,
        ) {
            Ok(arguments) => match listener(state, socket, arguments).into_written() {
                Ok(ReplyText(written)) => ListenerOutcome::Answer(written),
                Err(refused) => ListenerOutcome::Refused(refused),
            },
            Err(error) => ListenerOutcome::WrongArguments(error),
        };
        let events = &mut self.namespace(namespace).events;
        events
            .entry(event.to_owned())
            .or_default()
            .push(Box::new(call));
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

    /// Adds a listener for clients that leave a namespace. The socket is in no room any more;
    /// [`Socket::rooms`] says which it was in.
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

    /// Hands the events of plain WebSockets on, of other paths than Socket.IO's. Without a handler they are closed with
    /// 1000 as they come.
    pub fn websockets(&mut self, handler: impl Handler + Send + 'static) -> &mut Self {
        self.websockets = Some(Box::new(handler));
        self
    }

    /// Everybody in a namespace, for any thread.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Emitter {
        Emitter::new(self.core.clone(), named(namespace).into())
    }

    /// Everybody in this room of the main namespace.
    #[must_use]
    pub fn to(&self, room: impl Into<String>) -> Emitter {
        self.of(MAIN_NAMESPACE).to(room)
    }

    /// Sends an event to everybody in the main namespace; see [`Emitter::emit`].
    pub fn emit(&self, event: &str, arguments: impl Serialize) -> usize {
        self.of(MAIN_NAMESPACE).emit(event, arguments)
    }

    /// The state.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The state, to be changed between two runs.
    pub fn state_mut(&mut self) -> &mut S {
        &mut self.state
    }

    fn namespace(&mut self, name: &str) -> &mut NamespaceListeners<S> {
        self.listeners.entry(named(name).into()).or_default()
    }

    /// Does what waits for the application, in order, and what is due.
    pub(super) fn see_to_all(&mut self) {
        while let Some(item) = self.core.next_told() {
            self.see_to(item);
        }
        self.see_to_time();
    }

    fn see_to(&mut self, item: Task) {
        match item {
            Task::Opened(link) => self.add_client(&link),
            Task::Text(link, text) => {
                self.receive(&link, |decoder| decoder.text(&text));
                link.note_taken(text.len(), &self.core);
            }
            Task::Binary(link, bytes) => {
                let len = bytes.len();
                self.receive(&link, |decoder| decoder.binary(bytes));
                link.note_taken(len, &self.core);
            }
            Task::Ended(link, reason) => self.ended(&link, DisconnectReason::of(reason)),
            Task::PongDue(link, asked) => {
                self.pongs_due.push((link, asked));
                self.core.wake();
            }
            Task::Disconnect(link, socket, whole) => self.disconnect(&link, socket, whole),
        }
    }

    fn see_to_time(&mut self) {
        let now = self.core.now();
        loop {
            let mut pending = lock(&self.pending);
            let refused = pending.refused.pop();
            let mut overdue = || pending.acks.take_overdue(now);
            let next = refused.or_else(|| Some((AckError::Timeout, overdue()?)));
            drop(pending);
            let Some((why, then)) = next else {
                break;
            };
            then(&mut self.state, Err(why));
        }
        while let Some(&(deadline, key)) = self.joining.first() {
            if deadline > now {
                break;
            }
            self.joining.remove(&(deadline, key));
            if let Some(client) = self.clients.get(&key) {
                log_line!(Debug, "a client joined no namespace within connect_timeout");
                client.link.close(EndReason::ForcedClose, &self.core);
            }
        }
        let ack = lock(&self.pending).acks.deadline();
        let joining = self.joining.first().map(|(deadline, _)| *deadline);
        if let Some(deadline) = [ack, joining].into_iter().flatten().min() {
            self.core.timer.note_application(deadline);
        }
    }

    /// A WebSocket for a new session, or one that there is.
    pub(super) fn websocket(&mut self, connection: &Connection) {
        let query = connection.request().query_string().unwrap_or_default();
        let link = match check("GET", query, true) {
            Ok(SessionRequest::Open(Carrier::WebSocket)) => self.new_session(connection),
            Ok(SessionRequest::Continue { sid, fits: true }) => {
                self.core.session(sid).inspect(|link| {
                    link.probe(connection, &self.core);
                })
            }
            _ => None,
        };
        match link {
            Some(link) => _ = self.links.insert(connection.id(), link),
            // Between its request and now its session has ended.
            None => _ = connection.close(1000, ""),
        }
    }

    fn new_session(&mut self, connection: &Connection) -> Option<Arc<SessionLink>> {
        let link = self.core.open(connection.request(), Some(connection));
        link.ok().inspect(|link| link.see_to(&self.core))
    }

    fn add_client(&mut self, link: &Arc<SessionLink>) {
        let limits = &self.core.limits;
        let join_by = self.core.now() + limits.connect_timeout;
        let client = ClientState {
            link: link.clone(),
            decoder: Decoder::new(limits.max_attachments, limits.max_attachment_bytes),
            sockets: HashMap::new(),
            join_by: Some(join_by),
        };
        self.joining.insert((join_by, link.key));
        self.clients.insert(link.key, client);
    }

    /// Nothing of a session that has ended.
    fn receive(
        &mut self,
        link: &Arc<SessionLink>,
        read: impl FnOnce(&mut Decoder) -> Result<Option<WholePacket>, super::packet::PacketError>,
    ) {
        let Some(client) = self.clients.get_mut(&link.key) else {
            return;
        };
        match read(&mut client.decoder) {
            Ok(None) => {}
            Ok(Some(whole)) => self.take(link, whole),
            Err(error) => {
                log_line!(Debug, "a client is disconnected for what it sent: {error}");
                link.close(EndReason::ParseError, &self.core);
            }
        }
    }

    fn take(&mut self, link: &Arc<SessionLink>, whole: WholePacket) {
        let WholePacket {
            packet,
            attachments,
        } = whole;
        let client = self.clients.get(&link.key);
        let socket = client.and_then(|client| client.sockets.get(&*packet.namespace).cloned());
        match (packet.kind, socket) {
            (PacketKind::Connect, None) => self.connect(link, &packet.namespace, packet.data),
            (PacketKind::Disconnect, Some(socket)) => {
                self.leave(&socket, DisconnectReason::ClientNamespaceDisconnect);
            }
            (PacketKind::Event, Some(socket)) => {
                let data = into_list(packet.data);
                self.event(&socket, packet.id, data, attachments);
            }
            (PacketKind::Ack, Some(socket)) => {
                let answer = Answer {
                    arguments: into_list(packet.data),
                    attachments: attachments.into_iter().map(Bytes::from).collect(),
                };
                self.acknowledged(&socket, packet.id, answer);
            }
            _ => {
                log_line!(
                    Debug,
                    "a client is disconnected: its packet has no place here"
                );
                link.close(EndReason::ForcedClose, &self.core);
            }
        }
    }

    fn connect(&mut self, link: &Arc<SessionLink>, name: &str, auth: Option<Value>) {
        let Some(client) = self.clients.get(&link.key) else {
            return;
        };
        let Some((namespace, _)) = self.listeners.get_key_value(name) else {
            return self.refuse(link, name, &Refused::new("Invalid namespace"));
        };
        if client.sockets.len() >= self.core.limits.max_namespaces {
            let refused = Refused::new("too many namespaces");
            return self.refuse(link, name, &refused);
        }
        let namespace = namespace.clone();
        let auth = auth.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        let Ok((socket, missed)) = self.new_socket(link, namespace, &auth) else {
            return self.refuse(link, name, &Refused::new("try again later"));
        };
        match self.ask(&socket, &auth) {
            Ok(()) => self.let_in(link, socket, &missed),
            Err(refused) => {
                lock(&self.core.directory).remove(&socket.member);
                self.give_acks_up(&socket);
                self.refuse(link, name, &refused);
            }
        }
    }

    /// A socket that is new, or one that comes back with what it missed.
    fn new_socket(
        &self,
        link: &Arc<SessionLink>,
        namespace: Arc<str>,
        auth: &Value,
    ) -> Result<(Socket<S>, Vec<Vec<Part>>), NoRandom> {
        let (id, name) = (random_id()?, random_id()?);
        let mut directory = lock(&self.core.directory);
        let name = directory.has_recovery().then_some(name);
        let before = auth["pid"].as_str().unwrap_or_default();
        let offset = auth["offset"].as_str().and_then(|it| it.parse().ok());
        let returned = offset
            .and_then(|offset| directory.return_of(&namespace, before, offset, self.core.now()));
        let is_recovered = returned.is_some();
        let (known, rooms, name, missed) = match returned {
            Some((departed, missed)) => {
                let name = Some(before.to_owned());
                (departed.known, departed.rooms, name, missed)
            }
            None => (Known { id, data: None }, Vec::new(), name, Vec::new()),
        };
        let (link, key) = (link.clone(), self.core.key());
        let member = NamespaceClient::new(key, known, namespace, link, name, is_recovered);
        directory.add(&member);
        for room in rooms {
            // As many as it was in before.
            let _ = directory.join(&member, &room, usize::MAX);
        }
        let forgotten = directory.take_forgotten(&member.namespace);
        drop(directory);
        drop(forgotten);
        let socket = Socket {
            member,
            core: self.core.clone(),
            pending: self.pending.clone(),
        };
        Ok((socket, missed))
    }

    fn ask(&mut self, socket: &Socket<S>, auth: &Value) -> Result<(), Refused> {
        let listeners = self.listeners.get_mut(socket.namespace());
        let mut asked = listeners.into_iter().flat_map(|it| &mut it.connect);
        asked.try_for_each(|listener| listener(&mut self.state, socket, auth))
    }

    fn let_in(&mut self, link: &Arc<SessionLink>, socket: Socket<S>, missed: &[Vec<Part>]) {
        if let Some(client) = self.clients.get_mut(&link.key) {
            if let Some(join_by) = client.join_by.take() {
                self.joining.remove(&(join_by, link.key));
            }
            let namespace = socket.member.namespace.clone();
            client.sockets.insert(namespace, socket.clone());
        }
        let json = match &socket.member.recovery {
            Some(name) => format!(r#"{{"sid":"{}","pid":"{name}"}}"#, socket.id()),
            None => format!(r#"{{"sid":"{}"}}"#, socket.id()),
        };
        let welcome = encode(PacketKind::Connect, socket.namespace(), None, &json, 0);
        let welcome = Part::of_packet(&welcome, Vec::new());
        socket.member.let_in(&welcome, missed, &self.core);
    }

    fn refuse(&self, link: &Arc<SessionLink>, namespace: &str, refused: &Refused) {
        let json = refused.to_json("message");
        let text = encode(PacketKind::ConnectError, namespace, None, &json, 0);
        link.send(&Part::of_packet(&text, Vec::new()), &self.core);
    }

    fn event(
        &mut self,
        socket: &Socket<S>,
        id: Option<u64>,
        mut data: Vec<Value>,
        attachments: Vec<Vec<u8>>,
    ) {
        let attachments: Vec<Bytes> = attachments.into_iter().map(Bytes::from).collect();
        let name = match data.is_empty() {
            true => return,
            false => data.remove(0),
        };
        let name = match name {
            Value::String(name) => name,
            number => number.to_string(),
        };
        let Some(listeners) = self.listeners.get_mut(socket.namespace()) else {
            return;
        };
        for listener in &mut listeners.any {
            listener(&mut self.state, socket, &name, &data);
        }
        let given = Given {
            arguments: &data,
            attachments: &attachments,
        };
        let called = listeners.events.get_mut(&name).into_iter().flatten();
        let outcomes = called.map(|listener| listener(&mut self.state, socket, &given));
        // All are called, and the first one answers.
        let outcomes: Vec<ListenerOutcome> = outcomes.collect();
        if outcomes.is_empty() && listeners.any.is_empty() {
            log_line!(Debug, "nobody listens to the event {:?}", shortened(&name));
        }
        for (at, outcome) in outcomes.into_iter().enumerate() {
            self.conclude(socket, &name, id.filter(|_| at == 0), outcome);
        }
    }

    fn conclude(&self, socket: &Socket<S>, event: &str, id: Option<u64>, outcome: ListenerOutcome) {
        let refused = match outcome {
            ListenerOutcome::Answer(Ok(written)) => return self.answer(socket, id, written),
            ListenerOutcome::Answer(Err(error)) => {
                let event = shortened(event);
                log_line!(
                    Error,
                    "the answer to the event {event:?} is no JSON: {error}"
                );
                Refused::new("the server has no answer")
            }
            ListenerOutcome::Refused(refused) => refused,
            ListenerOutcome::WrongArguments(error) => {
                let event = shortened(event);
                let error = error.to_string();
                let error = shortened(&error);
                log_line!(Warn, "wrong arguments of the event {event:?}: {error:?}");
                Refused::new(error)
            }
        };
        let json = format!("[{}]", refused.to_json("error"));
        let attachments = Vec::new();
        self.answer(socket, id, Written { json, attachments });
    }

    fn answer(&self, socket: &Socket<S>, id: Option<u64>, written: Written) {
        let Some(id) = id else {
            return;
        };
        let Written { json, attachments } = written;
        let namespace = socket.namespace();
        let text = encode(
            PacketKind::Ack,
            namespace,
            Some(id),
            &json,
            attachments.len(),
        );
        let packet = Part::of_packet(&text, attachments);
        let delivery = super::directory::Reliability::Reliable;
        socket.member.send(&packet, delivery, &self.core);
    }

    fn acknowledged(&mut self, socket: &Socket<S>, id: Option<u64>, answer: Answer) {
        let then = id.and_then(|id| lock(&self.pending).acks.take(socket.member.key, id));
        match then {
            Some(then) => then(&mut self.state, Ok(answer)),
            None => log_line!(Debug, "an acknowledgement that nobody awaits"),
        }
    }

    fn disconnect(&mut self, link: &Arc<SessionLink>, key: u64, whole: DisconnectScope) {
        let client = self.clients.get(&link.key);
        let sockets = client
            .into_iter()
            .flat_map(|client| client.sockets.values());
        let chosen = sockets.filter(|it| whole == DisconnectScope::Session || it.member.key == key);
        let chosen: Vec<Socket<S>> = chosen.cloned().collect();
        for socket in chosen {
            let text = encode(PacketKind::Disconnect, socket.namespace(), None, "", 0);
            link.send(&Part::of_packet(&text, Vec::new()), &self.core);
            self.leave(&socket, DisconnectReason::ServerNamespaceDisconnect);
        }
        if whole == DisconnectScope::Session {
            link.close(EndReason::ForcedClose, &self.core);
        }
    }

    fn ended(&mut self, link: &SessionLink, reason: DisconnectReason) {
        let Some(client) = self.clients.get_mut(&link.key) else {
            return;
        };
        if let Some(join_by) = client.join_by.take() {
            self.joining.remove(&(join_by, link.key));
        }
        let sockets: Vec<Socket<S>> = client.sockets.values().cloned().collect();
        for socket in sockets {
            self.leave(&socket, reason);
        }
        self.clients.remove(&link.key);
    }

    fn leave(&mut self, socket: &Socket<S>, reason: DisconnectReason) {
        if let Some(client) = self.clients.get_mut(&socket.member.link.key) {
            client.sockets.remove(socket.namespace());
        }
        let mut directory = lock(&self.core.directory);
        directory.remove(&socket.member);
        if reason.may_come_back() {
            directory.depart(&socket.member, self.core.now());
        }
        let forgotten = directory.take_forgotten(socket.namespace());
        drop(directory);
        drop(forgotten);
        self.give_acks_up(socket);
        let listeners = self.listeners.get_mut(socket.namespace());
        for listener in listeners.into_iter().flat_map(|it| &mut it.disconnect) {
            listener(&mut self.state, socket, reason);
        }
    }

    fn give_acks_up(&mut self, socket: &Socket<S>) {
        let waiting = lock(&self.pending).acks.remove(socket.member.key);
        for then in waiting {
            then(&mut self.state, Err(AckError::Disconnected));
        }
    }
}

/// Called by [`Server::run`](crate::Server::run).
impl<S> Handler for SocketIo<S> {
    fn on_open(&mut self, connection: &Connection) {
        match (is_of_socketio(connection), &mut self.websockets) {
            (true, _) => self.websocket(connection),
            (false, Some(handler)) => handler.on_open(connection),
            (false, None) => _ = connection.close(1000, ""),
        }
        self.see_to_all();
    }

    fn on_message(&mut self, connection: &Connection, message: Message) {
        if let Some(link) = self.links.get(&connection.id()) {
            link.receive(connection, message, &self.core);
        } else if let Some(handler) = other(&mut self.websockets, connection) {
            handler.on_message(connection, message);
        }
        self.see_to_all();
    }

    fn on_error(&mut self, connection: &Connection, error: &Error) {
        if let Some(handler) = other(&mut self.websockets, connection) {
            handler.on_error(connection, error);
        }
    }

    fn on_close(&mut self, connection: &Connection, close: &CloseEvent) {
        if let Some(link) = self.links.remove(&connection.id()) {
            link.connection_ended(connection, &self.core);
        } else if let Some(handler) = other(&mut self.websockets, connection) {
            handler.on_close(connection, close);
        }
        self.see_to_all();
    }

    fn on_wake(&mut self) {
        if let Some(handler) = &mut self.websockets {
            handler.on_wake();
        }
        for (link, asked) in std::mem::take(&mut self.pongs_due) {
            link.see_to_pong(asked, &self.core);
        }
        self.see_to_all();
    }
}

/// The handler of plain WebSockets, if this is one.
fn other<'a>(
    handler: &'a mut Option<Box<dyn Handler + Send>>,
    connection: &Connection,
) -> Option<&'a mut (dyn Handler + Send + 'static)> {
    let handler = handler.as_deref_mut();
    handler.filter(|_| !is_of_socketio(connection))
}

fn is_of_socketio(connection: &Connection) -> bool {
    connection.data::<super::mount::Mounted>().is_some()
}

/// Names of namespaces begin with a slash; who leaves it out means that one.
fn named(namespace: &str) -> String {
    match namespace.strip_prefix('/') {
        Some(_) => namespace.to_owned(),
        None => ["/", namespace].concat(),
    }
}

fn into_list(data: Option<Value>) -> Vec<Value> {
    match data {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

/// Text of a client's, for the log and for answers.
fn shortened(text: &str) -> &str {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => text.get(..at).unwrap_or(text),
        None => text,
    }
}

impl<S> Drop for SocketIo<S> {
    fn drop(&mut self) {
        self.core.end();
    }
}

impl<S: fmt::Debug> fmt::Debug for SocketIo<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketIo")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
