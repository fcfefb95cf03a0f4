//! One connection that holds no thread: what its turn is, what its deadlines ask for, how it ends. What a thread would
//! wait for are states here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::batch::Messages;
use super::super::connection::{OpenConnection, deliver};
use super::super::driver::Driver;
use super::super::hub::Hub;
use super::super::inbox::InboxItem;
use super::super::lingering::LingeringClose;
use super::Next;
use super::hand_over::{LONG, LONG_TURNS};
use crate::connection::Connection;
use crate::connection::end::End;
use crate::connection::read_buffer::ReadBuffer;
use crate::logging::line_for_later;
use crate::outbox::ReadyState;
use crate::patience::Patience;
use crate::poller::Source;
use crate::transport::LINGER;

/// So much is read away of a peer that goes on sending behind the end.
const MOST_READ_AWAY: usize = 64 << 10;
/// When one that waits for the application is looked at again, if nothing else happens before.
const NEXT_LOOK: Duration = Duration::from_secs(1);

pub(crate) struct Parked {
    driver: Driver,
    place: OpenConnection,
    /// Since when it has waited for room that the application makes, or the peer itself, for which too much waits: it
    /// is not read from, and its clocks stand still.
    starved: Option<Instant>,
    /// The peer's end is behind what is there: no further edge comes, so it is read until it is found.
    ends: bool,
    /// Something waits in its Outbox, or a deadline runs there.
    called: bool,
    /// Long turns in a row.
    long_turns: u8,
    /// `None`: it is open. Boxed, for most are.
    leaving: Option<Box<Leaving>>,
}

/// How far it is with its end.
enum Leaving {
    /// The application still has messages to take, and their answers to send; at most until then.
    Ending(End, Instant),
    /// What was sent, a Close behind it, waits for the peer to take it.
    Closing(Closing),
    /// What the peer still sends is read away, so that a reset does not overtake our last bytes; so many bytes were,
    /// and until then.
    Lingering(LingeringClose, usize, Instant),
}

struct Closing {
    end: End,
    patience: Patience,
    /// How much had left of what had to wait.
    left: u64,
}

