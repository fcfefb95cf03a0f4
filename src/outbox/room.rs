//! The room for what waits in one Outbox: what may wait there, and which threads wait for room. How much that is, the
//! [`bounds`](super::bounds) say.

use std::num::NonZeroU32;

use super::bounds::Terms;
use super::queue::Queue;
use super::wire::Wire;
use crate::error::SendErrorKind;
use crate::overflow::Overflow;

impl Queue {
    /// Whether a frame may wait after what is kept; makes room for it by the policy.
    pub fn make_room(
        &mut self,
        link: &impl Wire,
        len: usize,
        terms: Terms,
    ) -> Result<(), SendErrorKind> {
        let waits_anyway = terms == Terms::Unbounded || self.turn.is_coming();
        if self.failure.is_none() && waits_anyway {
            return Ok(());
        }
        if self.failure.is_none() && self.bounds.is_overdue(&self.kept, &self.time) {
            // After a standstill of the process the socket may have room: the first thread that comes tries it.
            self.write_kept(link);
        }
        if self.failure.is_some() {
            return Err(SendErrorKind::Closed);
        }
        let (made, dropped) = self.bounds.make_room(&mut self.kept, len, &self.time);
        link.count_dropped(dropped);
        match made {
            Err(SendErrorKind::SlowConsumer) => self.slow_consumer(link),
            Err(_) if self.bounds.overflow == Overflow::Refuse => {
                let len = u32::try_from(len).unwrap_or(u32::MAX);
                self.refused = self.refused.max(NonZeroU32::new(len));
            }
            _ => {}
        }
        made
    }

    /// Applies the policy to what was kept before the stream refused a part of it.
    pub fn cut_back(&mut self, link: &impl Wire) {
        // A handler waits for what it sends: the policy is not for it.
        if self.failure.is_some() || !self.is_blocked() || link.is_of_handler() {
            return;
        }
        let (cut, dropped) = self.bounds.cut_back(&mut self.kept);
        link.count_dropped(dropped);
        if cut.is_err() {
            self.slow_consumer(link);
        }
    }

    /// True if a message of `len` bytes needs no decision by the policy: it may wait, or it can never leave.
    pub fn fits(&self, len: usize) -> bool {
        !self.is_open() || self.bounds.fits(&self.kept, len, &self.time)
    }

    /// True if so much waits that the peer must not be read from until it has taken some of it. `pending`: bytes of its
    /// messages that the application has still to answer.
    pub fn is_crowded(&self, pending: usize) -> bool {
        let (messages, bytes) = (self.kept.messages(), self.kept.message_bytes());
        self.is_open() && self.bounds.are_crowded(messages, bytes, pending)
    }

    /// True if so much is collected that it may take the room of answers if the stream refuses it.
    pub fn has_much_collected(&self) -> bool {
        let (messages, bytes) = (self.collected.noted(), self.collected.bytes().len());
        bytes > self.bounds.bytes / 8 || messages > self.bounds.messages() / 8
    }

    /// If too much would wait should the stream refuse what is collected, offers that to the stream; true if so.
    pub fn flush_if_crowded(&mut self, link: &impl Wire, pending: usize) -> bool {
        let messages = self.kept.messages() + self.collected.noted();
        let bytes = self.kept.message_bytes() + self.collected.bytes().len();
        let much = !self.collected.is_empty() && self.bounds.are_crowded(messages, bytes, pending);
        if much {
            self.flush(link);
        }
        much
    }

    /// Somebody waits for room.
    pub fn is_awaited(&self) -> bool {
        self.awaited || self.refused.is_some()
    }

    /// As [`is_crowded`](Queue::is_crowded). If true, the leader is called when there is room again.
    pub fn await_room(&mut self, pending: usize) -> bool {
        self.awaited = self.is_crowded(pending);
        self.awaited
    }

    /// True once, when there is room and the reader waits for it.
    pub fn take_awaited(&mut self) -> bool {
        let comes = self.awaited && !self.is_crowded(0);
        self.awaited &= !comes;
        comes
    }

    /// True once, when there is room for the longest frame that was refused, and less than half waits.
    pub fn take_room_for_refused(&mut self) -> bool {
        let (bounds, kept) = (&self.bounds, &self.kept);
        let has_half = kept.messages() == 0 || kept.message_bytes() < bounds.bytes / 2;
        let has_room = |len: NonZeroU32| bounds.has_room(kept, len.get() as usize);
        let comes = has_half && self.refused.is_some_and(has_room);
        if comes {
            self.refused = None;
        }
        comes && self.is_open()
    }
}
