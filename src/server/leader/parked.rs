//! One connection that holds no thread: what its turn is, what its deadlines ask for, how it ends. What a thread would
//! wait for are states here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::batch::Messages;
use super::super::closing::LingeringClose;
use super::super::connections::ConnectionServer;
use super::super::connections::open_connection::OpenConnection;
use super::super::driver::Driver;
use super::super::inbox::InboxItem;
use crate::connection::Connection;
use crate::connection::end::End;
use crate::connection::read_buffer::ReadBuffer;
use crate::outbox::ReadyState;
use crate::patience::Patience;
use crate::poller::{Next, Source};
use crate::protocol::nanos::Nanos;
use crate::transport::LINGER;

/// Bytes that make a turn a long one. Less is read faster than a thread is woken, and many short messages cost the
/// application more than their reading costs the leader.
pub(crate) const LONG: usize = 16 << 10;
/// After this many long reads in a row the next ones are taken to be long, too.
const LONG_READS: u8 = 4;
/// Reads of one turn while they bring nothing but payload of a long frame. Each turn of its own costs a look at which
/// others are ready, and a deadline.
const READS: usize = 4;
/// When a connection that waits for the application is looked at again, if nothing else happens before.
const NEXT_LOOK: Duration = Duration::from_secs(1);

pub(crate) struct Parked {
    driver: Driver,
    open: OpenConnection,
    /// Since when it has waited for room that the application makes, or the peer itself, for which too much waits: it
    /// is not read from, and its clocks stand still. Counted from the server's begin.
    starved: Option<Nanos>,
    /// The peer's end is behind what is there: no further edge comes, so it is read until it is found.
    ends: bool,
    /// Something waits in its Outbox, or a deadline runs there.
    called: bool,
    /// Long reads in a row.
    long_reads: u8,
    /// `None`: it is open. Boxed, for most are.
    leaving: Option<Box<Leaving>>,
}

/// How far the connection is with its end.
enum Leaving {
    /// The application still has messages to take, and their answers to send; at most until then.
    Ending(End, Instant),
    /// What was sent, a Close after it, waits for the peer to take it.
    Closing(Closing),
    /// What the peer still sends is read away until then, so that a reset does not overtake our last bytes.
    Lingering(LingeringClose, Instant),
}

struct Closing {
    end: End,
    patience: Patience,
    /// How much had left by then of what had to wait.
    left: u64,
}

impl Parked {
    pub fn new(driver: Driver, mut open: OpenConnection) -> Self {
        driver.connection.account().set_parked(true);
        open.set_parked(true);
        Parked {
            driver,
            open,
            starved: None,
            ends: false,
            called: false,
            long_reads: 0,
            leaving: None,
        }
    }

    pub fn connection(&self) -> &Connection {
        &self.driver.connection
    }

