//! What happens when a peer does not read: how much may wait for it, for how long, and what goes
//! when that is not enough.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::kept::Kept;
use super::queue::{Failure, Fate, Queue};
use super::state::Link;
use crate::address_space;
use crate::error::SendErrorKind;
use crate::limits::Limits;
use crate::protocol::close::CloseCode;
use crate::protocol::pace::Pace;

/// What happens when a peer does not read: more than
/// [`outbound_per_connection`](Limits::outbound_per_connection) bytes wait for it, or a frame waits
/// for longer than [`write_timeout`](Limits::write_timeout), or little address space is left
/// (`ulimit -v`). Control frames are never dropped, and
/// no policy cuts a frame that is partly written. A peer that reads faster than
/// [`min_rate`](Limits::min_rate) is given the time that a long message takes.
///
/// With `Disconnect` and `Refuse` a peer that asks faster than it listens is slowed down before that: while more than
/// about half of the bound waits for it, it is not read from, so TCP holds back what it sends. Its clocks for pongs and
/// for messages under way stand still meanwhile, and `write_timeout` goes on. A peer of the other two may stay slow for
/// good, and is read from always. What the application sends of its own accord, a feed or a broadcast, is not slowed
/// down by that: there the policy decides, or [`Connection::send_timeout`](crate::Connection::send_timeout) waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// Give the connection up: what waits is dropped, and the application sees `Error(SlowConsumer)` at
    /// once. Close 1013 is sent if the peer takes it in time; `Close` 1006 follows when that is decided,
    /// at most [`close_timeout`](Limits::close_timeout) later. The default: a client that connects again
    /// knows that it missed something.
    #[default]
    Disconnect,
    /// Drop what is sent now: `send` returns it.
    DropNewest,
    /// Drop what has waited longest: for live data, where only the latest counts. The newest message
    /// is kept always: beside one that is partly written it may wait beyond the bound.
    DropOldest,
    /// Refuse what is sent now: `send` gives it back with [`SendErrorKind::Full`], nothing is dropped, and the
    /// connection goes on. [`Event::Drained`](crate::Event::Drained) comes once when less than half of the bound waits,
    /// and there is room for what was refused: for a download that must lose nothing. A peer that takes nothing for
    /// `write_timeout` is given up as with `Disconnect`. What is broadcast goes to those who have room; the others
    /// count as [`dropped`](crate::Broadcast::dropped).
    ///
    /// ```
    /// use wshub::{Connection, Event, Overflow, SendErrorKind, Server};
    ///
    /// /// Sends what there is room for; true when all of it went.
    /// fn go_on(connection: &Connection, rest: &mut dyn Iterator<Item = Vec<u8>>, back: &mut Option<Vec<u8>>) -> bool {
    ///     while let Some(chunk) = back.take().or_else(|| rest.next()) {
    ///         if let Err(error) = connection.send(chunk) {
    ///             if error.kind() == SendErrorKind::Full {
    ///                 *back = Some(error.into_message().into_bytes()); // `Drained` follows
    ///             }
    ///             return false;
    ///         }
    ///     }
    ///     true
    /// }
    ///
    /// let server = Server::builder().overflow(Overflow::Refuse).bind("127.0.0.1:0")?;
    /// # server.handle().shutdown();
    /// let mut chunks = std::iter::repeat_n(vec![7; 64 << 10], 1000); // 64 MB, of which a little is in memory
    /// let mut back = None;
    /// for event in server.events() {
    ///     if let Event::Open(connection) | Event::Drained(connection) = event {
    ///         go_on(&connection, &mut chunks, &mut back);
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    Refuse,
}

impl Overflow {
    /// Whether messages are dropped for a peer that may stay slow.
    pub(crate) fn drops(self) -> bool {
        matches!(self, Overflow::DropNewest | Overflow::DropOldest)
    }
}

/// What one read brings at most beside the end of a message that was under way.
const ONE_READ: usize = 64 << 10;
/// Bytes of the shortest frame of a client: so many fewer messages come with a read.
const SHORTEST: usize = 6;

