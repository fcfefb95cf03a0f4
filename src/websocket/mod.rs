//! The protocol over a stream of the user's own, in either role, without a server.

mod accept;
#[cfg(feature = "client")]
mod keys;
mod shared;
mod split;
mod streams;
mod write_buffer;

use std::any::Any;
use std::fmt;
use std::io::{self, Read, Write};
use std::time::Instant;

use crate::connection::CloseEvent;
use crate::connection::conversation::{Answers, Conversation};
use crate::connection::end::{End, Farewell};
use crate::connection::opening::Opening;
use crate::connection::read_buffer::ReadBuffer;
use crate::error::{CloseError, Error, HandshakeError, SendError, SendErrorKind};
use crate::http::Request;
use crate::limits::Limits;
use crate::message::Message;
use crate::patience::renewed;
use crate::protocol::Role;
use crate::protocol::close::CloseCode;
use crate::server::Server;
use crate::transport::{Guarded, Transport};

#[cfg(feature = "client")]
pub(crate) use accept::{fill, write_all};
#[cfg(feature = "client")]
use keys::Keys;
#[cfg(feature = "client")]
pub(crate) use split::split;
pub use split::{WebSocketReader, WebSocketWriter};
use write_buffer::{Masking, WriteBuffer};

/// What a client reads away at most while it waits for the server to close the stream.
const MAX_AFTER_CLOSE: usize = 64 << 10;

/// A WebSocket over a stream of your own: anything that reads and writes, in the role of the server
/// ([`accept`](WebSocket::accept)) or of the client (`client`, with the feature of that name).
///
/// There are no threads here and no deadlines but the stream's: a read blocks as long as the
/// stream's read does. Give a socket its timeouts before. Where one runs out, or a non-blocking
/// stream has nothing, [`read`](WebSocket::read) returns [`Error::Io`] with
/// [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut), nothing is
/// lost, and it may be called again. What a write could not finish waits, and leaves first with the
/// next call: a frame is never torn. The waiting bytes are bounded: a message is only taken when
/// everything before it has left.
///
/// There is no heartbeat either, because nothing would wait for its answer. If the peer may vanish without a word, use
/// timeouts and [`ping`](WebSocket::ping), or `split`, which has a heartbeat.
///
/// Dropping it drops the stream, without a closing handshake: the peer sees 1006. To part in
/// order, [`close`](WebSocket::close), then [`read`](WebSocket::read) until `None`. Where the peer has
/// broken the protocol, or still sends behind its Close, dropping a socket resets it, and the peer may
/// never see our last bytes: [`LingeringStream`](crate::LingeringStream) around the socket waits for it,
/// as a server does. A stream that only reads and writes cannot be ended in one direction, so that is
/// not done here.
///
/// ```
/// use std::io::Write;
/// use std::thread;
/// use wshub::{WebSocket, testing};
///
/// let (ours, theirs) = testing::duplex();
/// let peer = thread::spawn(move || {
///     let mut peer = testing::Client::open(theirs, "/").unwrap();
///     peer.send_text("hello").unwrap();
///     peer.read_message().unwrap()
/// });
/// let mut ws = WebSocket::accept(ours)?;
/// if let Some(message) = ws.read()? {
///     ws.send(message)?;
/// }
/// assert_eq!(peer.join().unwrap(), Some("hello".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [forms](crate::guide::forms).
pub struct WebSocket<S> {
    stream: S,
    role: Role,
    limits: Limits,
    opening: Opening,
    conversation: Conversation,
    outgoing: WriteBuffer,
    /// What was written has to be flushed yet.
    unflushed: bool,
    /// The stream took no more, for good: reading shows how the connection ended.
    write_failure: Option<io::Error>,
    /// How the peer ended, while what it is owed has not left.
    ending: Option<End>,
    /// Until when that may leave to a peer that has ended its direction without a Close.
    answer_by: Option<Instant>,
    ended: Option<CloseEvent>,
}

impl<S: Read + Write> WebSocket<S> {
    /// Opens a WebSocket as the server, over a stream from which a client's opening handshake comes,
    /// with the default [`Limits`] and rules: only pages of this host may connect, and programs that
    /// send no Origin. For other ones, subprotocols and the `accept` hook:
    /// [`ServerBuilder::websocket`](crate::ServerBuilder::websocket).
    ///
    /// Blocks as long as the stream does; see [`WebSocket`] for timeouts.
    /// [`handshake_timeout`](Limits::handshake_timeout) is looked at between reads, so that a client
    /// that writes byte by byte does not hold on for longer. To keep the stream after a failure,
    /// pass `&mut stream`.
    ///
    /// Source: RFC 6455 section 4.2.
    ///
    /// ```no_run
    /// use std::net::TcpListener;
    /// use std::time::Duration;
    /// use wshub::WebSocket;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:9001")?;
    /// let (stream, _) = listener.accept()?;
    /// stream.set_nodelay(true)?;
    /// stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    /// stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    /// let mut ws = WebSocket::accept(stream)?;
    /// while let Some(message) = ws.read()? {
    ///     ws.send(message)?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`HandshakeError`]: the client was refused, and has been told why; or the stream failed.
    pub fn accept(stream: S) -> Result<Self, HandshakeError> {
        Server::builder().websocket(stream)
    }

