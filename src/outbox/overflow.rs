//! What happens when a peer does not read: how much may wait for it, for how long, and what goes
//! when that is not enough.

use super::kept::KeptFrames;
use crate::address_space;
use crate::error::SendErrorKind;
use crate::limits::Limits;
use crate::overflow::Overflow;
use crate::protocol::pace::Pace;
use crate::transport::clock::TimeSource;

/// What one read brings at most beside the end of a message that was under way.
const ONE_READ: usize = 64 << 10;
/// Bytes of the shortest frame of a client: so many fewer messages come with a read.
const SHORTEST: usize = 6;
/// What a message costs at least while it waits for the application: so many fewer of them are pending.
pub(crate) const LEAST_PENDING: usize = 2 * size_of::<usize>();

#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    /// How long a frame may wait, and how fast those before it have to leave.
    pub(crate) pace: Pace,
    pub(crate) overflow: Overflow,
    /// Bytes of messages that may come with one more read of the peer, and be answered with as many.
    pub(crate) answers: usize,
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

    /// Makes room by the policy for a message of `len` bytes behind what is kept. Also how many messages were dropped
    /// for that, or with that.
    pub fn make_room(
        &self,
        kept: &mut KeptFrames,
        len: usize,
        time: &TimeSource,
    ) -> (Result<(), SendErrorKind>, u64) {
        if self.admit(kept, len, time) {
            return (Ok(()), 0);
        }
        match self.overflow {
            Overflow::Disconnect => (Err(SendErrorKind::SlowConsumer), 1),
            Overflow::DropNewest => (Err(SendErrorKind::Full), 1),
            Overflow::Refuse => (Err(SendErrorKind::Full), 0),
            Overflow::DropOldest => {
                let mut dropped = 0;
                while !self.admit(kept, len, time) && kept.drop_oldest() {
                    dropped += 1;
                }
                (Ok(()), dropped)
            }
        }
    }

    /// Drops messages by the policy while more waits than may; also how many. One message may always wait.
    pub fn cut_back(&self, kept: &mut KeptFrames) -> (Result<(), SendErrorKind>, u64) {
        let mut dropped = 0;
        while kept.messages() > 1
            && (kept.message_bytes() > self.bytes || kept.messages() > self.messages())
        {
            let goes = match self.overflow {
                Overflow::Disconnect => return (Err(SendErrorKind::SlowConsumer), dropped),
                Overflow::DropNewest => kept.drop_newest(),
                Overflow::DropOldest => kept.drop_oldest(),
                // It was taken, and has to leave.
                Overflow::Refuse => false,
            };
            if !goes {
                break;
            }
            dropped += 1;
        }
        (Ok(()), dropped)
    }

    /// Whether so much is kept that the peer is not to be read from. The answers to what comes with one more read, and
    /// to the `pending` bytes that the application has, are to find room.
    pub fn are_crowded(&self, kept: &KeptFrames, pending: usize) -> bool {
        let half = |bound: usize, answers: usize| (bound / 2).min(bound.saturating_sub(answers));
        !self.overflow.drops()
            && kept.messages() > 0
            && (kept.message_bytes().saturating_add(pending) > half(self.bytes, self.answers)
                || kept.messages() + pending / LEAST_PENDING
                    > half(self.messages(), ONE_READ / SHORTEST).max(1))
    }

    /// Whether less than half waits, and a message of `len` bytes has room.
    pub fn have_room_for(&self, kept: &KeptFrames, len: usize) -> bool {
        let below_half = kept.message_bytes() < self.bytes / 2;
        kept.messages() == 0 || (below_half && self.hold(kept, len))
    }

    /// Whether a message of `len` bytes may wait behind what is kept, without the policy.
    pub fn admit(&self, kept: &KeptFrames, len: usize, time: &TimeSource) -> bool {
        self.hold(kept, len) && !self.hold_old(kept, time)
    }

    /// A message has waited for too long. Where nothing is dropped that is for the leader to judge,
    /// which knows whether the process stood still.
    pub fn hold_old(&self, kept: &KeptFrames, time: &TimeSource) -> bool {
        self.overflow.drops() && kept.is_older(time.now(), self.pace.patience)
    }

    /// Whether there is room for a message of `len` bytes more. Where none waits any one may.
    fn hold(&self, kept: &KeptFrames, len: usize) -> bool {
        let beside = || {
            let bytes = kept.message_bytes() + len;
            bytes <= self.bytes
                && kept.messages() < self.messages()
                && address_space::has_room(bytes)
        };
        kept.messages() == 0 || beside()
    }

    /// How many messages may wait: short ones cost more than their bytes.
    fn messages(&self) -> usize {
        (self.bytes / 64).max(16)
    }
}
