//! What ties an Outbox to its connection: the stream, where messages go, and the owner that hears of it.

use std::sync::Arc;

use super::coalescing::Coalescing;
use super::leader_queue::{Flusher, LeaderQueue};
use super::run::Run;
use super::wire::Wire;
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

impl Wire for Link {
    #[inline]
    fn transport(&self) -> &dyn Transport {
        &*self.transport
    }

    #[inline]
    fn counters(&self) -> &Counters {
        &self.server.counters
    }

    #[inline]
    fn is_of_handler(&self) -> bool {
        matches!(self.server.delivery, Delivery::Handler)
    }
}

impl Link {
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
    Events {
        /// Which thread collects.
        coalescing: Arc<Coalescing>,
        /// What is broadcast waits there.
        run: Arc<Run>,
        /// Flushes what is collected.
        flusher: Arc<dyn Flusher>,
    },
    /// To a handler of its own, which waits for what it sends.
    Handler,
}

impl Delivery {
    /// This thread collects what it sends there.
    #[inline]
    pub fn is_collected_here(&self) -> bool {
        match self {
            Delivery::Events { coalescing, .. } => coalescing.is_active_here(),
            Delivery::Handler => false,
        }
    }

    #[inline]
    pub fn run(&self) -> Option<&Run> {
        match self {
            Delivery::Events { run, .. } => Some(run),
            Delivery::Handler => None,
        }
    }

    pub fn flusher(&self) -> Option<&Arc<dyn Flusher>> {
        match self {
            Delivery::Events { flusher, .. } => Some(flusher),
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
