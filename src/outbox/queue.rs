//! The frames of one Outbox on their way to the socket: written, collected or kept.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::frame::{self, EncodedFrame, OutgoingFrame};
use super::kept::KeptFrames;
use super::overflow::Bounds;
use super::state::Link;
use super::turn::Turn;
use super::watch::Watch;
use crate::error::{Error, SendErrorKind};
use crate::overflow::Overflow;
use crate::protocol::close::CloseCode;
use crate::protocol::opcode::Opcode;
use crate::protocol::send::Sender;
use crate::stats::Counters;
use crate::transport::How;
use crate::transport::clock::TimeSource;

/// Collected bytes that are worth a write of their own.
pub(crate) const COLLECT: usize = 64 << 10;

#[repr(C)]
pub(crate) struct Queue {
    /// Why the connection is being given up.
    pub failure: Option<Failure>,
    /// The stream was ended from here: nothing is written and no deadline runs any more.
    pub cut: bool,
    pub watch: Watch,
    /// The peer is not read from until there is room.
    awaited: bool,
    /// The longest message that was refused since the application was last told of room.
    refused: Option<usize>,
    /// A collector has heard of what is collected, and flushes it. Not of what came from its run, or
    /// of pongs: others see to those.
    listed: bool,
    pub turn: Turn,
    /// The stream is to be ended so, without the lock.
    pub parting: Option<How>,
    /// Whole frames, not yet offered to the socket.
    pub collected: Vec<u8>,
    pub sender: Sender,
    pub kept: KeptFrames,
    /// Collected messages, and their bytes, to be counted when they leave: all connections share
    /// the counters, and a thread that touches them takes them from the others' caches.
    uncounted: (u64, u64),
    pub bounds: Arc<Bounds>,
    pub time: TimeSource,
    /// When the connection began: the protocol core counts time from there.
    pub epoch: Instant,
}

/// Why the Outbox gave its connection up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    SlowConsumer,
    CloseTimeout,
    Lost,
    /// The application wants it so.
    Terminated,
}

/// What became of a frame that was taken.
pub(crate) enum Dispatched {
    Sent,
    /// A collector has to hear of it, unless it has heard of an earlier one.
    Collected {
        first: bool,
    },
    /// The caller keeps the frame, of which so many bytes are written.
    Remainder {
        written: usize,
    },
}

impl Queue {
    pub fn new(bounds: impl Into<Arc<Bounds>>, close_timeout: Duration, time: TimeSource) -> Self {
        Queue {
            epoch: time.now(),
            time,
            bounds: bounds.into(),
            sender: Sender::new(close_timeout),
            collected: Vec::new(),
            uncounted: (0, 0),
            kept: KeptFrames::default(),
            failure: None,
            cut: false,
            watch: Watch::default(),
            awaited: false,
            refused: None,
            listed: false,
            turn: Turn::UNNEEDED,
            parting: None,
        }
    }

    /// Nothing keeps a frame from being taken.
    pub fn is_well(&self) -> bool {
        self.kept.is_empty() && self.failure.is_none() && !self.sender.close_sent()
    }

    /// Somebody waits for room.
    pub fn is_awaited(&self) -> bool {
        self.awaited || self.refused.is_some()
    }

    /// True if the stream has refused a part of what is kept.
    pub fn is_refused(&self) -> bool {
        !self.kept.is_empty() && self.turn.refused
    }

    /// True if something is kept that nobody is about to write, though the stream may have room.
    pub fn is_left_over(&self) -> bool {
        self.turn.is_idle() && !self.kept.is_empty() && !self.cut
    }

    /// A frame would go to the socket at once.
    pub fn is_clear(&self) -> bool {
        self.is_well() && self.collected.is_empty()
    }