    /// Blocks until the next message is there; `None` when the connection has ended, also without
    /// a Close frame ([`close_event`](WebSocket::close_event) says how). Pings and the closing
    /// handshake are answered meanwhile. In the role of the client the end comes when the server has
    /// closed the stream too, as RFC 6455 section 7.1.1 wants it; the stream's timeout ends that
    /// wait, at least when [`close_timeout`](Limits::close_timeout) has passed.
    ///
    /// The peer may have ended its direction right behind its messages and still read: where the
    /// stream refuses a part of what was sent to it, `read` returns the stream's error until that has
    /// left, at most for `close_timeout`.
    ///
    /// # Errors
    /// [`Error::Io`] where the stream's read failed or timed out: nothing is lost, call again.
    /// Otherwise the connection had to be given up: the peer broke the protocol or a limit
    /// ([`Error::Protocol`], [`Error::AssemblyTimeout`]) and was told with a Close frame, as far as
    /// the stream took it ([`flush`](WebSocket::flush) tries again).
    pub fn read(&mut self) -> Result<Option<Message>, Error> {
        self.read_with(|conversation, answers| {
            conversation.next(answers, |message| message.to_message())
        })
    }

    /// Reads until `next` finds what it looks for.
    fn read_with<T>(
        &mut self,
        mut next: impl FnMut(&mut Conversation, &mut WriteBuffer) -> Result<Option<T>, End>,
    ) -> Result<Option<T>, Error> {
        while self.ended.is_none() {
            if let Some(end) = self.ending.take() {
                self.finish(end)?;
                continue;
            }
            let next = next(&mut self.conversation, &mut self.outgoing);
            // What is owed does not wait for the application. A stream that takes nothing now is asked
            // again, and one that failed says so when it is read.
            let _ = self.write_out();
            match next {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => self.fill()?,
                Err(end) => self.end(end)?,
            }
        }
        Ok(None)
    }

