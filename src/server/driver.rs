//! A connection as a value that a thread drives: its reading half, what it answers by itself, the
//! closing handshake; nothing of it lives in the thread's stack.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::address_space;
use crate::connection::Connection;
use crate::deflate::Agreed;
use crate::error::Error;
use crate::event::CloseEvent;
use crate::limits::Limits;
use crate::message::Message;
use crate::outbox::{Failure, Outbox};
use crate::patience::Patience;
use crate::protocol::Role;
use crate::protocol::close::CloseCode;
use crate::protocol::keepalive::Due;
use crate::protocol::receive::Received;
use crate::read_buffer::ReadBuffer;
use crate::reading::Reading;
use crate::stats::Counters;
use crate::transport::{self, How, LINGER, Transport};

pub(crate) struct Driver {
    pub connection: Connection,
    transport: Arc<dyn Transport>,
    counters: Arc<Counters>,
    reading: Reading,
    close_timeout: Duration,
    max_lingering: usize,
    /// A pong was collected and not offered to the socket.
    owes_flush: bool,
    /// What the stream gave behind what is in the buffer: its end, or its failure.
    behind: Option<io::Result<usize>>,
    /// How reading failed. For the log: the application sees a Close with 1006, whatever it was.
    pub read_error: Option<io::Error>,
    parting: Parting,
}

/// How the stream ends.
#[derive(Clone, Copy)]
enum Parting {
    /// The peer may still read our last bytes.
    Linger,
    /// There is nobody, or nothing to say.
    Cut,
    /// What waits in the socket is for nobody.
    Reset,
}

/// A message in the read buffer.
pub(crate) enum Incoming<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

impl Incoming<'_> {
    pub fn len(&self) -> usize {
        match self {
            Incoming::Text(text) => text.len(),
            Incoming::Binary(bytes) => bytes.len(),
        }
    }

    /// A method, not `From`: a compiler that lists what a message is made of would show this type.
    pub fn to_message(&self) -> Message {
        match *self {
            Incoming::Text(text) => text.into(),
            Incoming::Binary(bytes) => bytes.into(),
        }
    }
}

/// Why no more messages come.
pub(crate) enum End {
    /// The peer's Close frame came.
    Closed(Option<CloseCode>, String),
    /// The peer sent its last without one. It may still read.
    HalfClosed,
    /// The stream was cut off.
    Lost,
    /// We give the connection up.
    Failed(Error),
}

impl Driver {
    pub fn new(
        connection: Connection,
        transport: Arc<dyn Transport>,
        counters: Arc<Counters>,
        limits: &Limits,
        buffer: ReadBuffer,
        extension: Option<&Agreed>,
    ) -> Self {
        Driver {
            connection,
            transport,
            counters,
            reading: Reading::new(
                Role::Server,
                limits,
                limits.ping_interval,
                buffer,
                extension,
            ),
            close_timeout: limits.close_timeout,
            max_lingering: limits.max_handshakes,
            owes_flush: false,
            behind: None,
            read_error: None,
            parting: Parting::Cut,
        }
    }

    /// True while bytes of further frames are in the buffer.
    pub fn has_more(&mut self) -> bool {
        self.reading.has_more()
    }

    /// How many bytes of frames are in the buffer.
    pub fn buffered(&mut self) -> usize {
        self.reading.buffered()
    }

