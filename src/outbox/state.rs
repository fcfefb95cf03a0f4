//! What the lock of an Outbox guards, and what ties it to its connection.

use std::sync::Arc;

use super::calls::Calls;
use super::collect::Collector;
use super::queue::Queue;
use crate::compression::Context;
use crate::stats::Counters;
use crate::transport::Transport;

/// What ties an Outbox to its connection; gone when the connection has ended, so that a handle
/// that outlives it holds no descriptor.
pub(super) struct Link {
    pub transport: Arc<dyn Transport>,
    pub calls: Arc<Calls>,
    pub counters: Arc<Counters>,
    pub collector: Option<Arc<Collector>>,
    pub alarm: Option<Alarm>,
}

/// What is done once where the peer turns out to be too slow: by whoever leads, who holds no lock.
pub(crate) type Alarm = Box<dyn FnOnce() + Send>;

#[repr(C)]
pub(super) struct State {
    pub link: Option<Link>,
    /// Up to where it has had the collector's run; `None`: broadcasts do not reach it.
    pub place: Option<u64>,
    /// The collector counts it among those that cannot take every frame.
    pub troubled: bool,
    pub queue: Queue,
    /// How messages are compressed that refer to earlier ones: in the order in which they leave.
    pub context: Context,
}

impl State {
    /// What a frame needs to leave; `None` when the connection has ended.
    pub fn parts(&mut self) -> Option<(&Link, &mut Queue)> {
        self.link.as_ref().map(|link| (link, &mut self.queue))
    }

    /// Tells the collector whether this connection can take every frame.
    pub fn note_trouble(&mut self) {
        self.set_troubled(!self.queue.is_well());
    }

    fn set_troubled(&mut self, troubled: bool) {
        let link = self.link.as_ref();
        let collector = link.and_then(|link| link.collector.as_ref());
        if let (Some(collector), true) = (collector, troubled != self.troubled) {
            self.troubled = troubled;
            collector.note_trouble(troubled);
            // fault: what joins the run behind an end is nobody's
            collector.run.wait_for_push();
            // What joined the run before the collector knew.
            // fault: who ends looks into the run no more
            self.catch_up();
        }
    }

    /// The connection has ended: counts what never left, and gives what is to be let go without the lock, and whether
    /// whoever leads has it.
    pub fn end(&mut self) -> Option<(Link, bool)> {
        self.set_troubled(true);
        let link = self.link.take()?;
        self.queue.end(&link);
        self.context.forget();
        Some((link, std::mem::take(&mut self.queue.watched)))
    }
}
