//! What clients can make the server hold, bounded.

use std::time::Duration;

use super::engine::protocol::session::EngineConfig;
use super::engine::sessions::SessionBounds;
use super::recovery::RecoveryBounds;
use crate::Overflow;

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
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From a pong to the next ping. Default 25 s, as the reference server's: proxies cut silent connections after 60
    /// s.
    pub ping_interval: Duration,
    /// How long a pong may take; then the client is gone. Default 20 s, as the reference server's. Clients are told
    /// both, and give the server up after the one and the other without a ping.
    pub ping_timeout: Duration,
    /// How long a client that has come may take to join a namespace. Default 45 s, as the reference server's.
    pub connect_timeout: Duration,
    /// How long a WebSocket for a session that polls may take to carry it; then it is closed, and polling goes on.
    /// Default 10 s, as the reference server's.
    pub upgrade_timeout: Duration,
    /// Bytes of one message, and of the body of a POST; a longer one ends the session. Clients are told. While more
    /// than that of one client's messages waits for the application, its POST is answered when that was taken. Default
    /// 1,000,000, as the reference server's. Not more than [`max_body`](crate::Limits::max_body), which refuses it, and
    /// [`max_message`](crate::Limits::max_message), which ends the connection first.
    pub max_payload: usize,
    /// Binary attachments of one event; more end the session. Default 10, as the reference server's.
    pub max_attachments: usize,
    /// Bytes of the attachments of one event together; more end the session. Default 4,000,000: a few pictures, and a
    /// client that sends all but the last holds no more than that.
    pub max_attachment_bytes: usize,
    /// Messages that wait for a client that polls, or beyond what its WebSocket takes
    /// ([`outbound_per_connection`](crate::Limits::outbound_per_connection)); see `overflow`. Default 16,384: short
    /// messages cost more than their bytes.
    pub max_queued_packets: usize,
    /// Bytes of such messages; see `overflow`. One event with its attachments may always wait alone. Default 1 MiB, as
    /// for a WebSocket alone.
    pub max_queued_bytes: usize,
    /// What becomes of a client that takes too little, by polling or over its WebSocket; of plain WebSockets
    /// [`ServerBuilder::overflow`](crate::ServerBuilder::overflow) decides. An event is dropped with its attachments.
    /// [`Overflow::Refuse`] is as [`Overflow::Disconnect`], the default: an emit gives nothing back.
    pub overflow: Overflow,
    /// For how long a client that lost its connection may come back: with its id, rooms and data, and
    /// what it missed. Default none: none may. 2 min is usual. A client knows where it was by the last event that it
    /// got, so one that got none yet is new.
    pub recovery_window: Option<Duration>,
    /// Events of one namespace that are kept for clients that come back; what is older is missed for good, and a client
    /// that needs it is new. Default 10,000.
    pub max_recovery_packets: usize,
    /// Bytes of them. Default 4 MiB.
    pub max_recovery_bytes: usize,
    /// Sockets of one namespace that left and may come back; of more the one that left first is new. Default 1,000.
    pub max_recovery_sockets: usize,
    /// Sessions at once, of clients that poll or have a WebSocket; one more gets 503. Default 10,000: those with a
    /// WebSocket are bounded by [`max_connections`](crate::Limits::max_connections), and the polls that wait by
    /// [`max_waiting_requests`](crate::Limits::max_waiting_requests).
    pub max_sessions: usize,
    /// Sessions at once of one peer address; one more gets 503. Default none, as for
    /// [`max_per_address`](crate::Limits::max_per_address): behind NAT, or a proxy that is not
    /// [trusted](crate::ServerBuilder::trusted_proxies), all clients share one.
    pub max_sessions_per_address: Option<usize>,
    /// Namespaces that one client may be in; one more is refused with CONNECT_ERROR. Default 16: a page has a handful.
    pub max_namespaces: usize,
    /// Rooms that one socket may be in, its own included. Default 256: a chat's.
    pub max_rooms: usize,
    /// Acknowledgements that one socket may owe. Default 1,000.
    pub max_pending_acks: usize,
    /// Bytes of memory that answers to [`Emitter::emit_with_ack`](super::Emitter::emit_with_ack) take, for all
    /// questions together: they are held until the last one has come, or the time is over. A further answer is
    /// missing, as [`AckError::TooMany`](super::AckError::TooMany). Default 16 MiB: 1,000 clients that answer with 16
    /// KiB.
    pub max_answer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(45),
            upgrade_timeout: Duration::from_secs(10),
            max_payload: 1_000_000,
            max_attachments: 10,
            max_attachment_bytes: 4_000_000,
            max_queued_packets: 16 << 10,
            max_queued_bytes: 1 << 20,
            overflow: Overflow::Disconnect,
            recovery_window: None,
            max_recovery_packets: 10_000,
            max_recovery_bytes: 4 << 20,
            max_recovery_sockets: 1_000,
            max_sessions: 10_000,
            max_sessions_per_address: None,
            max_namespaces: 16,
            max_rooms: 256,
            max_pending_acks: 1_000,
            max_answer_bytes: 16 << 20,
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
            &mut self.upgrade_timeout,
        ]
        .into_iter()
        .chain(&mut self.recovery_window)
        {
            *time = (*time).clamp(SHORTEST, YEAR);
        }
        self
    }

    pub(super) fn recovery(&self) -> Option<RecoveryBounds> {
        self.recovery_window.map(|window| RecoveryBounds {
            window,
            max_packets: self.max_recovery_packets,
            max_bytes: self.max_recovery_bytes,
            max_sockets: self.max_recovery_sockets,
        })
    }

    pub(super) fn sessions(&self) -> SessionBounds {
        let engine = EngineConfig {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            upgrade_timeout: self.upgrade_timeout,
            max_payload: self.max_payload,
            max_queued_packets: self.max_queued_packets,
            max_queued_bytes: self.max_queued_bytes,
        };
        SessionBounds {
            engine,
            overflow: self.overflow,
            max_sessions: self.max_sessions,
            max_sessions_per_address: self.max_sessions_per_address,
        }
    }
}