    /// Hands the messages in the buffer to `take` until it breaks; `Continue` when the buffer holds
    /// no further one. Control frames are seen to on the way.
    pub fn parse(
        &mut self,
        mut take: impl FnMut(Incoming<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, End> {
        if self.connection.outbox().has_ended() {
            return Err(End::Lost);
        }
        loop {
            let received = self.reading.next();
            let flow = match received
                .map_err(|violation| End::Failed(Error::Protocol(violation)))?
            {
                Received::Text(text) => {
                    find_room(text.len())?;
                    take(Incoming::Text(text))
                }
                Received::Binary(bytes) => {
                    find_room(bytes.len())?;
                    take(Incoming::Binary(bytes))
                }
                Received::NeedMore { .. } => return Ok(ControlFlow::Continue(())),
                Received::Ping(payload) => {
                    self.connection.outbox().pong(payload);
                    self.owes_flush = true;
                    ControlFlow::Continue(())
                }
                Received::Pong(_) => ControlFlow::Continue(()),
                Received::Close(code, reason) => return Err(End::Closed(code, reason.to_owned())),
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
    }

    /// Offers pongs to the socket; they were collected so that many leave in one write.
    pub fn flush_pongs(&mut self) {
        if std::mem::take(&mut self.owes_flush) {
            self.connection.outbox().flush();
        }
    }

    /// Blocks until bytes come; pings a silent peer.
    pub fn fill(&mut self) -> Result<(), End> {
        find_room(self.reading.buffered())?;
        loop {
            match self.reading.due() {
                Due::Wait(until) => match self.read(until) {
                    Ok(0) => return Err(self.ended(End::HalfClosed)),
                    Ok(_) => return Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => self.trim(),
                    Err(error) => {
                        // TLS without close_notify: what came is whole, and its answer is sealed.
                        let by_peer = match error.kind() {
                            io::ErrorKind::UnexpectedEof => End::HalfClosed,
                            _ => End::Lost,
                        };
                        self.read_error = Some(error);
                        return Err(self.ended(by_peer));
                    }
                },
                // Refused only after a Close was sent: then its own deadline runs.
                Due::Ping => drop(self.connection.outbox().ping()),
                Due::PongTimedOut => return Err(End::Failed(Error::PongTimeout)),
                Due::AssemblyTimedOut => return Err(End::Failed(Error::AssemblyTimeout)),
            }
        }
    }

    fn read(&mut self, until: Option<Duration>) -> io::Result<usize> {
        if let Some(behind) = self.behind.take() {
            return behind;
        }
        let deadline = self.reading.deadline(until);
        let read = self.reading.fill(deadline, |room| {
            transport::read(&*self.transport, room, deadline)
        })?;
        self.read_along();
        Ok(read)
    }

    /// Where a read filled its room, what came with it is read too, as far as it is there: what a
    /// peer sent at once is taken at once, though the buffer of an idle connection is small.
    fn read_along(&mut self) {
        while self.reading.is_filled_up() {
            let at_once = Some(Instant::now());
            let read = self.reading.fill(None, |room| {
                transport::read(&*self.transport, room, at_once)
            });
            match &read {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return,
                Ok(0) | Err(_) => {
                    self.behind = Some(read);
                    return;
                }
                Ok(_) => {}
            }
        }
    }

    fn trim(&mut self) {
        self.reading.trim();
        self.connection.outbox().trim();
    }

    /// How it ended, where nothing more can be read: as the peer ended it, or because we gave it up.
    fn ended(&self, by_peer: End) -> End {
        match self.connection.outbox().failure() {
            None => by_peer,
            Some(Failure::SlowConsumer) => End::Failed(Error::SlowConsumer),
            Some(_) => End::Lost,
        }
    }

    /// Reads on until the connection ends, with nobody left to take messages.
    pub fn run_out(&mut self) -> End {
        loop {
            if let Err(end) = self.parse(|_| ControlFlow::Continue(())) {
                return end;
            }
            self.flush_pongs();
            if let Err(end) = self.fill() {
                return end;
            }
        }
    }

    /// Does what the closing handshake still asks for (RFC 6455 section 7), and lets the Outbox go.
    pub fn finish(&mut self, end: End) -> (Option<Error>, CloseEvent) {
        let outbox = self.connection.outbox();
        let patience = Patience::new(Instant::now(), self.close_timeout);
        let outcome = match end {
            // Whatever came meanwhile: the application has ended it.
            _ if outbox.failure() == Some(Failure::Terminated) => (None, CloseEvent::abnormal()),
            End::Closed(code, reason) => {
                self.parting = Parting::Linger;
                // RFC 6455 section 5.5.1: the answer echoes the code; a second Close is never sent.
                let closed = outbox.close_blocking(code, "", patience, Failure::CloseTimeout);
                let close = CloseEvent {
                    code: code.unwrap_or(CloseCode::NO_STATUS),
                    reason,
                    was_clean: closed.is_ok(),
                };
                or_slow_consumer(outbox, close)
            }
            End::HalfClosed => {
                // The answers to what it sent leave, as far as it reads them.
                let _ = outbox.wait_drained(patience, Failure::CloseTimeout);
                or_slow_consumer(outbox, CloseEvent::abnormal())
            }
            End::Failed(error) => {
                self.parting = Parting::Reset;
                let unspoken = outbox.failure().is_none();
                if let Some(code) = error.close_code().filter(|_| unspoken) {
                    let reason = error.to_string();
                    let closed =
                        outbox.close_blocking(Some(code), &reason, patience, Failure::CloseTimeout);
                    if closed.is_ok() {
                        self.parting = Parting::Linger;
                    }
                }
                (Some(error), CloseEvent::abnormal())
            }
            End::Lost => (None, CloseEvent::abnormal()),
        };
        outbox.finish();
        // The server closes first (RFC 6455 section 7.1.1), also where a handler is still at work.
        self.transport.shutdown(match self.parting {
            Parting::Linger => How::Write,
            Parting::Cut => How::Both,
            Parting::Reset => How::Reset,
        });
        outcome
    }

    /// After [`finish`](Driver::finish): reads away what the peer still sends, so that our last
    /// bytes reach it; unless so many threads do so that new connections would miss them.
    pub fn linger(&mut self) {
        let lingering = &self.counters.lingering;
        if matches!(self.parting, Parting::Linger)
            && lingering.fetch_add(1, Ordering::Relaxed) < self.max_lingering
        {
            transport::linger(&*self.transport, Instant::now() + LINGER);
        }
        if matches!(self.parting, Parting::Linger) {
            lingering.fetch_sub(1, Ordering::Relaxed);
        }
        self.transport.shutdown(How::Both);
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// The end as `close` says, unless the peer read so slowly meanwhile that it was given up.
fn or_slow_consumer(outbox: &Outbox, close: CloseEvent) -> (Option<Error>, CloseEvent) {
    match outbox.failure() {
        Some(Failure::SlowConsumer) => (Some(Error::SlowConsumer), CloseEvent::abnormal()),
        _ => (None, close),
    }
}

/// What the peer sends takes memory when it is read, where its buffer grows to twice of what is there,
/// and when the message is copied from there.
fn find_room(bytes: usize) -> Result<(), End> {
    match address_space::has_room(bytes.saturating_mul(2)) {
        true => Ok(()),
        false => Err(End::Failed(Error::OutOfMemory)),
    }
}
