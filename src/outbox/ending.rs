//! How one Outbox comes to its end: by a Close, past a deadline, or given up.

use std::time::Instant;

use super::kept::DeadlineOf;
use super::queue::{Failure, Queue};
use super::wire::Wire;
use crate::error::Error;
use crate::protocol::close::CloseCode;
use crate::transport::How;

impl Queue {
    /// Writes a Close or keeps it; false if one was sent before.
    pub fn begin_close(&mut self, link: &impl Wire, code: Option<CloseCode>, reason: &str) -> bool {
        let mut frame = Vec::new();
        let now = self.time.now().saturating_duration_since(self.bounds.epoch);
        let begun = self.sender.close(code, reason, None, now, &mut frame);
        // prevents: a second Close
        if begun {
            // prevents: a Close's deadline is no news
            self.leader_call.note_close();
            self.send_control(link, frame);
        }
        begun
    }

    /// Drops every whole unsent message and queues Close 1013 after a partly written one.
    pub fn slow_consumer(&mut self, link: &impl Wire) {
        let dropped = self.kept.drop_whole_messages();
        // prevents: dropped by the policy and not counted
        link.count_dropped(dropped);
        self.begin_close(link, Some(CloseCode::TRY_AGAIN_LATER), "too slow");
        self.failure = Some(Failure::SlowConsumer);
    }

    /// Ends the stream. That wakes the thread that reads from it, which reports the end.
    pub fn give_up(&mut self, link: &impl Wire, failure: Failure) {
        let failure = *self.failure.get_or_insert(failure);
        self.cut = true;
        let lost = self.kept.clear();
        link.count_dropped(lost);
        let how = match failure {
            Failure::SlowConsumer | Failure::Terminated => How::Reset,
            _ if lost > 0 || self.turn.taken => How::Reset,
            _ => How::Both,
        };
        // prevents: given up without a word to the stream
        match self.turn.is_needed {
            true => self.parting = Some(how),
            false => link.transport().shutdown(how),
        }
    }

    /// The connection has ended: counts what never left, and gives the memory back.
    pub fn end(&mut self, link: &impl Wire) {
        let unsent = self.collected.messages();
        let lost = self.kept.clear() + unsent;
        // prevents: unsent frames are not counted at the end
        link.count_dropped(lost);
        self.collected.count(link.counters());
        self.collected.take();
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

    pub fn deadline(&self) -> Option<Instant> {
        let close = self.sender.close_deadline();
        let close = close.and_then(|at| self.bounds.epoch.checked_add(at));
        let nearest = [close, self.age_deadline()].into_iter().flatten().min();
        nearest.filter(|_| !self.cut)
    }

    /// When a frame will have waited too long. Where the policy drops messages this is about pongs only: such peers may
    /// stay slow. Elsewhere it is about any frame.
    fn age_deadline(&self) -> Option<Instant> {
        let of = match self.bounds.overflow.drops() {
            true => DeadlineOf::Pongs,
            false => DeadlineOf::AnyFrame,
        };
        self.kept.deadline(self.bounds.pace.patience, of)
    }

    pub fn check_deadlines(&mut self, link: &impl Wire, now: Instant) {
        if self.age_deadline().is_some_and(|at| at <= now) {
            self.give_up(link, Failure::SlowConsumer);
        } else if self.deadline().is_some_and(|at| at <= now) {
            self.give_up(link, Failure::CloseTimeout);
        }
    }

    /// The process stood still: that time counts against no peer.
    pub fn resumed(&mut self, now: Instant) {
        let now = self.time.at(now);
        self.kept.wait_anew(now);
        self.sender
            .resumed(now.saturating_duration_since(self.bounds.epoch));
    }
}
