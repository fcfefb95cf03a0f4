//! The reading half of a connection as a value: buffer, receiver, deadlines. Whoever drives it reads.

use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::compression::Agreed;
use crate::connection::read_buffer::ReadBuffer;
use crate::limits::Limits;
use crate::patience::stood_still;
use crate::protocol::Role;
use crate::protocol::keepalive::{Due, Keepalive};
use crate::protocol::receive::{Received, Receiver};
use crate::protocol::violation::Violation;

/// Silence after which a buffer that grew is given back.
const TRIM_AFTER: Duration = Duration::from_secs(1);

pub(crate) struct Conversation {
    receiver: Receiver,
    buffer: ReadBuffer,
    keepalive: Keepalive,
    epoch: Instant,
    /// When the last read returned: time spent elsewhere counts against nobody.
    read_at: Duration,
    /// Bytes came that were not looked at.
    fresh: bool,
    /// Whatever was being assembled has been completed since the last read.
    completed: bool,
    /// What the last call of `next` leaves to do, once its borrow of the buffer has ended.
    left: Left,
}

enum Left {
    Nothing,
    Discard,
    Keep(Range<usize>),
}

impl Conversation {
    /// `buffer`: what came behind the opening handshake. Without a `ping_interval` no ping is ever due.
    pub fn new(
        role: Role,
        limits: &Limits,
        ping_interval: Option<Duration>,
        buffer: ReadBuffer,
        extension: Option<&Agreed>,
    ) -> Self {
        let inflater = extension
            .map(|agreed| agreed.inflater(role.peer_compression(agreed), limits.max_message));
        Conversation {
            receiver: Receiver::new(role, limits.receive()).with_inflater(inflater),
            buffer,
            keepalive: Keepalive::new(
                ping_interval,
                limits.pong_timeout,
                limits.assembly(),
                Duration::ZERO,
            ),
            epoch: Instant::now(),
            read_at: Duration::ZERO,
            fresh: true,
            completed: false,
            left: Left::Nothing,
        }
    }

    /// From now on a silent peer is pinged.
    pub fn start_heartbeat(&mut self, ping_interval: Option<Duration>) {
        self.keepalive.set_ping_interval(ping_interval);
    }

    /// What comes next in the buffer; `NeedMore` until [`fill`](Conversation::fill) brought more.
    #[inline]
    pub fn next(&mut self) -> Result<Received<'_>, Violation> {
        self.settle();
        let received = self.receiver.receive(self.buffer.filled())?;
        self.left = match &received {
            Received::NeedMore { keep } => Left::Keep(keep.clone()),
            _ => Left::Discard,
        };
        Ok(received)
    }

    #[inline]
    fn settle(&mut self) {
        match std::mem::replace(&mut self.left, Left::Nothing) {
            Left::Nothing => {}
            Left::Discard => {
                self.buffer.discard(self.receiver.take_discard());
                self.completed |= !self.receiver.is_assembling();
            }
            Left::Keep(keep) => {
                self.buffer.keep(keep);
                // A look after a read that brought nothing is no sign of life.
                if !std::mem::take(&mut self.fresh) {
                    return;
                }
                let completed = std::mem::take(&mut self.completed);
                let under_way = self.receiver.under_way();
                self.keepalive.received(self.read_at, under_way, completed);
            }
        }
    }

    /// True while bytes of further frames are in the buffer.
    pub fn has_more(&mut self) -> bool {
        self.buffered() > 0
    }

    /// How many bytes of further frames are in the buffer.
    pub fn buffered(&mut self) -> usize {
        self.settle();
        self.buffer.len()
    }

    /// What the time asks for before the next read.
    pub fn due(&mut self) -> Due {
        self.settle();
        let now = self.epoch.elapsed();
        self.keepalive.stood_still(now.saturating_sub(self.read_at));
        self.read_at = now;
        self.keepalive.due(now)
    }

    /// As [`due`](Conversation::due), where nothing came since the last read: that time counts against the peer, unless the
    /// process stood still meanwhile.
    pub fn due_in_silence(&mut self, stood_still: bool) -> Due {
        self.settle();
        let now = self.epoch.elapsed();
        if stood_still {
            self.keepalive.resumed(now);
        }
        self.read_at = now;
        self.keepalive.due(now)
    }

    /// When a time that [`due`](Conversation::due) told is.
    pub fn instant(&self, at: Duration) -> Option<Instant> {
        self.epoch.checked_add(at)
    }

    pub fn is_assembling(&self) -> bool {
        self.receiver.is_assembling()
    }

    /// For so long the peer was not read from.
    pub fn stood_still(&mut self, by: Duration) {
        self.settle();
        self.keepalive.stood_still(by);
    }

    /// Lends it the room of `scratch`, if it holds nothing; true if so.
    pub fn lend(&mut self, scratch: &mut ReadBuffer) -> bool {
        self.settle();
        self.buffer.borrow(scratch)
    }

    /// Drops what is in the buffer: nobody will look at it.
    pub fn forget(&mut self) {
        self.settle();
        self.buffer.discard(self.buffer.len());
    }

    pub fn take_back(&mut self, scratch: &mut ReadBuffer) {
        self.settle();
        self.buffer.give_back(scratch);
    }

    /// No sign of life came: true if the peer took bytes since the last, at the time that is given.
    pub fn is_taking(&mut self, at: Option<Instant>) -> bool {
        let at = at.map(|at| at.saturating_duration_since(self.epoch));
        at.is_some_and(|at| self.keepalive.taken(at))
    }

    /// Until when a read may block, where [`due`](Conversation::due) said to wait `until` then.
    pub fn deadline(&self, mut until: Option<Duration>) -> Option<Instant> {
        if self.buffer.is_oversized() || self.receiver.is_oversized() {
            let trim_at = self.read_at + TRIM_AFTER;
            until = Some(until.map_or(trim_at, |until| until.min(trim_at)));
        }
        until.and_then(|until| self.epoch.checked_add(until))
    }

    /// One read into the buffer, which has this deadline.
    pub fn fill(
        &mut self,
        deadline: Option<Instant>,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.settle();
        let read = self.buffer.fill(read);
        let now = Instant::now();
        self.read_at = now.saturating_duration_since(self.epoch);
        self.fresh |= read.as_ref().is_ok_and(|&read| read > 0);
        if deadline.is_some_and(|deadline| stood_still(deadline, now)) {
            // What the peer sent meanwhile may wait in the socket.
            self.keepalive.resumed(self.read_at);
        }
        read
    }

    /// True if the last read filled its room: what the peer sent with it may be there.
    pub fn is_filled_up(&self) -> bool {
        self.buffer.is_filled_up()
    }

    /// Gives back what grew, if nothing is in the buffer.
    pub fn trim(&mut self) {
        self.buffer.trim();
        self.receiver.trim();
    }
}
