//! The handle of one client in one namespace.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use serde::Serialize;

use super::acks::TooManyAcks;
use super::answers::{AckError, Answer};
use super::core::{AckOwner, Core, DisconnectScope};
use super::emitter::{Emitter, written};
use super::gate::Reliability;
use super::namespace_client::NamespaceClient;
use super::operation::{Act, Emission, Operation};
use super::packet::PacketKind;
use super::recovery::Audience;
use super::rooms::{LONGEST_NAME, NotJoined};
use crate::Request;
use crate::lock::{CALLBACKS, Mutex, lock};

/// What is done with an acknowledgement.
pub(crate) type OnAck<S> = Box<dyn FnOnce(&mut S, Result<Answer, AckError>) + Send>;

/// What waits for acknowledgements, and for those that will not come.
pub(crate) struct PendingAcks<S> {
    /// By the id of the acknowledgement.
    pub waiting: HashMap<u64, OnAck<S>>,
    /// Not asked for; told when the application is not at work.
    pub refused: Vec<(AckError, OnAck<S>)>,
}

impl<S> Default for PendingAcks<S> {
    fn default() -> Self {
        PendingAcks {
            waiting: HashMap::new(),
            refused: Vec::new(),
        }
    }
}

/// A client in a namespace. Clones are handles of the same one, and may be kept; after the client has left they send
/// nothing, but what one that may come back will find then.
///
/// `S` is the state of the application. For other threads there is [`Emitter`], by [`emitter`](Socket::emitter).
///
/// ```
/// use wshub::socketio::SocketIo;
///
/// let mut io = SocketIo::new(());
/// io.on_connect("/", |_, socket, _auth| {
///     socket.join("lobby");
///     socket.emit("welcome", socket.id());
///     socket.to("lobby").emit("joined", socket.id()); // the others
///     Ok(())
/// });
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
pub struct Socket<S> {
    pub(crate) member: Arc<NamespaceClient>,
    pub(crate) core: Arc<Core>,
    pub(crate) pending: Arc<Mutex<PendingAcks<S>, CALLBACKS>>,
}

impl<S> Socket<S> {
    /// Its id: 20 characters that no other socket has. Others may see it, and its room has the same name.
    pub fn id(&self) -> &str {
        &self.member.id
    }

    /// Its namespace, `/` for the main one.
    pub fn namespace(&self) -> &str {
        &self.member.namespace
    }

    /// The request that opened its connection: headers, cookies, address. The query holds the id of the session, which
    /// is a secret.
    pub fn request(&self) -> &Request {
        &self.member.link.request
    }

    /// True until the client has left the namespace.
    pub fn is_connected(&self) -> bool {
        self.member.is_in()
    }

    /// Whether it came back in time, with its id and rooms, and gets what it missed; see
    /// [`Limits::recovery_window`](super::Limits::recovery_window). It has its data, too, unless it was on another
    /// server of a cluster.
    pub fn is_recovered(&self) -> bool {
        self.member.is_recovered
    }

    /// Sends an event to this client; arguments as for [`Emitter::emit`].
    pub fn emit(&self, event: &str, arguments: impl Serialize) {
        self.send(event, &arguments, Reliability::Reliable);
    }

    /// Sends an event if it reaches the client now; see [`Emitter::volatile`].
    pub fn emit_volatile(&self, event: &str, arguments: impl Serialize) {
        self.send(event, &arguments, Reliability::Volatile);
    }

    fn send(&self, event: &str, arguments: &impl Serialize, delivery: Reliability) {
        if let Some(written) = written(event, arguments) {
            let operation = Operation {
                namespace: self.member.namespace.clone(),
                audience: Audience::of_room(self.id()),
                act: Act::Emit(Emission::new(written, delivery)),
            };
            self.core.send_to_one(operation);
        }
    }

    /// Sends an event and asks for an answer. `then` gets the answer on the application thread, or the reason why there
    /// is none, after `timeout` at the latest. It is called exactly once while the server runs.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wshub::socketio::SocketIo;
    ///
    /// struct Game {
    ///     ready: usize,
    /// }
    ///
    /// let mut io = SocketIo::new(Game { ready: 0 });
    /// io.on("/", "join", |_, socket, ()| {
    ///     let patience = Duration::from_secs(5);
    ///     socket.emit_with_ack("ready?", (), patience, |game, answer| {
    ///         let is_ready = answer.is_ok_and(|answer| answer.get().unwrap_or(false));
    ///         game.ready += usize::from(is_ready);
    ///     });
    /// });
    /// ```
    pub fn emit_with_ack(
        &self,
        event: &str,
        arguments: impl Serialize,
        timeout: Duration,
        then: impl FnOnce(&mut S, Result<Answer, AckError>) + Send + 'static,
    ) {
        let then = Box::new(then);
        let Some(written) = written(event, &arguments) else {
            return self.refuse(AckError::NotSent, then);
        };
        let deadline = self.core.sessions.now().saturating_add(timeout);
        let id = match self.await_ack(deadline, then) {
            Ok(id) => id,
            Err(then) => return self.refuse(AckError::TooMany, then),
        };
        let packet = written.into_packet(PacketKind::Event, self.namespace(), Some(id));
        let sessions = &self.core.sessions;
        self.member.send(&packet, Reliability::Reliable, sessions);
        sessions.timer.note_application(deadline);
        // One that left before nobody gives up.
        if !self.is_connected() && lock(&self.core.acks).take(self.member.key, id).is_some() {
            let then = lock(&self.pending).waiting.remove(&id);
            if let Some(then) = then {
                self.refuse(AckError::Disconnected, then);
            }
        }
    }

