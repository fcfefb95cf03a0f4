//! Every bound of the server by name, with the default and its reason.

use core::time::Duration;
use std::borrow::Cow;
use std::fmt;

use crate::descriptors;
use crate::http::body::BodyLimits;
use crate::http::head::HeadLimits;
use crate::protocol::frame::MAX_HEADER;
use crate::protocol::pace::Pace;
use crate::protocol::receive::ReceiveLimits;

/// The bounds of a server: sizes in bytes, counts, and times.
///
/// The defaults suit a tool on an ordinary machine. With them a hostile peer can make the server hold about 5 MiB,
/// and an ordinary one takes a few KiB; the log says at the start how much it is for each peer and in all. For a small
/// device take [`Limits::small`]; where many peers may be hostile, set them lower, as [the guide](crate::guide::limits)
/// shows. Change single fields with the struct update syntax.
///
/// Zero never means unlimited: it means none where that makes sense, and is an error elsewhere. A value that is too
/// small or too large to work with is an error when a server is [bound](crate::Server::bind) or a client connects: an
/// [`InvalidLimit`] that names the field. A maximum (`usize::MAX`, `Duration::MAX`) means no bound; a time counts as a
/// year at most.
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
    /// Connections that are open at once; one more gets 503. Default 10,000, or what descriptors there are when the
    /// `Limits` are made, less 32 for everything else: `ulimit -n`, and soft limits of 1,024 are common. An idle one
    /// takes about 2 KiB with events and 16 KiB with a thread of its own. Never more than the process carries:
    /// descriptors, what is left of the address space (`ulimit -v`), and where each holds a thread, threads (`ulimit
    /// -u`) less 32. The log says at warn what lowered it.
    ///
    /// A connection counts until the application has taken its `Close` event.
    pub max_connections: usize,
    /// Requests that peers still have to send at once; one more evicts the oldest, which gets 503. A complete one
    /// counts only if four times as many wait for a processor. It also bounds the handshakes for which the
    /// [`accept`](crate::ServerBuilder::accept) hook runs at once: four times as many wait in line for it, and one more
    /// gets 503. Default 64: enough for a reconnect storm, too few to hurt.
    ///
    /// Where plain requests are answered and so many have begun, a new connection evicts nobody before its first byte,
    /// and holds no thread: as many as [`max_waiting_requests`](Limits::max_waiting_requests) may be silent so, and one
    /// more evicts the one that is silent longest. Those over TLS or from
    /// [trusted proxies](crate::ServerBuilder::trusted_proxies) have a thread from the start.
    pub max_handshakes: usize,
    /// Plain HTTP requests under way at once, from the [`http`](crate::ServerBuilder::http) hook to the
    /// last byte of its answer; one more gets 503. Default 64: ten browsers, which load six files at
    /// once. Each has a thread and its answer, and none is cut for a newer one.
    pub max_http_requests: usize,
    /// Connections from one peer address, and plain requests of it under way: of each so many, and one more gets 429.
    /// IPv4 in IPv6 counts as IPv4. A request whose answer comes later ([`Response::later`](crate::Response::later))
    /// does not count meanwhile: a client that polls sends, too. Default none: behind NAT, or a proxy that is not
    /// [trusted](crate::ServerBuilder::trusted_proxies), all peers share one.
    pub max_per_address: Option<usize>,

    /// Bytes of a request head, in however many lines; a longer one gets 431. Default 16 KiB: the
    /// longest target, and 8 KiB of cookies. Browsers send the cookies of a host to all its ports, up
    /// to 50 of 4 KiB each (RFC 6265 6.1): raise it where the host's pages set more. Never more
    /// than 65,535.
    pub max_head: usize,
    /// Bytes of the request target, path and query; a longer one gets 414. Default 8,000: RFC 9112
    /// 3 asks for at least that.
    pub max_target: usize,
    /// Header lines of a request; more get 431. Default 100: several times what a browser sends.
    pub max_headers: usize,
    /// From accept to the last byte of the answer to the handshake; 408. Default 10 s: slow Wi-Fi needs two or three
    /// retransmissions. Absolute, however much there is to send: a head of 16 KiB needs 1.6 KiB/s, and so do TLS
    /// certificates of 16 KiB. An [`accept`](crate::ServerBuilder::accept) hook's time counts.
    pub handshake_timeout: Duration,
    /// Bytes of the body of a plain request, which the [`http`](crate::ServerBuilder::http) hook gets whole; a longer
    /// one gets 413. Default 1 MiB, as a message: a form, a setting, a small picture. Each request of
    /// [`max_http_requests`](Limits::max_http_requests) may hold one. Zero takes only empty bodies.
    pub max_body: usize,
    /// How long the body of a plain request may take to arrive, and longer while it comes faster than
    /// [`min_rate`](Limits::min_rate): at most this and `max_body / min_rate` seconds. A slower one gets 408.
    /// Default 30 s, as a message: a mobile link that is lost for a while.
    pub body_timeout: Duration,
    /// How long a connection that has its answer waits for the next plain request; then it closes. Default 75 s:
    /// proxies keep theirs for 60 s, and a server that is quicker closes under their requests. While it waits it holds
    /// no thread and takes no place of others. `None` closes after each answer. A stream that the system cannot watch
    /// ([`Transport::source`](crate::Transport::source)) also closes after each answer, and so does HTTP/1.0.
    pub keep_alive: Option<Duration>,
    /// Plain requests over one connection, which closes after the last answer. Default 1,000: it costs little to
    /// connect again that seldom, and no client keeps a connection for ever.
    pub max_requests_per_connection: u32,
    /// Connections that wait for a next plain request; one more closes the one that has waited longest. Default 256:
    /// for 40 browsers. They have descriptors beside those of [`max_connections`](Limits::max_connections); when the
    /// system has none left for a new connection, those that have sent nothing yet close, or all of these where there
    /// are none. Zero keeps none.
    pub max_idle_connections: usize,
    /// Plain requests whose answers come later ([`Response::later`](crate::Response::later)), until
    /// [`on_gone`](crate::Responder::on_gone) has returned where one ended without; one more gets 503. Default 1,000.
    /// They hold no thread, and have descriptors beside those of [`max_connections`](Limits::max_connections). Those
    /// answered [at once](crate::ServerBuilder::http_at_once) count while their answers are written; one more of them
    /// takes a thread. As many new connections may be silent beyond [`max_handshakes`](Limits::max_handshakes); with
    /// zero each begins as a handshake.
    pub max_waiting_requests: usize,
    /// How long such an answer may take; 504. Default 55 s: proxies give up after 60 s. A POST of Socket.IO that waits
    /// for a slow application has no deadline.
    pub answer_timeout: Duration,

    /// Bytes of one received message, all its fragments together; a longer one ends the connection with
    /// 1009. Default 1 MiB: much for a tool, bearable from every peer at once. Zero takes only empty
    /// messages, for a server that only sends. For one connection:
    /// [`Accept::with_max_message`](crate::Accept::with_max_message).
    pub max_message: usize,
    /// Frames of one received message, empty ones too; more end the connection with 1008. Default 1,024:
    /// a flood of empty ones costs CPU, which no bound in bytes sees.
    pub max_fragments: u32,
    /// How long a message may take to arrive, and longer while it comes faster than [`min_rate`](Limits::min_rate): at
    /// most this and `max_message / min_rate` seconds. A slower one ends the connection with 1008. Default 30 s: longer
    /// than a mobile link is lost now and then, and no peer dribbles for ever.
    pub assembly_timeout: Duration,
    /// Take frame lengths that are not in their shortest form. Default false, 1002: RFC 6455 5.2
    /// demands the minimal form.
    pub accept_non_minimal_lengths: bool,

    /// Bytes of messages that wait for the application, all connections together. Default 16 MiB: little beside what
    /// the connections may hold themselves. A connection that finds it full waits, and TCP slows its peer down.
    pub inbound_total: usize,
    /// Bytes of messages of one connection that wait for the application. Default 128 KiB, about
    /// two reads; one larger message may always wait alone.
    pub inbound_per_connection: usize,

    /// Bytes of frames that the socket refused and that wait for a slow peer. Default (`None`) the larger of 1 MiB and
    /// two frames of `max_message`, so that the answer to one more message has room when half of it is taken: from
    /// there on the peer is not read from. Beyond all of it [`Overflow`](crate::Overflow) decides. At most one message
    /// for every 64 bytes of it waits: short messages cost more than their bytes. One message may always wait alone;
    /// with `DropOldest` the newest, also after a partly written one.
    pub outbound_per_connection: Option<usize>,
    /// How long a frame may wait for a slow peer, and how long a blocking write or the answer to a plain request may
    /// take; longer while the peer reads faster than [`min_rate`](Limits::min_rate), however much there is to read.
    /// Default 10 s: longer than a network that recovers needs.
    pub write_timeout: Duration,
    /// Bytes per second below which a peer is too slow: what it takes, or sends, gives it as much more time as it needs
    /// at this rate, up to the whole [`write_timeout`](Limits::write_timeout), [`body_timeout`](Limits::body_timeout),
    /// [`assembly_timeout`](Limits::assembly_timeout) or [`close_timeout`](Limits::close_timeout) again. So 20 MB reach
    /// a peer that reads 1 MB/s, and one that trickles is given up soon after the timeout. Default 4 KiB: half of what
    /// is left of a mobile link that its carrier has throttled (64 kbit/s). 0: any byte gives the whole time again. A
    /// peer whose receive buffer is full shows what it reads in steps of a sixteenth of that: 0.5 MiB where it has read
    /// fast before. If yours read that slower than in the timeout, raise the timeout.
    pub min_rate: usize,

    /// Silence after which a ping goes out. Default 20 s: proxies cut silent connections after 60 s.
    /// `None` sends none: then a peer that vanished without a word is never noticed.
    pub ping_interval: Option<Duration>,
    /// Silence after a ping that ends the connection; any byte counts as life, and so does one that the peer takes of
    /// what waits for it. Default 20 s: with the ping's own 20 s a pulled cable shows within 40 s. Absolute for what
    /// the two systems hold already, which goes before the ping: over a real link mostly a second or two of it; over
    /// loopback 4 MiB, and 10 or more for a peer that has read fast before, whose receive buffer has grown. A program
    /// that says nothing has to read that within these 40 s.
    pub pong_timeout: Duration,
    /// From our Close frame to the peer's; what is sent before it goes first, and gives the peer more time while it
    /// reads faster than [`min_rate`](Limits::min_rate), as long as the system has not taken all of it. How long the
    /// answers to what a peer sent last may take once it has said or shown that nothing more comes. And the longest a
    /// graceful shutdown takes, which is absolute: of a page or a message under way what a peer does not read meanwhile
    /// is lost. Default 5 s: a live peer answers within a round trip, and a dead one delays the end no longer. Zero
    /// does not wait.
    pub close_timeout: Duration,

    /// Stack of a thread that runs a hook or a closure of yours, and with it the opening handshake and what a stream
    /// without a [`source`](crate::Transport::source) gives; from 128 KiB to 1 GiB. Default 2 MiB, as std gives its
    /// threads: what overflows a stack ends the process. That much address space is reserved; only touched pages, and 4
    /// KiB of page tables, are memory. Set less if address space is short (`ulimit -v`, 32 bits) and your code needs
    /// less: wshub itself takes up to 64 KiB.
    pub stack_size: usize,
    /// How long a thread whose connection ended waits for another one. Default 10 s: pages that are
    /// reloaded and peers that reconnect find it. Zero keeps none.
    pub idle_thread_timeout: Duration,
}

