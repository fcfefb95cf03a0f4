//! A server of Engine.IO: a handler for sessions, whatever carries them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::carriers::{Carriers, hand_to_carriers};
use super::link::SessionLink;
use super::mount::mount;
use super::part::Part;
use super::sessions::{Sessions, Task};
use crate::server::admission::slots::Slot;
use crate::socketio::{DisconnectReason, Limits, Refused};
use crate::{Handler, Message, Request, ServerBuilder};

/// What is called for each thing that happens to a session, on the thread that calls
/// [`Server::run`](crate::Server::run), one at a time. Per session: one `on_open`; its messages in the order in which
/// they were sent; one `on_close`; nothing after.
///
/// ```
/// use wshub::socketio::DisconnectReason;
/// use wshub::socketio::engine::{EngineHandler, EngineSocket};
///
/// /// Says hello, and counts who is there.
/// struct Lobby(usize);
///
/// impl EngineHandler for Lobby {
///     fn on_open(&mut self, socket: &EngineSocket) {
///         self.0 += 1;
///         socket.send("hello");
///     }
///
///     fn on_close(&mut self, _socket: &EngineSocket, _reason: DisconnectReason) {
///         self.0 -= 1;
///     }
/// }
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[allow(unused_variables)]
pub trait EngineHandler {
    /// A client has come.
    fn on_open(&mut self, socket: &EngineSocket) {}

    /// It sent a message.
    fn on_message(&mut self, socket: &EngineSocket, message: Message) {}

    /// It has left, or was closed. The reason is never one of a namespace.
    fn on_close(&mut self, socket: &EngineSocket, reason: DisconnectReason) {}
}

/// A server of Engine.IO: sessions by long polling or over a WebSocket, and a handler for them.
///
/// [`ServerBuilder::engineio`](crate::ServerBuilder::engineio) gives it a place on a server, and
/// [`Server::run`](crate::Server::run) runs it.
///
/// ```no_run
/// use wshub::socketio::engine::{EngineHandler, EngineIo, EngineSocket};
/// use wshub::{Message, Server};
///
/// struct Echo;
///
/// impl EngineHandler for Echo {
///     fn on_message(&mut self, socket: &EngineSocket, message: Message) {
///         socket.send(message);
///     }
/// }
///
/// let mut engine = EngineIo::new(Echo);
/// let server = Server::builder().engineio(&engine, "/engine.io/").bind("127.0.0.1:3000")?;
/// server.run(&mut engine)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
pub struct EngineIo<H> {
    handler: H,
    carriers: Carriers,
    /// Each with its slot, which it has until the handler has heard of its end.
    sockets: HashMap<u64, (EngineSocket, Arc<Slot>)>,
}

/// A session. Clones are handles of the same one; any thread may use them, and they may be kept: one that has ended
/// sends nothing more.
///
/// ```
/// use std::thread;
/// use std::time::Duration;
/// use wshub::socketio::engine::EngineSocket;
///
/// /// Tells a session once a minute that it is still seen, from a thread of its own.
/// fn remind(socket: &EngineSocket) {
///     let socket = socket.clone();
///     thread::spawn(move || {
///         while socket.is_open() {
///             socket.send("still here");
///             thread::sleep(Duration::from_secs(60));
///         }
///     });
/// }
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone)]
pub struct EngineSocket {
    link: Arc<SessionLink>,
    sessions: Arc<Sessions>,
}

impl<H: EngineHandler> EngineIo<H> {
    /// A server with the default limits.
    pub fn new(handler: H) -> Self {
        EngineIo::with_limits(handler, Limits::default())
    }

    /// A server with limits of your own; those of namespaces, rooms, acknowledgements and recovery have no effect here.
    pub fn with_limits(handler: H, limits: Limits) -> Self {
        EngineIo {
            handler,
            carriers: Carriers::new(Sessions::new(&limits.bounded())),
            sockets: HashMap::new(),
        }
    }

    /// Decides about each request that would begin a session; see
    /// [`SocketIo::allow`](crate::socketio::SocketIo::allow).
    pub fn allow(
        &mut self,
        rule: impl Fn(&Request) -> Result<(), Refused> + Send + Sync + 'static,
    ) -> &mut Self {
        self.carriers.sessions.set_allow(Box::new(rule));
        self
    }

    /// Takes a handler for plain WebSockets, those on other paths than Engine.IO's. Without a handler they are closed
    /// with 1000 at once.
    pub fn websockets(&mut self, handler: impl Handler + Send + 'static) -> &mut Self {
        self.carriers.set_plain(Box::new(handler));
        self
    }

    /// The open sessions, for a broadcast.
    pub fn sockets(&self) -> impl Iterator<Item = &EngineSocket> {
        self.sockets.values().map(|(socket, _)| socket)
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// The handler, to change it between two runs.
    pub fn handler_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    fn see_to_all(&mut self) {
        while let Some(task) = self.carriers.next_task() {
            self.see_to(task);
        }
    }

    fn see_to(&mut self, task: Task) {
        match task {
            Task::Opened(link, slot) => {
                let socket = EngineSocket {
                    link,
                    sessions: self.carriers.sessions.clone(),
                };
                self.sockets.insert(socket.id(), (socket.clone(), slot));
                self.handler.on_open(&socket);
            }
            Task::Message(link, message) => {
                let len = message.len();
                if let Some((socket, _)) = self.sockets.get(&link.key) {
                    self.handler.on_message(socket, message);
                }
                link.note_taken(len, &self.carriers.sessions);
            }
            Task::Ended(link, reason) => {
                if let Some((socket, _slot)) = self.sockets.remove(&link.key) {
                    self.handler.on_close(&socket, reason);
                }
            }
            // `Carriers::next_task` has done it.
            Task::PongDue(..) => {}
        }
    }
}

impl EngineSocket {
    /// A number that no other session of this server has. Its name in the protocol is a secret that is not shown.
    pub fn id(&self) -> u64 {
        self.link.key
    }

    /// The request that opened it: headers, cookies, address.
    pub fn request(&self) -> &Request {
        &self.link.request
    }

    /// Sends a message. Never blocks. A session that has ended gets nothing; for one that takes too little
    /// [`Limits::overflow`](crate::socketio::Limits::overflow) decides.
    pub fn send(&self, message: impl Into<Message>) {
        let part = Part::of_message(message.into());
        self.link.send(&[part], &self.sessions);
    }

    /// True until the session has ended.
    pub fn is_open(&self) -> bool {
        self.link.is_open()
    }

    /// Ends the session after what was sent before; `on_close` follows.
    pub fn close(&self) {
        self.link
            .close(DisconnectReason::ForcedServerClose, &self.sessions);
    }
}

impl PartialEq for EngineSocket {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.link, &other.link)
    }
}

impl Eq for EngineSocket {}

impl fmt::Debug for EngineSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineSocket")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl<H: fmt::Debug> fmt::Debug for EngineIo<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineIo")
            .field("handler", &self.handler)
            .finish_non_exhaustive()
    }
}

impl ServerBuilder {
    /// Serves Engine.IO below `path`. Clients expect it at `/engine.io/` unless they are told otherwise. The rest is as
    /// for [`socketio`](ServerBuilder::socketio). Feature `socketio`.
    pub fn engineio<H>(self, engine: &EngineIo<H>, path: &str) -> ServerBuilder {
        mount(self, &engine.carriers.sessions, path)
    }
}

/// Called by [`Server::run`](crate::Server::run).
impl<H: EngineHandler> Handler for EngineIo<H> {
    hand_to_carriers!();
}
