//! What ties an Outbox to its connection: the stream, where messages go, and the owner that hears of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::broadcast::Collector;
use super::leader_queue::LeaderQueue;
use crate::stats::Counters;
use crate::transport::Transport;

/// It is gone when the connection has ended, so that a handle that lives longer holds no descriptor.
pub(crate) struct Link {
    pub transport: Arc<dyn Transport>,
    pub server: Arc<OutboxServer>,
}

/// What all Outboxes of a server share.
pub(crate) struct OutboxServer {
    pub leader_queue: Arc<LeaderQueue>,
    pub counters: Arc<Counters>,
    pub delivery: Delivery,
    /// `None`: no owner wants to know what becomes of the connections.
    pub owner: Option<Arc<dyn Owner>>,
}

impl Link {
    pub fn count_dropped(&self, messages: u64) {
        let dropped = &self.server.counters.dropped;
        dropped.fetch_add(messages, Ordering::Relaxed);
    }

    /// The connection of this id, and its owner.
    pub fn owned(&self, id: u64) -> Option<Owned> {
        Some(Owned {
            by: self.server.owner.clone()?,
            id,
            transport: self.transport.clone(),
        })
    }
}

/// Where the messages of the connection go.
#[derive(Clone)]
pub(crate) enum Delivery {
    /// To the events of its server: what is sent while more of them wait is collected with what goes to the other
    /// connections.
    Events(Arc<Collector>),
    /// To a handler of its own, which waits for what it sends.
    Handler,
}

impl Delivery {
    pub fn collector(&self) -> Option<&Arc<Collector>> {
        match self {
            Delivery::Events(collector) => Some(collector),
            Delivery::Handler => None,
        }
    }
}

/// Hears what becomes of the Outboxes of a server, without their locks.
pub(crate) trait Owner: Send + Sync {
    /// The peer of this connection is too slow. The thread that reads would find that only when the stream ends, which
    /// comes after our Close.
    fn hear_too_slow(&self, id: u64, transport: &dyn Transport);

    /// There is room for what was refused.
    fn hear_room(&self, id: u64);
}

/// A connection, and the owner that is to be told of it.
pub(crate) struct Owned {
    by: Arc<dyn Owner>,
    id: u64,
    transport: Arc<dyn Transport>,
}

impl Owned {
    pub fn tell_too_slow(&self) {
        self.by.hear_too_slow(self.id, &*self.transport);
    }

    pub fn tell_room(&self) {
        self.by.hear_room(self.id);
    }
}
