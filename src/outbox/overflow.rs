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
}

#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(super) bytes: usize,
    /// How long a frame may wait, and how fast those before it have to leave.
    pub(super) pace: Pace,
    pub(super) overflow: Overflow,
}

impl Bounds {
    pub fn new(limits: &Limits, overflow: Overflow) -> Self {
        Bounds {
            bytes: limits.outbound(),
            pace: limits.writing(),
            overflow,
        }
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

    /// A message has waited for too long. Under `Disconnect` that is for the leader to judge,
    /// which knows whether the process stood still.
    fn holds_old_messages(&self) -> bool {
        self.bounds.overflow != Overflow::Disconnect
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
        }
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

    /// When a frame will have waited too long: under `Disconnect` any frame, else a pong alone,
    /// since dropping policies are for peers that may stay slow.
    fn age_deadline(&self) -> Option<Instant> {
        self.kept.deadline(
            self.bounds.pace.patience,
            self.bounds.overflow == Overflow::Disconnect,
        )
    }

    /// The process stood still: what passed meanwhile counts against nobody.
    pub fn resumed(&mut self, now: Instant) {
        self.kept.wait_anew(now);
        self.sender
            .resumed(now.saturating_duration_since(self.epoch));
    }
}
