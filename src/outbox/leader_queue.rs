//! The outboxes and collectors that wait for the leader, which writes where a socket takes bytes again, keeps the
//! deadlines of what waits, and flushes collected frames in time.

use std::sync::Arc;
use std::time::Instant;

use super::Outbox;
use crate::poller::{Bell, Mailbox};

/// Keeps which Outboxes have collected frames, and flushes them.
pub(crate) trait Flusher: Send + Sync {
    /// An Outbox collected its first frame.
    fn add(self: Arc<Self>, outbox: &Arc<Outbox>);

    /// For the leader: flushes what is overdue, and returns when to look again. `None`: nothing has been collected for
    /// a while, and it may be forgotten. That takes a while because a call for the leader costs the sender more than
    /// all these looks.
    fn service(&self, now: Instant) -> Option<Instant>;
}

pub(crate) struct LeaderQueue(Mailbox<WaitingForLeader>);

/// What has come since the leader last looked.
#[derive(Default)]
pub(crate) struct WaitingForLeader {
    pub outboxes: Vec<Arc<Outbox>>,
    pub collectors: Vec<Arc<dyn Flusher>>,
    /// No thread leads any more: nothing is taken.
    stopped: bool,
}

impl LeaderQueue {
    /// `bell` wakes the leader. Without a bell no thread does: that is for connections over which nothing ever waits.
    pub fn new(bell: Option<Arc<Bell>>) -> Arc<LeaderQueue> {
        Arc::new(LeaderQueue(Mailbox::new(bell)))
    }

    /// Something waits in `outbox`, or it has a new deadline. False when no thread leads any more.
    #[must_use]
    pub fn add(&self, outbox: Arc<Outbox>) -> bool {
        self.0.put(|waiting| {
            // What is taken after the stop would stay for ever.
            if !waiting.stopped {
                waiting.outboxes.push(outbox);
            }
            !waiting.stopped
        })
    }

    /// Something is collected. After the stop no thread leads any more: then it leaves when its sender is done.
    pub fn add_collector(&self, collector: Arc<dyn Flusher>) {
        self.0.put(|waiting| {
            if !waiting.stopped {
                waiting.collectors.push(collector);
            }
        });
    }

    pub fn is_empty(&self) -> bool {
        !self.0.is_full()
    }

    /// Takes what waits.
    pub fn take(&self) -> WaitingForLeader {
        self.0.open(WaitingForLeader::take)
    }

    /// From now on none is taken; those that waited before, whose connections are to be ended.
    #[must_use]
    pub fn stop(&self) -> Vec<Arc<Outbox>> {
        let waiting = self.0.open(|waiting| {
            waiting.stopped = true;
            waiting.take()
        });
        waiting.outboxes
    }
}

impl WaitingForLeader {
    fn take(&mut self) -> WaitingForLeader {
        WaitingForLeader {
            outboxes: std::mem::take(&mut self.outboxes),
            collectors: std::mem::take(&mut self.collectors),
            stopped: self.stopped,
        }
    }
}