/// A value of [`Limits`] with which nothing could work. Its text names the field, and what it takes.
///
/// ```
/// use wshub::{InvalidLimit, Limits, Server};
///
/// let limits = Limits { max_connections: 0, ..Limits::default() };
/// let error = Server::builder().limits(limits).bind("127.0.0.1:0").unwrap_err();
/// let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<InvalidLimit>());
/// assert_eq!(cause.map(InvalidLimit::field), Some("max_connections"));
/// ```
///
/// The guide: [limits and memory](crate::guide::limits).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidLimit {
    field: &'static str,
    given: String,
    takes: String,
}

impl InvalidLimit {
    /// The name of the field.
    pub fn field(&self) -> &'static str {
        self.field
    }
}

impl fmt::Display for InvalidLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InvalidLimit {
            field,
            given,
            takes,
        } = self;
        write!(f, "Limits::{field} is {given}, and takes {takes}")
    }
}

impl std::error::Error for InvalidLimit {}

/// More take memory that a tool does not have to spare, where their peers are hostile.
const USUAL_CONNECTIONS: usize = 10_000;

/// As good as for ever, and the clock can still be counted up by it.
pub(crate) const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_connections: descriptors::connections().min(USUAL_CONNECTIONS),
            max_handshakes: 64,
            max_http_requests: 64,
            max_per_address: None,
            max_head: 16 << 10,
            max_target: 8_000,
            max_headers: 100,
            handshake_timeout: Duration::from_secs(10),
            max_body: 1 << 20,
            body_timeout: Duration::from_secs(30),
            keep_alive: Some(Duration::from_secs(75)),
            max_requests_per_connection: 1_000,
            max_idle_connections: 256,
            max_waiting_requests: 1_000,
            answer_timeout: Duration::from_secs(55),
            max_message: 1 << 20,
            max_fragments: 1_024,
            assembly_timeout: Duration::from_secs(30),
            accept_non_minimal_lengths: false,
            inbound_total: 16 << 20,
            inbound_per_connection: 128 << 10,
            outbound_per_connection: None,
            write_timeout: Duration::from_secs(10),
            min_rate: 4 << 10,
            ping_interval: Some(Duration::from_secs(20)),
            pong_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            stack_size: 2 << 20,
            idle_thread_timeout: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// For small machines: a controller, a camera, a router. By events the server's own memory with 32 clients is 1 to
    /// 2 MiB, and stays within 2.5, also where all of them send what they can and read nothing; stacks that were
    /// touched included. TLS and compression come on top, and so does what your code holds.
    ///
    /// | field | value | reason |
    /// |---|---|---|
    /// | `max_connections` | 32 | a household's browsers, with what 64 descriptors carry; fewer where there are fewer |
    /// | `max_handshakes` | 32 | all clients may connect again at once, and TLS takes a slow processor its time; one more, a page for instance, evicts the oldest, which has to come again; each holds a thread, and some 24 KiB of its stack |
    /// | `max_http_requests` | 4 | a page and its script for two; raise it where a page loads more files at once, which get 503; each holds a thread and its answer |
    /// | `max_head` | 4 KiB | a browser's head with a cookie or two: raise it where 431 comes |
    /// | `max_target` | 1,024 bytes | paths of a device are short |
    /// | `max_headers` | 48 | browsers send 20, and a proxy adds ten |
    /// | `max_body` | 8 KiB | a form of settings |
    /// | `max_idle_connections` | 8 | each takes a descriptor of few |
    /// | `max_waiting_requests` | 32 | one for each connection |
    /// | `keep_alive` | 15 s | a page and what belongs to it; then the descriptor is free |
    /// | `max_message` | 8 KiB | a command or a reading as JSON; a peer can make the server hold three times as much |
    /// | `max_fragments` | 64 | frames of 128 bytes |
    /// | `inbound_total` | 128 KiB | 16 of the longest messages |
    /// | `inbound_per_connection` | 2 KiB | 128 short messages; a longer one waits alone |
    /// | `outbound_per_connection` | 24 KiB | the answers to what waits and to one more read: three of the longest messages |
    /// | `stack_size` | 256 KiB | four times what wshub takes; raise it for deep hooks |
    /// | `idle_thread_timeout` | 2 s | a page's next request finds the thread, and then its stack is free |
    ///
    /// The other fields are as by [`default`](Limits::default): times are for slow links, which do not get faster on a
    /// small machine.
    ///
    /// ```
    /// use wshub::{Limits, Server};
    ///
    /// let limits = Limits { max_message: 2 << 10, ..Limits::small() };
    /// let server = Server::builder().limits(limits).bind("127.0.0.1:0")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn small() -> Limits {
        Limits {
            max_connections: descriptors::connections().min(32),
            max_handshakes: 32,
            max_http_requests: 4,
            max_head: 4 << 10,
            max_target: 1_024,
            max_headers: 48,
            max_body: 8 << 10,
            max_idle_connections: 8,
            max_waiting_requests: 32,
            keep_alive: Some(Duration::from_secs(15)),
            max_message: 8 << 10,
            max_fragments: 64,
            inbound_total: 128 << 10,
            inbound_per_connection: 2 << 10,
            outbound_per_connection: Some(24 << 10),
            stack_size: 256 << 10,
            idle_thread_timeout: Duration::from_secs(2),
            ..Limits::default()
        }
    }
}

