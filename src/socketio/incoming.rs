//! What happens to sockets, as a loop of the program's own hears of it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ack::Ack;
use super::arguments::AnyArguments;
use super::reason::DisconnectReason;
use super::socket::Socket;

/// Something that happened to a socket. Per socket: one `Connect`; its events in the order in which they were sent; one
/// `Disconnect`; nothing after.
///
/// ```
/// use wshub::socketio::SocketEvent;
///
/// fn log(event: &SocketEvent) {
///     match event {
///         SocketEvent::Connect(socket, _auth) => println!("{} came", socket.id()),
///         SocketEvent::Event(socket, event) => println!("{} sent {}", socket.id(), event.name()),
///         SocketEvent::Disconnect(socket, reason) => println!("{} left: {reason}", socket.id()),
///         _ => {}
///     }
/// }
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Debug)]
#[non_exhaustive]
pub enum SocketEvent<S = ()> {
    /// A client has joined a namespace, with this `auth` object, which may be empty. To refuse clients, add
    /// [`SocketIo::on_connect`](super::SocketIo::on_connect).
    Connect(Socket<S>, Value),
    /// A client sent an event for which [`SocketIo::on`](super::SocketIo::on) has no listener.
    Event(Socket<S>, IncomingEvent),
    /// A client has left a namespace. The socket has left its rooms.
    Disconnect(Socket<S>, DisconnectReason),
}

/// An event that a client sent.
///
/// ```
/// use wshub::socketio::IncomingEvent;
///
/// /// Answers with the sum of two numbers.
/// fn add(event: IncomingEvent) {
///     match event.get::<(i64, i64)>() {
///         Ok((a, b)) => _ = event.answer(a.saturating_add(b)),
///         Err(error) => println!("{}: {error}", event.name()),
///     }
/// }
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Debug)]
pub struct IncomingEvent {
    pub(crate) name: String,
    pub(crate) arguments: AnyArguments,
    pub(crate) ack: Ack,
}

impl IncomingEvent {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its arguments, with placeholders for binary data.
    pub fn arguments(&self) -> &[Value] {
        &self.arguments.values
    }

    /// Its arguments as a type of yours, by the rules of [`SocketIo::on`](super::SocketIo::on).
    ///
    /// # Errors
    /// If they are not of that type; the text says where, and what is there instead.
    pub fn get<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.arguments.read()
    }

    /// Answers it, if the client asked for that; see [`Ack::send`].
    pub fn answer(self, arguments: impl Serialize) -> bool {
        self.ack.send(arguments)
    }

    /// To answer it later.
    pub fn into_ack(self) -> Ack {
        self.ack
    }
}
