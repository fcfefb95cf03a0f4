//! How many sockets are asked at once: what those of this server and of others answer is gathered.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::answers::{AckError, AllAnswers, Answer, OnAnswers};
use super::core::Core;
use super::operation::{AckRequest, AnswerSink};
use super::polls::{PollResult, PolledServer};
use crate::lock::lock;

/// No poll has this number: the first one is 1.
pub(crate) const NO_POLL: u64 = 0;

/// The sockets of this server, that are asked for a poll of this server.
struct OwnSink {
    core: Weak<Core>,
    poll: u64,
}

impl AnswerSink for OwnSink {
    fn asked(&self, sockets: usize) {
        if let Some(core) = self.core.upgrade() {
            core.asked(self.poll, None, sockets);
        }
    }

    fn answered(&self, answer: Result<Answer, AckError>) {
        if let Some(core) = self.core.upgrade() {
            core.answered(self.poll, None, answer);
        }
    }
}

impl Core {
    /// Begins to ask the sockets of this server and of these others.
    pub fn open_poll(
        self: &Arc<Self>,
        others: impl FnOnce() -> Vec<u128>,
        timeout: Duration,
        then: OnAnswers,
    ) -> AckRequest {
        let deadline = self.sessions.now().saturating_add(timeout);
        let mut polls = lock(&self.polls);
        if self.has_ended.load(SeqCst) {
            drop(polls);
            drop(then);
            return self.own_wish(NO_POLL, timeout);
        }
        // Under the lock: one that leaves now ends its part in this poll, too.
        let servers = std::iter::once(None).chain(others().into_iter().map(Some));
        let poll = polls.open(servers, deadline, then);
        drop(polls);
        self.sessions.timer.note_application(deadline);
        self.own_wish(poll, timeout)
    }

    /// What sockets of this server are asked for, for a poll of this server.
    pub fn own_wish(self: &Arc<Self>, poll: u64, timeout: Duration) -> AckRequest {
        let core = Arc::downgrade(self);
        AckRequest {
            poll,
            timeout,
            sink: Arc::new(OwnSink { core, poll }),
        }
    }

    /// A server asks so many.
    pub fn asked(&self, poll: u64, server: PolledServer, sockets: usize) {
        let is_done = lock(&self.polls).asked(poll, server, sockets);
        self.wake_if(is_done);
    }

    /// A socket of a server answers, or will not.
    pub fn answered(&self, poll: u64, server: PolledServer, answer: Result<Answer, AckError>) {
        let bytes = answer.as_ref().map_or(0, Answer::size);
        let mut polls = lock(&self.polls);
        let answer = match polls.bytes().saturating_add(bytes) > self.limits.max_answer_bytes {
            true => Err(AckError::TooMany),
            false => answer,
        };
        let is_done = polls.answered(poll, server, answer, bytes);
        drop(polls);
        self.wake_if(is_done);
    }

    /// Another server is gone, and its sockets with it: what they owe does not come.
    #[cfg(feature = "redis")]
    pub fn end_polls_of(&self, server: u128) {
        let is_one_done = lock(&self.polls).leave(Some(server), AckError::Disconnected);
        self.wake_if(is_one_done);
    }

    pub fn end_poll(&self, poll: u64, why: AckError) {
        lock(&self.polls).end(poll, why);
        self.wake_if(true);
    }

    fn wake_if(&self, is_done: bool) {
        if is_done {
            self.sessions.timer.note_application(Duration::ZERO);
        }
    }

    pub fn finished_poll(&self, now: Duration) -> Option<(OnAnswers, AllAnswers)> {
        let PollResult {
            answers,
            error,
            missing_servers,
            then,
            ..
        } = lock(&self.polls).take_done(now, AckError::Timeout)?;
        let answers = AllAnswers {
            answers,
            error,
            missing_servers,
        };
        Some((then, answers))
    }
}

#[cfg(test)]
mod tests;
