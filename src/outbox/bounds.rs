//! The bounds of what waits while a peer does not read: how much, for how long, and what goes when that is not enough.
//! A queue asks for it in [`room`](super::room).

use std::time::Instant;

use super::kept::KeptFrames;
use crate::address_space;
use crate::error::SendErrorKind;
use crate::limits::{Limits, read_size};
use crate::overflow::Overflow;
use crate::protocol::pace::Pace;
use crate::transport::clock::TimeSource;

/// A read may bring ten times as many of the shortest messages. An application that works 0.1 ms on each comes to other
/// connections within a tenth of a second.
const MOST_AT_ONCE: usize = 1024;
/// The least that a message costs while it waits for the application: it bounds how many can be pending.
pub(crate) const LEAST_PENDING: usize = 2 * size_of::<usize>();

/// On which terms a frame waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terms {
    Bounded,
    /// Its sender waits until it has left.
    Unbounded,
}

#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    /// How long a frame may wait, and how fast those before it have to leave.
    pub(crate) pace: Pace,
    pub(crate) overflow: Overflow,
    /// Messages that are taken at once, to be answered.
    pub(crate) at_once: usize,
    /// The most bytes that the answers to one read take, each as long as its message: one of `max_message` that ends
    /// there, a read full of others, and their headers. `at_once` allows one message for each 128 bytes of what may
    /// wait, and an answer that short has a header of two.
    pub(crate) answers: usize,
    /// Before any connection under these bounds began: the protocol core counts time from there.
    pub(crate) epoch: Instant,
}

impl Bounds {
    pub fn new(limits: &Limits, overflow: Overflow) -> Self {
        Bounds {
            bytes: limits.outbound(),
            pace: limits.writing(),
            overflow,
            at_once: messages_at_once(limits),
            answers: (limits.max_message)
                .saturating_add(read_size(limits.max_message))
                .saturating_add(limits.outbound() / 64),
            epoch: Instant::now(),
        }
    }

    /// Makes room for a message of `len` bytes after what is kept, as the policy says. Also returns how many messages
    /// were dropped, the new one included.
    pub fn make_room(
        &self,
        kept: &mut KeptFrames,
        len: usize,
        time: &TimeSource,
    ) -> (Result<(), SendErrorKind>, u64) {
        if self.fits(kept, len, time) {
            return (Ok(()), 0);
        }
        match self.overflow {
            Overflow::Disconnect => (Err(SendErrorKind::SlowConsumer), 1),
            Overflow::DropNewest => (Err(SendErrorKind::Full), 1),
            Overflow::Refuse => (Err(SendErrorKind::Full), 0),
            Overflow::DropOldest => {
                let mut dropped = 0;
                while !self.fits(kept, len, time) && kept.drop_oldest() {
                    dropped += 1;
                }
                (Ok(()), dropped)
            }
        }
    }

    /// Drops messages as the policy says until what waits is within the bounds; also returns how many. One message may
    /// always wait.
    pub fn cut_back(&self, kept: &mut KeptFrames) -> (Result<(), SendErrorKind>, u64) {
        let mut dropped = 0;
        while kept.messages() > 1
            && (kept.message_bytes() > self.bytes || kept.messages() > self.messages())
        {
            let goes = match self.overflow {
                Overflow::Disconnect => return (Err(SendErrorKind::SlowConsumer), dropped),
                Overflow::DropNewest => kept.drop_newest(),
                Overflow::DropOldest => kept.drop_oldest(),
                // It was accepted for sending, so it must not be dropped.
                Overflow::Refuse => false,
            };
            if !goes {
                break;
            }
            dropped += 1;
        }
        (Ok(()), dropped)
    }

    /// True if so many messages and bytes wait that the peer must not be read from. Room is reserved for the answers to
    /// one more read, and to the `pending` bytes that the application has.
    pub fn are_crowded(&self, messages: usize, bytes: usize, pending: usize) -> bool {
        let half = |bound: usize, answers: usize| (bound / 2).min(bound.saturating_sub(answers));
        !self.overflow.drops()
            && messages > 0
            && (bytes.saturating_add(pending) > half(self.bytes, self.answers)
                || messages + pending / LEAST_PENDING > half(self.messages(), self.at_once).max(1))
    }

    /// Whether a message of `len` bytes may wait after what is kept, without the policy.
    pub fn fits(&self, kept: &KeptFrames, len: usize, time: &TimeSource) -> bool {
        self.has_room(kept, len) && !self.is_overdue(kept, time)
    }

    /// True if a message has waited too long. If the policy drops nothing, the leader decides instead: it knows whether
    /// the process stood still.
    pub fn is_overdue(&self, kept: &KeptFrames, time: &TimeSource) -> bool {
        self.overflow.drops() && kept.is_older(time.now(), self.pace.patience)
    }

    /// Whether there is room for one more message of `len` bytes. If none waits, any length has room.
    pub fn has_room(&self, kept: &KeptFrames, len: usize) -> bool {
        let beside = || {
            let bytes = kept.message_bytes() + len;
            bytes <= self.bytes
                && kept.messages() < self.messages()
                && address_space::has_room(bytes)
        };
        kept.messages() == 0 || beside()
    }

    /// How many messages may wait.
    pub fn messages(&self) -> usize {
        most_messages(self.bytes)
    }
}

/// How many messages may wait: short ones cost more than their bytes.
fn most_messages(bytes: usize) -> usize {
    (bytes / 64).max(16)
}

/// How many messages of a peer are taken at once: their answers, beside half of all that may wait, find room, and other
/// connections have their turn behind so many.
fn messages_at_once(limits: &Limits) -> usize {
    (most_messages(limits.outbound()) / 2).min(MOST_AT_ONCE)
}
