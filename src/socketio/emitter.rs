//! Sending to many: a namespace, or rooms of it, from any thread.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::answers::{AckError, AllAnswers};
use super::arguments::{Written, write_event};
use super::core::Core;
use super::gate::Reliability;
use super::operation::{Act, Adapter, Emission, Operation};
use super::packet::is_reserved;
use super::recovery::Audience;
use super::stats::SocketIoStats;
use crate::logging::log_line;

/// Sends to all sockets of a namespace, or to rooms of it. Clones are cheap, and any thread may use them: what it sends
/// leaves at once, also while the application thread is busy. It may outlive the server; then it reaches no socket.
///
/// ```
/// use wshub::socketio::SocketIo;
///
/// let io = SocketIo::new(());
/// let news = io.of("/news");
/// std::thread::spawn(move || {
///     news.emit("headline", "it rains");
///     news.to("sports").to("games").except("away").emit("score", (3, 1));
/// });
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone)]
pub struct Emitter {
    core: Arc<Core>,
    namespace: Arc<str>,
    audience: Audience,
    delivery: Reliability,
    is_local: bool,
}

impl Emitter {
    pub(crate) fn new(core: Arc<Core>, namespace: Arc<str>) -> Self {
        Emitter {
            core,
            namespace,
            audience: Audience::default(),
            delivery: Reliability::Reliable,
            is_local: false,
        }
    }

    /// To this room only; called again, to that room as well. A socket in several of them gets one copy. The room of a
    /// socket's [`id`](super::Socket::id) has that socket alone.
    #[must_use]
    pub fn to(&self, room: impl Into<String>) -> Self {
        let mut emitter = self.clone();
        emitter.audience.rooms.push(room.into());
        emitter
    }

    /// Not to the sockets in this room.
    #[must_use]
    pub fn except(&self, room: impl Into<String>) -> Self {
        let mut emitter = self.clone();
        emitter.audience.except.push(room.into());
        emitter
    }

    /// Only to clients that can take it now: for data that is worth nothing a moment later, such as the position of a
    /// mouse. A client that is slow, or has no poll open, misses it.
    #[must_use]
    pub fn volatile(&self) -> Self {
        Emitter {
            delivery: Reliability::Volatile,
            ..self.clone()
        }
    }

    /// Only to sockets of this server, also if an adapter connects it with others.
    #[must_use]
    pub fn local(&self) -> Self {
        Emitter {
            is_local: true,
            ..self.clone()
        }
    }

    /// Sends an event, and returns to how many sockets of this server. A tuple or an array is the list of its
    /// arguments, `()` is none, anything else is one argument; [`Bytes`](super::Bytes) go as binary data. Never blocks.
    ///
    /// It goes to no socket, and a line in the log (error) says why, if the event's name is reserved (`connect`,
    /// `disconnect` and their kin) or the arguments cannot be JSON, a map with keys that are no strings for example.
    pub fn emit(&self, event: &str, arguments: impl Serialize) -> usize {
        let Some(written) = written(event, &arguments) else {
            return 0;
        };
        let done = self.carry_out(Act::Emit(Emission::new(written, self.delivery)));
        done.unwrap_or_default()
    }

    /// Sends an event and asks every socket that it reaches for an answer. `then` gets all answers on the application
    /// thread, when every socket has answered or `timeout` is over. It is called exactly once while the server runs. To
    /// wait on another thread, let it send into a channel.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wshub::socketio::SocketIo;
    ///
    /// let io = SocketIo::new(());
    /// io.to("players").emit_with_ack("ready?", (), Duration::from_secs(5), |answers| {
    ///     let ready = answers.answers.iter().filter(|it| it.get().unwrap_or(false));
    ///     println!("{} are ready, missing: {:?}", ready.count(), answers.error);
    /// });
    /// ```
    pub fn emit_with_ack(
        &self,
        event: &str,
        arguments: impl Serialize,
        timeout: Duration,
        then: impl FnOnce(AllAnswers) + Send + 'static,
    ) {
        let others = || self.adapter().map(|it| it.others()).unwrap_or_default();
        let wish = self.core.open_poll(others, timeout, Box::new(then));
        let poll = wish.poll;
        let done = written(event, &arguments)
            .and_then(|written| self.carry_out(Act::Ask { written, wish }));
        if done.is_none() {
            self.core.end_poll(poll, AckError::NotSent);
        }
    }