impl Parked {
    pub fn new(driver: Driver, mut place: OpenConnection) -> Self {
        driver.connection.account().set_parked(true);
        place.set_parked(true);
        Parked {
            driver,
            place,
            starved: None,
            ends: false,
            called: false,
            long_turns: 0,
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

    /// What tells the application that it is open.
    pub fn open(&mut self) -> Option<InboxItem> {
        self.place.open()
    }

    pub fn hub(&self) -> &Arc<Hub> {
        self.place.hub()
    }

    /// Its turns are long, and nothing else is under way with it.
    pub fn is_busy(&self) -> bool {
        let busy = self.long_turns >= LONG_TURNS;
        busy && self.leaving.is_none() && !self.ends && !self.called && self.starved.is_none()
    }

    /// What a thread of its own needs.
    pub fn take_apart(self) -> (OpenConnection, Box<Driver>) {
        let Parked {
            driver, mut place, ..
        } = self;
        driver.connection.account().set_parked(false);
        place.set_parked(false);
        (place, Box::new(driver))
    }

    /// Goes on on a thread of its own.
    pub fn unpark(self) {
        let (place, driver) = self.take_apart();
        let hub = place.hub().clone();
        if let Err(refused) = hub.workers.run(move || deliver(place, driver)) {
            hub.workers.log_writer().write(line_for_later!(
                Warn,
                "a connection ends, for there is no thread: {refused}"
            ));
        }
    }

    /// One read, and the messages that it gave.
    pub fn turn(&mut self, scratch: &mut ReadBuffer, put: &mut impl FnMut(InboxItem)) -> Next {
        match self.leaving.take().map(|leaving| *leaving) {
            None => self.read(scratch, put),
            Some(Leaving::Ending(end, until)) => self.end(end, Some(until)),
            Some(Leaving::Closing(closing)) => self.close(closing),
            Some(Leaving::Lingering(close, seen, until)) => {
                self.linger(scratch, close, seen, until)
            }
        }
    }

    fn read(&mut self, scratch: &mut ReadBuffer, put: &mut impl FnMut(InboxItem)) -> Next {
        if self.driver.awaits_room() || !self.place.hub().inbox.budget().may_read(self.connection())
        {
            self.starved.get_or_insert_with(Instant::now);
            return Next::Wait(None);
        }
        if let Some(since) = self.starved.take() {
            self.driver.conversation.stood_still(since.elapsed());
        }
        let awaited_pong = self.driver.conversation.awaits_pong();
        let lent = self.driver.conversation.lend(scratch);
        let read = self.driver.read_at_once();
        let parsed = read.and_then(|(bytes, more)| {
            let given = self.parse(put)?;
            self.long_turns = match bytes.max(given) {
                // It looked whether more is there.
                0 => self.long_turns,
                LONG.. => self.long_turns.saturating_add(1),
                _ => 0,
            };
            Ok(more)
        });
        let kept = match lent {
            true => self.driver.take_back(scratch),
            false => Ok(()),
        };
        let more = match parsed.and_then(|more| kept.map(|()| more)) {
            Ok(more) => more || self.ends || self.driver.holds_messages,
            Err(end) => return self.end(end, None),
        };
        // Behind a pong the next ping may be due before the pong was.
        let timed = match awaited_pong || self.driver.conversation.is_assembling() {
            true => self.keep_deadlines(),
            false => Next::Wait(None),
        };
        match timed {
            Next::Wait(at) if more => Next::Again(at),
            timed => timed,
        }
    }

    /// Gives what is there of messages; how many bytes they have.
    fn parse(&mut self, put: &mut impl FnMut(InboxItem)) -> Result<usize, End> {
        let (messages, parsed) = self.driver.take_messages();
        let bytes = messages.as_ref().map_or(0, Messages::cost);
        let inbox = &self.place.hub().inbox;
        let charged = messages.and_then(|messages| inbox.charge(self.connection(), messages));
        if let Some(item) = charged {
            put(item);
        }
        parsed.map(|()| bytes)
    }

    /// The messages that came behind the opening handshake, and the first deadline.
    pub fn take_messages(&mut self, put: &mut impl FnMut(InboxItem)) -> Next {
        if let Err(end) = self.parse(put) {
            return self.end(end, None);
        }
        match self.keep_deadlines() {
            // What it read with the opening handshake and holds back makes nothing ready.
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
            // The peer has taken of what waited.
            None if self.starved.is_some() && !self.driver.awaits_room() => Next::Again(at),
            _ => Next::Wait(at),
        }
    }

    /// A deadline has passed. What came in time may wait in the socket.
    pub fn is_due(
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
        let read = self.turn(scratch, put);
        let timed = match (&read, &self.leaving) {
            (Next::Gone, _) => return Next::Gone,
            (_, None) if self.starved.is_none() => self.keep_deadlines(),
            // Nobody is given up while the application is slow, or because it has much to read.
            (_, None) => Next::Wait(Some(now + NEXT_LOOK)),
            _ => Next::Wait(None),
        };
        written.and(read).and(timed)
    }

    /// The process stood still: the application and the peer have their time once more.
    fn wait_anew(&mut self, now: Instant) {
        let limits = &self.place.hub().options.limits;
        match self.leaving.as_deref_mut() {
            Some(Leaving::Ending(_, until)) => *until = now + limits.close_timeout,
            Some(Leaving::Closing(closing)) => {
                closing.patience = Patience::paced(now, limits.closing())
            }
            None => self.driver.conversation.resumed(now),
            Some(Leaving::Lingering(..)) => {}
        }
    }

    /// What the time asks for while nothing comes: pings a silent peer, gives up one that does not answer.
    fn keep_deadlines(&mut self) -> Next {
        match self.driver.keep_deadlines() {
            Ok(at) => Next::Wait(at),
            Err(end) => self.end(end, None),
        }
    }

    /// Begins what the end of the connection asks for. `until`: how long it waits for the application, if it did
    /// before.
    fn end(&mut self, end: End, until: Option<Instant>) -> Next {
        let (now, hub) = (Instant::now(), self.place.hub());
        let owed = !matches!(end, End::Lost)
            && self.connection().ready_state() == ReadyState::Open
            && until.is_none_or(|until| until > now)
            && !hub.inbox.budget().is_settled(self.connection());
        if owed {
            // The peer's messages before its Close, its fault or the end of its direction are still owed their answers.
            let until = until.unwrap_or_else(|| now + hub.options.limits.close_timeout);
            self.leave(Leaving::Ending(end, until));
            return Next::Wait(Some(until));
        }
        let patience = Patience::paced(now, hub.options.limits.closing());
        let left = self.connection().outbox().left();
        let begun = self.driver.closing().begin(&end);
        let end = self.place.report(end);
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
        if let Some(told) = self.driver.closing().is_told() {
            return self.conclude(closing.end, told);
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
    fn conclude(&mut self, end: End, told: bool) -> Next {
        let mut lingering = self.place.conclude(&self.driver, end, told);
        if !lingering.begin(self.place.hub()) {
            lingering.end();
            return Next::Gone;
        }
        let until = Instant::now() + LINGER;
        self.leave(Leaving::Lingering(lingering, 0, until));
        Next::Again(Some(until))
    }

    /// Reads away what the peer still sends.
    fn linger(
        &mut self,
        scratch: &mut ReadBuffer,
        mut lingering: LingeringClose,
        seen: usize,
        until: Instant,
    ) -> Next {
        match lingering.read_away(scratch.room()) {
            Some(read) if seen + read < MOST_READ_AWAY && Instant::now() < until => {
                self.leave(Leaving::Lingering(lingering, seen + read, until));
                match read {
                    0 => Next::Wait(Some(until)),
                    _ => Next::Again(None),
                }
            }
            _ => {
                lingering.end();
                Next::Gone
            }
        }
    }

    fn leave(&mut self, leaving: Leaving) {
        self.leaving = Some(Box::new(leaving));
    }
}
