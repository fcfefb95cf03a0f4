//! The protocol over a stream of the user's own, in either role, without a server.

pub(crate) mod accept;
#[cfg(feature = "client")]
mod keys;
mod reader;
mod retried;
mod shared;
mod sole;
mod split;
pub(crate) mod stream_error;
pub(crate) mod stream_io;
mod streams;
mod talk;
mod write_buffer;
mod writer;

use std::any::Any;
use std::fmt;
use std::io::{self, Read, Write};
use std::time::Instant;

use crate::connection::CloseEvent;
use crate::connection::conversation::Conversation;
use crate::connection::conversation_rules::ConversationRules;
use crate::connection::end::{End, StillToSend};
use crate::connection::opening::Opening;
use crate::connection::read_buffer::ReadBuffer;
use crate::error::{CloseError, Error, SendError, SendErrorKind};
use crate::http::Request;
use crate::limits::Limits;
use crate::message::Message;
use crate::protocol::Role;
use crate::protocol::close::CloseCode;

#[cfg(feature = "client")]
use keys::Keys;
pub use reader::WebSocketReader;
use sole::SoleWriter;
#[cfg(feature = "client")]
pub(crate) use split::split;
use stream_error::{io_kind, is_gone, must_wait};
use talk::Talk;
use write_buffer::{Masking, WriteBuffer};
pub use writer::WebSocketWriter;

/// What a client reads away at most while it waits for the server to close the stream.
const MAX_AFTER_CLOSE: usize = 64 << 10;

/// A WebSocket over a stream of your own, anything that reads and writes.
///
/// It has the role of the server ([`accept`](WebSocket::accept)) or of the client (`client`, with the feature of that
/// name).
///
/// It has no threads, and no deadlines but the stream's: a read blocks as long as the stream's read does. Give a socket
/// its timeouts before. If one runs out, or a non-blocking stream has nothing, [`read`](WebSocket::read) returns
/// [`Error::Io`] with [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut), nothing is
/// lost, and it may be called again. The rest of an unfinished write waits, and leaves first with the next call, so no
/// frame is torn. The waiting bytes are bounded: a message is only taken when everything before it has left.
///
/// It has no heartbeat either, because nothing would wait for the answer. If the peer may vanish without a word, use
/// timeouts and [`ping`](WebSocket::ping), or `split`, which has a heartbeat.
///
/// Dropping it drops the stream, without a closing handshake: the peer sees 1006. To close in order, call
/// [`close`](WebSocket::close), then [`read`](WebSocket::read) until `None`. If the peer has broken the protocol, or
/// still sends after its Close, dropping a socket resets it, and the peer may never see our last bytes:
/// [`LingeringStream`](crate::LingeringStream) around the socket waits for it, as a server does. This type cannot do so
/// itself, because a stream that only reads and writes cannot be ended in one direction.
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
    writer: SoleWriter<S>,
    limits: Limits,
    talk: Talk,
}

