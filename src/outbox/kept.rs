//! What the socket refused, frame by frame, in the order it leaves.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::frame::EncodedFrame;
use crate::patience::renewed;
use crate::protocol::pace::Pace;

/// Frames that leave in one write.
const SLICES: usize = 64;

/// Which frames have a deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeadlineOf {
    AnyFrame,
    Pongs,
}

struct WaitingFrame {
    frame: EncodedFrame,
    number: u64,
    since: Instant,
}

/// Most sockets refuse nothing: memory for it is taken with the first frame.
#[derive(Default)]
pub(crate) struct KeptFrames(Option<Box<WaitingFrames>>);

static NOTHING: WaitingFrames = WaitingFrames::new();

impl KeptFrames {
    /// As [`WaitingFrames::clear`], without taking memory for that.
    pub fn clear(&mut self) -> u64 {
        self.0.as_mut().map_or(0, |backlog| backlog.clear())
    }
}

impl Deref for KeptFrames {
    type Target = WaitingFrames;

    fn deref(&self) -> &WaitingFrames {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for KeptFrames {
    fn deref_mut(&mut self) -> &mut WaitingFrames {
        self.0.get_or_insert_with(|| Box::new(WaitingFrames::new()))
    }
}

pub(crate) struct WaitingFrames {
    frames: VecDeque<WaitingFrame>,
    /// The answer to the latest ping, which goes before the next whole frame.
    pong: Option<Vec<u8>>,
    /// Frames that were ever kept.
    pushed: u64,
    /// Bytes of the first frame that are written.
    begun: usize,
    /// Bytes of all frames but the pong, the written ones too.
    bytes: usize,
    /// Messages among the frames, and their bytes: what bounds apply to.
    messages: usize,
    message_bytes: usize,
    /// Since when a pong has waited: this one, or an earlier one that it replaced.
    pong_since: Option<Instant>,
    /// Bytes that have left from here.
    left: u64,
    left_at: Option<Instant>,
    /// The deadline that the rest has got because something left, however long the rest has waited.
    renewed: Option<Instant>,
    /// Frames in front that a thread writes without the lock: nothing of them is dropped or replaced.
    offered: usize,
}

impl WaitingFrames {
    const fn new() -> Self {
        WaitingFrames {
            frames: VecDeque::new(),
            pong: None,
            pushed: 0,
            begun: 0,
            bytes: 0,
            messages: 0,
            message_bytes: 0,
            pong_since: None,
            left: 0,
            left_at: None,
            renewed: None,
            offered: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.pong.is_none()
    }

    /// Bytes that wait.
    pub fn unsent(&self) -> usize {
        self.bytes - self.begun + self.pong.as_ref().map_or(0, Vec::len)
    }

    /// Takes all frames, of none of which anything has left.
    pub fn take_frames(&mut self) -> Vec<EncodedFrame> {
        let frames = std::mem::take(&mut self.frames);
        frames.into_iter().map(|waiting| waiting.frame).collect()
    }

    pub fn messages(&self) -> usize {
        self.messages
    }

    pub fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    /// The number of the latest frame, for [`has_left`](WaitingFrames::has_left).
    pub fn last(&self) -> u64 {
        self.pushed
    }

    /// True if frame number `last` and all before it are written, or dropped.
    pub fn has_left(&self, last: u64) -> bool {
        self.frames.front().is_none_or(|first| first.number > last)
    }

    /// Bytes of kept frames that have left in all.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// When the latest of them left.
    pub fn left_at(&self) -> Option<Instant> {
        self.left_at
    }

    /// Appends a frame of which `begun` bytes are written; more than none only for the first.
    pub fn push(&mut self, frame: EncodedFrame, begun: usize, now: Instant) {
        if self.frames.is_empty() {
            self.begun = begun;
        }
        self.pushed += 1;
        self.insert(self.frames.len(), frame, self.pushed, now);
    }

    fn insert(&mut self, at: usize, frame: EncodedFrame, number: u64, since: Instant) {
        self.count(&frame);
        let waiting = WaitingFrame {
            frame,
            number,
            since,
        };
        self.frames.insert(at, waiting);
    }

    /// Replaces the pong that waits; true if there was none.
    pub fn set_pong(&mut self, frame: Vec<u8>, now: Instant) -> bool {
        self.pong_since.get_or_insert(now);
        self.pong.replace(frame).is_none()
    }

    fn count(&mut self, frame: &EncodedFrame) {
        self.bytes += frame.len();
        if !frame.is_control() {
            self.messages += 1;
            self.message_bytes += frame.len();
        }
    }

    fn uncount(&mut self, frame: &EncodedFrame) {
        self.bytes -= frame.len();
        if !frame.is_control() {
            self.messages -= 1;
            self.message_bytes -= frame.len();
        }
    }

    /// Hands the bytes that leave next to `write`. Kept out of its callers: its array would cost
    /// every connection's thread a page of stack.
    #[inline(never)]
    pub fn with_slices<T>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> T) -> T {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        let mut add = |bytes| {
            if let Some(slot) = slices.get_mut(used) {
                *slot = IoSlice::new(bytes);
                used += 1;
            }
        };
        let mut skip = self.begun;
        if let (0, Some(pong)) = (skip, &self.pong) {
            add(pong);
        }
        for (index, waiting) in self.frames.iter().take(SLICES / 2 - 1).enumerate() {
            for part in waiting.frame.parts() {
                let rest = part.get(skip..).unwrap_or_default();
                skip = skip.saturating_sub(part.len());
                if !rest.is_empty() {
                    add(rest);
                }
            }
            if let (0, true, Some(pong)) = (index, self.begun > 0, &self.pong) {
                add(pong);
            }
        }
        write(slices.get(..used).unwrap_or_default())
    }

    /// Copies what leaves next, `most` bytes of it. Until it is [taken back](WaitingFrames::take_back) nothing of that
    /// is dropped or replaced.
    pub fn offer(&mut self, most: usize) -> Vec<u8> {
        self.line_pong_up();
        let mut bytes = Vec::new();
        let mut skip = self.begun;
        for waiting in &self.frames {
            if bytes.len() == most {
                break;
            }
            self.offered += 1;
            for part in waiting.frame.parts() {
                let rest = part.get(skip..).unwrap_or_default();
                skip = skip.saturating_sub(part.len());
                bytes.extend_from_slice(rest.get(..most - bytes.len()).unwrap_or(rest));
            }
        }
        bytes
    }

    /// The write of what was offered is over, and what has left has [passed](WaitingFrames::pass).
    pub fn take_back(&mut self) {
        self.offered = 0;
        self.take_pong_back();
    }

    /// Makes the pong a frame, in its place.
    fn line_pong_up(&mut self) {
        if let (Some(pong), Some(since)) = (self.pong.take(), self.pong_since.take()) {
            let at = usize::from(self.begun > 0);
            self.insert(at, EncodedFrame::bytes(pong), 0, since);
        }
    }

    /// Makes that frame the waiting pong again, unless a part of it has left, or a later pong waits.
    fn take_pong_back(&mut self) {
        let at = usize::from(self.begun > 0);
        let Some(WaitingFrame { number: 0, .. }) = self.frames.get(at) else {
            return;
        };
        if let Some(waiting) = self.frames.remove(at) {
            self.uncount(&waiting.frame);
            self.pong_since = Some(waiting.since);
            let [pong, _] = waiting.frame.parts();
            self.pong.get_or_insert_with(|| pong.to_vec());
        }
    }

    /// `written` bytes of what [`with_slices`](WaitingFrames::with_slices) showed are gone. `waited` hears how long
    /// each message has waited that has left with them.
    pub fn advance(&mut self, written: usize, now: Instant, pace: Pace, waited: impl Fn(Duration)) {
        let deadline = self.deadline(pace.patience, DeadlineOf::AnyFrame);
        self.renewed = deadline.map(|deadline| renewed(deadline, pace, written, now));
        self.left += written as u64;
        self.left_at = Some(now);
        self.pass_each(written, |since| {
            waited(now.saturating_duration_since(since))
        });
        if self.is_empty() {
            self.renewed = None;
        }
    }

    /// `written` bytes have left without having waited.
    pub fn pass(&mut self, written: usize) {
        self.pass_each(written, |_| ());
    }

    fn pass_each(&mut self, mut written: usize, gone: impl Fn(Instant)) {
        while written > 0 {
            // A pong that came after an offer was no part of it.
            if self.offered == 0 && self.begun == 0 && self.pong.is_some() {
                written = self.advance_pong(written);
                continue;
            }
            let Some(first) = self.frames.front() else {
                return;
            };
            let left = first.frame.len() - self.begun;
            if written < left {
                self.begun += written;
                return;
            }
            if !first.frame.is_control() {
                gone(first.since);
            }
            written -= left;
            self.pop_front();
        }
    }

    /// A pong that is partly written becomes the first frame: nothing may come between its bytes.
    fn advance_pong(&mut self, written: usize) -> usize {
        let len = self.pong.as_ref().map_or(0, Vec::len);
        if written >= len {
            (self.pong, self.pong_since) = (None, None);
            return written - len;
        }
        self.line_pong_up();
        self.begun = written;
        0
    }

    fn pop_front(&mut self) {
        self.begun = 0;
        if let Some(first) = self.frames.pop_front() {
            self.uncount(&first.frame);
        }
        if self.frames.is_empty() {
            self.frames = VecDeque::new();
        }
    }

    /// Frames in front that are partly written, or being written.
    fn untouchable(&self) -> usize {
        self.offered.max(usize::from(self.begun > 0))
    }

    /// Drops the oldest message that is not partly written; false when there is none.
    pub fn drop_oldest(&mut self) -> bool {
        let oldest = self.whole_messages().next();
        self.drop_message(oldest)
    }

    /// As [`drop_oldest`](WaitingFrames::drop_oldest), the newest.
    pub fn drop_newest(&mut self) -> bool {
        let newest = self.whole_messages().next_back();
        self.drop_message(newest)
    }

    /// Positions of the messages of which nothing has left, or is about to.
    fn whole_messages(&self) -> impl DoubleEndedIterator<Item = usize> {
        let frames = self.frames.iter().enumerate().skip(self.untouchable());
        let messages = frames.filter(|(_, waiting)| !waiting.frame.is_control());
        messages.map(|(index, _)| index)
    }

    fn drop_message(&mut self, index: Option<usize>) -> bool {
        let dropped = index.and_then(|index| self.frames.remove(index));
        if let Some(dropped) = &dropped {
            self.uncount(&dropped.frame);
        }
        dropped.is_some()
    }

    /// Drops every message that is not partly written; returns how many.
    pub fn drop_whole_messages(&mut self) -> u64 {
        let mut dropped = 0;
        while self.drop_oldest() {
            dropped += 1;
        }
        dropped
    }

    /// Drops everything but what is being written; returns how many messages that were.
    pub fn clear(&mut self) -> u64 {
        let before = self.messages;
        for dropped in self.frames.split_off(self.offered.min(self.frames.len())) {
            self.uncount(&dropped.frame);
        }
        (self.pong, self.pong_since, self.renewed) = (None, None, None);
        if self.frames.is_empty() {
            (self.frames, self.begun) = (VecDeque::new(), 0);
        }
        (before - self.messages) as u64
    }

    /// True if a whole message has waited for longer than `age`.
    pub fn is_older(&self, now: Instant, age: Duration) -> bool {
        let mut whole = self.frames.iter().skip(self.untouchable());
        whole
            .find(|waiting| !waiting.frame.is_control())
            .is_some_and(|first| now.saturating_duration_since(first.since) > age)
    }

    /// When the oldest frame has waited too long. Frames that left may have given it more time: the later of the two
    /// counts.
    pub fn deadline(&self, age: Duration, of: DeadlineOf) -> Option<Instant> {
        // A pong that is partly written stands in front of an older frame.
        let front = self
            .frames
            .iter()
            .take(2)
            .filter(|waiting| of == DeadlineOf::AnyFrame || waiting.frame.is_pong());
        let front = front.map(|waiting| waiting.since);
        let oldest = front.chain(self.pong_since).min()?;
        self.renewed.max(oldest.checked_add(age))
    }

    /// What waits has waited since `now`.
    pub fn wait_anew(&mut self, now: Instant) {
        let frames = self.frames.iter_mut().map(|waiting| &mut waiting.since);
        for since in frames.chain(&mut self.pong_since) {
            *since = now;
        }
    }

    pub fn holds_ping(&self) -> bool {
        self.frames.iter().any(|waiting| waiting.frame.is_ping())
    }
}
