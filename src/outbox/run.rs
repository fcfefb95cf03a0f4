//! Broadcasts of a sender that has more to do: a *run* of frames that waits once for all connections, not once in each.
//! A queued broadcast then costs a connection nothing until the run is flushed, and is copied nowhere.
//!
//! Every connection that broadcasts reach has its place in the run: it has had what lies before, and
//! not what lies after ([`member`](super::member)).

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::atomic::AtomicU64;
use crate::lock::{Mutex, RUN, lock};

#[derive(Default)]
pub(crate) struct Run {
    /// Where the run ends, and where it begins. Places count all bytes there ever were.
    end: AtomicU64,
    start: AtomicU64,
    state: Mutex<RunState, RUN>,
}

#[derive(Default)]
struct RunState {
    frames: Frames,
    /// Members that cannot take every frame: their stream refuses, they are closing, or have ended. While there are
    /// any, broadcasts go to each connection by itself, which says what becomes of them.
    troubled: usize,
}

/// The frames of the run as they are now. A clone keeps them while the run goes on.
#[derive(Clone, Default)]
pub(crate) struct Frames {
    start: u64,
    bytes: Arc<Vec<u8>>,
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

impl Run {
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    pub fn is_empty(&self) -> bool {
        self.start.load(Ordering::Acquire) == self.end()
    }

    /// One member more, or less, cannot take every frame. After this call, `end` covers every frame that was pushed
    /// before the change was known.
    pub fn note_trouble(&self, troubled: bool) {
        let state = &mut *lock(&self.state);
        match troubled {
            true => state.troubled += 1,
            false => state.troubled -= 1,
        }
    }

    /// Appends a frame for all members, and returns how many bytes wait then. `None` where one of them may not be able
    /// to take it.
    pub fn push(&self, frame: &[u8]) -> Option<usize> {
        let RunState { frames, troubled } = &mut *lock(&self.state);
        if *troubled > 0 {
            return None;
        }
        // Copies the run only while it is being flushed by another thread.
        Arc::make_mut(&mut frames.bytes).extend_from_slice(frame);
        self.end.store(frames.end(), Ordering::Release);
        Some(frames.bytes.len())
    }

    /// Hands what lies after `place` to `take`; returns the place after it.
    pub fn take_from(&self, place: u64, take: impl FnOnce(&[u8])) -> u64 {
        let frames = &lock(&self.state).frames;
        let end = frames.end();
        take(frames.between(place..end));
        // prevents: taken over, yet its place stays behind
        end
    }

    pub fn frames(&self) -> Frames {
        lock(&self.state).frames.clone()
    }

    /// Every connection has had what lies before `place`. True if no frame is left.
    pub fn forget_until(&self, place: u64) -> bool {
        let frames = &mut lock(&self.state).frames;
        // prevents: what came amid the flush is forgotten
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
        frames.bytes.is_empty()
    }
}
