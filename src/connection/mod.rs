//! One connection. Here is its handle: identity, sending, closing; cheap to clone, for any thread.
//!
//! - [`conversation`]: bytes of a [`read_buffer`] become messages, pings are answered, and deadlines kept, by the
//!   [`conversation_rules`]. [`end`] says how a connection ended, and what its peer is told.
//! - [`credit`]: how much the application still has to answer, and when the peer may be read from.
//! - [`message_stream`]: a message that is read as it arrives. [`fragments`]: one that is sent so.
//! - [`opening`] and [`request_head`]: what is kept of the handshake. [`by_id`]: handles by their numbers.

pub(crate) mod by_id;
pub(crate) mod conversation;
pub(crate) mod conversation_rules;
pub(crate) mod credit;
pub(crate) mod end;
pub(crate) mod fragments;
pub(crate) mod message_stream;
pub(crate) mod opening;
pub(crate) mod read_buffer;
pub(crate) mod request_head;
mod round_trip;

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use credit::{Account, Budget};
use round_trip::RoundTrip;

use crate::compression::Agreed;
use crate::error::{CloseError, SendError, SendErrorKind};
use crate::http::Request;
use crate::lock::assert_no_lock;
use crate::message::{Message, Prepared};
use crate::outbox::{Outbox, ReadyState};
use crate::panics;
use crate::protocol::close::CloseCode;

pub use end::CloseEvent;
pub use message_stream::MessageStream;
use opening::Opening;

/// One WebSocket connection. Clones are handles of the same connection; any thread may use them.
///
/// No method blocks but [`send_timeout`](Connection::send_timeout). A handle may outlive its connection: then sending
/// fails with [`SendErrorKind::Closed`], and the handle holds no socket and no buffer.
///
/// ```
/// use wshub::Connection;
///
/// fn greet(connection: &Connection) {
///     let name = connection.request().query("name");
///     let name = name.as_deref().unwrap_or("stranger");
///     if let Err(error) = connection.send(format!("hello {name}")) {
///         eprintln!("{}: {error}", connection.id());
///     }
/// }
/// ```
///
/// The guide: [events](crate::guide::events).
#[derive(Clone)]
pub struct Connection(Arc<ConnectionInner>);

struct ConnectionInner {
    id: u64,
    opening: Opening,
    round_trip: RoundTrip,
    outbox: Arc<Outbox>,
    account: Account,
}

/// The data is the application's, and so is its destructor: what it panics with ends here.
impl Drop for ConnectionInner {
    fn drop(&mut self) {
        assert_no_lock();
        let data = std::mem::take(&mut self.opening.data);
        let _ = panics::catch(|| drop(data));
    }
}

impl Connection {
    pub(crate) fn new(id: u64, opening: Opening, outbox: Arc<Outbox>, budget: Arc<Budget>) -> Self {
        Connection(Arc::new(ConnectionInner {
            id,
            opening,
            round_trip: RoundTrip::default(),
            outbox,
            account: Account::new(budget),
        }))
    }

    /// A number that no other connection of this server has or had.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The request that opened the connection: path, query, headers, cookies.
    pub fn request(&self) -> &Request {
        &self.0.opening.request
    }

    /// The value that the accept hook has kept with the connection ([`Accept::with_data`](crate::Accept::with_data));
    /// `None` if it kept nothing, or a value of another type.
    pub fn data<T: Any>(&self) -> Option<&T> {
        self.0.opening.data.get()
    }

