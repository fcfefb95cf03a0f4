//! For tests of your own code, without a socket, a thread or a sleep: streams in memory, a client for them, and
//! connections that only remember what was sent.

mod client;

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use crate::atomic::AtomicU64;
use crate::connection::Connection;
use crate::connection::credit::Budget;
use crate::connection::opening::Opening;
use crate::handshake::Accept;
use crate::http::Request;
use crate::limits::Limits;
use crate::lock::{Mutex, RECORDED, lock};
use crate::message::Message;
use crate::outbox::leader_queue::LeaderQueue;
use crate::outbox::{Bounds, Delivery, Outbox, OutboxServer};
use crate::protocol::Role;
use crate::protocol::close::CloseCode;
use crate::protocol::receive::{ReceiveLimits, Received, Receiver};
use crate::stats::Counters;
use crate::transport::{Transport, inert};

pub use crate::transport::{Clock, Duplex, duplex};
pub use client::{Client, Frame};

/// A connection for a handler, opened by `request`, and what is sent over it. Its id is unique, nothing ever comes in,
/// and its peer takes everything at once.
///
/// ```
/// use wshub::{Connection, Handler, Message, Request, testing};
///
/// struct Echo;
/// impl Handler for Echo {
///     fn on_message(&mut self, connection: &Connection, message: Message) {
///         let _ = connection.send(message);
///     }
/// }
///
/// let request = Request::parse(b"GET /room?name=ann HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
/// let (connection, sent) = testing::connection(request);
/// Echo.on_message(&connection, "hello".into());
/// assert_eq!(sent.take_messages(), [Message::from("hello")]);
/// # Ok::<(), wshub::Refusal>(())
/// ```
pub fn connection(request: Request) -> (Connection, Sent) {
    accepted(request, Accept::new())
}

/// As [`connection`], accepted as an [`accept`](crate::ServerBuilder::accept) hook did: with its data, its subprotocol,
/// its policy for a peer that does not read. Its headers go nowhere.
///
/// ```
/// use wshub::{Accept, Overflow, Request, SendErrorKind, testing};
///
/// struct User(&'static str);
///
/// let request = Request::parse(b"GET /feed HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
/// let accept = Accept::new().with_data(User("ann")).with_overflow(Overflow::Refuse);
/// let (connection, sent) = testing::accepted(request, accept.with_subprotocol("feed.v1")?);
/// assert_eq!(connection.data::<User>().unwrap().0, "ann");
/// assert_eq!(connection.protocol(), Some("feed.v1"));
///
/// sent.stall(); // the peer reads nothing from here on
/// let full = loop {
///     if let Err(error) = connection.send(vec![0; 100_000]) {
///         break error;
///     }
/// };
/// assert_eq!(full.kind(), SendErrorKind::Full);
/// sent.resume();
/// assert_eq!(connection.buffered_amount(), 0);
///
/// sent.end(); // it is gone
/// assert_eq!(connection.send("hello").unwrap_err().kind(), SendErrorKind::Closed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn accepted(request: Request, accept: Accept) -> (Connection, Sent) {
    connection_within(Budget::new(&Limits::default(), drop), request, accept)
}

/// As [`accepted`]; what comes in counts into `budget`.
pub(crate) fn connection_within(
    budget: Arc<Budget>,
    request: Request,
    accept: Accept,
) -> (Connection, Sent) {
    static IDS: AtomicU64 = AtomicU64::new(1);
    let bounds = accept.bounds;
    let opening = Opening {
        request,
        protocol: accept.subprotocol().map(|name| Box::new(name.into())),
        extension: None,
        data: accept.data,
    };
    let transport = Arc::new(Recorder::default());
    let limits = Limits::default();
    let limits = limits.with_max_message(bounds.max_message);
    let id = IDS.fetch_add(1, Relaxed);
    let server = OutboxServer {
        leader_queue: LeaderQueue::new(None),
        counters: Arc::new(Counters::default()),
        delivery: Delivery::Handler,
        owner: None,
    };
    let outbox = Outbox::new(
        transport.clone(),
        Arc::new(server),
        id,
        Bounds::new(&limits, bounds.overflow.unwrap_or_default()),
        limits.close_timeout,
        None,
    );
    let connection = Connection::new(id, opening, outbox, budget);
    let sent = Sent {
        transport,
        connection: connection.clone(),
    };
    (connection, sent)
}