    /// Sends a message. `Ok` says that it was taken: that the stream has all of it, or, where its
    /// write timed out or would block, that the rest waits here and leaves with the next call.
    /// [`buffered_amount`](WebSocket::buffered_amount) tells how much, [`flush`](WebSocket::flush)
    /// writes it. At most one message waits: while it does, `send` tries to write that one, and gives
    /// the new one back when it cannot.
    ///
    /// # Errors
    /// The message is given back: [`SendErrorKind::Closed`] when the connection is closed or closing,
    /// [`SendErrorKind::Io`] when the stream failed, or the message before this one still waits.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.send_message(message.into(), true)
    }

    /// As [`send`](WebSocket::send), for a message that must not be compressed; see
    /// [`Connection::send_uncompressed`](crate::Connection::send_uncompressed).
    ///
    /// # Errors
    /// As [`send`](WebSocket::send).
    #[cfg(feature = "deflate")]
    pub fn send_uncompressed(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.send_message(message.into(), false)
    }

    fn send_message(&mut self, message: Message, compress: bool) -> Result<(), SendError> {
        let sent = self.send_frame(|outgoing| outgoing.message(&message, compress));
        sent.map_err(|kind| SendError::new(kind, message))
    }

    /// Sends a ping (RFC 6455 section 5.5.2). The peer's pong is not shown, but it is a sign of life
    /// that ends a wait of the stream's read.
    ///
    /// # Errors
    /// As [`send`](WebSocket::send).
    pub fn ping(&mut self) -> Result<(), SendErrorKind> {
        self.send_frame(WriteBuffer::ping)
    }

    fn send_frame(
        &mut self,
        add: impl FnOnce(&mut WriteBuffer) -> io::Result<bool>,
    ) -> Result<(), SendErrorKind> {
        if self.ended.is_some() || self.outgoing.close_sent() || self.write_failure.is_some() {
            return Err(SendErrorKind::Closed);
        }
        self.write_out().map_err(io_kind)?;
        if !add(&mut self.outgoing).map_err(io_kind)? {
            return Err(SendErrorKind::Closed);
        }
        match self.write_out() {
            Err(error) if !must_wait(&error) => Err(io_kind(error)),
            _ => Ok(()),
        }
    }

    /// Starts the closing handshake (RFC 6455 section 7.1.2); then [`read`](WebSocket::read) until
    /// `None` to see it through: until the peer has answered it still gives its messages. A reason of
    /// more than 123 bytes is cut at a character.
    ///
    /// # Errors
    /// [`CloseError::ReservedCode`] for a code that must not be sent, [`CloseError::Closed`] if the
    /// connection is closed or closing already, [`CloseError::Io`] if the stream failed.
    pub fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), CloseError> {
        let code = CloseError::unless_reserved(code.into())?;
        if self.ended.is_some() || self.write_failure.is_some() {
            return Err(CloseError::Closed);
        }
        let queued = self.outgoing.close(Some(code), reason);
        if !queued.map_err(|error| CloseError::Io(error.kind()))? {
            return Err(CloseError::Closed);
        }
        match self.write_out() {
            Err(error) if !must_wait(&error) => Err(CloseError::Io(error.kind())),
            _ => Ok(()),
        }
    }

    /// Writes what waits: the rest of a message, a pong, a Close frame. Only needed where the
    /// stream's write times out or is non-blocking.
    ///
    /// # Errors
    /// The stream's; what is left waits on.
    pub fn flush(&mut self) -> io::Result<()> {
        self.write_out()
    }

    fn fill(&mut self) -> Result<(), Error> {
        // Where the peer is gone, reading shows whether it said so before.
        if let Some(error) = self.write_failure.take_if(|error| !is_gone(error)) {
            return self.end(End::Failed(error.into()));
        }
        let due = self
            .conversation
            .before_read(Instant::now(), &mut self.outgoing);
        if let Err(end) = due {
            return self.end(end);
        }
        let read = self.stream.read(self.conversation.room());
        self.conversation.filled(&read, None, Instant::now());
        match read {
            Ok(0) => self.end(End::HalfClosed),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) if is_gone(&error) => self.end(End::of_read(&error)),
            Err(error) => {
                self.conversation.trim();
                Err(error.into())
            }
        }
    }

    /// Says what the end asks for. A peer that may still read is waited for, one that is given up is not.
    fn end(&mut self, end: End) -> Result<(), Error> {
        if let Farewell::Close(code, reason) = end.farewell() {
            // The caller gets the end itself, whether or not the peer can be told.
            let told = self.outgoing.close(code, &reason);
            let _ = told.and_then(|_| self.write_out());
        }
        match end {
            End::Closed(..) => self.ending = Some(end),
            End::HalfClosed => {
                self.answer_by = Instant::now().checked_add(self.limits.close_timeout);
                self.ending = Some(end);
            }
            end => return self.conclude(end, false),
        }
        Ok(())
    }

    /// What the peer is owed leaves, its answers or our Close, and after that a client waits for the
    /// server to close the stream (RFC 6455 section 7.1.1).
    fn finish(&mut self, end: End) -> Result<(), Error> {
        let told = match self.write_out() {
            Ok(()) => self.write_failure.is_none(),
            Err(error) if must_wait(&error) && !self.is_close_overdue() => {
                self.ending = Some(end);
                return Err(error.into());
            }
            Err(_) => false,
        };
        if told && self.role == Role::Client && matches!(end, End::Closed(..)) {
            self.wait_for_end();
        }
        self.conclude(end, told)
    }

    fn conclude(&mut self, end: End, told: bool) -> Result<(), Error> {
        let (error, close) = end.outcome(told);
        self.ended = Some(close);
        error.map_or(Ok(()), Err)
    }

    fn wait_for_end(&mut self) {
        let mut buffer = [0; 1024];
        let mut seen = 0;
        while seen < MAX_AFTER_CLOSE && !self.is_close_overdue() {
            match self.stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(read) => seen += read.min(buffer.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn is_close_overdue(&self) -> bool {
        let deadline = self.outgoing.close_by().or(self.answer_by);
        deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Writes all that waits, and flushes the stream.
    fn write_out(&mut self) -> io::Result<()> {
        if !self.outgoing.is_empty() {
            self.unflushed = true;
            let waited = self.outgoing.waiting();
            let written = self.outgoing.write(|bytes| self.stream.write(bytes));
            self.note_progress(waited.saturating_sub(self.outgoing.waiting()));
            written.map_err(|error| self.note_failure(error))?;
        }
        while self.unflushed {
            match self.stream.flush() {
                Ok(()) => self.unflushed = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.note_failure(error)),
            }
        }
        Ok(())
    }

    /// A peer that has sent its last byte gets more time while it takes what is sent to it.
    fn note_progress(&mut self, written: usize) {
        let by = self.answer_by;
        self.answer_by = by.map(|by| renewed(by, self.limits.closing(), written, Instant::now()));
    }

    /// An error after which nothing can be written any more ends the sending half.
    fn note_failure(&mut self, error: io::Error) -> io::Error {
        if !must_wait(&error) {
            self.outgoing.discard();
            self.unflushed = false;
            self.write_failure = Some(error.kind().into());
        }
        error
    }
}

impl<S: Transport> WebSocket<S> {
    /// Two halves for two threads: one reads, one sends, and neither waits for the other. Pings are
    /// answered by whichever of them can write; the reader keeps the heartbeat
    /// ([`ping_interval`](Limits::ping_interval), [`pong_timeout`](Limits::pong_timeout)) and the
    /// other deadlines of [`Limits`], whatever timeouts the stream had. Never blocks.
    ///
    /// ```
    /// use std::thread;
    /// use wshub::{WebSocket, testing};
    ///
    /// let (ours, theirs) = testing::duplex();
    /// let peer = thread::spawn(move || {
    ///     let mut peer = testing::Client::open(theirs, "/").unwrap();
    ///     let greeting = peer.read_message().unwrap();
    ///     peer.close(1000, "bye").unwrap();
    ///     greeting
    /// });
    /// let (mut reader, mut writer) = WebSocket::accept(ours)?.split();
    /// let sending = thread::spawn(move || writer.send("hello"));
    /// assert_eq!(reader.read()?, None);
    /// assert_eq!(reader.close_event().unwrap().reason, "bye");
    /// sending.join().unwrap()?;
    /// assert_eq!(peer.join().unwrap(), Some("hello".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn split(self) -> (WebSocketReader, WebSocketWriter) {
        split::split(self, |stream| Box::new(Guarded::new(stream)))
    }
}

impl<S> WebSocket<S> {
    fn new(
        stream: S,
        role: Role,
        masking: Masking,
        limits: Limits,
        buffer: ReadBuffer,
        opening: Opening,
    ) -> Self {
        let extension = opening.extension.as_ref();
        let packing = extension.and_then(|agreed| agreed.packing(role.own_compression(agreed)));
        WebSocket {
            stream,
            role,
            // Without deadlines no read would wait for the answer to a ping.
            conversation: Conversation::new(role, &limits, None, buffer, extension, Instant::now()),
            outgoing: WriteBuffer::new(masking, &limits, packing),
            limits,
            opening,
            unflushed: false,
            write_failure: None,
            ending: None,
            answer_by: None,
            ended: None,
        }
    }

    /// In the role of the client.
    #[cfg(feature = "client")]
    pub(crate) fn as_client(
        stream: S,
        limits: Limits,
        buffer: ReadBuffer,
        opening: Opening,
    ) -> Self {
        let keys = Box::new(Keys::new(keys::from_system));
        WebSocket::new(
            stream,
            Role::Client,
            Masking::Keys(keys),
            limits,
            buffer,
            opening,
        )
    }

    /// The request that opened the connection: the client's, or in the role of the client our own.
    pub fn request(&self) -> &Request {
        &self.opening.request
    }

    /// What the accept hook has kept with the connection
    /// ([`Accept::with_data`](crate::Accept::with_data)); `None` if it kept nothing, or a value of another type.
    pub fn data<T: Any>(&self) -> Option<&T> {
        self.opening.data.get()
    }

    /// The subprotocol that was chosen (RFC 6455 section 1.9), if any.
    pub fn protocol(&self) -> Option<&str> {
        self.opening.protocol.as_deref()
    }

    /// The extensions in use (RFC 6455 section 9): what was agreed on compression, or nothing.
    pub fn extensions(&self) -> &str {
        self.opening.extensions()
    }

    /// How the connection ended, once [`read`](WebSocket::read) has returned `None` or an error that
    /// is not the stream's.
    pub fn close_event(&self) -> Option<&CloseEvent> {
        self.ended.as_ref()
    }

    /// Bytes of frames that were taken and that the stream has not got yet.
    pub fn buffered_amount(&self) -> usize {
        self.outgoing.waiting()
    }

    /// The stream, to set its timeouts for one.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream. Reading from it or writing to it breaks the WebSocket.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream, after the end for one. What was read from it already, and what waits to be
    /// written, is lost.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("role", &self.role)
            .field("request", &self.opening.request)
            .field("protocol", &self.opening.protocol)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// The stream can do nothing now, and may later.
pub(crate) fn must_wait(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// The peer went away without a Close frame: an end, not a failure of the stream.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof
    )
}

fn io_kind(error: io::Error) -> SendErrorKind {
    SendErrorKind::Io(error.kind())
}
