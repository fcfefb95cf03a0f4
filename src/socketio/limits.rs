//! What clients can make the server hold, bounded.

use std::time::Duration;

use super::engine::session::EngineConfig;

/// The bounds and times of Socket.IO; those of connections are [`wshub::Limits`](crate::Limits).
///
/// ```
/// use std::time::Duration;
/// use wshub::socketio::{Limits, SocketIo};
///
/// let limits = Limits {
///     ping_interval: Duration::from_secs(10),
///     ..Limits::default()
/// };
/// let io = SocketIo::with_limits((), limits);
/// # drop(io);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From a pong to the next ping. Default 25 s, as the reference server's: proxies cut silent connections after 60 s.
    pub ping_interval: Duration,
    /// How long a pong may take; then the client is gone. Default 20 s, as the reference server's. Clients are told both,
    /// and give the server up after the one and the other without a ping.
    pub ping_timeout: Duration,
    /// How long a client that has come may take to join a namespace. Default 45 s, as the reference server's.
    pub connect_timeout: Duration,
    /// Bytes of one message; a longer one ends the session. Clients are told. Default 1,000,000, as the reference
    /// server's. Not more than [`max_message`](crate::Limits::max_message), which ends the connection first.
    pub max_payload: usize,
    /// Binary attachments of one event; more end the session. Default 10, as the reference server's.
    pub max_attachments: usize,
    /// Bytes of the attachments of one event together; more end the session. Default 4,000,000: a few pictures, and a
    /// client that sends all but the last holds no more than that.
    pub max_attachment_bytes: usize,
    /// Sessions at once, of clients that poll or have a WebSocket. Default 1,000, as
    /// [`max_connections`](crate::Limits::max_connections).
    pub max_sessions: usize,
    /// Namespaces that one client may be in; one more is refused with CONNECT_ERROR. Default 16: a page has a handful.
    pub max_namespaces: usize,
    /// Rooms that one socket may be in, its own included. Default 256: a chat's.
    pub max_rooms: usize,
    /// Acknowledgements that one socket may owe. Default 1,000.
    pub max_pending_acks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(45),
            max_payload: 1_000_000,
            max_attachments: 10,
            max_attachment_bytes: 4_000_000,
            max_sessions: 1_000,
            max_namespaces: 16,
            max_rooms: 256,
            max_pending_acks: 1_000,
        }
    }
}

/// As good as for ever, and clocks can still be counted up by it.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// A shorter wait would end before anybody is heard.
const SHORTEST: Duration = Duration::from_millis(1);

impl Limits {
    pub(super) fn bounded(mut self) -> Self {
        for time in [
            &mut self.ping_interval,
            &mut self.ping_timeout,
            &mut self.connect_timeout,
        ] {
            *time = (*time).clamp(SHORTEST, YEAR);
        }
        self
    }

    pub(super) fn engine(&self) -> EngineConfig {
        EngineConfig {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            upgrade_timeout: Duration::from_secs(10),
            max_payload: self.max_payload,
            max_queued_packets: 1_024,
            max_queued_bytes: 1 << 20,
            upgrades: false,
        }
    }
}