    /// `unbounded`: for a sender that waits until its frame has left.
    pub fn dispatch(
        &mut self,
        link: &Link,
        frame: OutgoingFrame<'_>,
        collect: bool,
        unbounded: bool,
    ) -> Result<Dispatched, SendErrorKind> {
        // fault: a frame overtakes what is kept
        if self.kept.is_empty() {
            if collect && frame.len() < COLLECT / 4 {
                return Ok(self.collect(frame));
            }
            let written = self.write_through(link, &frame);
            match written {
                Some(written) if written == frame.len() => return Ok(Dispatched::Sent),
                Some(written) if self.kept.is_empty() && self.failure.is_none() => {
                    return Ok(Dispatched::Remainder { written });
                }
                _ => {}
            }
        }
        self.admit(link, frame.len(), unbounded)?;
        Ok(Dispatched::Remainder { written: 0 })
    }

    fn collect(&mut self, frame: OutgoingFrame<'_>) -> Dispatched {
        // fault: a newcomer's frame is nobody's to flush
        let first = !std::mem::replace(&mut self.listed, true);
        self.collected.extend_from_slice(frame.header);
        self.collected.extend_from_slice(frame.payload);
        Dispatched::Collected { first }
    }

    /// Offers what was collected and this frame in one write. `None`: not even all that was
    /// collected went, the frame must wait behind it.
    pub fn write_through(&mut self, link: &Link, frame: &OutgoingFrame<'_>) -> Option<usize> {
        let before = self.collected.len();
        let written = if before == 0 {
            self.write(link, frame)
        } else {
            let slices = [
                IoSlice::new(&self.collected),
                IoSlice::new(frame.header),
                IoSlice::new(frame.payload),
            ];
            let result = self.offer(link, &slices);
            self.count(link);
            self.accepted(link, result)
        };
        if written < before {
            self.keep_collected(link, written);
            return None;
        }
        self.clear_collected();
        Some(written - before)
    }

    fn write(&mut self, link: &Link, frame: &OutgoingFrame<'_>) -> usize {
        // One slice costs the kernel less than two: small frames are joined on the stack.
        let mut joined = [0; 144];
        let result = if frame.payload.is_empty() {
            self.offer(link, &[IoSlice::new(frame.header)])
        } else if let Some(small) = joined.get_mut(..frame.len()) {
            let (header, payload) = small.split_at_mut(frame.header.len());
            header.copy_from_slice(frame.header);
            payload.copy_from_slice(frame.payload);
            self.offer(link, &[IoSlice::new(small)])
        } else {
            self.offer(
                link,
                &[IoSlice::new(frame.header), IoSlice::new(frame.payload)],
            )
        };
        self.accepted(link, result)
    }

    /// Offers what was collected to the socket and keeps what it refuses.
    pub fn flush(&mut self, link: &Link) {
        if self.collected.is_empty() || self.cut {
            return;
        }
        let result = self.offer(link, &[IoSlice::new(&self.collected)]);
        self.count(link);
        let written = self.accepted(link, result);
        if written < self.collected.len() {
            self.keep_collected(link, written);
        }
        self.clear_collected();
    }

    /// Offers whole frames to the socket and keeps what it refuses.
    pub fn write_frames(&mut self, link: &Link, frames: &[u8]) {
        let result = self.offer(link, &[IoSlice::new(frames)]);
        let written = self.accepted(link, result);
        if written < frames.len() {
            self.keep_frames(link, frames, written);
        }
    }

    /// Collects frames that wait elsewhere, or keeps them behind what is kept. After a Close, or a
    /// failure, nothing more is sent: they came later, and count as dropped.
    pub fn take_over(&mut self, link: &Link, frames: &[u8]) {
        if self.failure.is_some() || self.sender.close_sent() {
            let late = frame::frames(frames).count() as u64;
            return link.count_dropped(late);
        }
        if self.kept.is_empty() {
            self.collected.extend_from_slice(frames);
        } else {
            self.keep_frames(link, frames, 0);
        }
    }

