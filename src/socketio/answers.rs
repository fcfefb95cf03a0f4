//! What clients answer: one of them, or all that were asked.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::arguments::AnyArguments;
use super::core::Core;
use super::operation::{AckRequest, AnswerSink};
use super::polls::{PollResult, PolledServer, Polls};
use super::socket::AckError;
use crate::lock::lock;

/// No poll has this number: the first one is 1.
const NO_POLL: u64 = 0;

/// The answer of one client.
///
/// ```
/// use std::time::Duration;
/// use wshub::socketio::SocketIo;
///
/// let mut io = SocketIo::new(());
/// io.on_connect("/", |_, socket, _auth| {
///     socket.emit_with_ack("your name?", (), Duration::from_secs(5), |_, answer| {
///         match answer.map(|answer| answer.get::<String>()) {
///             Ok(Ok(name)) => println!("{name} is here"),
///             Ok(Err(error)) => println!("not a name: {error}"),
///             Err(error) => println!("{error}"),
///         }
///     });
///     Ok(())
/// });
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) arguments: AnyArguments,
}

/// The answers of many clients; see [`Emitter::emit_with_ack`](super::Emitter::emit_with_ack).
///
/// ```
/// use wshub::socketio::AllAnswers;
///
/// fn sum(all: &AllAnswers) -> i32 {
///     if let Some(why) = all.error {
///         println!("not of everybody: {why}");
///     }
///     all.answers.iter().filter_map(|answer| answer.get::<i32>().ok()).sum()
/// }
/// # let _ = sum;
/// ```
///
/// ```
/// use wshub::socketio::AllAnswers;
///
/// fn votes_for(name: &str, ballot: &AllAnswers) -> usize {
///     let votes = ballot.answers.iter().filter_map(|answer| answer.get::<String>().ok());
///     votes.filter(|vote| vote == name).count()
/// }
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AllAnswers {
    /// The answers, in the order in which they came.
    pub answers: Vec<Answer>,
    /// Why an answer is missing, for the first one that is; `None` if every socket that was asked has answered.
    /// [`AckError::Timeout`] also if a server did not report in time.
    pub error: Option<AckError>,
    /// How many other servers did not report in time, or left the cluster before all of their sockets had answered. It
    /// is 1 where no server of Python answers over a bridge, and while this server has not attached to the backplane
    /// and knows no others.
    pub missing_servers: usize,
}

pub(crate) type OnAnswers = Box<dyn FnOnce(AllAnswers) + Send>;
pub(crate) type OpenPolls = Polls<Answer, AckError, OnAnswers>;

impl Answer {
    /// The answer as a type of yours, by the rules of [`SocketIo::on`](super::SocketIo::on).
    ///
    /// # Errors
    /// If it is not of that type; the text says what is there instead.
    pub fn get<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.arguments.read()
    }

    /// About how much memory it takes.
    fn size(&self) -> usize {
        let AnyArguments {
            values,
            attachments,
        } = &self.arguments;
        let attachments = attachments.iter().map(|bytes| bytes.len());
        attachments.chain(values.iter().map(size)).sum()
    }
}

/// About how much memory a value takes. Values are nested no deeper than JSON is read.
fn size(value: &Value) -> usize {
    let within = match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, it)| name.len() + size(it)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + within
}

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
