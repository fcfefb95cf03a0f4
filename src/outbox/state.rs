//! What the lock of an Outbox guards, and what ties it to its connection.

use std::sync::Arc;

use super::broadcast::{Collector, Member};
use super::calls::Calls;
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
    pub delivery: Delivery,
    pub alarm: Option<Alarm>,
    /// Tells the application that there is room for what was refused.
    pub drained: Option<DrainedCall>,
    /// It was told, and has not heard of it yet: once is enough.
    pub told: bool,
}

/// Who has the messages of the connection.
#[derive(Clone)]
pub(crate) enum Delivery {
    /// The events of its server: what is sent while more of them wait is collected with what goes to the other
    /// connections.
    Events(Arc<Collector>),
    /// A handler of its own, which waits for what it sends.
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

/// What is done once where the peer turns out to be too slow: by the leader, who holds no lock.
pub(crate) type Alarm = Box<dyn FnOnce() + Send>;

/// What is done where there is room for what was refused: by any thread, which holds no lock.
pub(crate) type DrainedCall = Arc<dyn Fn() + Send + Sync>;

#[repr(C)]
pub(super) struct State {
    pub link: Option<Link>,
    pub member: Member,
    pub queue: Queue,
    /// How messages are compressed that refer to earlier ones: in the order in which they leave.
    pub context: Context,
}

impl State {
    /// What a frame needs to leave; `None` when the connection has ended.
    pub fn parts(&mut self) -> Option<(&Link, &mut Queue)> {
        self.link.as_ref().map(|link| (link, &mut self.queue))
    }

    /// What is to be done once now that there is room for what was refused.
    pub fn take_drained(&mut self) -> Option<DrainedCall> {
        let link = self.link.as_mut()?;
        let drained = link.drained.clone()?;
        let comes = self.queue.take_refused() && !std::mem::replace(&mut link.told, true);
        comes.then_some(drained)
    }

    /// The collector of its server, where it has part in that.
    pub fn collector(&self) -> Option<&Arc<Collector>> {
        self.link
            .as_ref()
            .and_then(|link| link.delivery.collector())
    }

    /// The connection has ended: counts what never left, and gives what is to be let go without the lock, and whether
    /// the leader has it.
    pub fn end(&mut self) -> Option<(Link, bool)> {
        self.set_troubled(true);
        let link = self.link.take()?;
        self.queue.end(&link);
        self.context.forget();
        Some((link, self.queue.watch.release()))
    }
}
