//! What clients can make the server hold, bounded.

use std::time::Duration;

use super::engine::protocol::config::EngineConfig;
use super::engine::protocol::queue::QueueBounds;
use super::recovery::RecoveryBounds;
use crate::Overflow;
use crate::limits::YEAR;

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
    /// both times, and give the server up after the sum of both without a ping.
    pub ping_timeout: Duration,
    /// How long a client may take to join a namespace after it has connected. Default 45 s, as the reference server's.
    pub connect_timeout: Duration,
    /// How long an upgrade from polling to a WebSocket may take; then the WebSocket is closed, and polling goes on.
    /// Default 10 s, as the reference server's.
    pub upgrade_timeout: Duration,
    /// Bytes of one message, and of the body of a POST; a longer one ends the session. Clients are told the limit.
    /// While more than this waits for the application from one client, or 1,024 messages, its POST is answered only
    /// when that has been taken, without a deadline. Default 1,000,000, as the reference server's. Not more than
    /// [`max_body`](crate::Limits::max_body), which refuses it, and [`max_message`](crate::Limits::max_message), which
    /// ends the connection first.
    pub max_payload: usize,
    /// Binary attachments of one event; more end the session. Default 10, as the reference server's.
    pub max_attachments: usize,
    /// Bytes of all attachments of one event; more end the session. Default 4,000,000: a few pictures. A client that
    /// never sends the last attachment makes the server hold at most that.
    pub max_attachment_bytes: usize,
    /// Messages that wait for a client that polls, for one that joins, or beyond what its WebSocket takes
    /// ([`outbound_per_connection`](crate::Limits::outbound_per_connection)); see `overflow`. Default 16,384: short
    /// messages cost more than their bytes.
    pub max_queued_packets: usize,
    /// Bytes of such messages; see `overflow`. One event with its attachments may always wait alone. Default 1 MiB, as
    /// for a WebSocket alone.
    pub max_queued_bytes: usize,
    /// What happens when a client takes too little, by polling or over its WebSocket. For plain WebSockets
    /// [`ServerBuilder::overflow`](crate::ServerBuilder::overflow) decides. An event is dropped with its attachments.
    /// [`Overflow::Refuse`] is as [`Overflow::Disconnect`], the default: an emit gives nothing back.
    pub overflow: Overflow,
    /// How long a client that lost its connection may come back with its id, rooms and data, and get what it missed.
    /// Default none: every client is new. 2 min is usual, and it should be longer than `ping_interval` and
    /// `ping_timeout` together. A client names the last event that it got, so one that got none yet is new. In a
    /// cluster it may come back to any server, but its data is with the one that it was on.
    pub recovery_window: Option<Duration>,
    /// Events of one namespace that are kept for clients that come back, those of other servers of a cluster among
    /// them. A client that needs an older one is new. Default 10,000.
    pub max_recovery_packets: usize,
    /// Bytes of them, the names of the rooms that they go to included. Default 4 MiB.
    pub max_recovery_bytes: usize,
    /// Sockets of one namespace that left and may come back, those of other servers of a cluster among them; beyond
    /// that the one that left first is forgotten. Default 1,000.
    pub max_recovery_sockets: usize,
    /// Sessions at once, of clients that poll or have a WebSocket; one more gets 503. One that has ended counts until
    /// the application has heard of that. Default 10,000: those with a
    /// WebSocket are bounded by [`max_connections`](crate::Limits::max_connections), and the polls that wait by
    /// [`max_waiting_requests`](crate::Limits::max_waiting_requests).
    pub max_sessions: usize,
    /// Sessions at once of one peer address; one more gets 503. Default no bound, as for
    /// [`max_per_address`](crate::Limits::max_per_address): behind NAT, or a proxy that is not
    /// [trusted](crate::ServerBuilder::trusted_proxies), all clients share one.
    pub max_sessions_per_address: Option<usize>,
    /// Namespaces that one client may be in; one more is refused with CONNECT_ERROR. Default 16: a page has a handful.
    pub max_namespaces: usize,
    /// Rooms that one socket may be in, its own included; the name of each has at most 1,024 bytes. Default 256: more
    /// than a chat needs.
    pub max_rooms: usize,
    /// Acknowledgements that are awaited from one socket. Default 1,000.
    pub max_pending_acks: usize,
    /// Bytes of memory that answers to [`Emitter::emit_with_ack`](super::Emitter::emit_with_ack) take, for all calls
    /// together: answers are held until the last one has come, or the time is over. A further answer is dropped, and
    /// its error is [`AckError::TooMany`](super::AckError::TooMany). Default 16 MiB: 1,000 clients that answer with 16
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

/// A shorter wait would end before anybody is heard.
const SHORTEST: Duration = Duration::from_millis(1);

impl Limits {
    pub(crate) fn bounded(mut self) -> Self {
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

    pub(crate) fn recovery(&self) -> Option<RecoveryBounds> {
        self.recovery_window.map(|window| RecoveryBounds {
            window,
            max_packets: self.max_recovery_packets,
            max_bytes: self.max_recovery_bytes,
            max_sockets: self.max_recovery_sockets,
        })
    }

    pub(crate) fn engine(&self) -> EngineConfig {
        EngineConfig {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            upgrade_timeout: self.upgrade_timeout,
            max_payload: self.max_payload,
            queue: QueueBounds {
                max_packets: self.max_queued_packets,
                max_bytes: self.max_queued_bytes,
                overflow: self.overflow,
            },
        }
    }
}
