//! An Outbox among those that broadcasts reach: its place in the run. The thread that locks it first takes over what
//! lies behind that, which keeps the order of all that is sent to one connection; the flush writes it where it lies.
//!
//! A member that closes or ends says first that it takes no more, then leaves the others, and looks into the run behind
//! both: so a broadcast counts no member that does not see it.

use super::run::{Frames, Run};
use crate::outbox::queue::Queue;
use crate::outbox::state::Link;

/// What an Outbox is to the broadcasts.
#[derive(Default)]
pub(crate) struct Member {
    /// Up to where it has had the run; `None`: no run reaches it.
    pub(crate) place: Option<u64>,
    /// It counts among the members that cannot take every frame.
    is_troubled: bool,
}

impl Member {
    pub fn is_troubled(&self) -> bool {
        self.is_troubled
    }

    /// Takes over what the run holds for it.
    #[inline]
    pub fn catch_up(&mut self, link: &Link, queue: &mut Queue) {
        let (Some(collector), Some(place)) = (link.delivery.collector(), &mut self.place) else {
            return;
        };
        if *place != collector.run.end() {
            let take = |frames: &[u8]| queue.take_over(link, frames);
            *place = collector.run.take_from(*place, take);
        }
    }

    /// Tells the others whether it can take every frame.
    pub fn set_troubled(&mut self, link: &Link, queue: &mut Queue, troubled: bool) {
        let (Some(collector), true) = (link.delivery.collector(), troubled != self.is_troubled)
        else {
            return;
        };
        collector.run.note_trouble(troubled);
        self.is_troubled = troubled;
        // What joined the run before that was known.
        // fault: an ending connection looks into the run no more
        self.catch_up(link, queue);
    }

    /// Offers its part of the run to the socket, from where it lies.
    pub fn flush(&mut self, link: &Link, queue: &mut Queue, frames: &Frames) {
        // fault: the run overtakes what is collected
        match self.place {
            Some(place) if place < frames.end() && queue.is_clear() => {
                queue.write_frames(link, frames.between(place..frames.end()));
                // fault: flushed, yet its place is behind
                self.place = Some(frames.end());
            }
            _ => {
                self.catch_up(link, queue);
                queue.flush(link);
            }
        }
    }

    /// Lets what was last appended to the run pass by; false if that does not reach it anyway.
    pub fn pass_over(&mut self, run: &Run) -> bool {
        let Some(place) = &mut self.place else {
            return false;
        };
        // fault: a broadcast that passed over is had again
        *place = run.end();
        true
    }

    /// No run reaches it any more.
    pub fn leave(&mut self, run: &Run) {
        if std::mem::take(self).is_troubled {
            run.note_trouble(false);
        }
    }
}
