//! Socket.IO as a loop of the program's own, beside the listeners.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ack::Ack;
use super::application::SocketIo;
use super::arguments::AnyArguments;
use super::reason::DisconnectReason;
use super::socket::Socket;
use crate::{Events, Handler, RecvError, Server};

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
    /// [`SocketIo::on_connect`].
    Connect(Socket<S>, Value),
    /// A client sent an event for which [`SocketIo::on`] has no listener.
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

    /// Its arguments as a type of yours, by the rules of [`SocketIo::on`].
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

/// The events of Socket.IO, for a loop of your own; made by [`SocketIo::events`].
///
/// Listeners still work: those of [`SocketIo::on_connect`] decide which clients may join, and an event that has a
/// listener goes there and not here.
///
/// ```
/// use wshub::Server;
/// use wshub::socketio::{SocketEvent, SocketIo};
///
/// let mut io = SocketIo::new(());
/// let server = Server::builder().socketio(&io, "/socket.io/").bind("127.0.0.1:0")?;
/// # server.handle().shutdown();
/// for event in io.events(&server) {
///     match event {
///         SocketEvent::Connect(socket, _) => _ = socket.join("lobby"),
///         SocketEvent::Event(socket, event) => match event.name() {
///             "say" => {
///                 let reached = match event.get::<String>() {
///                     Ok(text) => socket.to("lobby").emit("said", (socket.id(), text)),
///                     Err(_) => continue,
///                 };
///                 event.answer(reached);
///             }
///             _ => {}
///         },
///         SocketEvent::Disconnect(socket, reason) => println!("{} left: {reason}", socket.id()),
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
pub struct SocketEvents<'a, S> {
    io: &'a mut SocketIo<S>,
    events: Events<'a>,
}

impl<'a, S> SocketEvents<'a, S> {
    pub(crate) fn new(io: &'a mut SocketIo<S>, server: &'a Server) -> Self {
        io.is_looped = true;
        SocketEvents {
            io,
            events: server.events(),
        }
    }

    /// Waits for the next event.
    ///
    /// # Errors
    /// [`RecvError::Ended`] after the server has shut down. [`RecvError::Woken`] after a call of
    /// [`ServerHandle::wake`](crate::ServerHandle::wake), and at other times too: call again. [`RecvError::InUse`]
    /// while another [`Events`] of the server is alive.
    pub fn recv(&mut self) -> Result<SocketEvent<S>, RecvError> {
        self.take(None)
    }

    /// As [`recv`](SocketEvents::recv), for at most this time.
    ///
    /// # Errors
    /// As for `recv`, and [`RecvError::Empty`] when no event came in time.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<SocketEvent<S>, RecvError> {
        self.take(Instant::now().checked_add(timeout))
    }

    fn take(&mut self, deadline: Option<Instant>) -> Result<SocketEvent<S>, RecvError> {
        loop {
            if let Some(event) = self.at_hand() {
                return Ok(event);
            }
            let received = match deadline {
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    self.events.recv_timeout(left)
                }
                None => self.events.recv(),
            };
            match received {
                Ok(event) => event.dispatch(&mut self.io.carriers),
                Err(error) => {
                    if error == RecvError::Woken {
                        self.io.carriers.on_wake();
                    }
                    return self.at_hand().ok_or(error);
                }
            }
        }
    }

    /// What one task after the other brings.
    fn at_hand(&mut self) -> Option<SocketEvent<S>> {
        loop {
            if let Some(event) = self.io.heard.pop_front() {
                return Some(event);
            }
            if !self.io.see_to_next() {
                self.io.see_to_time();
                return self.io.heard.pop_front();
            }
        }
    }
}

/// Ends when the server has shut down.
impl<S> Iterator for SocketEvents<'_, S> {
    type Item = SocketEvent<S>;

    fn next(&mut self) -> Option<SocketEvent<S>> {
        loop {
            match self.recv() {
                Ok(event) => return Some(event),
                Err(RecvError::Woken | RecvError::Empty) => {}
                Err(_) => return None,
            }
        }
    }
}

impl<S> Drop for SocketEvents<'_, S> {
    fn drop(&mut self) {
        self.io.is_looped = false;
    }
}
