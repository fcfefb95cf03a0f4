//! The two halves of a WebSocket, for two threads.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::shared::{Failure, Owed, SendFailure, Shared, Tried};
use super::{Last, WebSocket};
use crate::connection::conversation::Conversation;
use crate::error::{CloseError, Error, SendError, SendErrorKind};
use crate::event::CloseEvent;
use crate::handshake::data::Data;
use crate::http::Request;
use crate::message::Message;
use crate::protocol::Role;
use crate::protocol::close::CloseCode;
use crate::protocol::keepalive::Due;
use crate::protocol::opcode::Opcode;
use crate::protocol::receive::Received;
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
        request,
        protocol,
        extensions,
        data,
        mut conversation,
        outgoing,
        write_failure,
        last,
        ended,
        ..
    } = ws;
    conversation.start_heartbeat(limits.ping_interval);
    let shared = Arc::new(Shared::new(boxed(stream), &limits, outgoing));
    if let Some(error) = write_failure {
        shared.fail(Failure::Stream(error.kind()), None);
    }
    if ended.is_some() {
        shared.fail(Failure::Ended, None);
    }
    let reader = WebSocketReader {
        shared: shared.clone(),
        role,
        request,
        protocol,
        extensions,
        data,
        conversation,
        refused: None,
        last,
        ended,
    };
    (reader, WebSocketWriter { shared })
}

/// The half of a [`WebSocket`] that reads, made by [`WebSocket::split`].
///
/// It answers pings and closes, and keeps the heartbeat: the connection lives as long as this half is
/// in [`read`](WebSocketReader::read). Dropped, it leaves the writer to send to a peer that nobody
/// listens to; when both halves are dropped the stream is.
pub struct WebSocketReader {
    shared: Arc<Shared>,
    role: Role,
    request: Request,
    protocol: Option<String>,
    extensions: String,
    data: Data,
    conversation: Conversation,
    /// What is owed was refused by the stream.
    refused: Option<Refusing>,
    /// How the peer ended, before the next read sees to it.
    last: Option<Last>,
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
#[derive(Clone)]
pub struct WebSocketWriter {
    shared: Arc<Shared>,
}

impl WebSocketReader {
    /// Blocks until the next message is there; `None` when the connection has ended, be it without
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
        self.read_until(Instant::now().checked_add(timeout.max(SHORTEST)))
    }

    fn read_until(&mut self, end: Option<Instant>) -> Result<Option<Message>, Error> {
        while self.ended.is_none() {
            if self.shared.is_terminated() {
                self.end_with(How::Reset);
                break;
            }
            match self.last.take() {
                Some(Last::Close(code, reason)) => {
                    self.finish(code, reason);
                    break;
                }
                Some(Last::End { .. }) => {
                    self.half_close()?;
                    break;
                }
                None => {}
            }
            match self.conversation.next() {
                Ok(Received::Text(text)) => return Ok(Some(text.into())),
                Ok(Received::Binary(bytes)) => return Ok(Some(bytes.into())),
                Ok(Received::NeedMore { .. }) => self.fill(end)?,
                Ok(Received::Ping(payload)) => {
                    let tried = self.shared.owe(Owed::Pong(payload));
                    self.note(tried)?;
                }
                Ok(Received::Pong(_)) => {}
                Ok(Received::Close(code, reason)) => {
                    let reason = reason.to_owned();
                    // RFC 6455 section 5.5.1: the answer echoes the code; no second Close is sent.
                    let tried = self.shared.owe(Owed::Close(code, ""));
                    self.last = Some(Last::Close(code, reason));
                    self.note(tried)?;
                }
                Err(violation) => return Err(self.give_up(Error::Protocol(violation))),
            }
        }
        Ok(None)
    }

    /// How the connection ended, once [`read`](WebSocketReader::read) has returned `None` or an error.
    pub fn close_event(&self) -> Option<&CloseEvent> {
        self.ended.as_ref()
    }

    /// The request that opened the connection: the client's, or in the role of the client our own.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// What the accept hook has kept with the connection; see [`WebSocket::data`].
    pub fn data<T: Any>(&self) -> Option<&T> {
        self.data.get()
    }