/// More would leave the cache before it is parsed.
pub(crate) const LARGEST_READ: usize = 64 << 10;
/// Less costs a stream of short messages too many calls of the system.
const LEAST_READ: usize = 4 << 10;

/// What one read of a peer takes at most: what comes with it may all have to be answered, and wait.
pub(crate) fn read_size(max_message: usize) -> usize {
    max_message.clamp(LEAST_READ, LARGEST_READ)
}

/// A shorter wait would end before the system lets anybody be heard, or never end to ask for more.
const SHORTEST: Duration = Duration::from_millis(1);
/// What an opening handshake needs: its head with a short host and nothing else is 140 bytes in 5 header lines.
const LEAST_HEAD: usize = 256;
const LEAST_HEADERS: usize = 5;
/// What wshub touches of a thread's stack, TLS and compression in a debug build included; the rest is touched by hooks
/// and closures alone.
pub(crate) const TOUCHED_STACK: usize = 64 << 10;
const LEAST_STACK: usize = 2 * TOUCHED_STACK;
const LARGEST_STACK: usize = 1 << 30;

fn at_least<T: PartialOrd + fmt::Debug>(
    field: &'static str,
    given: T,
    least: T,
) -> Result<(), InvalidLimit> {
    match given >= least {
        true => Ok(()),
        false => Err(InvalidLimit {
            field,
            given: format!("{given:?}"),
            takes: format!("at least {least:?}"),
        }),
    }
}