    /// Awaits one more; gives its id, or `then` back where the client owes too many.
    fn await_ack(&self, deadline: Duration, then: OnAck<S>) -> Result<u64, OnAck<S>> {
        // Both under the lock: whatever takes the one finds the other.
        let mut pending = lock(&self.pending);
        if self.core.has_ended.load(SeqCst) {
            return Err(then);
        }
        let id = lock(&self.core.acks).next_id();
        let owner = AckOwner::Listener;
        if let Err(TooManyAcks) = self.core.await_ack(&self.member, id, deadline, owner) {
            return Err(then);
        }
        pending.waiting.insert(id, then);
        Ok(id)
    }

    /// Not now: the application is at work with its state.
    fn refuse(&self, why: AckError, then: OnAck<S>) {
        let mut pending = lock(&self.pending);
        if self.core.has_ended.load(SeqCst) {
            drop(pending);
            return drop(then);
        }
        pending.refused.push((why, then));
        drop(pending);
        self.core.sessions.timer.note_application(Duration::ZERO);
    }

    /// Joins a room. False, with a line in the log (warn, three a second at most), if the socket is in
    /// [`Limits::max_rooms`](super::Limits::max_rooms) already, or the name has more than 1,024 bytes. It has no effect
    /// after the client has left.
    pub fn join(&self, room: impl AsRef<str>) -> bool {
        let most = self.core.limits.max_rooms;
        let joined = lock(&self.core.directory).join(&self.member, room.as_ref(), most);
        if let Err(why) = joined {
            let log = &self.core.sessions.limited_log;
            match why {
                NotJoined::TooManyRooms => log.warn(module_path!(), "rooms", || {
                    format!(
                        "a socket is in {most} rooms and joins no other: raise socketio::Limits::max_rooms"
                    )
                }),
                NotJoined::NameTooLong => log.warn(module_path!(), "room_names", || {
                    format!(
                        "a socket joins no room whose name has more than {LONGEST_NAME} bytes: choose a shorter one"
                    )
                }),
            }
        }
        joined.is_ok()
    }

    /// Leaves a room.
    pub fn leave(&self, room: impl AsRef<str>) {
        lock(&self.core.directory).leave(&self.member, room.as_ref());
    }

    /// Its rooms, the one of its own id among them; after it has left, those that it was in.
    pub fn rooms(&self) -> Vec<String> {
        let left = self.member.left_rooms();
        left.unwrap_or_else(|| lock(&self.core.directory).rooms_of(&self.member))
    }

    /// All others in this room.
    #[must_use]
    pub fn to(&self, room: impl Into<String>) -> Emitter {
        self.broadcast().to(room)
    }

    /// All others in the namespace.
    #[must_use]
    pub fn broadcast(&self) -> Emitter {
        self.all().except(self.id())
    }

    /// All sockets of the namespace, this one too.
    #[must_use]
    pub fn all(&self) -> Emitter {
        Emitter::new(self.core.clone(), self.member.namespace.clone())
    }

    /// This socket alone, for another thread.
    #[must_use]
    pub fn emitter(&self) -> Emitter {
        self.all().to(self.id())
    }

    /// Keeps a value with the socket, such as the name of its user. It replaces the one before. It may hold an
    /// [`Emitter`], but no [`Socket`] of its own, which would keep both for ever.
    pub fn set_data<T: Any + Send + Sync>(&self, data: T) {
        let before = lock(&self.member.data).replace(Arc::new(data));
        drop(before);
    }

    /// The value that is kept with the socket, if it is of this type.
    pub fn data<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let data = lock(&self.member.data).clone();
        data.and_then(|data| data.downcast::<T>().ok())
    }

    /// Disconnects the socket from its namespace; others of the same client stay. Its `on_disconnect` is called after
    /// the listener that runs now.
    pub fn disconnect(&self) {
        self.core.disconnect(&self.member, DisconnectScope::Socket);
    }

    /// Disconnects the client from all namespaces, and closes its connection.
    pub fn close(&self) {
        self.core.disconnect(&self.member, DisconnectScope::Session);
    }
}

impl<S> Clone for Socket<S> {
    fn clone(&self) -> Self {
        Socket {
            member: self.member.clone(),
            core: self.core.clone(),
            pending: self.pending.clone(),
        }
    }
}

impl<S> PartialEq for Socket<S> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.member, &other.member)
    }
}

impl<S> Eq for Socket<S> {}

impl<S> fmt::Debug for Socket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.id())
            .field("namespace", &self.namespace())
            .finish_non_exhaustive()
    }
}
