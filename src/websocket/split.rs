//! The two halves of a WebSocket, for two threads.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::WebSocket;
use super::shared::{Sending, SharedWriter, WriteAttempt, stream_failure};
use super::write_buffer::WriteBuffer;
use crate::connection::CloseEvent;
use crate::connection::conversation::{Answers, Conversation};
use crate::connection::end::{End, Farewell, Parting};
use crate::connection::opening::Opening;
use crate::error::{CloseError, Error, SendError, SendErrorKind};
use crate::http::Request;
use crate::message::Message;
use crate::protocol::Role;
use crate::protocol::close::CloseCode;
use crate::transport::{self, How, LINGER, Transport};

/// The pauses between tries to write what the reader owes and the stream refuses, doubled up to the
/// last; after `write_timeout` the peer is given up.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);

pub(crate) fn split<S>(
    ws: WebSocket<S>,
    boxed: impl FnOnce(S) -> Box<dyn Transport>,
) -> (WebSocketReader, WebSocketWriter) {
    let WebSocket {
        stream,
        role,
        limits,
        opening,
        mut conversation,
        outgoing,
        write_failure,
        ending,
        ended,
        ..
    } = ws;
    conversation.start_heartbeat(limits.ping_interval);
    let shared = Arc::new(SharedWriter::new(boxed(stream), &limits, outgoing));
    if let Some(error) = write_failure {
        shared.fail(stream_failure(error.kind()), None);
    }
    if ended.is_some() {
        shared.fail(SendErrorKind::Closed, None);
    }
    let reader = WebSocketReader {
        shared: shared.clone(),
        role,
        opening,
        conversation,
        refused: None,
        ending,
        ended,
    };
    (reader, WebSocketWriter { shared })
}

/// The half of a [`WebSocket`] that reads, made by [`WebSocket::split`].
///
/// It answers pings and closes, and keeps the heartbeat: the connection lives as long as this half is
/// in [`read`](WebSocketReader::read). Dropped, it leaves the writer to send to a peer that nobody
/// listens to; when both halves are dropped the stream is.
///
/// ```
/// use std::thread;
/// use wshub::{WebSocket, testing};
///
/// let (ours, theirs) = testing::duplex();
/// let server = thread::spawn(move || {
///     let (mut reader, mut writer) = WebSocket::accept(ours).unwrap().split();
///     let greeter = thread::spawn(move || writer.send("hello"));
///     let read = reader.read().unwrap();
///     greeter.join().unwrap().unwrap();
///     read
/// });
/// let mut client = testing::Client::open(theirs, "/")?;
/// client.send_text("hi")?;
/// assert_eq!(client.read_message()?, Some("hello".into()));
/// assert_eq!(server.join().unwrap(), Some("hi".into()));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [forms](crate::guide::forms).
pub struct WebSocketReader {
    shared: Arc<SharedWriter>,
    role: Role,
    opening: Opening,
    pub(super) conversation: Conversation,
    /// What is owed was refused by the stream.
    refused: Option<Refusing>,
    /// How the peer ended, and the next read does what that asks for.
    ending: Option<End>,
    ended: Option<CloseEvent>,
}

/// Since when the stream refuses, and until when nothing is tried.
struct Refusing {
    since: Instant,
    pause: Duration,
}

/// The half of a [`WebSocket`] that sends, made by [`WebSocket::split`].
///
/// Clones of it send over the same connection, from any number of threads: one message at a time, each
/// whole. Dropping it closes nothing: the reader reads on, and answers pings.
///
/// ```
/// use wshub::{WebSocketReader, WebSocketWriter};
///
/// /// Two threads that answer over one connection: each message goes out whole.
/// fn share(mut reader: WebSocketReader, writer: WebSocketWriter) {
///     let mut clock = writer.clone();
///     std::thread::spawn(move || clock.send("tick"));
///     let mut answers = writer;
///     while let Ok(Some(message)) = reader.read() {
///         if answers.send(message).is_err() {
///             break;
///         }
///     }
/// }
/// ```
///
/// The guide: [forms](crate::guide::forms).
#[derive(Clone)]
pub struct WebSocketWriter {
    pub(super) shared: Arc<SharedWriter>,
}