    /// The ids of the sockets of this server that it reaches.
    pub fn sockets(&self) -> Vec<String> {
        self.core.ids(&self.namespace, &self.audience)
    }

    /// The ids of the sockets that it reaches, on every server. Blocks until all servers have answered, about a round
    /// trip through the backplane, and at most `timeout`. Without an adapter it does not wait. Each id is a room:
    /// `io.to(id)` reaches the socket, on whichever server it is.
    #[doc(alias = "fetchSockets")]
    #[doc(alias = "sockets_in")]
    pub fn fetch_sockets(&self, timeout: Duration) -> FetchedSockets {
        let mut ids = self.sockets();
        let fetch = |it: &dyn Adapter| it.fetch(&self.namespace, &self.audience, timeout);
        let (others, missing_servers) = self.adapter().map(fetch).unwrap_or_default();
        ids.extend(others);
        FetchedSockets {
            ids,
            missing_servers,
        }
    }

    /// Lets the sockets that it reaches join a room; those that may not, as [`Socket::join`](super::Socket::join) says,
    /// stay out.
    #[doc(alias = "socketsJoin")]
    pub fn join_all(&self, room: &str) {
        self.carry_out(Act::Join(room.to_owned()));
    }

    /// Lets the sockets that it reaches leave a room.
    #[doc(alias = "socketsLeave")]
    pub fn leave_all(&self, room: &str) {
        self.carry_out(Act::Leave(room.to_owned()));
    }

    /// Disconnects the sockets that it reaches from the namespace.
    #[doc(alias = "disconnectSockets")]
    pub fn disconnect_all(&self) {
        self.carry_out(Act::Disconnect);
    }

    /// How many sockets of this server it reaches now; `None` if it is not done.
    fn carry_out(&self, act: Act) -> Option<usize> {
        let operation = Operation {
            namespace: self.namespace.clone(),
            audience: self.audience.clone(),
            act,
        };
        match self.is_local {
            true => Some(self.core.apply(operation)),
            false => self.core.carry_out(operation),
        }
    }

    /// What connects it with other servers, if it reaches them.
    fn adapter(&self) -> Option<&dyn Adapter> {
        let adapter = self.core.adapter.get().filter(|_| !self.is_local);
        adapter.map(|it| &**it)
    }

    /// The counters of the whole server.
    pub fn stats(&self) -> SocketIoStats {
        self.core.stats()
    }
}

/// The sockets of all servers; see [`Emitter::fetch_sockets`].
///
/// ```
/// use std::time::Duration;
/// use wshub::socketio::SocketIo;
///
/// let io = SocketIo::new(());
/// let found = io.to("lobby").fetch_sockets(Duration::from_secs(1));
/// println!("{} in the lobby; servers missing: {}", found.ids.len(), found.missing_servers);
/// ```
///
/// The guide: [many servers as one](crate::guide::cluster).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchedSockets {
    /// Their ids, those of this server first.
    pub ids: Vec<String>,
    /// How many servers did not answer in time, or were killed or cut off before. It is 1 with a bridge to servers of
    /// Python, which do not answer, and while this server has not attached to the backplane and knows no others.
    pub missing_servers: usize,
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("namespace", &self.namespace)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// An event's arguments; `None` if it cannot be sent.
pub(crate) fn written(event: &str, arguments: &impl Serialize) -> Option<Written> {
    if is_reserved(event) {
        log_line!(
            Error,
            "not sent: \"{event}\" means something else in Socket.IO; give the event another name"
        );
        return None;
    }
    match write_event(event, arguments) {
        Ok(written) => Some(written),
        Err(error) => {
            log_line!(
                Error,
                "not sent: the arguments of \"{event}\" are no JSON: {error}"
            );
            None
        }
    }
}