    /// The subprotocol that was chosen (RFC 6455 section 1.9), if any.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// The extensions in use (RFC 6455 section 9): what was agreed on compression, or nothing.
    pub fn extensions(&self) -> &str {
        &self.extensions
    }

    /// One read, or what the time asks for in its place; nothing after `end`.
    fn fill(&mut self, end: Option<Instant>) -> Result<(), Error> {
        if end.is_some_and(|end| end <= Instant::now()) {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        match self.conversation.due() {
            Due::Wait(until) => self.read_once(until, end),
            Due::Ping => {
                let tried = self.shared.owe(Owed::Ping);
                self.note(tried)
            }
            Due::PongTimedOut if self.is_taking() => Ok(()),
            Due::PongTimedOut => Err(self.give_up(Error::PongTimeout)),
            Due::AssemblyTimedOut => Err(self.give_up(Error::AssemblyTimeout)),
        }
    }

    /// A peer that says nothing, for it reads what is before the ping.
    fn is_taking(&mut self) -> bool {
        self.conversation.is_taking(self.shared.taken_at())
    }

    fn read_once(&mut self, until: Option<Duration>, end: Option<Instant>) -> Result<(), Error> {
        if self.refused.is_some() {
            let tried = self.shared.retry();
            self.note(tried)?;
        }
        if self.shared.is_close_overdue() {
            return self.lose();
        }
        let deadline = [self.wake_at(self.conversation.deadline(until)), end];
        let deadline = deadline.into_iter().flatten().min();
        let transport = &*self.shared.transport;
        let read = |room: &mut [u8]| transport::read(transport, room, deadline);
        match self.conversation.fill(deadline, read) {
            Ok(0) => self.half_close(),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                self.conversation.trim();
                Ok(())
            }
            // TLS without close_notify: what came is whole, and its answer is sealed.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.half_close(),
            Err(_) => self.lose(),
        }
    }

    /// Until when to read, at most `deadline`. Nothing but its own deadline wakes a read, so that it
    /// wakes once per `close_timeout`: a Close that the writer sends meanwhile is seen in time.
    fn wake_at(&self, deadline: Option<Instant>) -> Option<Instant> {
        let now = Instant::now();
        let closed = match self.shared.close_by() {
            Some(close_by) => Some(close_by),
            None => now.checked_add(self.shared.closing.patience),
        };
        let again = self
            .refused
            .as_ref()
            .and_then(|refusing| now.checked_add(refusing.pause));
        [deadline, closed, again].into_iter().flatten().min()
    }

    /// Remembers since when the stream refuses what is owed, and gives a peer up that takes nothing
    /// for too long.
    fn note(&mut self, tried: io::Result<Tried>) -> Result<(), Error> {
        let now = Instant::now();
        match (tried, &mut self.refused) {
            (Err(error), _) => {
                self.end_with(How::Reset);
                return Err(error.into());
            }
            (Ok(Tried::Done), refused) => *refused = None,
            (Ok(Tried::Stuck), refused @ None) => {
                *refused = Some(Refusing {
                    since: now,
                    pause: FIRST_PAUSE,
                });
            }
            (Ok(Tried::Stuck), Some(refusing)) => {
                if now.saturating_duration_since(refusing.since) > self.shared.writing.patience {
                    return Err(self.give_up(Error::SlowConsumer));
                }
                refusing.pause = (refusing.pause * 2).min(LAST_PAUSE);
            }
        }
        Ok(())
    }

    /// After the peer's Close: our answer leaves, then the stream is closed, by the server first.
    fn finish(&mut self, code: Option<CloseCode>, reason: String) {
        let shared = &self.shared;
        let was_clean = shared.drain();
        let transport = &*shared.transport;
        let deadline = Instant::now() + shared.closing.patience;
        match (was_clean, self.role) {
            (false, _) => transport.shutdown(How::Reset),
            (true, Role::Server) => transport::linger(transport, Instant::now() + LINGER),
            (true, Role::Client) => transport::read_away(transport, deadline),
        }
        self.end_with(How::Both);
        self.ended = Some(CloseEvent {
            code: code.unwrap_or(CloseCode::NO_STATUS),
            reason,
            was_clean,
        });
    }

