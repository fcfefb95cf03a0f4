//! A connection as a value that a thread drives: its reading half, what it answers by itself, the
//! closing handshake; nothing of it lives in the thread's stack.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::address_space;
use crate::compression::Agreed;
use crate::connection::conversation::Conversation;
use crate::connection::read_buffer::ReadBuffer;
use crate::connection::{Connection, ReadyState};
use crate::error::Error;
use crate::event::CloseEvent;
use crate::limits::Limits;
use crate::message::Message;
use crate::outbox::{Failure, Outbox};
use crate::patience::Patience;
use crate::protocol::Role;
use crate::protocol::close::CloseCode;
use crate::protocol::keepalive::Due;
use crate::protocol::pace::Pace;
use crate::protocol::receive::Received;
use crate::stats::Counters;
use crate::transport::{self, How, LINGER, Transport};

pub(crate) struct Driver {
    pub connection: Connection,
    transport: Arc<dyn Transport>,
    counters: Arc<Counters>,
    conversation: Conversation,
    closing: Pace,
    max_lingering: usize,
    /// A pong was collected and not offered to the socket.
    owes_flush: bool,
    /// What the stream gave behind what is in the buffer: its end, or its failure.
    behind: Option<io::Result<usize>>,
    /// How reading failed. For the log: the application sees a Close with 1006, whatever it was.
    pub read_error: Option<io::Error>,
    parting: Parting,
    /// [`part`](Driver::part) comes.
    owes_part: bool,
    lingering: Option<Lingering>,
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

/// A place among the connections that linger.
struct Lingering(Arc<Counters>);

impl Lingering {
    fn begin(counters: &Arc<Counters>, max: usize) -> Option<Self> {
        let place = |count| (count < max).then_some(count + 1);
        let begun = counters.lingering.fetch_update(Relaxed, Relaxed, place);
        begun.is_ok().then(|| Lingering(counters.clone()))
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        self.0.lingering.fetch_sub(1, Relaxed);
    }
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
    /// As [`Failed`](End::Failed); the application knows why.
    Reported,
}

/// What is said at the end.
enum Farewell {
    Close(Option<CloseCode>, String),
    /// What was sent before, to a peer that may still read.
    Answers,
    /// There is nobody to tell, or it was said.
    Nothing,
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
            conversation: Conversation::new(
                Role::Server,
                limits,
                limits.ping_interval,
                buffer,
                extension,
            ),
            closing: limits.closing(),
            max_lingering: limits.max_handshakes,
            owes_flush: false,
            behind: None,
            read_error: None,
            parting: Parting::Cut,
            owes_part: false,
            lingering: None,
        }
    }

    /// True while bytes of further frames are in the buffer.
    pub fn has_more(&mut self) -> bool {
        self.conversation.has_more()
    }

    /// How many bytes of frames are in the buffer.
    pub fn buffered(&mut self) -> usize {
        self.conversation.buffered()
    }

    /// Sees to room for copies of all messages in the buffer.
    pub fn find_room(&mut self) -> Result<(), End> {
        find_room(self.conversation.buffered())
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
            let received = self.conversation.next();
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
        find_room(self.conversation.buffered())?;
        loop {
            match self.conversation.due() {
                Due::Wait(until) => match self.read(until) {
                    Ok(0) => return Err(self.ended(End::HalfClosed)),
                    Ok(_) => return Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => self.trim(),
                    Err(error) => return Err(self.failed(error)),
                },
                // Refused only after a Close was sent: then its own deadline runs.
                Due::Ping => drop(self.connection.outbox().ping()),
                Due::PongTimedOut if self.is_taking() => {}
                Due::PongTimedOut => return Err(End::Failed(Error::PongTimeout)),
                Due::AssemblyTimedOut => return Err(End::Failed(Error::AssemblyTimeout)),
            }
        }
    }

    /// Lends it the room of `scratch` for a read, if its own buffer holds nothing; true if so.
    pub fn lend(&mut self, scratch: &mut ReadBuffer) -> bool {
        self.conversation.lend(scratch)
    }

    /// What is left in lent room moves to a buffer of its own.
    pub fn take_back(&mut self, scratch: &mut ReadBuffer) -> Result<(), End> {
        let room = find_room(self.conversation.buffered());
        if room.is_err() {
            self.conversation.forget();
        }
        self.conversation.take_back(scratch);
        room
    }

    /// Takes what is there; true if there may be more.
    pub fn read_at_once(&mut self) -> Result<bool, End> {
        find_room(self.conversation.buffered())?;
        let (transport, mut room_was) = (&*self.transport, 0);
        let read = self.conversation.fill(None, |room| {
            room_was = room.len();
            transport.try_read(room)
        });
        match read {
            Ok(0) => Err(self.ended(End::HalfClosed)),
            Ok(read) => Ok(read >= room_was || self.may_hold_bytes_back()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// True if the stream may have bytes of which the system knows nothing.
    pub fn may_hold_bytes_back(&self) -> bool {
        let source = self.transport.source();
        source.is_none_or(|source| !source.short_read_is_last())
    }

    /// Pings a peer that was silent until now, and gives up one that does not answer; until when nothing else is due.
    pub fn see_to_time(&mut self, stood_still: bool) -> Result<Option<Instant>, End> {
        loop {
            match self.conversation.due_in_silence(stood_still) {
                Due::Wait(until) => {
                    self.trim();
                    return Ok(until.and_then(|until| self.conversation.instant(until)));
                }
                // Refused only after a Close was sent: then its own deadline runs.
                Due::Ping => drop(self.connection.outbox().ping()),
                Due::PongTimedOut if self.is_taking() => {}
                Due::PongTimedOut => return Err(End::Failed(Error::PongTimeout)),
                Due::AssemblyTimedOut => return Err(End::Failed(Error::AssemblyTimeout)),
            }
        }
    }

    pub fn is_assembling(&self) -> bool {
        self.conversation.is_assembling()
    }

    /// For so long the peer was not read from.
    pub fn stood_still(&mut self, by: Duration) {
        self.conversation.stood_still(by);
    }

    pub fn transport(&self) -> &dyn Transport {
        &*self.transport
    }

    /// A peer that says nothing, for it reads what is before the ping.
    fn is_taking(&mut self) -> bool {
        let left_at = self.connection.outbox().left_at();
        self.conversation.is_taking(left_at)
    }

    fn read(&mut self, until: Option<Duration>) -> io::Result<usize> {
        if let Some(behind) = self.behind.take() {
            return behind;
        }
        let deadline = self.conversation.deadline(until);
        let read = self.conversation.fill(deadline, |room| {
            transport::read(&*self.transport, room, deadline)
        })?;
        self.read_along();
        Ok(read)
    }

    /// Where a read filled its room, what came with it is read too, as far as it is there: what a
    /// peer sent at once is taken at once, though the buffer of an idle connection is small.
    fn read_along(&mut self) {
        while self.conversation.is_filled_up() {
            let at_once = Some(Instant::now());
            let read = self.conversation.fill(None, |room| {
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
        self.conversation.trim();
        self.connection.outbox().trim();
    }

    /// How it ended, where reading failed.
    fn failed(&mut self, error: io::Error) -> End {
        // TLS without close_notify: what came is whole, and its answer is sealed.
        let by_peer = match error.kind() {
            io::ErrorKind::UnexpectedEof => End::HalfClosed,
            _ => End::Lost,
        };
        self.read_error = Some(error);
        self.ended(by_peer)
    }

    /// How it ended, where nothing more can be read: as the peer ended it, or because we gave it up.
    fn ended(&self, by_peer: End) -> End {
        match self.connection.outbox().failure() {
            None => by_peer,
            Some(Failure::SlowConsumer) => End::Failed(Error::SlowConsumer),
            Some(_) => End::Lost,
        }
    }

    /// True where the peer is too slow, and is still being told so.
    pub fn is_given_up(&self) -> bool {
        let outbox = self.connection.outbox();
        outbox.ready_state() != ReadyState::Open && outbox.failure() == Some(Failure::SlowConsumer)
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

    /// Does what the closing handshake still asks for (RFC 6455 section 7), and waits until it has left; true if it has.
    pub fn close(&self, end: &End) -> bool {
        let patience = Patience::paced(Instant::now(), self.closing);
        let outbox = self.connection.outbox();
        // Where it fails the stream is cut.
        let _ = match self.last_word(end) {
            Farewell::Close(code, reason) => {
                outbox.close_blocking(code, &reason, patience, Failure::CloseTimeout)
            }
            Farewell::Answers => outbox.wait_drained(patience, Failure::CloseTimeout),
            Farewell::Nothing => return false,
        };
        !outbox.is_cut()
    }

    /// Behind [`begin_close`](Driver::begin_close): waits until everything has left; true if it has.
    pub fn wait_until_told(&self) -> bool {
        let patience = Patience::paced(Instant::now(), self.closing);
        let outbox = self.connection.outbox();
        let _ = outbox.wait_drained(patience, Failure::CloseTimeout);
        !outbox.is_cut()
    }

    /// Closes, and ends the stream. Does not wait for a peer that is given up and reads nothing: that is left to
    /// [`part`](Driver::part).
    pub fn give_up_or_close(&mut self, end: End) -> (Option<Error>, CloseEvent) {
        let given_up = matches!(end, End::Failed(_));
        let waits = given_up && self.begin_close(&end) && self.is_told().is_none();
        match end {
            End::Failed(error) if waits => {
                self.owes_part = true;
                (Some(error), CloseEvent::abnormal())
            }
            end => {
                let told = self.close(&end);
                self.conclude(end, told)
            }
        }
    }

    /// Waits for a peer that is being told that it is given up, if it is, and ends the stream.
    pub fn part(&mut self) {
        if std::mem::take(&mut self.owes_part) {
            let told = self.wait_until_told();
            self.conclude(End::Reported, told);
        }
    }

    /// As [`close`](Driver::close), without waiting: true if there is something to leave, which
    /// [`is_told`](Driver::is_told) follows.
    pub fn begin_close(&self, end: &End) -> bool {
        let outbox = self.connection.outbox();
        match self.last_word(end) {
            // Where a Close was sent before, that one has to leave.
            Farewell::Close(code, reason) => drop(outbox.close(code, &reason)),
            Farewell::Answers => outbox.flush(),
            Farewell::Nothing => return false,
        }
        true
    }

    /// Whether everything has left; `None` while it waits for the peer.
    pub fn is_told(&self) -> Option<bool> {
        let outbox = self.connection.outbox();
        outbox.is_settled().then(|| !outbox.is_cut())
    }

    /// What the end still asks for.
    fn last_word(&self, end: &End) -> Farewell {
        match end {
            // RFC 6455 section 5.5.1: the answer echoes the code; a second Close is never sent.
            End::Closed(code, _) => Farewell::Close(*code, String::new()),
            End::HalfClosed => Farewell::Answers,
            End::Failed(error) => match error.close_code() {
                Some(code) if self.connection.outbox().failure().is_none() => {
                    Farewell::Close(Some(code), error.to_string())
                }
                // The Close that says so was queued when that was decided.
                Some(_) if !self.connection.outbox().is_cut() => Farewell::Answers,
                _ => Farewell::Nothing,
            },
            End::Reported | End::Lost => Farewell::Nothing,
        }
    }

    /// Behind the closing handshake: lets the Outbox go, and ends the stream. `told`: everything has left.
    pub fn conclude(&mut self, end: End, told: bool) -> (Option<Error>, CloseEvent) {
        let outbox = self.connection.outbox();
        self.parting = match &end {
            End::Closed(..) => Parting::Linger,
            End::Failed(_) | End::Reported if told => Parting::Linger,
            End::Failed(_) | End::Reported => Parting::Reset,
            End::HalfClosed | End::Lost => Parting::Cut,
        };
        let outcome = match end {
            // Whatever came meanwhile: the application has ended it.
            _ if outbox.failure() == Some(Failure::Terminated) => (None, CloseEvent::abnormal()),
            End::Closed(code, reason) => {
                let close = CloseEvent {
                    code: code.unwrap_or(CloseCode::NO_STATUS),
                    reason,
                    was_clean: told,
                };
                or_slow_consumer(outbox, close)
            }
            // The answers to what it sent have left, as far as it read them.
            End::HalfClosed => or_slow_consumer(outbox, CloseEvent::abnormal()),
            End::Failed(error) => (Some(error), CloseEvent::abnormal()),
            End::Reported | End::Lost => (None, CloseEvent::abnormal()),
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

    /// After [`conclude`](Driver::conclude): reads away what the peer still sends, so that our last
    /// bytes reach it; unless so many threads do so that new connections would miss them.
    pub fn linger(&mut self) {
        if self.begin_linger() {
            transport::linger(&*self.transport, Instant::now() + LINGER);
        }
        self.end();
    }

    /// After [`conclude`](Driver::conclude), where no thread waits: true if what comes is to be
    /// [read away](Driver::read_away).
    pub fn begin_linger(&mut self) -> bool {
        self.lingering = match self.parting {
            Parting::Linger => Lingering::begin(&self.counters, self.max_lingering),
            Parting::Cut | Parting::Reset => None,
        };
        self.lingering.is_some()
    }

    /// Bytes that were there and were read away; `None` at the end of the stream.
    pub fn read_away(&mut self, room: &mut [u8]) -> Option<usize> {
        match self.transport.try_read(room) {
            Ok(0) => None,
            Ok(read) => Some(read),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(0),
            Err(_) => None,
        }
    }

    /// Lets the stream go.
    pub fn end(&mut self) {
        self.lingering = None;
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

/// What the peer sends takes memory where it stays in its buffer, which grows to twice of what is there, and where the
/// messages are copied from there.
fn find_room(bytes: usize) -> Result<(), End> {
    match address_space::has_room(bytes.saturating_mul(2)) {
        true => Ok(()),
        false => Err(End::Failed(Error::OutOfMemory)),
    }
}