fn at_most(field: &'static str, given: usize, most: usize) -> Result<(), InvalidLimit> {
    match given <= most {
        true => Ok(()),
        false => Err(InvalidLimit {
            field,
            given: given.to_string(),
            takes: format!("at most {most}"),
        }),
    }
}

impl Limits {
    /// Refuses values with which nothing could work. Every field stands here, so that a new one gets its range.
    pub(crate) fn check(&self) -> Result<(), InvalidLimit> {
        let Limits {
            max_connections,
            max_handshakes,
            max_http_requests,
            max_per_address,
            max_head,
            max_target,
            max_headers,
            handshake_timeout,
            // None: a server that is asked, and told nothing.
            max_body: _,
            body_timeout,
            keep_alive,
            max_requests_per_connection,
            // None: each closes after its answer.
            max_idle_connections: _,
            // None: what is not answered at once is refused.
            max_waiting_requests: _,
            answer_timeout,
            // None: a server that only sends.
            max_message: _,
            max_fragments,
            assembly_timeout,
            accept_non_minimal_lengths: _,
            // One message may always wait.
            inbound_total: _,
            inbound_per_connection: _,
            outbound_per_connection: _,
            write_timeout,
            // None: any progress will do.
            min_rate: _,
            ping_interval,
            pong_timeout,
            // None: nobody is waited for, and no thread kept.
            close_timeout: _,
            idle_thread_timeout: _,
            stack_size,
        } = self;
        at_least("max_connections", *max_connections, 1)?;
        at_least("max_handshakes", *max_handshakes, 1)?;
        at_least("max_http_requests", *max_http_requests, 1)?;
        at_least("max_per_address", max_per_address.unwrap_or(1), 1)?;
        at_least("max_head", *max_head, LEAST_HEAD)?;
        at_least("max_target", *max_target, 1)?;
        at_least("max_headers", *max_headers, LEAST_HEADERS)?;
        at_least("handshake_timeout", *handshake_timeout, SHORTEST)?;
        at_least("body_timeout", *body_timeout, SHORTEST)?;
        at_least("keep_alive", keep_alive.unwrap_or(SHORTEST), SHORTEST)?;
        at_least(
            "max_requests_per_connection",
            *max_requests_per_connection,
            1,
        )?;
        at_least("answer_timeout", *answer_timeout, SHORTEST)?;
        at_least("max_fragments", *max_fragments, 1)?;
        at_least("assembly_timeout", *assembly_timeout, SHORTEST)?;
        at_least("write_timeout", *write_timeout, SHORTEST)?;
        at_least("ping_interval", ping_interval.unwrap_or(SHORTEST), SHORTEST)?;
        at_least("pong_timeout", *pong_timeout, SHORTEST)?;
        at_least("stack_size", *stack_size, LEAST_STACK)?;
        at_most("stack_size", *stack_size, LARGEST_STACK)
    }