    /// The peer's address; behind a proxy that is not [trusted](crate::ServerBuilder::trusted_proxies) it is the
    /// proxy's. `None` over a transport without one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.opening.request.peer_addr()
    }

    /// The subprotocol that was chosen (RFC 6455 1.9), if any.
    pub fn protocol(&self) -> Option<&str> {
        self.0.opening.protocol()
    }

    /// The extensions in use (RFC 6455 9), as in a browser: the parameters of compression, `permessage-deflate;
    /// server_no_context_takeover; …`, or nothing.
    pub fn extensions(&self) -> &str {
        self.0.opening.extensions()
    }

    /// The state of the connection, as in a browser.
    pub fn ready_state(&self) -> ReadyState {
        self.0.outbox.ready_state()
    }

    /// Bytes, headers included, that were sent to this connection, by broadcasts too, and that the
    /// socket has not taken yet. 0 for a peer that keeps up.
    pub fn buffered_amount(&self) -> usize {
        self.0.outbox.buffered_amount()
    }

    /// True while the socket does not take what was sent: the peer reads too slowly. Time to leave out what is worth
    /// nothing a moment later. Unlike [`buffered_amount`](Connection::buffered_amount) it does not count what is on its
    /// way, and leaves with what is sent next.
    pub fn is_stalled(&self) -> bool {
        self.0.outbox.is_stalled()
    }

    /// Sends a message. Never blocks: what the socket does not take is kept, up to
    /// [`outbound_per_connection`](crate::Limits::outbound_per_connection) bytes and
    /// [`write_timeout`](crate::Limits::write_timeout), and longer while the peer reads faster than
    /// [`min_rate`](crate::Limits::min_rate); then [`Overflow`](crate::Overflow) decides.
    ///
    /// # Errors
    /// The message is given back with the reason ([`SendError::kind`]): the connection is closed or
    /// closing, or the peer reads too slowly.
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.0.outbox.send(message.into())
    }

    /// As [`send`](Connection::send), for a message that must not be compressed, because it holds a secret beside text
    /// that others chose: they could learn the secret from the compressed length (RFC 7692 8). To send one to
    /// many: [`Prepared::uncompressed`]. Without the feature `deflate` no message is compressed, and this is `send`.
    ///
    /// # Errors
    /// As [`send`](Connection::send).
    pub fn send_uncompressed(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.0.outbox.send_uncompressed(message.into())
    }

    /// As [`send`](Connection::send), but if there is no room it blocks until there is, for at most `timeout`. It is
    /// for a thread that makes data faster than the peer takes it, and must lose none. It returns when the message is
    /// queued, not when it has left. While it waits it writes what it can. The overflow policy does not apply.
    ///
    /// Use it on threads other than the application thread. It works there, too, but all other connections wait during
    /// that; [`Overflow::Refuse`](crate::Overflow::Refuse) tells that thread when there is room.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wshub::{Connection, SendErrorKind};
    ///
    /// /// On a thread of its own.
    /// fn download(connection: &Connection, chunks: impl Iterator<Item = Vec<u8>>) -> Result<(), SendErrorKind> {
    ///     for chunk in chunks {
    ///         let sent = connection.send_timeout(chunk, Duration::from_secs(30));
    ///         sent.map_err(|error| error.kind())?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// The message is given back: with [`SendErrorKind::Full`] when there was no room in time, and the connection goes
    /// on; with [`SendErrorKind::Closed`] if it is closed or closing, or was given up while this waited, because its
    /// peer took nothing for [`write_timeout`](crate::Limits::write_timeout).
    pub fn send_timeout(
        &self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<(), SendError> {
        let end = self.0.outbox.now().checked_add(timeout);
        self.0.outbox.waiter().send_until(message.into(), end)
    }

    /// Sends a message that was encoded before; see [`Prepared`]. Never blocks.
    ///
    /// # Errors
    /// As [`send`](Connection::send).
    pub fn send_prepared(&self, message: &Prepared) -> Result<(), SendErrorKind> {
        self.0.outbox.send_prepared(message)
    }

    /// Sends a ping now (RFC 6455 5.5.2), whose answer [`rtt`](Connection::rtt) measures. The heartbeat sends
    /// one after [`ping_interval`](crate::Limits::ping_interval) of silence. Never blocks.
    ///
    /// # Errors
    /// [`SendErrorKind::Closed`] if the connection is closed or closing.
    pub fn ping(&self) -> Result<(), SendErrorKind> {
        let now = self.0.account.time_at(self.0.outbox.now());
        self.0.outbox.ping(|| self.0.round_trip.ask(now))
    }

    /// How long the peer took to answer the last ping that it has answered: the heartbeat's, which comes after
    /// [`ping_interval`](crate::Limits::ping_interval) of silence, or one of [`ping`](Connection::ping). `None` before
    /// the first answer. It includes the time that the ping waited behind messages that the peer had not read, and that
    /// the answer waited until it was read here: a message and its answer take as long now.
    ///
    /// ```
    /// use wshub::testing::{self, Client};
    /// use wshub::{Event, Server};
    ///
    /// let server = Server::builder().without_listener()?;
    /// let (ours, theirs) = testing::duplex();
    /// server.attach(ours);
    /// let mut client = Client::open(theirs, "/")?;
    /// let mut events = server.events();
    /// if let Ok(Event::Open(connection)) = events.recv() {
    ///     connection.ping().unwrap();
    ///     assert_eq!(connection.rtt(), None);
    ///     let ping = client.read_frame()?;
    ///     client.send_frame(true, 10, &ping.payload)?; // a browser does so by itself
    ///     client.send_text("behind it")?;
    ///     events.recv().unwrap();
    ///     println!("it takes {:?}", connection.rtt().unwrap());
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn rtt(&self) -> Option<Duration> {
        self.0.round_trip.last()
    }

    /// A pong has come.
    pub(crate) fn note_pong(&self, payload: &[u8]) {
        let now = self.0.account.time_at(self.0.outbox.now());
        self.0.round_trip.answered(payload, now);
    }

    /// Starts the closing handshake (RFC 6455 7.1.2) and returns at once; the `Close` event
    /// comes when the peer has answered, or after [`close_timeout`](crate::Limits::close_timeout).
    /// A reason of more than 123 bytes is cut at a character.
    ///
    /// Until then the peer's messages still come: those on their way, and those that it sends before it answers, as RFC
    /// 6455 section 5.5.1 allows. To take none of them, look at [`ready_state`](Connection::ready_state), or end the
    /// connection at once: [`terminate`](Connection::terminate).
    ///
    /// ```
    /// # fn kick(connection: &wshub::Connection) {
    /// let _ = connection.close(4001, "logged in elsewhere"); // Err: it is closing already
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CloseError::ReservedCode`] for a code that must not be sent, [`CloseError::Closed`] if the
    /// connection is closed or closing already.
    pub fn close(&self, code: impl Into<CloseCode>, reason: &str) -> Result<(), CloseError> {
        let code = CloseError::unless_reserved(code.into())?;
        self.0.outbox.close(Some(code), reason)
    }

    /// Ends the connection at once, for abuse: what waits to be sent is dropped, the peer sees a reset over TCP, and
    /// there is no closing handshake. Its next event is `Close`, with 1006: messages that were read and not taken yet
    /// are dropped, too. To close in order use [`close`](Connection::close).
    ///
    /// On a connection that has ended it drops messages not taken yet: only its `Close` still comes.
    ///
    /// ```
    /// use wshub::testing::{self, Client};
    /// use wshub::{CloseCode, Event, Server};
    ///
    /// let server = Server::builder().without_listener()?;
    /// let (ours, theirs) = testing::duplex();
    /// server.attach(ours);
    /// let mut client = Client::open(theirs, "/")?;
    /// (0..100).for_each(|_| client.send_text("spam").unwrap());
    /// for event in server.events() {
    ///     match event {
    ///         Event::Message(connection, _) => connection.terminate(), // the first is the last
    ///         Event::Close(_, close) => {
    ///             assert_eq!(close.code, CloseCode::ABNORMAL);
    ///             break;
    ///         }
    ///         _ => {}
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn terminate(&self) {
        self.0.account.dismiss();
        self.0.outbox.terminate();
        // Last: a reader that is let go finds the stream ended.
        // prevents: a dismissal wakes nobody
        self.0.account.wake();
    }

    /// A number that no other connection of this process has while a handle of this one lives.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// What was agreed on compression.
    pub(crate) fn compression(&self) -> Option<&Agreed> {
        self.0.opening.extension.as_ref()
    }

    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.0.outbox
    }

    pub(crate) fn account(&self) -> &Account {
        &self.0.account
    }
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Connection {}

/// A connection can be the key of a map; two handles of the same connection are the same key. The hash is that of its
/// id, which never changes: allow Clippy's `mutable_key_type` for such a map.
///
/// ```
/// use std::collections::HashMap;
/// use wshub::{Connection, Event, Server};
///
/// let server = Server::bind("127.0.0.1:0")?;
/// # server.handle().shutdown();
/// let mut scores: HashMap<Connection, u32> = HashMap::new();
/// for event in server.events() {
///     match event {
///         Event::Message(connection, _) => *scores.entry(connection).or_default() += 1,
///         Event::Close(connection, _) => drop(scores.remove(&connection)),
///         _ => {}
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
impl Hash for Connection {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.id())
            .field("peer_addr", &self.peer_addr())
            .field("ready_state", &self.ready_state())
            .finish_non_exhaustive()
    }
}