impl WebSocketReader {
    /// Blocks until the next message is there; `None` when the connection has ended, also without
    /// a Close frame ([`close_event`](WebSocketReader::close_event) says how). Pings and the closing
    /// handshake are answered meanwhile, and a silent peer is pinged, and given up after
    /// [`pong_timeout`](crate::Limits::pong_timeout). A writer that waits for a slow peer is not
    /// waited for, but at the end, for at most [`close_timeout`](crate::Limits::close_timeout), and
    /// longer while the peer takes what is sent.
    /// Afterwards the stream is closed, by the server first (RFC 6455 section 7.1.1). A client that ends
    /// its direction of the stream without a Close frame may still read: this half ends with 1006, and
    /// the writer may answer for [`close_timeout`](crate::Limits::close_timeout) more.
    ///
    /// # Errors
    /// [`Error`] when the connection had to be given up: the peer broke the protocol or a limit, did
    /// not read, or vanished. It has been told already, as far as it could be.
    pub fn read(&mut self) -> Result<Option<Message>, Error> {
        self.read_until(None)
    }

    /// As [`read`](WebSocketReader::read), for so long at most (and a little; at least a millisecond):
    /// for a program with a loop of its own. Time between two calls counts neither for nor against
    /// the peer: the heartbeat goes on only while one is under way.
    ///
    /// # Errors
    /// [`Error::Io`] with [`TimedOut`](io::ErrorKind::TimedOut) when nothing came: nothing is lost,
    /// call again. Otherwise as [`read`](WebSocketReader::read).
    pub fn read_timeout(&mut self, timeout: Duration) -> Result<Option<Message>, Error> {
        const SHORTEST: Duration = Duration::from_millis(1);
        let now = self.shared.transport.now();
        self.read_until(now.checked_add(timeout.max(SHORTEST)))
    }

    fn read_until(&mut self, until: Option<Instant>) -> Result<Option<Message>, Error> {
        self.read_with(until, |conversation, answers| {
            conversation.next(answers, |message| message.to_message())
        })
    }