    /// The peer sent its last without a Close frame. A client may still read: it gets what the writer
    /// sends for a while. After a server's last there is nobody.
    fn half_close(&mut self) -> Result<(), Error> {
        if self.role == Role::Client || self.shared.failure().is_some() {
            return self.lose();
        }
        self.shared.end_soon();
        self.ended = Some(CloseEvent::abnormal());
        Ok(())
    }

    /// The stream ended, or was cut off, without a Close frame.
    fn lose(&mut self) -> Result<(), Error> {
        let failure = self.shared.failure();
        self.end_with(How::Both);
        match failure {
            Some(Failure::SlowConsumer) => Err(Error::SlowConsumer),
            _ => Ok(()),
        }
    }

    /// Ends the connection for a fault of the peer, and tells it.
    fn give_up(&mut self, error: Error) -> Error {
        let told = match error.close_code() {
            Some(code) if !matches!(error, Error::SlowConsumer) => {
                let text = error.to_string();
                let owed = self.shared.owe(Owed::Close(Some(code), &text));
                owed.is_ok() && self.shared.drain()
            }
            _ => false,
        };
        if told {
            transport::linger(&*self.shared.transport, Instant::now() + LINGER);
        }
        self.end_with(if told { How::Both } else { How::Reset });
        error
    }

    fn end_with(&mut self, how: How) {
        self.ended.get_or_insert(CloseEvent::abnormal());
        self.shared.fail(Failure::Ended, Some(how));
    }
}

impl WebSocketWriter {
    /// Sends a message and waits until the system has taken it, at most
    /// [`write_timeout`](crate::Limits::write_timeout), and longer while the peer reads faster than
    /// [`min_rate`](crate::Limits::min_rate); one that reads too slowly is given up: the connection ends here and for the reader.
    ///
    /// # Errors
    /// The message is given back: [`SendErrorKind::Closed`] when the connection has ended or is
    /// closing, [`SendErrorKind::SlowConsumer`] when the peer did not read,
    /// [`SendErrorKind::Io`] when the stream failed otherwise.
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
        self.send_frame(message.opcode(), message.as_bytes(), compress)
            .map_err(|kind| SendError::new(kind, message))
    }

    /// Sends a ping now (RFC 6455 section 5.5.2); the reader does so by itself after
    /// [`ping_interval`](crate::Limits::ping_interval) of silence.
    ///
    /// # Errors
    /// As [`send`](WebSocketWriter::send).
    pub fn ping(&mut self) -> Result<(), SendErrorKind> {
        self.send_frame(Opcode::Ping, &[], false)
    }

    fn send_frame(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        compress: bool,
    ) -> Result<(), SendErrorKind> {
        let sent = self
            .shared
            .send(|outgoing| outgoing.frame(opcode, payload, compress));
        sent.map_err(send_error_kind)
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
        let code = code.into();
        if !code.is_allowed_on_wire() {
            return Err(CloseError::ReservedCode(code));
        }
        let sent = self.shared.send(|outgoing| {
            outgoing.close(Some(code), reason)?;
            Ok(())
        });
        sent.map_err(|failure| match send_error_kind(failure) {
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

fn send_error_kind(failure: SendFailure) -> SendErrorKind {
    match failure {
        SendFailure::Closed | SendFailure::Failed(Failure::Ended) => SendErrorKind::Closed,
        SendFailure::Failed(Failure::SlowConsumer) => SendErrorKind::SlowConsumer,
        SendFailure::Stuck => SendErrorKind::SlowConsumer,
        SendFailure::Failed(Failure::Stream(kind)) if super::is_gone(&kind.into()) => {
            SendErrorKind::Closed
        }
        SendFailure::Failed(Failure::Stream(kind)) => SendErrorKind::Io(kind),
        SendFailure::NoKey(error) => SendErrorKind::Io(error.kind()),
    }
}

impl fmt::Debug for WebSocketReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketReader")
            .field("role", &self.role)
            .field("request", &self.request)
            .field("protocol", &self.protocol)
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
