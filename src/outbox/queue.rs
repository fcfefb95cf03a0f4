//! The frames of one Outbox on their way to the socket: written, collected or kept. What may be kept is in
//! [`room`](super::room), how it ends in [`ending`](super::ending).

use std::io::{self, IoSlice};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::bounds::{Bounds, Terms};
use super::collected::{COLLECT, Collected};
use super::frame::{self, EncodedFrame, OutgoingFrame};
use super::kept::KeptFrames;
use super::leader_call::LeaderCall;
use super::turn::Turn;
use super::wire::Wire;
use crate::error::SendErrorKind;
use crate::overflow::Overflow;
use crate::protocol::opcode::Opcode;
use crate::protocol::send::Sender;
use crate::stats::Counters;
use crate::transport::clock::TimeSource;
use crate::transport::{How, would_wait};

#[repr(C)]
pub(crate) struct Queue {
    /// Why the connection is being given up.
    pub failure: Option<Failure>,
    /// This side has ended the stream: nothing is written and no deadline runs any more.
    pub cut: bool,
    pub leader_call: LeaderCall,
    /// A reader that holds no thread waits until there is room: the leader is called then.
    pub awaited: bool,
    /// How to end the stream once the lock is released.
    pub parting: Option<How>,
    /// The length of the longest frame that was refused to the application since it was last told of room; the largest
    /// number stands for all above it.
    pub refused: Option<NonZeroU32>,
    pub turn: Turn,
    pub sender: Sender,
    pub kept: KeptFrames,
    pub collected: Collected,
    pub bounds: Arc<Bounds>,
    pub time: TimeSource,
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
    /// The caller has to keep the frame, of which `written` bytes have left.
    Remainder {
        written: usize,
    },
}

impl Queue {
    pub fn new(bounds: impl Into<Arc<Bounds>>, close_timeout: Duration, time: TimeSource) -> Self {
        Queue {
            time,
            bounds: bounds.into(),
            sender: Sender::new(close_timeout),
            collected: Collected::default(),
            kept: KeptFrames::default(),
            failure: None,
            cut: false,
            leader_call: LeaderCall::default(),
            awaited: false,
            refused: None,
            turn: Turn::UNNEEDED,
            parting: None,
        }
    }

    /// Messages are still taken: no failure, and no Close.
    pub fn is_open(&self) -> bool {
        self.failure.is_none() && !self.sender.close_sent()
    }

    /// It is open, and nothing is kept: a frame is collected, or goes to the socket.
    pub fn is_well(&self) -> bool {
        self.kept.is_empty() && self.is_open()
    }

    /// It is well, and nothing is collected: a frame would go to the socket at once.
    pub fn is_clear(&self) -> bool {
        self.is_well() && self.collected.is_empty()
    }

    /// The stream has refused a part of what is kept.
    pub fn is_blocked(&self) -> bool {
        !self.kept.is_empty() && self.turn.blocked
    }

    /// Something is kept that nobody is about to write, though the stream may have room.
    pub fn is_left_over(&self) -> bool {
        !self.kept.is_empty() && !self.turn.taken && !self.turn.full && !self.cut
    }

    /// Offers a frame to the socket, or finds room for what that does not take.
    pub fn dispatch(
        &mut self,
        link: &impl Wire,
        frame: OutgoingFrame<'_>,
        terms: Terms,
    ) -> Result<Dispatched, SendErrorKind> {
        // prevents: a frame overtakes what is kept
        if self.kept.is_empty() {
            let written = self.write_through(link, &frame);
            match written {
                Some(written) if written == frame.len() => return Ok(Dispatched::Sent),
                Some(written) if self.kept.is_empty() && self.failure.is_none() => {
                    return Ok(Dispatched::Remainder { written });
                }
                _ => {}
            }
        }
        self.make_room(link, frame.len(), terms)?;
        Ok(Dispatched::Remainder { written: 0 })
    }

