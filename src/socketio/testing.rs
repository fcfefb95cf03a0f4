//! For tests of your own listeners: a client in memory, without a network, a thread or a sleep.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::application::SocketIo;
use super::arguments::{AnyArguments, Written, write_ack, write_event};
use super::bytes::Bytes;
use super::decoder::Decoder;
use super::packet::{Packet, PacketKind, encode};
use crate::testing::{Sent, connection};
use crate::{CloseCode, CloseEvent, Connection, Handler, Message, Request};

/// A client of a [`SocketIo`] in memory, in one namespace. When a call returns, the listeners have dealt with it.
///
/// ```
/// use serde_json::json;
/// use wshub::socketio::{SocketIo, testing};
///
/// let mut io = SocketIo::new(0);
/// io.on("/", "add", |total, socket, number: i32| {
///     *total += number;
///     socket.broadcast().emit("total", *total);
///     Ok(*total)
/// });
/// let mut ann = testing::join(&mut io, "/", json!({})).unwrap();
/// let mut bob = testing::join(&mut io, "/", json!({})).unwrap();
/// assert_eq!(ann.ask(&mut io, "add", 5), Some(vec![json!(5)]));
/// let event = bob.take_events().remove(0);
/// assert_eq!((event.name(), event.get::<i32>().unwrap()), ("total", 5));
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Debug)]
pub struct MemoryClient {
    connection: Connection,
    sent: Sent,
    namespace: String,
    id: String,
    recovery: Option<String>,
    decoder: Decoder,
    events: Vec<ReceivedEvent>,
    answers: Vec<(u64, Vec<Value>)>,
    refusal: Option<Value>,
    asked: u64,
    is_disconnected: bool,
}

/// An event as the client got it.
///
/// ```
/// use serde_json::json;
/// use wshub::socketio::{SocketIo, testing};
///
/// let mut io = SocketIo::new(());
/// let mut ann = testing::join(&mut io, "/", json!({})).unwrap();
/// io.emit("news", "rain");
/// let event = ann.take_events().remove(0);
/// assert_eq!((event.name(), event.arguments()), ("news", &[json!("rain")][..]));
/// assert!(!event.wants_answer());
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedEvent {
    name: String,
    arguments: AnyArguments,
    id: Option<u64>,
}

impl ReceivedEvent {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its arguments, with placeholders for binary data.
    pub fn arguments(&self) -> &[Value] {
        &self.arguments.values
    }

    /// Its arguments as a type of yours, by the rules of [`SocketIo::on`].
    ///
    /// # Errors
    /// If they are not of that type.
    pub fn get<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.arguments.read()
    }

    /// Whether the server wants an answer: [`MemoryClient::answer`].
    pub fn wants_answer(&self) -> bool {
        self.id.is_some()
    }
}

/// Joins a namespace with this `auth` object.
///
/// # Errors
/// What the client is told when it is refused: `{"message": …, "data": …}`.
pub fn join<S>(io: &mut SocketIo<S>, namespace: &str, auth: Value) -> Result<MemoryClient, Value> {
    let (connection, sent) = connection(request());
    io.carriers.open(&connection);
    let mut client = MemoryClient {
        connection,
        sent,
        namespace: namespace.to_owned(),
        id: String::new(),
        recovery: None,
        decoder: Decoder::new(usize::MAX, usize::MAX),
        events: Vec::new(),
        answers: Vec::new(),
        refusal: None,
        asked: 0,
        is_disconnected: false,
    };
    let text = encode(PacketKind::Connect, namespace, None, &auth.to_string(), 0);
    client.send(io, &text, Vec::new());
    client.read();
    match client.refusal.take() {
        Some(refusal) => Err(refusal),
        None => Ok(client),
    }
}

fn request() -> Request {
    let head = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\r\n";
    Request::parse(head).unwrap_or_else(|error| panic!("a request of the library's own: {error}"))
}

impl MemoryClient {
    /// The id of its socket.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The id by which it may come back, with [`Limits::recovery_window`](super::Limits::recovery_window). To come
    /// back, join with it as `pid` in the `auth` object, and with the last argument of the last event as `offset`.
    pub fn recovery(&self) -> Option<&str> {
        self.recovery.as_deref()
    }

    /// Sends an event; arguments as for [`Emitter::emit`](super::Emitter::emit).
    ///
    /// # Panics
    /// When the arguments are no JSON.
    pub fn emit<S>(&mut self, io: &mut SocketIo<S>, event: &str, arguments: impl Serialize) {
        let written = write_event(event, &arguments).unwrap_or_else(|error| panic!("{error}"));
        self.send_written(io, PacketKind::Event, None, written);
    }

