//! What all conversations of a server share: each of many idle connections holds one word of it.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::limits::Limits;
use crate::protocol::keepalive::KeepaliveRules;

#[derive(Clone)]
pub(crate) struct ConversationRules(Arc<SharedRules>);

#[derive(Clone)]
pub(crate) struct SharedRules {
    /// Before any of the conversations began: the protocol core counts time from there.
    pub epoch: Instant,
    pub keepalive: KeepaliveRules,
}

impl ConversationRules {
    /// For conversations that begin from `now` on. Without a `ping_interval` no ping is ever due.
    pub fn new(limits: &Limits, ping_interval: Option<Duration>, now: Instant) -> Self {
        ConversationRules(Arc::new(SharedRules {
            epoch: now,
            keepalive: KeepaliveRules {
                ping_interval,
                pong_wait: limits.pong_timeout,
                assembly: limits.assembly(),
            },
        }))
    }

    /// For this holder alone.
    pub fn set_ping_interval(&mut self, ping_interval: Option<Duration>) {
        Arc::make_mut(&mut self.0).keepalive.ping_interval = ping_interval;
    }
}

impl Deref for ConversationRules {
    type Target = SharedRules;

    fn deref(&self) -> &SharedRules {
        &self.0
    }
}
