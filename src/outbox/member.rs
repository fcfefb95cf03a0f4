//! An Outbox as a member of those that broadcasts reach, and its place in the run. A thread that locks the Outbox first
//! takes over the frames after that place, which keeps the order of all that is sent to one connection. The flush
//! writes them from the run itself.
//!
//! A member that closes or ends is counted as troubled, and then takes over what is in the run. From then on a
//! broadcast goes to each member by itself: so it counts no member that does not get it.

use super::queue::Queue;
use super::run::{Frames, Run};
use super::wire::Wire;

/// What an Outbox is to the broadcasts.
#[derive(Default)]
pub(crate) struct Member {
    /// A run reaches it.
    is_reached: bool,
    /// It counts among the members that cannot take every frame.
    is_troubled: bool,
    /// Up to this place it has had the frames of the run.
    place: u64,
}

impl Member {
    pub fn is_troubled(&self) -> bool {
        self.is_troubled
    }

    /// From now on it is to have what is after `place` in the run, if a run reaches it.
    pub fn join(&mut self, is_reached: bool, place: u64) {
        (self.is_reached, self.place) = (is_reached, place);
    }

    /// Takes over what the run holds for it.
    #[inline]
    pub fn catch_up(&mut self, run: Option<&Run>, link: &impl Wire, queue: &mut Queue) {
        if let (true, Some(run)) = (self.is_reached, run) {
            if self.place != run.end() {
                self.take_from(run, link, queue);
            }
        }
    }

    #[inline(never)]
    fn take_from(&mut self, run: &Run, link: &impl Wire, queue: &mut Queue) {
        let take = |frames: &[u8]| queue.take_over(link, frames);
        self.place = run.take_from(self.place, take);
    }

    /// Tells the others whether it can take every frame.
    pub fn set_troubled(
        &mut self,
        run: Option<&Run>,
        link: &impl Wire,
        queue: &mut Queue,
        troubled: bool,
    ) {
        let Some(known) = run.filter(|_| troubled != self.is_troubled) else {
            return;
        };
        known.note_trouble(troubled);
        self.is_troubled = troubled;
        // What joined the run before that was known.
        // prevents: an ending connection looks into the run no more
        self.catch_up(run, link, queue);
    }

    /// Offers its part of the run to the socket, from where it lies.
    pub fn flush(
        &mut self,
        run: Option<&Run>,
        link: &impl Wire,
        queue: &mut Queue,
        frames: &Frames,
    ) {
        // prevents: the run overtakes what is collected
        if self.is_reached && self.place < frames.end() && queue.is_clear() {
            queue.write_frames(link, frames.between(self.place..frames.end()));
            // prevents: flushed, yet its place stays behind
            self.place = frames.end();
        } else {
            self.catch_up(run, link, queue);
            queue.flush(link);
        }
    }

    /// Passes over what was last appended to the run; false if the run does not reach this member anyway.
    pub fn pass_over(&mut self, run: &Run) -> bool {
        if self.is_reached {
            // prevents: a broadcast that passed over is had again
            self.place = run.end();
        }
        self.is_reached
    }

    /// No run reaches it any more.
    pub fn leave(&mut self, run: &Run) {
        if std::mem::take(self).is_troubled {
            run.note_trouble(false);
        }
    }
}
