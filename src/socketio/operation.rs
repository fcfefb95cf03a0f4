//! What is done to many sockets at once, as a value: to those of this server, and of the servers that an adapter
//! connects with it.

use std::sync::Arc;
use std::time::Duration;

use super::answers::{AckError, Answer};
use super::arguments::Written;
use super::directory::SocketMove;
use super::gate::Reliability;
use super::position::PacketName;
use super::recovery::Audience;

/// Something that is done to the sockets of an audience.
pub(crate) struct Operation {
    pub namespace: Arc<str>,
    pub audience: Audience,
    pub act: Act,
}

impl Operation {
    /// Whether it has reached its one client, and is only told.
    #[cfg(feature = "redis")]
    pub fn is_at_once(&self) -> bool {
        match &self.act {
            Act::Emit(emission) => emission.name.is_some_and(|it| it.origin.is_at_once()),
            _ => false,
        }
    }
}

pub(crate) enum Act {
    Emit(Emission),
    /// An event that every one of them is to answer.
    Ask {
        written: Written,
        wish: AckRequest,
    },
    Join(String),
    Leave(String),
    Disconnect,
}

/// An event for those who are there, and perhaps for those who come back.
pub(crate) struct Emission {
    pub written: Written,
    pub delivery: Reliability,
    /// Its name on all servers, if it has one.
    pub name: Option<PacketName>,
}

impl Emission {
    pub fn new(written: Written, delivery: Reliability) -> Self {
        Emission {
            written,
            delivery,
            name: None,
        }
    }
}

/// Answers that are wanted, for so long.
pub(crate) struct AckRequest {
    /// The number of the poll, on the server that asks.
    pub poll: u64,
    pub timeout: Duration,
    pub sink: AnswerSink,
}

/// What takes the answers that the sockets of this server give.
pub(crate) type AnswerSink = Arc<dyn Fn(PollNews) + Send + Sync>;

/// What is heard of the sockets of a server that are asked.
#[derive(Debug)]
pub(crate) enum PollNews {
    /// So many are asked. Told once, before their answers.
    Asked(usize),
    /// Told once for each of them.
    Answered(Result<Answer, AckError>),
}

/// What connects this server with others. Called by any thread.
pub(crate) trait Adapter: Send + Sync {
    /// Has the other servers do what is done here. Called without a lock, or, where a socket may come back to another
    /// server, under that of the directory.
    fn publish(&self, operation: &Operation) -> LocalTurn;
    /// Tells the other servers, if a socket may come back to another one.
    fn tell_move(&self, _: &SocketMove) {}
    /// The numbers of the other servers, whose answers are waited for.
    fn others(&self) -> Vec<u128>;
    /// The ids of the sockets of an audience on the other servers, and how many servers have not said theirs. Waits so
    /// long at most.
    fn fetch(
        &self,
        namespace: &str,
        audience: &Audience,
        timeout: Duration,
    ) -> (Vec<String>, usize);
}

/// When an operation that was published is done here.
#[derive(Clone, Debug, PartialEq, Eq)]
// Without the feature `redis` nothing is published.
#[cfg_attr(not(feature = "redis"), allow(dead_code))]
pub(crate) enum LocalTurn {
    Now,
    /// When it comes back, in the one order of all servers.
    OnReturn,
    /// Not at all: it cannot be published, for this reason.
    Never(String),
}