/// What was sent over a [`connection`] of this module.
///
/// ```
/// use wshub::{Request, testing};
///
/// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
/// let (connection, sent) = testing::connection(request);
/// connection.send("hello")?;
/// connection.close(4000, "enough")?;
/// assert_eq!(sent.take_messages(), ["hello".into()]);
/// assert_eq!(sent.close(), Some((4000.into(), "enough".to_string())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [testing](crate::guide::testing).
pub struct Sent {
    transport: Arc<Recorder>,
    connection: Connection,
}

impl Sent {
    /// The messages that were sent since the last call, in order.
    pub fn take_messages(&self) -> Vec<Message> {
        self.read();
        std::mem::take(&mut lock(&self.transport.0).messages)
    }

    /// How many pings were sent.
    pub fn pings(&self) -> usize {
        self.read();
        lock(&self.transport.0).pings
    }

    /// The code and the reason of the Close frame, if the connection was closed.
    pub fn close(&self) -> Option<(CloseCode, String)> {
        self.read();
        lock(&self.transport.0).close.clone()
    }

    /// From now on the peer reads nothing: what is sent waits, within the connection's policy. No deadline passes here;
    /// over streams of a [`Clock`] deadlines do pass.
    pub fn stall(&self) {
        lock(&self.transport.0).stalled = true;
    }

    /// The peer takes everything again, what waited first.
    pub fn resume(&self) {
        lock(&self.transport.0).stalled = false;
        self.connection.outbox().service(Instant::now());
    }

    /// Ends the connection, as after a `Close` event: nothing can be sent any more.
    pub fn end(&self) {
        self.connection.outbox().finish();
    }

    /// Parses what was written, as a client does.
    fn read(&self) {
        let mut state = lock(&self.transport.0);
        let mut bytes = std::mem::take(&mut state.bytes);
        let limits = ReceiveLimits {
            max_message: usize::MAX,
            max_fragments: u32::MAX,
            accept_non_minimal_lengths: false,
        };
        let mut receiver = Receiver::new(Role::Client, limits);
        let mut at = 0;
        while let Ok(received) = receiver.receive(bytes.get_mut(at..).unwrap_or_default()) {
            match received {
                // The Outbox writes whole frames to a stream that takes everything.
                Received::NeedMore { .. } | Received::Part(_) => return,
                Received::Message(message) => state.messages.push(message.to_message()),
                Received::Ping(_) => state.pings += 1,
                Received::Pong(_) => {}
                Received::Close(code, reason) => {
                    state.close = Some((code.unwrap_or(CloseCode::NO_STATUS), reason.to_owned()));
                }
            }
            at += receiver.take_discard();
        }
    }
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sent")
    }
}

/// Takes everything that is written, unless it is stalled, and has nothing to read.
#[derive(Default)]
struct Recorder(Mutex<Recorded, RECORDED>);

#[derive(Default)]
struct Recorded {
    bytes: Vec<u8>,
    messages: Vec<Message>,
    pings: usize,
    close: Option<(CloseCode, String)>,
    /// Nothing is taken.
    stalled: bool,
}

impl Transport for Recorder {
    inert! { read, wait_writable, wake_when_writable, shutdown, peer_addr }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = lock(&self.0);
        if state.stalled {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let bytes = &mut state.bytes;
        let before = bytes.len();
        for buffer in buffers {
            bytes.extend_from_slice(buffer);
        }
        Ok(bytes.len() - before)
    }

    fn never_calls_back(&self) -> bool {
        true
    }
}