    /// Sends an event that wants an answer, and returns the arguments of the answer; `None` if nothing answers.
    ///
    /// # Panics
    /// When the arguments are no JSON.
    pub fn ask<S>(
        &mut self,
        io: &mut SocketIo<S>,
        event: &str,
        arguments: impl Serialize,
    ) -> Option<Vec<Value>> {
        let written = write_event(event, &arguments).unwrap_or_else(|error| panic!("{error}"));
        let id = self.asked;
        self.asked += 1;
        self.send_written(io, PacketKind::Event, Some(id), written);
        self.read();
        let at = self.answers.iter().position(|answer| answer.0 == id)?;
        Some(self.answers.remove(at).1)
    }

    /// Answers an event that [wants it](ReceivedEvent::wants_answer).
    ///
    /// # Panics
    /// When the arguments are no JSON.
    pub fn answer<S>(
        &mut self,
        io: &mut SocketIo<S>,
        event: &ReceivedEvent,
        arguments: impl Serialize,
    ) {
        let written = write_ack(&arguments).unwrap_or_else(|error| panic!("{error}"));
        self.send_written(io, PacketKind::Ack, event.id, written);
    }

    /// The events that it got since the last call, in order.
    pub fn take_events(&mut self) -> Vec<ReceivedEvent> {
        self.read();
        std::mem::take(&mut self.events)
    }

    /// The answers that came after [`ask`](MemoryClient::ask) had returned, in order: the number of the call of `ask`,
    /// from 0, and the arguments.
    pub fn take_answers(&mut self) -> Vec<(u64, Vec<Value>)> {
        self.read();
        std::mem::take(&mut self.answers)
    }

    /// Whether the server has disconnected it.
    pub fn is_disconnected(&mut self) -> bool {
        self.read();
        self.is_disconnected || self.sent.close().is_some()
    }

    /// Leaves its namespace, as `socket.disconnect()` does.
    pub fn disconnect<S>(mut self, io: &mut SocketIo<S>) {
        let text = encode(PacketKind::Disconnect, &self.namespace, None, "", 0);
        self.send(io, &text, Vec::new());
    }

    /// Vanishes without a word, as a page that is closed.
    pub fn vanish<S>(self, io: &mut SocketIo<S>) {
        let close = CloseEvent {
            code: CloseCode::ABNORMAL,
            reason: String::new(),
            was_clean: false,
        };
        io.on_close(&self.connection, &close);
    }

    fn send_written<S>(
        &mut self,
        io: &mut SocketIo<S>,
        kind: PacketKind,
        id: Option<u64>,
        written: Written,
    ) {
        let Written { json, attachments } = written;
        let text = encode(kind, &self.namespace, id, &json, attachments.len());
        self.send(io, &text, attachments);
    }

    fn send<S>(&mut self, io: &mut SocketIo<S>, text: &str, attachments: Vec<Bytes>) {
        io.on_message(&self.connection, Message::Text(["4", text].concat()));
        for attachment in attachments {
            io.on_message(&self.connection, Message::from(&*attachment));
        }
    }

    fn read(&mut self) {
        for message in self.sent.take_messages() {
            let whole = match &message {
                Message::Text(text) => match text.strip_prefix('4') {
                    Some(text) => self.decoder.text(text),
                    None => continue,
                },
                Message::Binary(bytes) => self.decoder.binary(bytes.clone()),
            };
            match whole {
                Ok(Some(packet)) => self.take(packet),
                Ok(None) => {}
                Err(error) => panic!("the server sent what is no packet: {error}"),
            }
        }
    }

    fn take(&mut self, packet: Packet) {
        match packet.kind {
            PacketKind::Connect => {
                let data = packet.data.unwrap_or_default();
                self.id = data["sid"].as_str().unwrap_or_default().to_owned();
                self.recovery = data["pid"].as_str().map(str::to_owned);
            }
            PacketKind::ConnectError => self.refusal = packet.data,
            PacketKind::Disconnect => self.is_disconnected = true,
            PacketKind::Ack => {
                let answer = AnyArguments::of_packet(packet.data, packet.attachments).values;
                self.answers.push((packet.id.unwrap_or_default(), answer));
            }
            PacketKind::Event => {
                let mut arguments = AnyArguments::of_packet(packet.data, packet.attachments);
                self.events.push(ReceivedEvent {
                    name: arguments.take_name().unwrap_or_default(),
                    arguments,
                    id: packet.id,
                });
            }
        }
    }
}