#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(super) bytes: usize,
    /// How long a frame may wait, and how fast those before it have to leave.
    pub(super) pace: Pace,
    pub(super) overflow: Overflow,
    /// Bytes of messages that may come with one more read of the peer, and be answered with as many.
    pub(super) answers: usize,
}

impl Bounds {
    pub fn new(limits: &Limits, overflow: Overflow) -> Self {
        Bounds {
            bytes: limits.outbound(),
            pace: limits.writing(),
            overflow,
            answers: limits.max_message.saturating_add(ONE_READ),
        }
    }

    /// Whether so much is kept that the peer is not to be read from. The answers to what comes with one more read, and
    /// to the `pending` bytes that the application has, are to find room.
    fn are_crowded(&self, kept: &Kept, pending: usize) -> bool {
        let half = |bound: usize, answers: usize| (bound / 2).min(bound.saturating_sub(answers));
        kept.messages() > 0
            && (kept.message_bytes().saturating_add(pending) > half(self.bytes, self.answers)
                || kept.messages() > half(self.messages(), ONE_READ / SHORTEST).max(1))
    }

    /// Whether less than half waits, and a message of `len` bytes has room.
    fn have_room_for(&self, kept: &Kept, len: usize) -> bool {
        let below_half = kept.message_bytes() < self.bytes / 2;
        kept.messages() == 0 || (below_half && self.admit(kept, len))
    }

    /// Whether a message of `len` bytes may wait behind what is kept. Where none waits any one may.
    fn admit(&self, kept: &Kept, len: usize) -> bool {
        let beside = || {
            let bytes = kept.message_bytes() + len;
            bytes <= self.bytes
                && kept.messages() < self.messages()
                && address_space::has_room(bytes)
        };
        kept.messages() == 0 || beside()
    }

    /// Whether more waits than may. One message may always wait.
    fn are_exceeded(&self, kept: &Kept) -> bool {
        kept.messages() > 1
            && (kept.message_bytes() > self.bytes || kept.messages() > self.messages())
    }

    /// How many messages may wait: short ones cost more than their bytes.
    fn messages(&self) -> usize {
        (self.bytes / 64).max(16)
    }
}

impl Queue {
    /// Decides whether a frame may wait behind what is kept, and makes room by the policy.
    pub fn admit(&mut self, link: &Link, len: usize, unbounded: bool) -> Fate {
        if self.failure.is_some() {
            return Fate::Refused(SendErrorKind::Closed);
        }
        if unbounded || self.is_on_its_way() {
            return Fate::Remainder { written: 0 };
        }
        if self.holds_old_messages() {
            // After a standstill it may have room: the first thread that looks tries.
            self.drain(link);
        }
        if self.failure.is_some() {
            return Fate::Refused(SendErrorKind::Closed);
        }
        match self.overflows(len) {
            false => Fate::Remainder { written: 0 },
            true => self.overflow(link, len),
        }
    }

