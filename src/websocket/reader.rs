//! The half of a split WebSocket that reads, answers, and keeps the heartbeat.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::retried::{Retrying, ToShared};
use super::shared::SharedWriter;
use super::talk::Talk;
use crate::connection::CloseEvent;
use crate::connection::conversation::Conversation;
use crate::connection::end::{End, StillToSend, StreamEnd};
use crate::error::{Error, SendErrorKind};
use crate::http::Request;
use crate::message::Message;
use crate::protocol::Role;
use crate::transport::{self, How, LINGER};

/// The reader looks for a Close of the writer no more often than this, however short `close_timeout` is.
const LOOK: Duration = Duration::from_secs(1);

/// The half of a [`WebSocket`](crate::WebSocket) that reads, made by [`WebSocket::split`](crate::WebSocket::split).
///
/// It answers pings and closes, and keeps the heartbeat: the connection lives as long as this half is in
/// [`read`](WebSocketReader::read). If it is dropped, the writer can still send, but nothing that the peer sends is
/// read. When both halves are dropped, so is the stream.
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
    pub(crate) shared: Arc<SharedWriter>,
    pub(crate) talk: Talk,
    /// What is owed could not leave yet.
    pub(crate) retrying: Option<Retrying>,
}

impl WebSocketReader {
    /// Blocks until the next message has come. `None`: the connection has ended, with or without a Close frame
    /// ([`close_event`](WebSocketReader::close_event) says how). While it waits it answers pings and the closing
    /// handshake, pings a silent peer, and gives it up after [`pong_timeout`](crate::Limits::pong_timeout). It does not
    /// wait for a writer that waits for a slow peer, except at the end: for at most
    /// [`close_timeout`](crate::Limits::close_timeout), and longer while the peer takes what is sent. Afterwards the
    /// stream is closed, by the server first (RFC 6455 7.1.1). A client that ends its direction of the stream
    /// without a Close frame may still read: this half ends with 1006, and the writer may answer for
    /// [`close_timeout`](crate::Limits::close_timeout) more.
    ///
    /// # Errors
    /// [`Error`] when the connection had to be given up: the peer broke the protocol or a limit, did not read, or
    /// vanished. It has been told so already, as far as that was possible.
    pub fn read(&mut self) -> Result<Option<Message>, Error> {
        self.read_until(None)
    }

    /// As [`read`](WebSocketReader::read), for at most this time (and a little; at least a millisecond): for a program
    /// with a loop of its own. Time between two calls does not count for the heartbeat: it runs only during a call.
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
    pub(crate) fn read_with<T>(
        &mut self,
        until: Option<Instant>,
        mut next: impl FnMut(&mut Conversation, &mut ToShared<'_>) -> Result<Option<T>, End>,
    ) -> Result<Option<T>, Error> {
        while self.talk.ended.is_none() {
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
        if let Some(end) = self.talk.ending.take() {
            return Err(end);
        }
        let (conversation, mut answers) = self.conversation_and_answers();
        next(conversation, &mut answers)
    }

    fn conversation_and_answers(&mut self) -> (&mut Conversation, ToShared<'_>) {
        let answers = ToShared {
            shared: &self.shared,
            retrying: &mut self.retrying,
        };
        (&mut self.talk.conversation, answers)
    }

    /// How the connection ended, once [`read`](WebSocketReader::read) has returned `None` or an error.
    pub fn close_event(&self) -> Option<&CloseEvent> {
        self.talk.ended.as_ref()
    }

    /// The request that opened the connection: received as the server, sent as the client.
    pub fn request(&self) -> &Request {
        &self.talk.opening.request
    }

    /// What the accept hook has kept with the connection; see [`WebSocket::data`](crate::WebSocket::data).
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

    /// One read, until a deadline or `until` at most. Nothing else wakes it, so that it wakes once per `close_timeout`,
    /// and not more often than once a second: the deadline of a Close that is sent meanwhile is kept to a second.
    fn fill(&mut self, until: Option<Instant>) -> Result<(), End> {
        let now = self.shared.transport.now();
        let (conversation, mut answers) = self.conversation_and_answers();
        answers.retry()?;
        let due = conversation.before_read(now, &mut answers)?;
        let again = answers.retry_at(now);
        let look = now.checked_add(self.shared.closing.patience.max(LOOK));
        let deadline = [due, again, look, until].into_iter().flatten().min();
        let room = self.talk.conversation.room();
        let read = transport::read(&*self.shared.transport, room, deadline);
        self.talk
            .conversation
            .filled(&read, deadline, self.shared.transport.now());
        match read {
            Ok(0) => Err(End::HalfClosed),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                self.talk.conversation.trim();
                Ok(())
            }
            Err(error) => Err(End::of_read(&error)),
        }
    }

    /// Ends the connection: the last frames leave, then the stream is closed.
    fn finish(&mut self, end: End) -> Result<(), Error> {
        let end = match (end, self.shared.failure()) {
            (End::HalfClosed | End::Lost, Some(SendErrorKind::SlowConsumer)) => {
                End::Failed(Error::SlowConsumer)
            }
            // A client that has ended its direction may still read: it gets what the writer sends for a while. A server
            // that has ended its direction reads no more.
            (End::HalfClosed, None) if self.talk.role == Role::Server => {
                self.shared.end_soon();
                self.talk.ended = Some(CloseEvent::abnormal());
                return Ok(());
            }
            (end, _) => end,
        };
        let all_left = match end.still_to_send() {
            StillToSend::Close(code, reason) => {
                self.shared.owe(|owed| owed.close = Some((code, reason)));
                self.shared.drain()
            }
            StillToSend::Answers | StillToSend::Nothing => false,
        };
        self.end_stream(&end, all_left);
        self.talk.conclude(end, all_left)
    }

    fn end_stream(&self, end: &End, all_left: bool) {
        let transport = &*self.shared.transport;
        let how = match end.stream_end(all_left) {
            StreamEnd::Cut => How::Both,
            StreamEnd::Reset => How::Reset,
            StreamEnd::Linger => {
                // The server closes the stream first (RFC 6455 7.1.1).
                if self.talk.role == Role::Client && matches!(end, End::Closed(..)) {
                    let deadline = transport.now() + self.shared.closing.patience;
                    transport::read_away(transport, deadline);
                } else {
                    transport::linger(transport, transport.now() + LINGER);
                }
                How::Both
            }
        };
        self.shared.fail(SendErrorKind::Closed, Some(how));
    }
}

impl fmt::Debug for WebSocketReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.talk.show("WebSocketReader", f)
    }
}
