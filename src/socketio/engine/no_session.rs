//! Why no session can begin.

use crate::http::Refusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSession {
    /// As many as `max_sessions` are there.
    TooMany,
    /// As many as `max_sessions_per_address` are there of this address.
    TooManyOfAddress,
    /// The system has no random bytes.
    NoRandom,
    /// The server shuts down, and has told those that poll.
    ShuttingDown,
}

impl NoSession {
    /// There is no slot for it.
    pub fn of_slot(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooManyFromAddress => NoSession::TooManyOfAddress,
            _ => NoSession::TooMany,
        }
    }

    /// What to do about it, for the log.
    pub fn remedy(self) -> &'static str {
        match self {
            NoSession::TooMany => "too many sessions: socketio::Limits::max_sessions",
            NoSession::TooManyOfAddress => {
                "too many sessions of one address: socketio::Limits::max_sessions_per_address"
            }
            NoSession::NoRandom => "the system has no random bytes",
            NoSession::ShuttingDown => "the server shuts down",
        }
    }
}