impl<S: Read + Write> WebSocket<S> {
    /// Blocks until the next message has come. `None`: the connection has ended, with or without a Close frame
    /// ([`close_event`](WebSocket::close_event) says how). While it waits it answers pings and the closing handshake.
    /// In the role of the client the end comes when the server has closed the stream too, as RFC 6455 7.1.1
    /// wants it; the stream's timeout ends that wait, at least when [`close_timeout`](Limits::close_timeout) has
    /// passed.
    ///
    /// The peer may have ended its direction right after its messages and still read. If the stream refuses a part of
    /// what was sent, `read` returns the stream's error until that has left, for at most `close_timeout`.
    ///
    /// # Errors
    /// [`Error::Io`] where the stream's read failed or timed out: nothing is lost, call again. Otherwise the connection
    /// had to be given up: the peer broke the protocol or a limit ([`Error::Protocol`], [`Error::AssemblyTimeout`]) and
    /// was told with a Close frame, as far as the stream took it ([`flush`](WebSocket::flush) tries again).
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
        while self.talk.ended.is_none() {
            if let Some(end) = self.talk.ending.take() {
                self.finish(end)?;
                continue;
            }
            let next = next(&mut self.talk.conversation, &mut self.writer.outgoing);
            // What is owed does not wait for the application. A stream that takes nothing now is asked
            // again, and one that failed says so when it is read.
            let _ = self.writer.write_out();
            match next {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => self.fill()?,
                Err(end) => self.end(end)?,
            }
        }
        Ok(None)
    }

    /// Sends a message. `Ok`: the message was taken. The stream has all of it, or, if its write timed out or would
    /// block, the rest waits here and leaves with the next call. [`buffered_amount`](WebSocket::buffered_amount) tells
    /// how much, [`flush`](WebSocket::flush) writes it. At most one message waits: while it does, `send` tries to write
    /// that one, and gives the new one back when it cannot.
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
    pub fn send_uncompressed(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.send_message(message.into(), false)
    }

    fn send_message(&mut self, message: Message, compress: bool) -> Result<(), SendError> {
        let sent = self.send_frame(|outgoing| outgoing.message(&message, compress));
        sent.map_err(|kind| SendError::new(kind, message))
    }

    /// Sends a ping (RFC 6455 5.5.2). The peer's pong is not shown. It arrives, so the stream's read timeout
    /// starts over.
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
        if self.talk.ended.is_some()
            || self.writer.outgoing.close_sent()
            || self.writer.failure.is_some()
        {
            return Err(SendErrorKind::Closed);
        }
        self.writer.write_out().map_err(io_kind)?;
        if !add(&mut self.writer.outgoing).map_err(io_kind)? {
            return Err(SendErrorKind::Closed);
        }
        match self.writer.write_out() {
            Err(error) if !must_wait(&error) => Err(io_kind(error)),
            _ => Ok(()),
        }
    }

    /// Starts the closing handshake (RFC 6455 7.1.2). Then call [`read`](WebSocket::read) until `None`: until
    /// the peer has answered, it still gives its messages. A reason of more than 123 bytes is cut at a character.
    ///
    /// # Errors
    /// [`CloseError::ReservedCode`] for a code that must not be sent, [`CloseError::Closed`] if the
    /// connection is closed or closing already, [`CloseError::Io`] if the stream failed.
    pub fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), CloseError> {
        let code = CloseError::unless_reserved(code.into())?;
        if self.talk.ended.is_some() || self.writer.failure.is_some() {
            return Err(CloseError::Closed);
        }
        let queued = self.writer.outgoing.close(Some(code), reason);
        if !queued.map_err(|error| CloseError::Io(error.kind()))? {
            return Err(CloseError::Closed);
        }
        match self.writer.write_out() {
            Err(error) if !must_wait(&error) => Err(CloseError::Io(error.kind())),
            _ => Ok(()),
        }
    }

    /// Writes what waits: the rest of a message, a pong, a Close frame. It is needed only if the stream's write times
    /// out or is non-blocking.
    ///
    /// # Errors
    /// The stream's; what is left goes on waiting.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.write_out()
    }

    fn fill(&mut self) -> Result<(), Error> {
        // Where the peer is gone, reading shows whether it said so before.
        if let Some(error) = self.writer.failure.take_if(|error| !is_gone(error)) {
            return self.end(End::Failed(error.into()));
        }
        let due = self
            .talk
            .conversation
            .before_read(Instant::now(), &mut self.writer.outgoing);
        if let Err(end) = due {
            return self.end(end);
        }
        let read = self.writer.stream.read(self.talk.conversation.room());
        self.talk.conversation.filled(&read, None, Instant::now());
        match read {
            Ok(0) => self.end(End::HalfClosed),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) if is_gone(&error) => self.end(End::of_read(&error)),
            Err(error) => {
                self.talk.conversation.trim();
                Err(error.into())
            }
        }
    }

    /// Says what the end asks for. A peer that may still read is waited for, one that is given up is not.
    fn end(&mut self, end: End) -> Result<(), Error> {
        if let StillToSend::Close(code, reason) = end.still_to_send() {
            // The caller gets the end itself, whether or not the peer can be told.
            let told = self.writer.outgoing.close(code, &reason);
            let _ = told.and_then(|_| self.writer.write_out());
        }
        match end {
            End::Closed(..) => self.talk.ending = Some(end),
            End::HalfClosed => {
                self.writer.end_soon();
                self.talk.ending = Some(end);
            }
            end => return self.talk.conclude(end, false),
        }
        Ok(())
    }

    /// What the peer is owed leaves, its answers or our Close, and after that a client waits for the
    /// server to close the stream (RFC 6455 7.1.1).
    fn finish(&mut self, end: End) -> Result<(), Error> {
        let told = match self.writer.write_out() {
            Ok(()) => self.writer.failure.is_none(),
            Err(error) if must_wait(&error) && !self.writer.is_close_overdue() => {
                self.talk.ending = Some(end);
                return Err(error.into());
            }
            Err(_) => false,
        };
        if told && self.talk.role == Role::Client && matches!(end, End::Closed(..)) {
            self.wait_for_end();
        }
        self.talk.conclude(end, told)
    }

    fn wait_for_end(&mut self) {
        let mut buffer = [0; 1024];
        let mut seen = 0;
        while seen < MAX_AFTER_CLOSE && !self.writer.is_close_overdue() {
            match self.writer.stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(read) => seen += read.min(buffer.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
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
        let now = Instant::now();
        // Without deadlines no read would wait for the answer to a ping.
        let rules = ConversationRules::new(&limits, None, now);
        let conversation = Conversation::new(role, &limits, rules, buffer, extension, now);
        WebSocket {
            writer: SoleWriter::new(stream, WriteBuffer::new(masking, &limits, packing), &limits),
            limits,
            talk: Talk::new(role, opening, conversation),
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

    /// The request that opened the connection: received as the server, sent as the client.
    pub fn request(&self) -> &Request {
        &self.talk.opening.request
    }

    /// What the accept hook has kept with the connection
    /// ([`Accept::with_data`](crate::Accept::with_data)); `None` if it kept nothing, or a value of another type.
    pub fn data<T: Any>(&self) -> Option<&T> {
        self.talk.opening.data.get()
    }

    /// The subprotocol that was chosen (RFC 6455 1.9), if any.
    pub fn protocol(&self) -> Option<&str> {
        self.talk.opening.protocol()
    }

    /// The extensions in use (RFC 6455 9): the parameters of compression, or nothing.
    pub fn extensions(&self) -> &str {
        self.talk.opening.extensions()
    }

    /// How the connection ended, once [`read`](WebSocket::read) has returned `None` or an error that
    /// is not the stream's.
    pub fn close_event(&self) -> Option<&CloseEvent> {
        self.talk.ended.as_ref()
    }

    /// Bytes of frames that were taken and not written to the stream yet.
    pub fn buffered_amount(&self) -> usize {
        self.writer.outgoing.waiting()
    }

    /// The stream, for example to set its timeouts.
    pub fn get_ref(&self) -> &S {
        &self.writer.stream
    }

    /// The stream. Reading from it or writing to it breaks the WebSocket.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.writer.stream
    }

    /// The stream, for example after the end. What was read from it already, and what waits to be written, is lost.
    pub fn into_inner(self) -> S {
        self.writer.stream
    }
}

impl<S> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.talk.show("WebSocket", f)
    }
}