    /// Reads until `next` finds what it looks for.
    pub(super) fn read_with<T>(
        &mut self,
        until: Option<Instant>,
        mut next: impl FnMut(&mut Conversation, &mut ToShared<'_>) -> Result<Option<T>, End>,
    ) -> Result<Option<T>, Error> {
        while self.ended.is_none() {
            let read = match self.look_for(&mut next) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) if until.is_some_and(|until| until <= self.shared.transport.now()) => {
                    return Err(io::Error::from(io::ErrorKind::TimedOut).into());
                }
                Ok(None) => self.fill(until),
                Err(end) => Err(end),
            };
            if let Err(end) = read {
                self.finish(end)?;
            }
        }
        Ok(None)
    }

    /// Looks for it in the buffer.
    fn look_for<T>(
        &mut self,
        next: impl FnOnce(&mut Conversation, &mut ToShared<'_>) -> Result<Option<T>, End>,
    ) -> Result<Option<T>, End> {
        if self.shared.is_terminated() {
            return Err(End::Lost);
        }
        if let Some(end) = self.ending.take() {
            return Err(end);
        }
        let (conversation, mut answers) = self.talk();
        next(conversation, &mut answers)
    }

    fn talk(&mut self) -> (&mut Conversation, ToShared<'_>) {
        let answers = ToShared {
            shared: &self.shared,
            refused: &mut self.refused,
        };
        (&mut self.conversation, answers)
    }

    /// How the connection ended, once [`read`](WebSocketReader::read) has returned `None` or an error.
    pub fn close_event(&self) -> Option<&CloseEvent> {
        self.ended.as_ref()
    }

    /// The request that opened the connection: the client's, or in the role of the client our own.
    pub fn request(&self) -> &Request {
        &self.opening.request
    }

    /// What the accept hook has kept with the connection; see [`WebSocket::data`].
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

    /// One read, until a deadline or `until` at most. Nothing else wakes it, so that it wakes once per `close_timeout`:
    /// a Close that the writer sends meanwhile is seen in time.
    fn fill(&mut self, until: Option<Instant>) -> Result<(), End> {
        let now = self.shared.transport.now();
        let (conversation, mut answers) = self.talk();
        answers.retry()?;
        let due = conversation.before_read(now, &mut answers)?;
        let again = answers.retry_at(now);
        let look = now.checked_add(self.shared.closing.patience);
        let deadline = [due, again, look, until].into_iter().flatten().min();
        let room = self.conversation.room();
        let read = transport::read(&*self.shared.transport, room, deadline);
        self.conversation
            .filled(&read, deadline, self.shared.transport.now());
        match read {
            Ok(0) => Err(End::HalfClosed),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                self.conversation.trim();
                Ok(())
            }
            Err(error) => Err(End::of_read(&error)),
        }
    }

    /// Does what the end asks for: what is to be said leaves, then the stream is closed.
    fn finish(&mut self, end: End) -> Result<(), Error> {
        let end = match (end, self.shared.failure()) {
            (End::HalfClosed | End::Lost, Some(SendErrorKind::SlowConsumer)) => {
                End::Failed(Error::SlowConsumer)
            }
            // A client that has ended its direction may still read: it gets what the writer sends for a while. A server
            // that has ended its direction reads no more.
            (End::HalfClosed, None) if self.role == Role::Server => {
                self.shared.end_soon();
                self.ended = Some(CloseEvent::abnormal());
                return Ok(());
            }
            (end, _) => end,
        };
        let told = match end.farewell() {
            Farewell::Close(code, reason) => {
                self.shared.owe(|owed| owed.close = Some((code, reason)));
                self.shared.drain()
            }
            Farewell::Answers | Farewell::Nothing => false,
        };
        let transport = &*self.shared.transport;
        let parting = end.parting(told);
        match (parting, self.role) {
            (Parting::Cut | Parting::Reset, _) => {}
            // The server closes the stream first (RFC 6455 section 7.1.1).
            (Parting::Linger, Role::Client) if matches!(end, End::Closed(..)) => {
                let deadline = transport.now() + self.shared.closing.patience;
                transport::read_away(transport, deadline);
            }
            (Parting::Linger, _) => transport::linger(transport, transport.now() + LINGER),
        }
        let how = match parting {
            Parting::Reset => How::Reset,
            Parting::Linger | Parting::Cut => How::Both,
        };
        self.shared.fail(SendErrorKind::Closed, Some(how));
        let (error, close) = end.outcome(told);
        self.ended = Some(close);
        error.map_or(Ok(()), Err)
    }
}

/// Answers go to the write side that both halves share.
pub(super) struct ToShared<'a> {
    shared: &'a SharedWriter,
    refused: &'a mut Option<Refusing>,
}

impl Answers for ToShared<'_> {
    fn pong(&mut self, payload: &[u8]) -> Result<(), End> {
        let tried = self.shared.owe(|owed| owed.pong = Some(payload.to_vec()));
        self.note(tried)
    }

    fn ping(&mut self) -> Result<(), End> {
        let tried = self.shared.owe(|owed| owed.ping = true);
        self.note(tried)
    }

    fn taken_at(&self) -> Option<Instant> {
        self.shared.taken_at()
    }

    fn close_by(&self) -> Option<Instant> {
        self.shared.close_by()
    }
}

impl ToShared<'_> {
    /// Offers again what the stream refused.
    fn retry(&mut self) -> Result<(), End> {
        match self.refused {
            Some(_) => {
                let tried = self.shared.retry();
                self.note(tried)
            }
            None => Ok(()),
        }
    }

    fn retry_at(&self, now: Instant) -> Option<Instant> {
        let refusing = self.refused.as_ref()?;
        now.checked_add(refusing.pause)
    }

    /// Remembers since when the stream refuses what is owed, and gives a peer up that takes nothing
    /// for too long.
    fn note(&mut self, tried: WriteAttempt) -> Result<(), End> {
        let now = self.shared.transport.now();
        match (tried, &mut self.refused) {
            (WriteAttempt::Done, refused) => **refused = None,
            (WriteAttempt::Stuck, Some(refusing)) => {
                if now.saturating_duration_since(refusing.since) > self.shared.writing.patience {
                    return Err(End::Failed(Error::SlowConsumer));
                }
                refusing.pause = (refusing.pause * 2).min(LAST_PAUSE);
            }
            (WriteAttempt::Stuck, refused) => {
                **refused = Some(Refusing {
                    since: now,
                    pause: FIRST_PAUSE,
                });
            }
        }
        Ok(())
    }
}

