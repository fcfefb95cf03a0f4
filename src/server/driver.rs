//! A connection's reading half as a value that a thread drives: buffer, receiver, deadlines; the
//! closing handshake; nothing of it lives in the thread's stack.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::buffer::ReadBuffer;
use crate::connection::Connection;
use crate::error::Error;
use crate::event::CloseEvent;
use crate::limits::Limits;
use crate::message::Message;
use crate::outbox::Failure;
use crate::protocol::Role;
use crate::protocol::close::CloseCode;
use crate::protocol::keepalive::{Due, Keepalive};
use crate::protocol::receive::{Received, Receiver};
use crate::stats::Counters;
use crate::transport::{self, How, Transport};

/// How long the peer may take to read our last bytes (RFC 9112 section 9.6).
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// Silence after which buffers that grew are given back.
const TRIM_AFTER: Duration = Duration::from_secs(1);

/// A read that returns so long after its deadline was not waiting: the process stood still.
const STANDSTILL: Duration = Duration::from_millis(500);

pub(crate) struct Driver {
    pub connection: Connection,
    transport: Arc<dyn Transport>,
    counters: Arc<Counters>,
    receiver: Receiver,
    buffer: ReadBuffer,
    keepalive: Keepalive,
    close_timeout: Duration,
    max_lingering: usize,
    epoch: Instant,
    /// When the last read returned: time spent elsewhere counts against nobody.
    read_at: Duration,
    /// Whatever was being assembled has been completed since the last read.
    completed: bool,
    /// A pong was collected and not offered to the socket.
    owes_flush: bool,
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

impl From<Incoming<'_>> for Message {
    fn from(incoming: Incoming<'_>) -> Self {
        match incoming {
            Incoming::Text(text) => text.into(),
            Incoming::Binary(bytes) => bytes.into(),
        }
    }
}

/// Why no more messages come.
pub(crate) enum End {
    /// The peer's Close frame came.
    Closed(Option<CloseCode>, String),
    /// The stream ended, or was cut off, without one.
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
    ) -> Self {
        Driver {
            connection,
            transport,
            counters,
            receiver: Receiver::new(Role::Server, limits.receive()),
            buffer,
            keepalive: Keepalive::new(
                limits.ping_interval,
                limits.pong_timeout,
                limits.assembly_timeout,
                Duration::ZERO,
            ),
            close_timeout: limits.close_timeout,
            max_lingering: limits.max_handshakes,
            epoch: Instant::now(),
            read_at: Duration::ZERO,
            completed: false,
            owes_flush: false,
            parting: Parting::Cut,
        }
    }

    /// True while bytes of further frames are in the buffer.
    pub fn has_more(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Hands the messages in the buffer to `take` until it breaks; `Continue` when the buffer holds
    /// no further one. Control frames are seen to on the way.
    pub fn parse(
        &mut self,
        mut take: impl FnMut(Incoming<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, End> {
        loop {
            let received = self.receiver.receive(self.buffer.filled());
            let flow = match received
                .map_err(|violation| End::Failed(Error::Protocol(violation)))?
            {
                Received::Text(text) => take(Incoming::Text(text)),
                Received::Binary(bytes) => take(Incoming::Binary(bytes)),
                Received::NeedMore { keep } => {
                    self.buffer.keep(keep);
                    self.note_progress();
                    return Ok(ControlFlow::Continue(()));
                }
                Received::Ping(payload) => {
                    self.connection.outbox().pong(payload);
                    self.owes_flush = true;
                    ControlFlow::Continue(())
                }
                Received::Pong(_) => ControlFlow::Continue(()),
                Received::Close(code, reason) => return Err(End::Closed(code, reason.to_owned())),
            };
            self.buffer.discard(self.receiver.take_discard());
            self.completed |= !self.receiver.is_assembling();
            if flow.is_break() {
                return Ok(flow);
            }
        }
    }

    fn note_progress(&mut self) {
        let completed = std::mem::take(&mut self.completed);
        self.keepalive
            .received(self.read_at, self.receiver.is_assembling(), completed);
    }

    /// Offers pongs to the socket; they were collected so that many leave in one write.
    pub fn flush_pongs(&mut self) {
        if std::mem::take(&mut self.owes_flush) {
            self.connection.outbox().flush();
        }
    }

    /// Blocks until bytes come; pings a silent peer.
    pub fn fill(&mut self) -> Result<(), End> {
        loop {
            let now = self.epoch.elapsed();
            self.keepalive.stood_still(now.saturating_sub(self.read_at));
            self.read_at = now;
            match self.keepalive.due(now) {
                Due::Wait(until) => match self.read(until, now) {
                    Ok(0) => return Err(self.lost()),
                    Ok(_) => return Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => self.trim(),
                    Err(_) => return Err(self.lost()),
                },
                // Refused only after a Close was sent: then its own deadline runs.
                Due::Ping => drop(self.connection.outbox().ping()),
                Due::PongTimedOut => return Err(End::Failed(Error::PongTimeout)),
                Due::AssemblyTimedOut => return Err(End::Failed(Error::AssemblyTimeout)),
            }
        }
    }

    fn read(&mut self, mut until: Option<Duration>, now: Duration) -> io::Result<usize> {
        if self.buffer.is_oversized() {
            let trim_at = now + TRIM_AFTER;
            until = Some(until.map_or(trim_at, |until| until.min(trim_at)));
        }
        let deadline = until.and_then(|until| self.epoch.checked_add(until));
        let read = self.buffer.fill(&*self.transport, deadline);
        self.read_at = self.epoch.elapsed();
        if until.is_some_and(|until| self.read_at.saturating_sub(until) > STANDSTILL) {
            // What the peer sent meanwhile may wait in the socket.
            self.keepalive.resumed(self.read_at);
        }
        read
    }

    fn trim(&mut self) {
        self.buffer.trim();
        self.connection.outbox().trim();
    }

    fn lost(&self) -> End {
        match self.connection.outbox().failure() {
            Some(Failure::SlowConsumer) => End::Failed(Error::SlowConsumer),
            _ => End::Lost,
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
        let deadline = Instant::now() + self.close_timeout;
        let outcome = match end {
            End::Closed(code, reason) => {
                self.parting = Parting::Linger;
                // RFC 6455 section 5.5.1: the answer echoes the code; a second Close is never sent.
                let _ = outbox.close(code, "");
                let was_clean = outbox.wait_drained(deadline, Failure::CloseTimeout).is_ok();
                match outbox.failure() {
                    Some(Failure::SlowConsumer) => {
                        (Some(Error::SlowConsumer), CloseEvent::abnormal())
                    }
                    _ => {
                        let code = code.unwrap_or(CloseCode::NO_STATUS);
                        (
                            None,
                            CloseEvent {
                                code,
                                reason,
                                was_clean,
                            },
                        )
                    }
                }
            }
            End::Failed(error) => {
                self.parting = Parting::Reset;
                let unspoken = outbox.failure().is_none();
                if let Some(code) = error.close_code().filter(|_| unspoken) {
                    let _ = outbox.close(Some(code), &error.to_string());
                    if outbox.wait_drained(deadline, Failure::CloseTimeout).is_ok() {
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