    /// Collects a short frame, if nothing is kept before it; true if it is the first one, of which the collector has to
    /// be told.
    // Inlined for the same reason as `Entry::leave_sent`.
    #[inline(always)]
    pub fn collect(
        &mut self,
        link: &impl Wire,
        frame: &OutgoingFrame<'_>,
        counted: Option<u64>,
    ) -> Option<bool> {
        if !self.is_well() || frame.len() >= COLLECT / 4 {
            return None;
        }
        let first = self.collected.add(frame);
        // It is counted when it leaves: now, if enough is collected.
        self.collected.note(counted);
        self.flush_full(link);
        Some(first)
    }

    /// Offers what was collected and this frame in one write. `None`: a part of what was collected did not leave, so
    /// the frame must wait after it.
    pub fn write_through(&mut self, link: &impl Wire, frame: &OutgoingFrame<'_>) -> Option<usize> {
        let before = self.collected.bytes().len();
        let written = if before == 0 {
            let result = frame.with_slices(|slices| self.turn.offer(link.transport(), slices));
            self.accepted(link, result)
        } else {
            let offer = |slices: &[IoSlice<'_>]| self.turn.offer(link.transport(), slices);
            let result = self.collected.with_frame(frame, offer);
            self.collected.count(link.counters());
            self.accepted(link, result)
        };
        if written < before {
            self.keep_collected(link, written);
            return None;
        }
        self.collected.clear();
        Some(written - before)
    }

    /// Offers what was collected to the socket and keeps what it refuses.
    pub fn flush(&mut self, link: &impl Wire) {
        if self.collected.is_empty() || self.cut {
            return;
        }
        let result = self.offer(link, self.collected.bytes());
        self.collected.count(link.counters());
        let written = self.accepted(link, result);
        if written < self.collected.bytes().len() {
            self.keep_collected(link, written);
        }
        self.collected.clear();
    }

    /// Offers whole frames to the socket and keeps what it refuses.
    pub fn write_frames(&mut self, link: &impl Wire, frames: &[u8]) {
        let result = self.offer(link, frames);
        let written = self.accepted(link, result);
        if written < frames.len() {
            self.keep_frames(link, frames, written);
        }
    }

    /// Takes frames over from the run: collects them, or keeps them after what is kept. After a Close or a failure
    /// nothing more is sent: then they count as dropped.
    pub fn take_over(&mut self, link: &impl Wire, frames: &[u8]) {
        if !self.is_open() {
            let late = frame::frames(frames).count() as u64;
            return link.count_dropped(late);
        }
        if self.kept.is_empty() {
            self.collected.tail().extend_from_slice(frames);
        } else {
            self.keep_frames(link, frames, 0);
        }
    }

    fn offer(&self, link: &impl Wire, bytes: &[u8]) -> io::Result<usize> {
        (self.turn).offer(link.transport(), &[IoSlice::new(bytes)])
    }

    /// Offers what is kept to a stream of wshub's own.
    pub fn write_kept(&mut self, link: &impl Wire) {
        while !self.turn.is_needed && !self.kept.is_empty() && !self.cut {
            let mut offered = 0;
            let result = self.kept.with_slices(|slices| {
                offered = slices.iter().map(|slice| slice.len()).sum();
                link.transport().try_write(slices)
            });
            let written = self.accepted(link, result);
            self.advance(link.counters(), written);
            if written < offered {
                return;
            }
        }
    }

    /// A write by the thread that has the turn is over: the `written` bytes have left, and the rest is still kept.
    /// `full`: the stream took less than it was offered.
    pub fn give_turn_back(&mut self, counters: &Counters, written: usize, full: bool) {
        match self.turn.blocked {
            true => self.advance(counters, written),
            // It had not waited for the peer, so its leaving is no progress of the peer's.
            false => self.kept.pass(written),
        }
        // prevents: what was offered is held for ever
        self.kept.take_back();
        self.turn.give_back(full, !self.kept.is_empty());
    }

    /// `written` bytes of what is kept have left. That gives the rest more time; also the Close, unless it was sent
    /// because the peer is too slow.
    fn advance(&mut self, counters: &Counters, written: usize) {
        if written == 0 {
            return;
        }
        let now = self.time.now();
        let waited = |time| counters.outbox_time.record(time);
        self.kept.advance(written, now, self.bounds.pace, waited);
        if self.failure.is_none() {
            let now = now.saturating_duration_since(self.bounds.epoch);
            self.sender
                .progressed(written, self.bounds.pace.min_rate, now);
        }
    }

    /// How many bytes a write took. If the stream has failed, the connection is given up, which wakes its reader.
    pub fn accepted(&mut self, link: &impl Wire, result: io::Result<usize>) -> usize {
        match result {
            Ok(written) if written > 0 => written,
            Err(error) if would_wait(&error) => 0,
            // A write that takes no byte means the end of the stream, as for `write_all` of std.
            Ok(_) | Err(_) => {
                self.give_up(link, Failure::Lost);
                0
            }
        }
    }

    /// The socket took `written` bytes of what was collected: keeps the rest.
    fn keep_collected(&mut self, link: &impl Wire, written: usize) {
        let collected = self.collected.take();
        self.keep_frames(link, &collected, written);
    }

    /// Keeps the frames one by one. The first `written` bytes of them have left.
    fn keep_frames(&mut self, link: &impl Wire, frames: &[u8], written: usize) {
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
    fn keep_whole(&mut self, link: &impl Wire, frame: &[u8]) {
        if frame::is_pong(frame) {
            if self.failure.is_none() {
                self.keep_pong(frame.to_vec());
            }
            return;
        }
        if frame::is_control(frame) {
            return self.keep(EncodedFrame::bytes(frame.to_vec()), 0);
        }
        // A handler waits for what it sends: the policy is not for it.
        let terms = match link.is_of_handler() || self.bounds.overflow == Overflow::Refuse {
            true => Terms::Unbounded,
            false => Terms::Bounded,
        };
        match self.make_room(link, frame.len(), terms) {
            Ok(()) => self.keep(EncodedFrame::bytes(frame.to_vec()), 0),
            // Counted by the policy.
            Err(SendErrorKind::Full | SendErrorKind::SlowConsumer) => {}
            // It was accepted for sending: now it counts as dropped.
            Err(_) => link.count_dropped(1),
        }
    }

    /// Keeps a frame of which `begun` bytes are written.
    pub fn keep(&mut self, frame: EncodedFrame, begun: usize) {
        self.kept.push(frame, begun, self.time.now());
    }

    /// Keeps a pong in place of the one that waits; true if there was none.
    fn keep_pong(&mut self, frame: Vec<u8>) -> bool {
        let first = self.kept.set_pong(frame, self.time.now());
        if first {
            // prevents: a pong's deadline is no news
            self.leader_call.has_news = true;
        }
        first
    }

    /// Collects a pong, or keeps it in place of the one that waits; true if the leader may have to be called.
    pub fn pong(&mut self, link: &impl Wire, payload: &[u8]) -> bool {
        if self.cut {
            return false;
        }
        let mut frame = Vec::new();
        let waits = !self.kept.is_empty();
        let out = if waits {
            &mut frame
        } else {
            self.collected.tail()
        };
        if self.sender.frame(Opcode::Pong, payload, None, out).is_err() {
            return false;
        }
        if waits {
            return self.keep_pong(frame);
        }
        self.flush_full(link)
    }

    /// Flushes if so much is collected that waiting for more gains nothing; true if so.
    fn flush_full(&mut self, link: &impl Wire) -> bool {
        let is_enough = self.collected.bytes().len() >= COLLECT;
        if is_enough {
            self.flush(link);
        }
        is_enough
    }

    pub fn send_control(&mut self, link: &impl Wire, frame: Vec<u8>) {
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
}