    pub fn source(&self) -> Option<Source<'_>> {
        self.driver.transport().source()
    }

    pub fn note_end_of_stream(&mut self) {
        self.ends = true;
    }

    /// True while something waits in its Outbox.
    pub fn has_called(&self) -> bool {
        self.called
    }

    pub fn connections(&self) -> &Arc<ConnectionServer> {
        &self.open.connections
    }

    /// Its turns are long, and nothing else is under way with it.
    pub fn is_busy(&self) -> bool {
        let busy = self.long_reads >= LONG_READS;
        busy && self.leaving.is_none() && !self.ends && !self.called && self.starved.is_none()
    }

    /// What a thread of its own needs.
    pub fn take_apart(self) -> (OpenConnection, Box<Driver>) {
        let Parked {
            driver, mut open, ..
        } = self;
        driver.connection.account().set_parked(false);
        open.set_parked(false);
        (open, Box::new(driver))
    }

    /// One read, or a few amid a long frame, and the messages that this gave.
    pub fn turn(
        &mut self,
        scratch: &mut ReadBuffer,
        now: Instant,
        put: &mut impl FnMut(InboxItem),
    ) -> Next {
        match self.leaving.take().map(|leaving| *leaving) {
            None => self.read(scratch, now, put),
            Some(Leaving::Ending(end, until)) => self.end(end, Some(until)),
            Some(Leaving::Closing(closing)) => self.close(closing),
            Some(Leaving::Lingering(close, until)) => self.linger(close, until),
        }
    }

    /// The time since the server began.
    fn now(&self) -> Duration {
        self.connection().account().time_at(Instant::now())
    }

    /// Whether the peer may be read from. If not, the connection is resumed when it may: its clocks stand still until
    /// then.
    fn may_read(&mut self) -> bool {
        let budget = &self.open.connections.inbox.budget;
        let may = match self.awaits_room() {
            true => {
                // What it was woken for is for the next one in line.
                budget.leave_line(self.connection());
                false
            }
            false => budget.may_read(self.connection()),
        };
        if !may {
            let now = self.now();
            self.starved.get_or_insert(now.into());
        }
        may
    }

    /// Whether so much waits for the peer, with what the application has still to answer, that it is not read from.
    fn awaits_room(&self) -> bool {
        // Set before the second look. Otherwise the application could be done with the messages between the first look
        // and the setting, and would resume no connection.
        self.driver.awaits_room() && {
            self.connection().account().note_waiting();
            self.driver.awaits_room()
        }
    }

    fn read(
        &mut self,
        scratch: &mut ReadBuffer,
        now: Instant,
        put: &mut impl FnMut(InboxItem),
    ) -> Next {
        if !self.may_read() {
            return Next::Wait(None);
        }
        if let Some(since) = self.starved.take() {
            let starved = self.now().saturating_sub(since.into());
            self.driver.conversation.stood_still(starved);
        }
        let awaited_pong = self.driver.conversation.awaits_pong();
        let lent = self.driver.conversation.lend(scratch);
        // Lent room holds one read.
        let parsed = self.read_on(if lent { 1 } else { READS }, now, put);
        let kept = match lent {
            true => self.driver.take_back(scratch),
            false => Ok(()),
        };
        let more = match parsed.and_then(|more| kept.map(|()| more)) {
            Ok(more) => more || self.ends || self.driver.holds_messages,
            Err(end) => return self.end(end, None),
        };
        // After a pong the next ping may be due earlier than the pong was.
        let is_due = awaited_pong || self.driver.conversation.is_assembling();
        let timed = match is_due && !self.driver.holds_messages {
            true => self.keep_deadlines(now),
            false => Next::Wait(None),
        };
        match timed {
            Next::Wait(at) if more => Next::Again(at),
            timed => timed,
        }
    }

    /// One read, and more as long as the next one can be nothing but payload of one frame, at most so often: control
    /// frames have one read of a turn. Whether there may be more.
    fn read_on(
        &mut self,
        most: usize,
        now: Instant,
        put: &mut impl FnMut(InboxItem),
    ) -> Result<bool, End> {
        let mut reads = 0;
        loop {
            let (bytes, more) = self.driver.read_at_once(now)?;
            let given = self.parse(put)?;
            self.long_reads = match bytes.max(given) {
                // That turn only looked whether more is there.
                0 => self.long_reads,
                LONG.. => self.long_reads.saturating_add(1),
                _ => 0,
            };
            reads += 1;
            let conversation = &self.driver.conversation;
            let is_amid_payload = conversation.payload_left() >= conversation.read_size();
            if given > 0 || !is_amid_payload || !more || reads == most {
                return Ok(more);
            }
        }
    }

    /// Gives what is there of messages; how many bytes they have.
    fn parse(&mut self, put: &mut impl FnMut(InboxItem)) -> Result<usize, End> {
        let ConnectionServer {
            counters, inbox, ..
        } = &*self.open.connections;
        let (messages, parsed) = self.driver.take_messages(counters);
        let bytes = messages.as_ref().map_or(0, Messages::bytes);
        let charged = messages.and_then(|messages| inbox.charge(self.connection(), messages));
        if let Some(item) = charged {
            put(item);
        }
        parsed.map(|()| bytes)
    }

    /// Says that it is open, if that was not said. Then come the messages after the opening handshake, and the first
    /// deadline.
    pub fn begin(&mut self, put: &mut impl FnMut(InboxItem)) -> Next {
        if let Some(item) = self.open.take_open_item() {
            put(item);
        }
        // A thread that gives it back may have left messages in the buffer because their answers found no room.
        if self.driver.holds_messages && !self.may_read() {
            return self.keep_deadlines(Instant::now());
        }
        if let Err(end) = self.parse(put) {
            return self.end(end, None);
        }
        self.driver.trim();
        match self.keep_deadlines(Instant::now()) {
            // Bytes that the stream read with the opening handshake and holds back make no socket ready.
            Next::Wait(at) if self.driver.may_hold_bytes_back() || self.driver.holds_messages => {
                Next::Again(at)
            }
            timed => timed,
        }
    }

    /// Writes what the socket takes of what waits in the Outbox, which has called.
    pub fn write(&mut self, now: Instant) -> Next {
        let pending = self.connection().outbox().service(now);
        self.called = pending.is_some();
        let at = pending.and_then(|pending| pending.deadline);
        match self.leaving.as_deref() {
            Some(Leaving::Closing(..)) => Next::Again(at),
            // The peer has taken some of what waited.
            None if self.starved.is_some() && !self.driver.awaits_room() => Next::Again(at),
            _ => Next::Wait(at),
        }
    }

    /// A deadline has passed. What came in time may wait in the socket.
    pub fn on_deadline(
        &mut self,
        scratch: &mut ReadBuffer,
        now: Instant,
        stood_still: bool,
        put: &mut impl FnMut(InboxItem),
    ) -> Next {
        if stood_still {
            self.wait_anew(now);
        }
        let written = match self.called {
            true => self.write(now),
            false => Next::Wait(None),
        };
        let read = self.turn(scratch, now, put);
        let timed = match (&read, &self.leaving) {
            (Next::Gone, _) => return Next::Gone,
            (_, None) if self.starved.is_none() && !self.driver.holds_messages => {
                self.driver.trim();
                self.keep_deadlines(now)
            }
            // No peer is given up while the application is slow, or because the peer has much to read. And what is
            // under way is known when all that was read is parsed.
            (_, None) => Next::Wait(Some(now + NEXT_LOOK)),
            _ => Next::Wait(None),
        };
        written.and(read).and(timed)
    }

    /// The process stood still: the application and the peer have their time once more.
    fn wait_anew(&mut self, now: Instant) {
        let limits = self.open.connections.limits();
        match self.leaving.as_deref_mut() {
            Some(Leaving::Ending(_, until)) => *until = now + limits.close_timeout,
            Some(Leaving::Closing(closing)) => {
                closing.patience = Patience::paced(now, limits.closing())
            }
            None => self.driver.conversation.resumed(now),
            Some(Leaving::Lingering(..)) => {}
        }
    }

    /// Keeps the deadlines while nothing comes: pings a silent peer, gives up one that does not answer. `now` is the
    /// time of the read before it: judged by a later one, after a standstill between the two, a peer would be given up
    /// at once.
    fn keep_deadlines(&mut self, now: Instant) -> Next {
        match self.driver.keep_deadlines(now) {
            Ok(at) => Next::Wait(at),
            Err(end) => self.end(end, None),
        }
    }

    /// Begins what the end of the connection asks for. `until`: how long it waits for the application, if it did
    /// before.
    fn end(&mut self, end: End, until: Option<Instant>) -> Next {
        let (now, limits) = (Instant::now(), self.open.connections.limits());
        let owed = !matches!(end, End::Lost)
            && self.connection().ready_state() == ReadyState::Open
            && until.is_none_or(|until| until > now)
            && !(self.open.connections.inbox.budget).is_settled(self.connection());
        if owed {
            // The peer's messages before its Close, its fault or the end of its direction are still owed their answers.
            let until = until.unwrap_or_else(|| now + limits.close_timeout);
            self.leave(Leaving::Ending(end, until));
            return Next::Wait(Some(until));
        }
        let patience = Patience::paced(now, limits.closing());
        let left = self.connection().outbox().left();
        let begun = self.driver.closing(limits).begin(&end);
        let end = self.open.report(end);
        match begun {
            true => self.close(Closing {
                end,
                patience,
                left,
            }),
            false => self.conclude(end, false),
        }
    }

    /// Waits until everything has left, or never will.
    fn close(&mut self, mut closing: Closing) -> Next {
        let limits = self.open.connections.limits();
        if let Some(all_left) = self.driver.closing(limits).has_left() {
            return self.conclude(closing.end, all_left);
        }
        let outbox = self.connection().outbox();
        let left = outbox.left();
        let written = usize::try_from(left - closing.left).unwrap_or(usize::MAX);
        closing.patience.progressed(written, Instant::now());
        closing.left = left;
        let until = closing.patience.deadline();
        if until <= Instant::now() {
            outbox.abort();
            return self.conclude(closing.end, false);
        }
        self.leave(Leaving::Closing(closing));
        Next::Wait(Some(until))
    }

    /// Ends the connection; the peer may still read our last bytes.
    fn conclude(&mut self, end: End, all_left: bool) -> Next {
        let mut lingering = self.open.conclude(&self.driver, end, all_left);
        if !lingering.begin(&self.open.connections.lingering_places) {
            lingering.end();
            return Next::Gone;
        }
        self.linger(lingering, Instant::now() + LINGER)
    }

    /// Reads away what the peer still sends.
    fn linger(&mut self, mut lingering: LingeringClose, until: Instant) -> Next {
        if !lingering.read_away() || Instant::now() >= until {
            lingering.end();
            return Next::Gone;
        }
        self.leave(Leaving::Lingering(lingering, until));
        Next::Wait(Some(until))
    }

    fn leave(&mut self, leaving: Leaving) {
        self.leaving = Some(Box::new(leaving));
    }
}
