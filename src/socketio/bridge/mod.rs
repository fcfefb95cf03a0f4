//! Move the sockets, keep Flask: processes of Flask-SocketIO and python-socketio emit to the clients of this server,
//! and this server to theirs, over their message queue in Redis. Features `socketio` and `redis`.

mod adapter;
mod builder;
mod listener;
pub(crate) mod message;
mod process;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::application::SocketIo;
use crate::cluster::port::PortUser;
use crate::{ClusterEvent, Redis};

pub use builder::BridgeBuilder;
pub use process::BridgeStats;

use process::BridgeProcess;

/// How long a dropped bridge goes on publishing what waits.
const DROP_PATIENCE: Duration = Duration::from_secs(1);

/// A server of Socket.IO as one of the processes that share a message queue of Flask-SocketIO or python-socketio.
///
/// The other processes run `SocketIO(message_queue="redis://…")` or `RedisManager("redis://…", write_only=True)`: a web
/// server, a worker of Celery, a script. A clone is another handle of the same bridge, for any thread. No method
/// blocks; only the drop of the last handle may.
///
/// ```
/// use wshub::{Redis, Server};
/// use wshub::socketio::SocketIo;
/// use wshub::socketio::bridge::Bridge;
///
/// let mut io = SocketIo::new(());
/// io.on("/", "join", |_, socket, room: String| {
///     socket.join(room); // Python: socketio.emit("news", "it rains", to=room)
/// });
/// let redis = Redis::new("redis://127.0.0.1/")?;
/// let bridge = Bridge::builder().channel("flask-socketio").join(&io, &redis)?;
/// let server = Server::builder().socketio(&io, "/socket.io/").bind("127.0.0.1:0")?;
/// # server.handle().shutdown();
/// server.run(&mut io)?;
/// drop(bridge);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// **From Python.** `emit` and `send` reach all, rooms, or all but some (`skip_sid`, `include_self=False`), with binary
/// data, and with a `callback` or `call`, whose answer goes back. `enter_room`, `leave_room`, `close_room` and
/// `disconnect` work on sockets of this server. A room that is a number in Python is the same digits as text here.
///
/// **To Python.** What [`Emitter`](super::Emitter) sends goes to the clients of all processes. Python knows nothing of
/// [`volatile`](super::Emitter::volatile), takes [`except`](super::Emitter::except) for ids of sockets and no rooms,
/// and an event with `None` alone for one without arguments. With [`emit_with_ack`](super::Emitter::emit_with_ack) a
/// process does not say how many clients it asks: the first answer from there ends the wait for it, and where none
/// comes, the timeout does. [`join_all`](super::Emitter::join_all), [`leave_all`](super::Emitter::leave_all) and
/// [`disconnect_all`](super::Emitter::disconnect_all) reach sockets of others by their ids, `io.to(id)`; and everybody
/// leaves a room by `io.to("room").leave_all("room")`. Other orders have no form in Python; the log (warn) says so.
///
/// **Several servers of wshub** with a bridge on the same channel are processes like any other: they emit to each
/// other's clients. If a [`Cluster`](crate::Cluster) does that already, use
/// [`receive_only`](BridgeBuilder::receive_only).
///
/// **What is lost.** Redis keeps nothing of a channel. What others publish while this server is not
/// [attached](Bridge::is_attached) is lost, and its amount is unknown. What this server publishes waits while Redis is
/// away: 65,536 messages, 64 MiB, 60 seconds; beyond that the oldest is dropped, counted in [`BridgeStats::unsent`] and
/// told ([`ClusterEvent::Unsent`]). Others get a message twice if Redis took it and died before it answered.
///
/// **Trust.** A program that can publish on the channel can send to every client, and disconnect it: give Redis a
/// password, and no port to the outside. Messages are JSON, checked and bounded; pickles, which python-socketio wrote
/// before 5.14, are refused unread.
///
/// A user of Redis with an ACL needs `+publish +subscribe +multi +exec &CHANNEL`, `+role` behind sentinels, and
/// `+select` with a database that is not 0.
///
/// When the last handle is dropped, what waits is published, for at most a second, and the server leaves. It cannot
/// join again.
///
/// The guide: [beside Flask](crate::guide::flask).
#[derive(Clone)]
#[must_use = "the server leaves the queue when the last handle is dropped, which `let _ =` does at once"]
pub struct Bridge(Arc<BridgeHandle>);

/// What all handles share.
struct BridgeHandle(Arc<BridgeProcess>);

impl Drop for BridgeHandle {
    fn drop(&mut self) {
        self.0.leave(DROP_PATIENCE);
    }
}

impl Bridge {
    /// Joins the processes on the channel `socketio`, which is the default of python-socketio; that of Flask-SocketIO
    /// is `flask-socketio`, see [`BridgeBuilder::channel`]. Returns at once, also while Redis is away: the server
    /// attaches as soon as it can.
    ///
    /// # Errors
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if this `SocketIo` has a bridge or a cluster already, or had
    /// one. Another error if the system gives no thread, or no random bytes for the name of the process.
    pub fn join<S>(io: &SocketIo<S>, redis: &Redis) -> io::Result<Bridge> {
        Bridge::builder().join(io, redis)
    }

    /// Chooses the channel and bounds before joining.
    pub fn builder() -> BridgeBuilder {
        BridgeBuilder::default()
    }

    /// True while Redis is there and what is published comes back.
    pub fn is_attached(&self) -> bool {
        self.0.0.port().is_attached()
    }

    /// What happened since the last call, the oldest first: [`Attached`](ClusterEvent::Attached),
    /// [`Detached`](ClusterEvent::Detached) with the reason and what to do, [`Unsent`](ClusterEvent::Unsent). Never
    /// blocks. The log (info, warn) has them too. 4,096 wait at most.
    pub fn events(&self) -> impl Iterator<Item = ClusterEvent> + '_ {
        std::iter::from_fn(|| self.0.0.port().take_event())
    }

    /// The counters.
    pub fn stats(&self) -> BridgeStats {
        self.0.0.stats()
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge")
            .field("is_attached", &self.is_attached())
            .finish_non_exhaustive()
    }
}