    /// The same, but for what one connection may send.
    pub(crate) fn with_max_message(&self, max_message: Option<usize>) -> Cow<'_, Self> {
        match max_message {
            None => Cow::Borrowed(self),
            Some(max_message) => Cow::Owned(Limits {
                max_message,
                ..self.clone()
            }),
        }
    }

    pub(crate) fn head(&self) -> HeadLimits {
        HeadLimits {
            max_head: self.max_head,
            max_target: self.max_target,
            max_headers: self.max_headers,
        }
    }

    pub(crate) fn body(&self) -> BodyLimits {
        BodyLimits {
            max_body: self.max_body,
            head: self.head(),
        }
    }

    pub(crate) fn receive(&self) -> ReceiveLimits {
        ReceiveLimits {
            max_message: self.max_message,
            max_fragments: self.max_fragments,
            accept_non_minimal_lengths: self.accept_non_minimal_lengths,
        }
    }

    fn pace(&self, patience: Duration) -> Pace {
        Pace {
            patience,
            min_rate: self.min_rate,
        }
    }

    /// How fast what is sent has to be read.
    pub(crate) fn writing(&self) -> Pace {
        self.pace(self.write_timeout)
    }

    /// How fast the body of a plain request has to come.
    pub(crate) fn upload(&self) -> Pace {
        self.pace(self.body_timeout)
    }

    /// How fast what is received has to come.
    pub(crate) fn assembly(&self) -> Pace {
        self.pace(self.assembly_timeout)
    }

    /// How fast what goes before a Close has to be read.
    pub(crate) fn closing(&self) -> Pace {
        self.pace(self.close_timeout)
    }

    pub(crate) fn outbound(&self) -> usize {
        self.outbound_per_connection.unwrap_or_else(|| {
            let frame = self.max_message.saturating_add(MAX_HEADER);
            frame.saturating_mul(2).max(1 << 20)
        })
    }

    pub(crate) fn bound_times(&mut self) {
        let times = [
            &mut self.handshake_timeout,
            &mut self.body_timeout,
            &mut self.answer_timeout,
            &mut self.assembly_timeout,
            &mut self.write_timeout,
            &mut self.pong_timeout,
            &mut self.close_timeout,
            &mut self.idle_thread_timeout,
        ];
        let optional = [&mut self.ping_interval, &mut self.keep_alive];
        for time in times.into_iter().chain(optional.into_iter().flatten()) {
            *time = (*time).min(YEAR);
        }
    }

    /// The most memory that the bodies of plain requests take: each holds up to twice what has arrived of it.
    pub(crate) fn bodies_budget(&self) -> usize {
        let one = self.max_body.saturating_mul(2);
        self.max_http_requests.saturating_mul(one)
    }

    /// The most memory that one peer can make the server hold, beside what all have in common.
    pub(crate) fn memory_per_connection(&self) -> usize {
        // A read buffer holds up to twice what has arrived of a message, and behind it waits its copy.
        (self.max_message.saturating_mul(3)).saturating_add(self.outbound())
    }
}
