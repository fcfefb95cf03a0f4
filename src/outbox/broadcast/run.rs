//! Broadcasts of a sender that has more to do: a *run* of frames that waits once for all connections, not once in each.
//! A queued broadcast then costs a connection nothing until the run is flushed, and is copied nowhere.
//!
//! Every connection that broadcasts reach has its place in the run: it has had what lies before, and
//! not what lies after ([`member`](super::member)).

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Reached;
use super::members::RunMembers;
use crate::atomic::AtomicU64;
use crate::lock::{Mutex, RUN, lock};
use crate::message::Prepared;
use crate::outbox::Outbox;

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
    members: RunMembers,
}

/// The frames of the run as they are now. A clone keeps them while the run goes on.
#[derive(Clone, Default)]
pub(crate) struct Frames {
    start: u64,
    bytes: Arc<Vec<u8>>,
    /// The members that the run goes to. All others joined after these frames, or have ended.
    pub reached: Reached,
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
pub(crate) struct Pushed {
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

    /// Adds a member; returns its place in the run.
    pub fn join(&self, outbox: &Arc<Outbox>) -> u64 {
        let mut state = lock(&self.state);
        state.members.add(outbox);
        state.frames.end()
    }

    pub fn leave(&self, outbox: &Arc<Outbox>) {
        lock(&self.state).members.remove(outbox);
    }

    pub fn reached(&self) -> Reached {
        lock(&self.state).members.reached()
    }

    /// One member more, or less, cannot take every frame. After this call, `end` covers every frame that was pushed
    /// before the change was known.
    pub fn note_trouble(&self, troubled: bool) {
        lock(&self.state).members.note_trouble(troubled);
    }

    /// Appends a message for all members. Where it has to be sent to each member by itself, returns the members
    /// instead.
    pub fn push(&self, message: &Prepared) -> Result<Pushed, Reached> {
        let RunState { frames, members } = &mut *lock(&self.state);
        let reached = members.reached();
        if !members.take_alike(message) {
            return Err(reached);
        }
        // prevents: the run goes to its first members alone
        if !Arc::ptr_eq(&frames.reached, &reached) {
            frames.reached = reached;
        }
        // Copies the run only while it is being flushed by another thread.
        Arc::make_mut(&mut frames.bytes).extend_from_slice(message.frame());
        self.end.store(frames.end(), Ordering::Release);
        Ok(Pushed {
            bytes: frames.bytes.len(),
            members: frames.reached.len(),
        })
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

    /// Every connection has had what lies before `place`.
    pub fn forget_until(&self, place: u64) {
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
        if frames.bytes.is_empty() {
            // prevents: the run keeps a hold on its members
            frames.reached = Arc::default();
        }
    }
}
