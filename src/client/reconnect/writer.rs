//! What sends over a client that connects again: the connection that is open at the time, if one is.

use std::sync::{Arc, Condvar};
use std::time::Instant;

use crate::error::{CloseError, SendError, SendErrorKind};
use crate::lock::{LINK, Mutex, lock};
use crate::message::Message;
use crate::protocol::close::CloseCode;
use crate::websocket::WebSocketWriter;

/// Sends over the current connection of a [`Reconnecting`](crate::Reconnecting) client. It is cheap to clone, for any
/// number of threads.
///
/// ```no_run
/// use std::time::Duration;
/// use wshub::Reconnecting;
///
/// let client = Reconnecting::new("ws://127.0.0.1:9001/")?;
/// let writer = client.writer();
/// std::thread::spawn(move || {
///     loop {
///         // Without a connection the message comes back in the error.
///         if let Err(error) = writer.send("21.5 °C") {
///             eprintln!("not sent: {error}");
///         }
///         std::thread::sleep(Duration::from_secs(10));
///     }
/// });
/// for event in client {
///     println!("{event:?}");
/// }
/// # Ok::<(), wshub::ClientError>(())
/// ```
///
/// The guide: [client](crate::guide::client).
#[derive(Clone, Debug)]
pub struct ReconnectingWriter {
    slot: Arc<WriterSlot>,
}

impl ReconnectingWriter {
    pub(crate) fn new(slot: Arc<WriterSlot>) -> Self {
        ReconnectingWriter { slot }
    }

    /// Sends a message, if there is a connection, and waits until the system has taken it, at most
    /// [`write_timeout`](crate::Limits::write_timeout), and longer while the server reads faster than
    /// [`min_rate`](crate::Limits::min_rate). Never waits for a connection.
    ///
    /// # Errors
    /// The message is given back: [`SendErrorKind::Closed`] while there is no connection, and as
    /// [`WebSocketWriter::send`].
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        match self.slot.writer() {
            Some(mut writer) => writer.send(message),
            None => Err(SendError::new(SendErrorKind::Closed, message.into())),
        }
    }

    /// As [`send`](ReconnectingWriter::send), for a message that must not be compressed; see
    /// [`Connection::send_uncompressed`](crate::Connection::send_uncompressed).
    ///
    /// # Errors
    /// As [`send`](ReconnectingWriter::send).
    pub fn send_uncompressed(&self, message: impl Into<Message>) -> Result<(), SendError> {
        match self.slot.writer() {
            Some(mut writer) => writer.send_uncompressed(message),
            None => Err(SendError::new(SendErrorKind::Closed, message.into())),
        }
    }

    /// Ends the client: it starts the closing handshake if there is a connection, ends a pause, and opens no further
    /// connection. The iterator gives what still comes, then
    /// [`ClientEvent::Disconnected`](crate::ClientEvent::Disconnected) if there was a connection, and ends. A try to
    /// connect that is under way ends first, within its deadlines.
    ///
    /// # Errors
    /// [`CloseError::ReservedCode`] for a code that must not be sent, [`CloseError::Closed`] after
    /// another close or when the [`Reconnecting`](crate::Reconnecting) is gone.
    pub fn close(&self, code: impl Into<CloseCode>, reason: &str) -> Result<(), CloseError> {
        let code = CloseError::unless_reserved(code.into())?;
        if let Some(mut writer) = self.slot.close(code, reason)? {
            // Where the connection is ending already, the iterator tells how.
            let _ = writer.close(code, reason);
        }
        Ok(())
    }
}

/// What the iterator and the writers share.
#[derive(Debug, Default)]
pub(crate) struct WriterSlot {
    state: Mutex<SlotState, LINK>,
    closed: Condvar,
}

#[derive(Debug, Default)]
struct SlotState {
    writer: Option<WebSocketWriter>,
    closed: Option<(CloseCode, String)>,
    ended: bool,
}

impl WriterSlot {
    fn writer(&self) -> Option<WebSocketWriter> {
        lock(&self.state).writer.clone()
    }

    /// A connection is open. One that nobody wants any more is closed at once.
    pub fn open(&self, mut writer: WebSocketWriter) {
        let closed = {
            let mut state = lock(&self.state);
            state.writer = Some(writer.clone());
            state.closed.clone()
        };
        if let Some((code, reason)) = closed {
            let _ = writer.close(code, &reason);
        }
    }

    /// The connection has ended: how many messages were sent, and whether it was closed from here.
    pub fn lost(&self) -> (u64, bool) {
        let mut state = lock(&self.state);
        let writer = state.writer.take();
        (
            writer.map_or(0, |writer| writer.sent()),
            state.closed.is_some(),
        )
    }

    fn close(&self, code: CloseCode, reason: &str) -> Result<Option<WebSocketWriter>, CloseError> {
        let mut state = lock(&self.state);
        if state.ended || state.closed.is_some() {
            return Err(CloseError::Closed);
        }
        state.closed = Some((code, reason.to_owned()));
        self.closed.notify_all();
        Ok(state.writer.clone())
    }

    /// Waits so long for a close; whether there was one.
    pub fn wait_for_close(&self, until: Instant) -> bool {
        let mut state = lock(&self.state);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if state.closed.is_some() || left.is_zero() {
                return state.closed.is_some();
            }
            state = state.wait_timeout(&self.closed, left);
        }
    }

    pub fn end(&self) {
        let mut state = lock(&self.state);
        state.ended = true;
        state.writer = None;
    }
}
