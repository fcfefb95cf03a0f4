//! Why a client left.

use std::fmt;

/// Why a client left, in Socket.IO's words.
///
/// ```
/// use wshub::socketio::{DisconnectReason, SocketIo};
///
/// let mut io = SocketIo::new(());
/// io.on_disconnect("/", |_, socket, reason| match reason {
///     DisconnectReason::ClientNamespaceDisconnect => println!("{} said goodbye", socket.id()),
///     other => println!("{} was lost: {other}", socket.id()),
/// });
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// It closed its connection, or its network did; for example a page that was left.
    TransportClose,
    /// It broke the protocol of its transport, sent something too large, or did not take what was sent to it.
    TransportError,
    /// It did not answer a ping within [`Limits::ping_timeout`](super::Limits::ping_timeout): it is gone, or its
    /// network is.
    PingTimeout,
    /// It sent something that is not a packet of Socket.IO.
    ParseError,
    /// The server closed its connection: [`Socket::close`](super::Socket::close), or the client sent something that it
    /// may not send.
    ForcedServerClose,
    /// The server shuts down.
    ServerShuttingDown,
    /// [`Socket::disconnect`](super::Socket::disconnect), or
    /// [`Emitter::disconnect_all`](super::Emitter::disconnect_all).
    ServerNamespaceDisconnect,
    /// It left the namespace, `socket.disconnect()` in JavaScript.
    ClientNamespaceDisconnect,
}

impl DisconnectReason {
    /// Whether a client that left so may come back with its id, rooms and data.
    pub(crate) fn may_come_back(self) -> bool {
        !matches!(
            self,
            DisconnectReason::ParseError
                | DisconnectReason::ServerNamespaceDisconnect
                | DisconnectReason::ClientNamespaceDisconnect
        )
    }
}

/// As npm's server says it.
impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DisconnectReason::TransportClose => "transport close",
            DisconnectReason::TransportError => "transport error",
            DisconnectReason::PingTimeout => "ping timeout",
            DisconnectReason::ParseError => "parse error",
            DisconnectReason::ForcedServerClose => "forced server close",
            DisconnectReason::ServerShuttingDown => "server shutting down",
            DisconnectReason::ServerNamespaceDisconnect => "server namespace disconnect",
            DisconnectReason::ClientNamespaceDisconnect => "client namespace disconnect",
        })
    }
}
