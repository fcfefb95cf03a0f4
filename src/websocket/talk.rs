//! What a WebSocket and the reading half of a split one have in common: what was agreed, the conversation, and its end.

use std::fmt;

use crate::connection::CloseEvent;
use crate::connection::conversation::Conversation;
use crate::connection::end::End;
use crate::connection::opening::Opening;
use crate::error::Error;
use crate::protocol::Role;

pub(crate) struct Talk {
    pub role: Role,
    pub opening: Opening,
    pub conversation: Conversation,
    /// How the peer ended, while what that asks for is still to be done.
    pub ending: Option<End>,
    pub ended: Option<CloseEvent>,
}

impl Talk {
    pub fn new(role: Role, opening: Opening, conversation: Conversation) -> Self {
        Talk {
            role,
            opening,
            conversation,
            ending: None,
            ended: None,
        }
    }

    /// It has ended. `all_left`: nothing of what was still to be sent waits any more. An error is for the application.
    pub fn conclude(&mut self, end: End, all_left: bool) -> Result<(), Error> {
        let (error, close) = end.outcome(all_left);
        self.ended = Some(close);
        error.map_or(Ok(()), Err)
    }

    /// Shows it as one of this type.
    pub fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("role", &self.role)
            .field("request", &self.opening.request)
            .field("protocol", &self.opening.protocol())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
