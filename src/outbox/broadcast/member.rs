//! An Outbox among those that broadcasts reach: its place in the run. Whoever locks it first takes over what lies
//! behind that, so that the order of all that is sent to one connection is kept; the flush writes it where it lies.
//!
//! A member that closes or ends says first that it takes no more, then leaves the others, and looks into the run behind
//! both: so nobody is counted as one whom a broadcast goes to who does not see it.

use std::sync::Arc;

use super::collector::Collector;
use super::run::Frames;
use crate::lock::lock;
use crate::outbox::Outbox;
use crate::outbox::state::State;

/// What an Outbox is to the broadcasts.
#[derive(Default)]
pub(crate) struct Member {
    /// Up to where it has had the run; `None`: no run reaches it.
    place: Option<u64>,
    /// It counts among the members that cannot take every frame.
    is_troubled: bool,
}

impl Member {
    pub fn is_troubled(&self) -> bool {
        self.is_troubled
    }
}

impl Collector {
    /// From now on broadcasts reach it, unless it has ended: then it has left, or is about to.
    pub fn join(&self, outbox: &Arc<Outbox>) {
        let mut state = outbox.enter();
        if let Some(link) = &state.link {
            let place = self.run.join(outbox);
            let has_part = link.delivery.collector().is_some();
            state.member.place = has_part.then_some(place);
        }
    }

    /// The connection is no longer among those that broadcasts reach.
    pub fn leave(&self, outbox: &Arc<Outbox>) {
        self.run.leave(outbox);
        let mut state = outbox.enter();
        state.member.place = None;
        if std::mem::take(&mut state.member.is_troubled) {
            self.run.note_trouble(false);
        }
    }
}

impl Outbox {
    /// Lets what `push` appends to the run pass by; false if that does not reach it anyway.
    pub(super) fn pass_over<T, E>(
        &self,
        collector: &Arc<Collector>,
        push: impl FnOnce() -> Result<T, E>,
    ) -> (Result<T, E>, bool) {
        let mut state = self.enter();
        let pushed = push();
        let own = state.collector();
        let reached = own.is_some_and(|own| Arc::ptr_eq(own, collector)) && pushed.is_ok();
        if let (true, Some(place)) = (reached, &mut state.member.place) {
            // fault: a broadcast that passed over is had again
            *place = collector.run.end();
        }
        (pushed, reached && state.member.place.is_some())
    }

    /// Offers its part of the run to the socket, from where it lies.
    pub(super) fn flush_run(self: &Arc<Self>, frames: &Frames) {
        let mut state = lock(&self.state);
        let place = state.member.place;
        let Some((link, queue)) = state.parts() else {
            return;
        };
        // fault: the run overtakes what is collected
        match place {
            Some(place) if place < frames.end() && queue.is_clear() => {
                queue.write_frames(link, frames.between(place..frames.end()));
                // fault: flushed, yet its place is behind
                state.member.place = Some(frames.end());
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
    /// Tells the others whether this connection can take every frame.
    pub fn note_trouble(&mut self) {
        self.set_troubled(!self.queue.is_well());
    }

    pub fn set_troubled(&mut self, troubled: bool) {
        let (Some(collector), true) = (self.collector(), troubled != self.member.is_troubled)
        else {
            return;
        };
        collector.run.note_trouble(troubled);
        self.member.is_troubled = troubled;
        // What joined the run before that was known.
        // fault: who ends looks into the run no more
        self.catch_up();
    }

    /// Takes over what the run holds for it: whatever is done next comes after that.
    pub fn catch_up(&mut self) {
        let (Some(link), Some(place)) = (&self.link, &mut self.member.place) else {
            return;
        };
        let Some(collector) = link.delivery.collector() else {
            return;
        };
        if *place != collector.run.end() {
            let take = |frames: &[u8]| self.queue.take_over(link, frames);
            *place = collector.run.take_from(*place, take);
        }
    }
}
