//! Broadcasts of a sender that has more to do: a *run* of frames that waits once for all
//! connections, not once in each. A queued broadcast then costs a connection nothing until the run
//! is flushed, and is copied nowhere.
//!
//! Every connection that broadcasts reach has its place in the run: it has had what lies before, and
//! not what lies behind. Whoever locks its Outbox first takes that over into `collected`, so that
//! the order of all that is sent to one connection is kept; the flush writes it where it lies.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Outbox;
use super::collect::Collector;
use super::state::State;
use crate::lock::{Mutex, RUN, lock};

#[derive(Default)]
pub(crate) struct Run {
    /// Where the run ends, and where it begins. Places count all bytes there ever were.
    end: AtomicU64,
    start: AtomicU64,
    frames: Mutex<Frames, RUN>,
}

/// What the run consists of now; a clone holds it still.
#[derive(Clone, Default)]
pub(super) struct Frames {
    start: u64,
    bytes: Arc<Vec<u8>>,
    /// Those whom it goes to. Who is not among them has a place behind it, or has ended.
    pub members: Arc<[Arc<Outbox>]>,
}

impl Frames {
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// What lies between two places.
    pub fn between(&self, places: Range<u64>) -> &[u8] {
        let at = |place: u64| usize::try_from(place.saturating_sub(self.start)).ok();
        let range = at(places.start).zip(at(places.end));
        let bytes = range.and_then(|(start, end)| self.bytes.get(start..end));
        bytes.unwrap_or_default()
    }
}

/// What a run is with its newest frame.
pub(super) struct Pushed {
    pub bytes: usize,
    pub members: usize,
}

impl Run {
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    pub fn is_empty(&self) -> bool {
        self.start.load(Ordering::Acquire) == self.end()
    }

    /// Appends a frame to what goes to `members`, unless there are none to be had; they are asked for where nobody can
    /// take from the run.
    pub fn push(
        &self,
        frame: &[u8],
        members: impl FnOnce() -> Option<Arc<[Arc<Outbox>]>>,
    ) -> Option<Pushed> {
        let mut frames = lock(&self.frames);
        let members = members()?;
        // fault: the run goes to its first members alone
        if !Arc::ptr_eq(&frames.members, &members) {
            frames.members = members;
        }
        // Copies the run only while it is being flushed by another thread.
        Arc::make_mut(&mut frames.bytes).extend_from_slice(frame);
        self.end.store(frames.end(), Ordering::Release);
        Some(Pushed {
            bytes: frames.bytes.len(),
            members: frames.members.len(),
        })
    }

    /// Behind this, `end` covers every frame whose members were asked for before.
    pub fn wait_for_push(&self) {
        drop(lock(&self.frames));
    }

    /// Hands what lies behind `place` to `take`; returns the place behind it.
    pub fn take_from(&self, place: u64, take: impl FnOnce(&[u8])) -> u64 {
        let frames = lock(&self.frames);
        let end = frames.end();
        take(frames.between(place..end));
        // fault: taken over, yet its place is behind
        end
    }

    pub fn frames(&self) -> Frames {
        lock(&self.frames).clone()
    }

    /// Every connection has had what lies before `place`.
    pub fn forget_until(&self, place: u64) {
        let mut frames = lock(&self.frames);
        // fault: what came amid the flush is forgotten
        let count = frames.between(frames.start..place).len();
        frames.start += count as u64;
        self.start.store(frames.start, Ordering::Release);
        match Arc::get_mut(&mut frames.bytes) {
            Some(bytes) => drop(bytes.drain(..count)),
            None => {
                frames.bytes = frames
                    .bytes
                    .get(count..)
                    .unwrap_or_default()
                    .to_vec()
                    .into()
            }
        }
        if frames.bytes.is_empty() {
            // fault: the run keeps a hold on its members
            frames.members = Arc::default();
        }
    }
}

impl Outbox {
    /// From now on the collector's run reaches it.
    pub fn join_run(&self) {
        let state = &mut *self.lock();
        let collector = state.link.as_ref().and_then(|link| link.collector.as_ref());
        if let (true, Some(collector)) = (self.packing.is_some(), collector) {
            collector.note_packing(true);
        }
        state.place = collector.map(|collector| collector.run.end());
    }

    /// The connection is no longer among those that broadcasts reach.
    pub fn leave_run(&self, collector: &Collector) {
        let mut state = self.lock();
        let joined = state.place.take().is_some();
        if std::mem::take(&mut state.troubled) {
            collector.note_trouble(false);
        }
        if joined && self.packing.is_some() {
            collector.note_packing(false);
        }
    }

    /// Lets what `push` appends to the run pass by; false if broadcasts do not reach it anyway.
    pub(super) fn pass_over<T>(&self, run: &Run, push: impl FnOnce() -> T) -> (T, bool) {
        let mut state = self.lock();
        let pushed = push();
        if let Some(place) = &mut state.place {
            // fault: a broadcast that passed over is had again
            *place = run.end();
        }
        (pushed, state.place.is_some())
    }

    /// Offers its part of the run to the socket, from where it lies.
    pub(super) fn flush_run(self: &Arc<Self>, frames: &Frames) {
        let mut state = lock(&self.state);
        let place = state.place;
        let Some((link, queue)) = state.parts() else {
            return;
        };
        // fault: the run overtakes what is collected
        match place {
            Some(place) if place < frames.end() && queue.is_clear() => {
                queue.write_frames(link, frames.between(place..frames.end()));
                // fault: flushed, yet its place is behind
                state.place = Some(frames.end());
            }
            _ => {
                state.catch_up();
                if let Some((link, queue)) = state.parts() {
                    queue.flush(link);
                }
            }
        }
        self.watch(state);
    }
}

impl State {
    /// Takes over what the collector's run holds for it: whatever is done next comes after that.
    pub fn catch_up(&mut self) {
        let (Some(link), Some(place)) = (&self.link, &mut self.place) else {
            return;
        };
        let Some(run) = link.collector.as_ref().map(|collector| &collector.run) else {
            return;
        };
        if *place != run.end() {
            *place = run.take_from(*place, |frames| self.queue.take_over(link, frames));
        }
    }
}
