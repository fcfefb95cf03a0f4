//! The half of a split WebSocket that sends.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::shared::{Sending, SharedWriter};
use super::write_buffer::WriteBuffer;
use crate::error::{CloseError, SendError, SendErrorKind};
use crate::message::Message;
use crate::protocol::close::CloseCode;

/// The half of a [`WebSocket`](crate::WebSocket) that sends, made by [`WebSocket::split`](crate::WebSocket::split).
///
/// Clones of it send over the same connection, from any number of threads: one message at a time, each whole. Dropping
/// it closes nothing: the reader goes on, and answers pings.
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
    pub(crate) shared: Arc<SharedWriter>,
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
    pub fn send_uncompressed(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.send_message(message.into(), false)
    }

    fn send_message(&mut self, message: Message, compress: bool) -> Result<(), SendError> {
        let sent = self.shared.send(Sending::Message, |outgoing| {
            outgoing.message(&message, compress)
        });
        sent.map_err(|kind| SendError::new(kind, message))
    }

    /// Sends a ping now (RFC 6455 5.5.2); the reader does so by itself after
    /// [`ping_interval`](crate::Limits::ping_interval) of silence.
    ///
    /// # Errors
    /// As [`send`](WebSocketWriter::send).
    pub fn ping(&mut self) -> Result<(), SendErrorKind> {
        self.shared.send(Sending::Control, WriteBuffer::ping)
    }

    /// Starts the closing handshake (RFC 6455 7.1.2): sends the Close frame, waiting as
    /// [`send`](WebSocketWriter::send) does. The reader sees it through, until its `read` returns `None`: when the peer
    /// has answered, at least after [`close_timeout`](crate::Limits::close_timeout). Until then the reader still gives
    /// the peer's messages. A reason of more than 123 bytes is cut at a character.
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
    /// reset, and no closing handshake is made. The reader's [`read`](crate::WebSocketReader::read) returns
    /// `None`, with 1006. To part in order: [`close`](WebSocketWriter::close). Never blocks.
    pub fn terminate(&mut self) {
        self.shared.terminate();
    }

    /// How many messages the system has taken: those for which a `send` said `Ok`. Once the reader has seen the end of
    /// the connection this is final, but for answers to a client that ended its direction alone.
    pub fn sent(&self) -> u64 {
        self.shared.sent()
    }

    /// True when nothing can be sent any more: the connection has ended or is closing.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }
}

impl fmt::Debug for WebSocketWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketWriter")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
