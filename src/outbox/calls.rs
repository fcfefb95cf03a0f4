//! Outboxes and collectors that something waits in: they call for the leader, which writes where a socket takes bytes
//! again, keeps the deadlines of what waits, and flushes collected frames in time.

use std::sync::Arc;

use super::Outbox;
use super::broadcast::Collector;
use crate::poller::{Bell, Mailbox};

pub(crate) struct Calls(Mailbox<Called>);

/// Those that called since the last look.
#[derive(Default)]
pub(crate) struct Called {
    pub outboxes: Vec<Arc<Outbox>>,
    pub collectors: Vec<Arc<Collector>>,
    /// Nobody leads any more: nothing is taken.
    stopped: bool,
}

impl Calls {
    /// Heard by the thread that sleeps where `bell` rings. Without a bell nobody hears: that is for connections over
    /// which nothing ever waits.
    pub fn new(bell: Option<Arc<Bell>>) -> Arc<Calls> {
        Arc::new(Calls(Mailbox::new(bell)))
    }

    /// Something waits in `outbox`, or it has a new deadline. False when nobody leads any more.
    #[must_use]
    pub fn call(&self, outbox: Arc<Outbox>) -> bool {
        self.0.put(|called| {
            // What is taken behind the stop would stay for ever.
            if !called.stopped {
                called.outboxes.push(outbox);
            }
            !called.stopped
        })
    }

    /// Something is collected. When nobody leads any more it leaves when its sender is done.
    pub fn call_for_collector(&self, collector: Arc<Collector>) {
        self.0.put(|called| {
            if !called.stopped {
                called.collectors.push(collector);
            }
        });
    }

    pub fn is_empty(&self) -> bool {
        !self.0.is_full()
    }

    /// Takes those that called.
    pub fn take(&self) -> Called {
        self.0.open(Called::take)
    }

    /// From now on none is taken; gives those that called before.
    pub fn stop(&self) -> Called {
        self.0.open(|called| {
            called.stopped = true;
            called.take()
        })
    }
}

impl Called {
    fn take(&mut self) -> Called {
        let stopped = self.stopped;
        std::mem::replace(
            self,
            Called {
                stopped,
                ..Called::default()
            },
        )
    }
}
