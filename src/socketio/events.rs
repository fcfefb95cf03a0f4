//! Socket.IO as a loop of the program's own, beside the listeners.

use std::time::{Duration, Instant};

use super::application::SocketIo;
use super::incoming::SocketEvent;
use crate::{Events, Handler, RecvError, Server};

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

impl<S> SocketIo<S> {
    /// An iterator over the events, for a loop of your own in place of [`Server::run`]. A server may have only one at a
    /// time.
    pub fn events<'a>(&'a mut self, server: &'a Server) -> SocketEvents<'a, S> {
        self.is_looped = true;
        self.core.sessions.warn_if_unserved();
        SocketEvents {
            io: self,
            events: server.events(),
        }
    }
}

impl<S> SocketEvents<'_, S> {
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
