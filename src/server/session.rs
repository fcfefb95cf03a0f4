//! A connection on its own thread: the user's closure reads and sends in plain blocking style.

mod streams;

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ServerHandle;
use super::closing::Ended;
use super::connections::ConnectionServer;
use super::connections::log_lines::{end_line, read_line};
use super::driver::Driver;
use crate::connection::end::End;
use crate::connection::{CloseEvent, Connection};
use crate::error::{CloseError, Error, SendError};
use crate::logging::Line;
use crate::message::Message;
use crate::outbox::broadcast::Collector;
use crate::outbox::{Failure, Owner};
use crate::patience::Patience;
use crate::protocol::close::CloseCode;
use crate::transport::{How, Transport};

/// What a handler returns: `Ok` closes with 1000, any error with 1011 and a line in the log.
///
/// ```
/// use wshub::{HandlerResult, Session};
///
/// fn echo(mut session: Session<'_>) -> HandlerResult {
///     while let Some(message) = session.read()? {
///         session.send(message)?;
///     }
///     Ok(())
/// }
/// ```
///
/// The guide: [forms](crate::guide::forms).
pub type HandlerResult = Result<(), Box<dyn StdError + Send + Sync>>;

pub(crate) type SessionHandler = Box<dyn Fn(Session<'_>) -> HandlerResult + Send + Sync>;

/// One connection, given to the closure of [`serve`](crate::serve) on the connection's own thread, whose
/// stack is [`Limits::stack_size`](crate::Limits::stack_size).
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let handle = wshub::serve("127.0.0.1:0", |mut ws| {
///     while let Some(message) = ws.read()? {
///         ws.send(message)?;
///     }
///     Ok(())
/// })?;
/// # handle.shutdown(); handle.wait();
/// # Ok(()) }
/// ```
///
/// The guide: [forms](crate::guide::forms).
pub struct Session<'a> {
    connections: &'a ConnectionServer,
    driver: &'a mut Driver,
    ended: &'a mut Option<Ended>,
    server: ServerHandle,
    /// More messages wait in the read buffer: answers are collected until it runs empty.
    more: bool,
    collector: Arc<Collector>,
    /// A message that was read while another one was sent in fragments, for the next read. Until then nothing more is
    /// read, so there is no `unreported` beside it.
    ahead: Option<Message>,
    /// Why the connection was given up while a message was sent in fragments, for the next read.
    unreported: Option<Error>,
    /// What was collected was not offered to the socket yet: nothing was sent after it that took it along.
    holds_collected: bool,
    messages: u64,
    bytes: u64,
}

/// A closure may wait in a read.
pub(crate) struct ReadingClosures;

impl Owner for ReadingClosures {
    fn hear_too_slow(&self, _: u64, transport: &dyn Transport) {
        transport.shutdown(How::Read);
    }

    fn hear_room(&self, _: u64) {}
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        driver: &'a mut Driver,
        connections: &'a ConnectionServer,
        server: ServerHandle,
        ended: &'a mut Option<Ended>,
    ) -> Self {
        Session {
            connections,
            driver,
            ended,
            server,
            more: false,
            collector: Collector::new(connections.outboxes.leader_queue.clone()),
            ahead: None,
            unreported: None,
            holds_collected: false,
            messages: 0,
            bytes: 0,
        }
    }

    /// Blocks until the next message is there; `None` when the connection has ended, also without
    /// a Close frame ([`close_event`](Session::close_event) says how). Pings, pongs and the closing
    /// handshake are answered meanwhile; a silent peer is given up after the heartbeat's time.
    ///
    /// # Errors
    /// [`Error`] when the connection had to be given up: the peer broke the protocol or a limit, did
    /// not read, or vanished. It comes when that is decided, also where another thread's sends were too
    /// much for the peer. The peer is told by now, or when the closure has returned, for at most
    /// [`close_timeout`](crate::Limits::close_timeout); return the error, or let it go.
    pub fn read(&mut self) -> Result<Option<Message>, Error> {
        self.read_until(None)
    }

    /// As [`read`](Session::read), but waits at most `timeout` (a little longer at times, and at least a millisecond):
    /// for a closure that has something else to do. Time between two calls counts neither for nor against the peer: the
    /// heartbeat runs only during a call.
    ///
    /// ```
    /// use std::io::ErrorKind::TimedOut;
    /// use std::time::Duration;
    /// use wshub::Error;
    ///
    /// let handle = wshub::serve("127.0.0.1:0", |mut ws| {
    ///     loop {
    ///         match ws.read_timeout(Duration::from_secs(1)) {
    ///             Ok(Some(message)) => ws.send(message)?,
    ///             Ok(None) => return Ok(()),
    ///             Err(Error::Io(error)) if error.kind() == TimedOut => ws.send("still there?")?,
    ///             Err(error) => return Err(error.into()),
    ///         }
    ///     }
    /// })?;
    /// # handle.shutdown(); handle.wait();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] with [`TimedOut`](io::ErrorKind::TimedOut) when nothing came: nothing is lost, call again.
    /// Otherwise as [`read`](Session::read).
    pub fn read_timeout(&mut self, timeout: Duration) -> Result<Option<Message>, Error> {
        const SHORTEST: Duration = Duration::from_millis(1);
        let now = self.driver.transport().now();
        self.read_until(now.checked_add(timeout.max(SHORTEST)))
    }

    fn read_until(&mut self, end: Option<Instant>) -> Result<Option<Message>, Error> {
        let message = match self.ahead.take() {
            None => self.wait_for(end, |driver| driver.next(|message| message.to_message()))?,
            ahead => ahead,
        };
        if let Some(message) = &message {
            self.received(message.len());
        }
        Ok(message)
    }

    fn received(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }

    /// Reads until `next` finds what it looks for.
    fn wait_for<T>(
        &mut self,
        end: Option<Instant>,
        mut next: impl FnMut(&mut Driver) -> Result<Option<T>, End>,
    ) -> Result<Option<T>, Error> {
        if let Some(error) = self.unreported.take() {
            return Err(error);
        }
        while self.ended.is_none() {
            let next = next(self.driver);
            self.more = self.driver.conversation.buffered() > 0;
            if let Ok(Some(found)) = next {
                self.driver.flush_pongs();
                return Ok(Some(found));
            }
            self.read_on(next.map(drop), end)?;
        }
        Ok(None)
    }

    /// Nothing more is in the buffer: sends what was collected, and reads.
    // Not inlined: most messages of a burst need none of this, and each thread has a stack of its own in the cache.
    #[inline(never)]
    fn read_on(&mut self, looked: Result<(), End>, end: Option<Instant>) -> Result<(), Error> {
        self.count();
        let filled = looked.and_then(|()| {
            self.flush();
            match self.driver.is_given_up() {
                true => Err(End::Failed(Error::SlowConsumer)),
                false => self.driver.fill(end),
            }
        });
        match filled {
            Ok(true) => Ok(()),
            Ok(false) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            Err(end) => self.end(end).map_or(Ok(()), Err),
        }
    }

    /// The connection has ended; the reason, where it is given up.
    #[cold]
    fn end(&mut self, end: End) -> Option<Error> {
        let (error, ended) = Ended::begin(&self.driver.closing(self.connections.limits()), end);
        let reading = read_line(self.driver);
        let line = end_line(&self.driver.connection, error.as_ref(), &ended.close);
        *self.ended = Some(ended);
        [reading, line].iter().flatten().for_each(Line::write);
        error
    }

    /// Sends a message and waits until the system has taken it, at most
    /// [`write_timeout`](crate::Limits::write_timeout), and longer while the peer reads faster than
    /// [`min_rate`](crate::Limits::min_rate); one that reads too slowly is given up. While more messages wait to be
    /// read, answers collect and leave in one write.
    ///
    /// `Ok` says that the message was taken, not that it left. If it could not leave in time, the next call says so:
    /// [`read`](Session::read) with [`Error::SlowConsumer`].
    ///
    /// # Errors
    /// The message comes back with [`SendErrorKind::Closed`](crate::SendErrorKind::Closed) when the
    /// connection is closed, closing or given up.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.send_message(message.into(), true)
    }

    /// As [`send`](Session::send), for a message that must not be compressed; see [`Connection::send_uncompressed`].
    ///
    /// # Errors
    /// As [`send`](Session::send).
    pub fn send_uncompressed(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.send_message(message.into(), false)
    }

    fn send_message(&mut self, message: Message, compress: bool) -> Result<(), SendError> {
        let outbox = self.driver.connection.outbox();
        self.holds_collected = self.more;
        let collector = self.more.then_some(&self.collector);
        outbox.waiter().send(message, compress, collector)
    }

    /// Starts the closing handshake, as [`Connection::close`] does; read on until `None` to see it through, or return.
    /// Until the peer has answered, [`read`](Session::read) still gives its messages.
    ///
    /// # Errors
    /// As [`Connection::close`].
    pub fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), CloseError> {
        self.driver.connection.close(code, reason)
    }

    /// Ends the connection at once, as [`Connection::terminate`] does: the next
    /// [`read`](Session::read) returns `None`, with 1006.
    pub fn terminate(&mut self) {
        self.driver.connection.terminate();
    }

    /// The handle of this connection, to send from other threads and to look at the request.
    pub fn connection(&self) -> &Connection {
        &self.driver.connection
    }

    /// The server that the connection is one of: to broadcast, to look at the other connections.
    ///
    /// ```
    /// let handle = wshub::serve("127.0.0.1:0", |mut ws| {
    ///     while let Some(message) = ws.read()? {
    ///         ws.server().broadcast_except(ws.connection(), message);
    ///     }
    ///     Ok(())
    /// })?;
    /// # handle.shutdown(); handle.wait();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn server(&self) -> &ServerHandle {
        &self.server
    }

    /// What the accept hook has kept with the connection; see [`Connection::data`].
    pub fn data<T: Any>(&self) -> Option<&T> {
        self.driver.connection.data()
    }

    /// How the connection ended, once [`read`](Session::read) has returned `None` or an error.
    pub fn close_event(&self) -> Option<&CloseEvent> {
        self.ended.as_ref().map(|ended| &ended.close)
    }

    fn flush(&mut self) {
        self.driver.flush_pongs();
        if std::mem::take(&mut self.holds_collected) {
            let writing = self.connections.limits().writing();
            // A failure ends the stream, and the read that follows reports it.
            let _ = self.driver.connection.outbox().waiter().wait_until_left(
                Patience::paced(self.driver.transport().now(), writing),
                Failure::SlowConsumer,
            );
        }
        if !self.collector.is_empty() {
            self.collector.flushed();
        }
    }

    fn count(&mut self) {
        if self.messages > 0 {
            let counters = &self.connections.counters;
            counters.received(self.messages, self.bytes);
            (self.messages, self.bytes) = (0, 0);
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.count();
        self.flush();
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(self.connection()).finish()
    }
}