    /// Has the policy decide about what was kept before the stream refused a part of it.
    pub fn hold_to_bounds(&mut self, link: &Link) {
        // Without a common collector only a handler sends so much, and it waits for what it sent.
        if !self.is_refused() || link.delivery.collector().is_none() {
            return;
        }
        while self.failure.is_none() && self.bounds.are_exceeded(&self.kept) {
            let dropped = match self.bounds.overflow {
                Overflow::Disconnect => return self.slow_consumer(link),
                Overflow::DropNewest => self.kept.drop_newest(),
                Overflow::DropOldest => self.kept.drop_oldest(),
                // It was taken, and has to leave.
                Overflow::Refuse => return,
            };
            if !dropped {
                return;
            }
            link.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn overflows(&self, len: usize) -> bool {
        !self.bounds.admit(&self.kept, len) || self.holds_old_messages()
    }

    /// A message has waited for too long. Where nothing is dropped that is for the leader to judge,
    /// which knows whether the process stood still.
    fn holds_old_messages(&self) -> bool {
        self.bounds.overflow.drops()
            && self
                .kept
                .is_older((self.clock)(), self.bounds.pace.patience)
    }

    /// Does what the policy says about a frame for which there is no room.
    fn overflow(&mut self, link: &Link, len: usize) -> Fate {
        let drop_one = || _ = link.counters.dropped.fetch_add(1, Ordering::Relaxed);
        match self.bounds.overflow {
            Overflow::Disconnect => {
                drop_one();
                self.slow_consumer(link);
                Fate::Refused(SendErrorKind::SlowConsumer)
            }
            Overflow::DropNewest => {
                drop_one();
                Fate::Refused(SendErrorKind::Full)
            }
            Overflow::DropOldest => {
                while self.overflows(len) && self.kept.drop_oldest() {
                    drop_one();
                }
                Fate::Remainder { written: 0 }
            }
            Overflow::Refuse => {
                self.refused = self.refused.max(Some(len));
                Fate::Refused(SendErrorKind::Full)
            }
        }
    }

    /// Whether what was taken has to leave, whatever the bounds say.
    pub fn owes_what_it_took(&self) -> bool {
        self.bounds.overflow == Overflow::Refuse
    }

    /// So much waits that the peer is to be read from only when it has taken some of that. `pending`: bytes of its
    /// messages that the application has still to answer.
    pub fn is_crowded(&self, pending: usize) -> bool {
        !self.bounds.overflow.drops()
            && self.failure.is_none()
            && !self.sender.close_sent()
            && self.bounds.are_crowded(&self.kept, pending)
    }

    /// As [`is_crowded`](Queue::is_crowded); if so, the leader is called when it is so no more.
    pub fn await_room(&mut self, pending: usize) -> bool {
        self.awaited = self.is_crowded(pending);
        self.awaited
    }

    /// True once when there is room that the reader waits for.
    pub fn take_awaited(&mut self) -> bool {
        let comes = self.awaited && !self.is_crowded(0);
        self.awaited &= !comes;
        comes
    }

    /// True once when there is room for what was refused.
    pub fn take_refused(&mut self) -> bool {
        let room = |len| self.bounds.have_room_for(&self.kept, len);
        let comes = self.refused.is_some_and(room);
        if comes {
            self.refused = None;
        }
        comes && self.failure.is_none() && !self.sender.close_sent()
    }

    /// Whether a message of `len` bytes is decided about without the policy: it may wait, or never leaves.
    pub fn takes(&self, len: usize) -> bool {
        let has_room = || self.bounds.admit(&self.kept, len) && !self.holds_old_messages();
        self.failure.is_some() || self.sender.close_sent() || has_room()
    }

    /// Drops every whole unsent message and queues Close 1013 behind a partly written one.
    fn slow_consumer(&mut self, link: &Link) {
        let dropped = self.kept.drop_whole_messages();
        // fault: dropped by the policy and not counted
        link.counters.dropped.fetch_add(dropped, Ordering::Relaxed);
        self.begin_close(link, Some(CloseCode::TRY_AGAIN_LATER), "too slow");
        self.failure = Some(Failure::SlowConsumer);
    }

    pub fn check_deadlines(&mut self, link: &Link, now: Instant) {
        if self.age_deadline().is_some_and(|at| at <= now) {
            self.give_up(link, Failure::SlowConsumer);
        } else if self.deadline().is_some_and(|at| at <= now) {
            self.give_up(link, Failure::CloseTimeout);
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        if self.cut {
            return None;
        }
        let close = self
            .sender
            .close_deadline()
            .and_then(|at| self.epoch.checked_add(at));
        [close, self.age_deadline()].into_iter().flatten().min()
    }

    /// When a frame will have waited too long: a pong alone where messages are dropped, for peers that may stay slow,
    /// else any frame.
    fn age_deadline(&self) -> Option<Instant> {
        let messages_too = !self.bounds.overflow.drops();
        self.kept.deadline(self.bounds.pace.patience, messages_too)
    }

    /// The process stood still: what passed meanwhile counts against nobody.
    pub fn resumed(&mut self, now: Instant) {
        self.kept.wait_anew(now);
        self.sender
            .resumed(now.saturating_duration_since(self.epoch));
    }
}
