//! Every bound of the server by name, with the default and its reason.

use std::time::Duration;

use crate::handshake::request::HeadLimits;
use crate::protocol::receive::ReceiveLimits;

/// The bounds of a server: sizes in bytes, counts, and times.
///
/// The defaults suit a small device and hold against hostile peers; change single fields with the
/// struct update syntax.
///
/// ```
/// use std::time::Duration;
/// use wshub::{Limits, Server};
///
/// let limits = Limits { max_message: 64 << 10, close_timeout: Duration::from_secs(2), ..Limits::default() };
/// let server = Server::builder().limits(limits).bind("127.0.0.1:0")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that are open at once; one more gets 503. Default 1,000, and never more than the
    /// process may open descriptors, less 32 for everything else (soft limits of 1,024 are common).
    ///
    /// A connection counts until the application has taken its `Close` event.
    pub max_connections: usize,
    /// Opening handshakes and plain HTTP requests under way at once; one more evicts the oldest.
    /// Default 64: enough for a reconnect storm, too few to hurt. The evicted get 503.
    pub max_handshakes: usize,
    /// Connections from one peer address; one more gets 429. Default none: behind a proxy or NAT all
    /// peers share one.
    pub max_per_address: Option<usize>,

    /// Bytes of a request head; a longer one gets 431. Default 16 KiB: browsers send up to 4 KiB of
    /// cookies, and the target may take 8. Never more than 65,535.
    pub max_head: usize,
    /// Bytes of one line of the head; a longer header gets 431. Default 8 KiB: a request line with the
    /// longest target fits.
    pub max_line: usize,
    /// Bytes of the request target, path and query; a longer one gets 414. Default 8,000: RFC 9112
    /// section 3 asks for at least that.
    pub max_target: usize,
    /// Header lines of a request; more get 431. Default 100: several times what a browser sends.
    pub max_headers: usize,
    /// From accept to the last byte of the answer to the handshake; 408. Default 10 s: slow Wi-Fi needs
    /// two or three retransmissions.
    pub handshake_timeout: Duration,

    /// Bytes of one received message, all its fragments together; a longer one ends the connection with
    /// 1009. Default 1 MiB: much for a tool, bearable from every peer at once.
    pub max_message: usize,
    /// Frames of one received message, empty ones too; more end the connection with 1008. Default 1,024:
    /// a flood of empty ones costs CPU, which no bound in bytes sees.
    pub max_fragments: u32,
    /// From the first byte of a message to its last; a slower one ends the connection with 1008. Default
    /// 30 s: 1 MiB over a slow mobile link, and nobody dribbles for ever.
    pub assembly_timeout: Duration,
    /// Take frame lengths that are not in their shortest form. Default false, 1002: RFC 6455 section 5.2
    /// demands the minimal form.
    pub accept_non_minimal_lengths: bool,

    /// Bytes of messages that wait for the application, all connections together. Default 16 MiB:
    /// what a small device can spare. A connection that finds it full waits, and TCP slows its peer
    /// down.
    pub inbound_total: usize,
    /// Bytes of messages of one connection that wait for the application. Default 128 KiB, about
    /// two reads; one larger message may always wait alone.
    pub inbound_per_connection: usize,

    /// Bytes of frames that the socket refused and that wait for a slow peer. Default (`None`) the
    /// larger of 1 MiB and twice `max_message`; then [`Overflow`](crate::Overflow) decides. At most
    /// one message for every 64 bytes of it waits: short messages cost more than their bytes. One
    /// message may always wait alone; with `DropOldest` the newest, also behind a partly written one.
    pub outbound_per_connection: Option<usize>,
    /// How long a frame may wait for a slow peer, and how long a blocking write may take. Default 10 s:
    /// longer than a network that recovers needs.
    pub write_timeout: Duration,

    /// Silence after which a ping goes out. Default 20 s: proxies cut silent connections after 60 s.
    /// `None` sends none: then a peer that vanished without a word is never noticed.
    pub ping_interval: Option<Duration>,
    /// Silence after a ping that ends the connection; any byte counts as life. Default 20 s: with the
    /// ping's own 20 s a pulled cable shows within 40 s.
    pub pong_timeout: Duration,
    /// From our Close frame to the peer's, and the longest a graceful shutdown takes. Default 5 s: a
    /// peer that is alive answers within a round trip, one that is not holds nobody up for longer.
    pub close_timeout: Duration,

    /// Stack of a connection's thread. Default 256 KiB; pages that are not touched cost nothing.
    pub stack_size: usize,
    /// How long a thread whose connection ended waits for another one. Default 10 s: pages that are
    /// reloaded and peers that reconnect find it.
    pub idle_thread_timeout: Duration,
}

/// As good as for ever, and the clock can still be counted up by it.
pub(crate) const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_connections: 1_000,
            max_handshakes: 64,
            max_per_address: None,
            max_head: 16 << 10,
            max_line: 8 << 10,
            max_target: 8_000,
            max_headers: 100,
            handshake_timeout: Duration::from_secs(10),
            max_message: 1 << 20,
            max_fragments: 1_024,
            assembly_timeout: Duration::from_secs(30),
            accept_non_minimal_lengths: false,
            inbound_total: 16 << 20,
            inbound_per_connection: 128 << 10,
            outbound_per_connection: None,
            write_timeout: Duration::from_secs(10),
            ping_interval: Some(Duration::from_secs(20)),
            pong_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            stack_size: 256 << 10,
            idle_thread_timeout: Duration::from_secs(10),
        }
    }
}

impl Limits {
    pub(crate) fn head(&self) -> HeadLimits {
        HeadLimits {
            max_head: self.max_head,
            max_line: self.max_line,
            max_target: self.max_target,
            max_headers: self.max_headers,
        }
    }

    pub(crate) fn receive(&self) -> ReceiveLimits {
        ReceiveLimits {
            max_message: self.max_message,
            max_fragments: self.max_fragments,
            accept_non_minimal_lengths: self.accept_non_minimal_lengths,
        }
    }

    pub(crate) fn outbound(&self) -> usize {
        self.outbound_per_connection
            .unwrap_or_else(|| self.max_message.saturating_mul(2).max(1 << 20))
    }

    pub(crate) fn bound_times(&mut self) {
        let times = [
            &mut self.handshake_timeout,
            &mut self.assembly_timeout,
            &mut self.write_timeout,
            &mut self.pong_timeout,
            &mut self.close_timeout,
            &mut self.idle_thread_timeout,
        ];
        for time in times.into_iter().chain(&mut self.ping_interval) {
            *time = (*time).min(YEAR);
        }
    }

    /// The most memory that peers can make the server hold.
    pub(crate) fn memory_budget(&self) -> usize {
        // A read buffer holds up to twice what has arrived of a message.
        let one = (self.max_message.saturating_mul(2))
            .saturating_add(self.outbound())
            .saturating_add(self.stack_size);
        self.max_connections
            .saturating_mul(one)
            .saturating_add(self.inbound_total)
    }
}
