//! An Outbox as a member of those that broadcasts reach, and its place in the run. A thread that locks the Outbox first
//! takes over the frames after that place, which keeps the order of all that is sent to one connection. The flush
//! writes them from the run itself.
//!
//! A member that closes or ends is counted as troubled, and then takes over what is in the run. From then on a
//! broadcast goes to each member by itself: so it counts no member that does not get it.

use super::run::{Frames, Run};
use crate::outbox::link::Link;
use crate::outbox::queue::Queue;

/// What an Outbox is to the broadcasts.
#[derive(Default)]
pub(crate) struct Member {
    /// A run reaches it.
    pub(crate) is_reached: bool,
    /// It counts among the members that cannot take every frame.
    is_troubled: bool,
    /// Up to this place it has had the frames of the run.
    pub(crate) place: u64,
}

impl Member {
    pub fn is_troubled(&self) -> bool {
        self.is_troubled
    }

    /// Takes over what the run holds for it.
    #[inline]
    pub fn catch_up(&mut self, link: &Link, queue: &mut Queue) {
        if let (true, Some(collector)) = (self.is_reached, link.server.delivery.collector()) {
            if self.place != collector.run.end() {
                self.take_from(&collector.run, link, queue);
            }
        }
    }

    #[inline(never)]
    fn take_from(&mut self, run: &Run, link: &Link, queue: &mut Queue) {
        let take = |frames: &[u8]| queue.take_over(link, frames);
        self.place = run.take_from(self.place, take);
    }

    /// Tells the others whether it can take every frame.
    pub fn set_troubled(&mut self, link: &Link, queue: &mut Queue, troubled: bool) {
        let (Some(collector), true) = (
            link.server.delivery.collector(),
            troubled != self.is_troubled,
        ) else {
            return;
        };
        collector.run.note_trouble(troubled);
        self.is_troubled = troubled;
        // What joined the run before that was known.
        // prevents: an ending connection looks into the run no more
        self.catch_up(link, queue);
    }

    /// Offers its part of the run to the socket, from where it lies.
    pub fn flush(&mut self, link: &Link, queue: &mut Queue, frames: &Frames) {
        // prevents: the run overtakes what is collected
        if self.is_reached && self.place < frames.end() && queue.is_clear() {
            queue.write_frames(link, frames.between(self.place..frames.end()));
            // prevents: flushed, yet its place stays behind
            self.place = frames.end();
        } else {
            self.catch_up(link, queue);
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
