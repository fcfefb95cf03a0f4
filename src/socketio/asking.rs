//! How many sockets are asked at once: what those of this server and of others answer is gathered.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::answers::{AckError, AllAnswers, OnAnswers};
use super::core::Core;
use super::operation::{AckRequest, PollNews};
use super::polls::PolledServer;
use crate::lock::lock;

/// No poll has this number: the first one is 1.
pub(crate) const NO_POLL: u64 = 0;

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
        let sink = move |news| {
            if let Some(core) = core.upgrade() {
                core.hear_of_poll(poll, None, news);
            }
        };
        AckRequest {
            poll,
            timeout,
            sink: Arc::new(sink),
        }
    }

    /// A server asks so many of its sockets, or one of them answers or will not.
    pub fn hear_of_poll(&self, poll: u64, server: PolledServer, news: PollNews) {
        let bytes = match &news {
            PollNews::Answered(Ok(answer)) => answer.size(),
            _ => 0,
        };
        let mut polls = lock(&self.polls);
        let is_too_much = polls.bytes().saturating_add(bytes) > self.limits.max_answer_bytes;
        let is_done = match news {
            PollNews::Asked(sockets) => polls.asked(poll, server, sockets),
            PollNews::Answered(Ok(_)) if is_too_much => {
                polls.answered(poll, server, Err(AckError::TooMany), bytes)
            }
            PollNews::Answered(answer) => polls.answered(poll, server, answer, bytes),
        };
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
        let done = lock(&self.polls).take_done(now, AckError::Timeout)?;
        let answers = AllAnswers {
            answers: done.answers,
            error: done.error,
            missing_servers: done.missing_servers,
        };
        Some((done.then, answers))
    }
}

#[cfg(test)]
mod tests;