impl WebSocketWriter {
    /// Sends a message and waits until the system has taken it, at most
    /// [`write_timeout`](crate::Limits::write_timeout), and longer while the peer reads faster than
    /// [`min_rate`](crate::Limits::min_rate); one that reads too slowly is given up: the connection ends here and for
    /// the reader.
    ///
    /// # Errors
    /// The message is given back: [`SendErrorKind::Closed`] when the connection has ended or is
    /// closing, [`SendErrorKind::SlowConsumer`] when the peer did not read,
    /// [`SendErrorKind::Io`] when the stream failed otherwise; [`SendErrorKind::Full`] when a clone was amid a
    /// [stream](WebSocketWriter::send_stream) for all that time.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.send_message(message.into(), true)
    }

    /// As [`send`](WebSocketWriter::send), for a message that must not be compressed; see
    /// [`Connection::send_uncompressed`](crate::Connection::send_uncompressed).
    ///
    /// # Errors
    /// As [`send`](WebSocketWriter::send).
    #[cfg(feature = "deflate")]
    pub fn send_uncompressed(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.send_message(message.into(), false)
    }

    fn send_message(&mut self, message: Message, compress: bool) -> Result<(), SendError> {
        let sent = self.shared.send(Sending::Message, |outgoing| {
            outgoing.message(&message, compress)
        });
        sent.map_err(|kind| SendError::new(kind, message))
    }

    /// Sends a ping now (RFC 6455 section 5.5.2); the reader does so by itself after
    /// [`ping_interval`](crate::Limits::ping_interval) of silence.
    ///
    /// # Errors
    /// As [`send`](WebSocketWriter::send).
    pub fn ping(&mut self) -> Result<(), SendErrorKind> {
        self.shared.send(Sending::Control, WriteBuffer::ping)
    }

    /// Starts the closing handshake (RFC 6455 section 7.1.2): sends the Close frame, waiting as
    /// [`send`](WebSocketWriter::send) does. The reader sees it through, until its `read` returns
    /// `None`: when the peer has answered, at least after
    /// [`close_timeout`](crate::Limits::close_timeout). Until then the reader still gives the peer's
    /// messages. A reason of more than 123 bytes is cut at a character.
    ///
    /// # Errors
    /// [`CloseError::ReservedCode`] for a code that must not be sent, [`CloseError::Closed`] if the
    /// connection is closed or closing already, [`CloseError::Io`] if the stream failed.
    pub fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), CloseError> {
        let code = CloseError::unless_reserved(code.into())?;
        let sent = self.shared.send(Sending::Control, |outgoing| {
            outgoing.close(Some(code), reason)
        });
        sent.map_err(|kind| match kind {
            SendErrorKind::SlowConsumer => CloseError::Io(io::ErrorKind::TimedOut),
            SendErrorKind::Io(kind) => CloseError::Io(kind),
            SendErrorKind::Closed | SendErrorKind::Full => CloseError::Closed,
        })
    }

    /// Ends the connection at once, for abuse: nothing more is sent or read, over TCP the peer sees a
    /// reset, and no closing handshake is made. The reader's [`read`](WebSocketReader::read) returns
    /// `None`, with 1006. To part in order: [`close`](WebSocketWriter::close). Never blocks.
    pub fn terminate(&mut self) {
        self.shared.terminate();
    }

    /// How many messages the system has taken: those for which a `send` said `Ok`. Once the reader has
    /// seen the end of the connection this is final, but for answers to a client that ended its direction
    /// alone.
    pub fn sent(&self) -> u64 {
        self.shared.sent()
    }

    /// True when nothing can be sent any more: the connection has ended or is closing.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }
}

impl fmt::Debug for WebSocketReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketReader")
            .field("role", &self.role)
            .field("request", &self.opening.request)
            .field("protocol", &self.opening.protocol)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WebSocketWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketWriter")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