    /// Offers bytes to the stream. One of the user's own gets them from the thread that has the turn, without the lock:
    /// here it takes none.
    fn offer(&self, link: &Link, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.turn.is_needed {
            false => link.transport.try_write(slices),
            true => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Offers what is kept to a stream of wshub's own.
    pub fn drain(&mut self, link: &Link) {
        while !self.turn.is_needed && !self.kept.is_empty() && !self.cut {
            let mut offered = 0;
            let result = self.kept.with_slices(|slices| {
                offered = slices.iter().map(|slice| slice.len()).sum();
                link.transport.try_write(slices)
            });
            let written = self.accepted(link, result);
            self.advance(&link.counters, written);
            if written < offered {
                return;
            }
        }
    }

    /// A write with the turn is over: what it was offered is kept still, but for what it took. `full`: not all of it.
    pub fn give_turn_back(&mut self, counters: &Counters, written: usize, full: bool) {
        match self.turn.refused {
            true => self.advance(counters, written),
            // It had not waited: that it leaves is no progress of the peer's.
            false => self.kept.pass(written),
        }
        // fault: what was offered is held for ever
        self.kept.take_back();
        self.turn.give_back(full, !self.kept.is_empty());
    }

    /// So much of what is kept has left, which gives the rest time: also the Close, unless that is because the peer
    /// was too slow.
    fn advance(&mut self, counters: &Counters, written: usize) {
        if written == 0 {
            return;
        }
        let now = self.time.now();
        let waited = |time| counters.outbox_time.record(time);
        self.kept.advance(written, now, self.bounds.pace, waited);
        if self.failure.is_none() {
            let now = now.saturating_duration_since(self.epoch);
            self.sender
                .progressed(written, self.bounds.pace.min_rate, now);
        }
    }

    /// How much a write took. A stream that is gone takes nothing more: its reader is woken.
    pub fn accepted(&mut self, link: &Link, result: io::Result<usize>) -> usize {
        match result {
            Ok(written) if written > 0 => written,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                0
            }
            // Nothing taken of something offered: the stream's end, as for std's write_all.
            Ok(_) | Err(_) => {
                self.give_up(link, Failure::Lost);
                0
            }
        }
    }

    /// The socket took `written` bytes of what was collected: keeps the rest.
    fn keep_collected(&mut self, link: &Link, written: usize) {
        let collected = std::mem::take(&mut self.collected);
        self.listed = false;
        self.keep_frames(link, &collected, written);
    }

    fn clear_collected(&mut self) {
        self.collected.clear();
        self.listed = false;
    }

    /// Keeps frames, of which `written` bytes have left, one by one.
    fn keep_frames(&mut self, link: &Link, frames: &[u8], written: usize) {
        let mut at = 0;
        for frame in frame::frames(frames) {
            let begun = written.saturating_sub(at).min(frame.len());
            at += frame.len();
            if begun > 0 && begun < frame.len() {
                self.keep(EncodedFrame::bytes(frame.to_vec()), begun);
            } else if begun == 0 {
                self.keep_whole(link, frame);
            }
        }
    }

    /// Keeps a frame of which nothing has left, as far as the bounds allow.
    fn keep_whole(&mut self, link: &Link, frame: &[u8]) {
        if frame::is_pong(frame) {
            if self.failure.is_none() {
                self.keep_pong(frame.to_vec());
            }
            return;
        }
        if frame::is_control(frame) {
            return self.keep(EncodedFrame::bytes(frame.to_vec()), 0);
        }
        // Without a common collector only a handler collects, and it waits for what it collected.
        let handler = link.delivery.collector().is_none();
        let unbounded = handler || self.bounds.overflow == Overflow::Refuse;
        match self.admit(link, frame.len(), unbounded) {
            Ok(()) => self.keep(EncodedFrame::bytes(frame.to_vec()), 0),
            // Counted by the policy.
            Err(SendErrorKind::Full | SendErrorKind::SlowConsumer) => {}
            // It was taken for sending before: now it counts as dropped.
            Err(_) => link.count_dropped(1),
        }
    }

    /// Whether a frame may wait behind what is kept; makes room for it by the policy.
    fn admit(&mut self, link: &Link, len: usize, unbounded: bool) -> Result<(), SendErrorKind> {
        if self.failure.is_none() && (unbounded || self.turn.is_coming()) {
            return Ok(());
        }
        if self.failure.is_none() && self.bounds.hold_old(&self.kept, &self.time) {
            // After a standstill it may have room: the first thread that looks tries.
            self.drain(link);
        }
        if self.failure.is_some() {
            return Err(SendErrorKind::Closed);
        }
        let (admitted, dropped) = self.bounds.make_room(&mut self.kept, len, &self.time);
        link.count_dropped(dropped);
        match admitted {
            Err(SendErrorKind::SlowConsumer) => self.slow_consumer(link),
            Err(_) if self.bounds.overflow == Overflow::Refuse => {
                self.refused = self.refused.max(Some(len));
            }
            _ => {}
        }
        admitted
    }

    /// Has the policy decide about what was kept before the stream refused a part of it.
    pub fn hold_to_bounds(&mut self, link: &Link) {
        // Without a common collector only a handler sends so much, and it waits for what it sent.
        let handler = link.delivery.collector().is_none();
        if self.failure.is_some() || !self.is_refused() || handler {
            return;
        }
        let (held, dropped) = self.bounds.cut_back(&mut self.kept);
        link.count_dropped(dropped);
        if held.is_err() {
            self.slow_consumer(link);
        }
    }

    /// Drops every whole unsent message and queues Close 1013 behind a partly written one.
    pub fn slow_consumer(&mut self, link: &Link) {
        let dropped = self.kept.drop_whole_messages();
        // fault: dropped by the policy and not counted
        link.count_dropped(dropped);
        self.begin_close(link, Some(CloseCode::TRY_AGAIN_LATER), "too slow");
        self.failure = Some(Failure::SlowConsumer);
    }

    /// Messages are still taken.
    fn is_open(&self) -> bool {
        self.failure.is_none() && !self.sender.close_sent()
    }

    /// So much waits that the peer is to be read from only when it has taken some of that. `pending`: bytes of its
    /// messages that the application has still to answer.
    pub fn is_crowded(&self, pending: usize) -> bool {
        self.is_open() && self.bounds.are_crowded(&self.kept, pending)
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
        comes && self.is_open()
    }

    /// Whether a message of `len` bytes is decided about without the policy: it may wait, or never leaves.
    pub fn takes(&self, len: usize) -> bool {
        !self.is_open() || self.bounds.admit(&self.kept, len, &self.time)
    }

    pub fn check_deadlines(&mut self, link: &Link, now: Instant) {
        if self.age_deadline().is_some_and(|at| at <= now) {
            self.give_up(link, Failure::SlowConsumer);
        } else if self.deadline().is_some_and(|at| at <= now) {
            self.give_up(link, Failure::CloseTimeout);
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        let close = self.sender.close_deadline();
        let close = close.and_then(|at| self.epoch.checked_add(at));
        let nearest = [close, self.age_deadline()].into_iter().flatten().min();
        nearest.filter(|_| !self.cut)
    }

    /// When a frame will have waited too long: a pong alone where messages are dropped, for peers that may stay slow,
    /// else any frame.
    fn age_deadline(&self) -> Option<Instant> {
        let messages_too = !self.bounds.overflow.drops();
        self.kept.deadline(self.bounds.pace.patience, messages_too)
    }

    /// The process stood still: what passed meanwhile counts against nobody.
    pub fn resumed(&mut self, now: Instant) {
        let now = self.time.at(now);
        self.kept.wait_anew(now);
        self.sender
            .resumed(now.saturating_duration_since(self.epoch));
    }

    /// Keeps a frame of which `begun` bytes are written.
    pub fn keep(&mut self, frame: EncodedFrame, begun: usize) {
        self.kept.push(frame, begun, self.time.now());
    }

    /// Keeps a pong in place of the one that waits; true if none did.
    fn keep_pong(&mut self, frame: Vec<u8>) -> bool {
        let first = self.kept.set_pong(frame, self.time.now());
        if first {
            // fault: a pong's deadline is no news
            self.watch.has_news = true;
        }
        first
    }

    /// Collects a pong, or keeps it in place of the one that waits; true if something has come to wait so.
    pub fn pong(&mut self, link: &Link, payload: &[u8]) -> bool {
        if self.cut {
            return false;
        }
        let mut frame = Vec::new();
        let waits = !self.kept.is_empty();
        let out = if waits {
            &mut frame
        } else {
            &mut self.collected
        };
        if self.sender.frame(Opcode::Pong, payload, None, out).is_err() {
            return false;
        }
        if waits {
            return self.keep_pong(frame);
        }
        self.flush_enough(link)
    }

    /// Flushes once so much was collected that waiting for more gains nothing; true if so.
    fn flush_enough(&mut self, link: &Link) -> bool {
        let is_enough = self.collected.len() >= COLLECT;
        if is_enough {
            self.flush(link);
        }
        is_enough
    }

    /// A message was collected, and is counted when it leaves: now, where that is enough.
    pub fn note_collected(&mut self, link: &Link, bytes: Option<u64>) {
        self.uncounted.0 += u64::from(bytes.is_some());
        self.uncounted.1 += bytes.unwrap_or_default();
        self.flush_enough(link);
    }

    fn count(&mut self, link: &Link) {
        let (messages, bytes) = std::mem::take(&mut self.uncounted);
        if messages > 0 {
            link.counters.sent(messages, bytes);
        }
    }

    /// Writes a Close or keeps it; false if one was sent before.
    pub fn begin_close(&mut self, link: &Link, code: Option<CloseCode>, reason: &str) -> bool {
        let mut frame = Vec::new();
        let now = self.time.now().saturating_duration_since(self.epoch);
        let begun = self.sender.close(code, reason, None, now, &mut frame);
        // fault: a second Close
        if begun {
            // fault: a Close's deadline is no news
            self.watch.note_close();
            self.send_control(link, frame);
        }
        begun
    }

    pub fn send_control(&mut self, link: &Link, frame: Vec<u8>) {
        if self.failure.is_some() {
            return;
        }
        let mut written = None;
        if self.kept.is_empty() {
            written = self.write_through(link, &OutgoingFrame::whole(&frame));
            if written == Some(frame.len()) {
                return;
            }
        }
        self.keep(EncodedFrame::bytes(frame), written.unwrap_or(0));
    }

    /// What became of the frame `last` and all before it; `None` while they wait.
    pub fn outcome(&self, last: u64) -> Option<Result<(), Error>> {
        if self.cut {
            return Some(Err(Error::Closed));
        }
        self.kept.has_left(last).then_some(match self.failure {
            Some(Failure::SlowConsumer) => Err(Error::SlowConsumer),
            _ => Ok(()),
        })
    }

    /// Ends the stream; the connection's thread, woken by that, reports it.
    pub fn give_up(&mut self, link: &Link, failure: Failure) {
        let failure = *self.failure.get_or_insert(failure);
        self.cut = true;
        let lost = self.kept.clear();
        link.count_dropped(lost);
        let how = match failure {
            Failure::SlowConsumer | Failure::Terminated => How::Reset,
            _ if lost > 0 || self.turn.taken => How::Reset,
            _ => How::Both,
        };
        // fault: given up without a word to the stream
        match self.turn.is_needed {
            true => self.parting = Some(how),
            false => link.transport.shutdown(how),
        }
    }

    /// The connection has ended: counts what never left, and gives the memory back.
    pub fn end(&mut self, link: &Link) {
        let collected = frame::frames(&self.collected);
        let unsent = collected.filter(|frame| !frame::is_control(frame)).count() as u64;
        let lost = self.kept.clear() + unsent;
        // fault: unsent frames are not counted at the end
        link.count_dropped(lost);
        self.count(link);
        self.collected = Vec::new();
    }
}
