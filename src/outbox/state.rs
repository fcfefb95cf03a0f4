//! What the lock of an Outbox guards, and what ties it to its connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::broadcast::{Collector, Member};
use super::calls::Calls;
use super::kept::KeptFrames;
use super::outbound::Outbound;
use super::queue::{Dispatched, Queue};
use super::watch::Pending;
use crate::compression::Context;
use crate::error::SendErrorKind;
use crate::stats::Counters;
use crate::transport::Transport;

/// What ties an Outbox to its connection; gone when the connection has ended, so that a handle
/// that outlives it holds no descriptor.
pub(crate) struct Link {
    pub transport: Arc<dyn Transport>,
    pub calls: Arc<Calls>,
    pub counters: Arc<Counters>,
    pub delivery: Delivery,
    pub owned: Option<Owned>,
    /// The owner has heard that the peer is too slow, or is about to.
    pub alarmed: bool,
    /// The application was told that there is room, and has not heard of it yet: once is enough.
    pub told: bool,
}

impl Link {
    pub fn count_dropped(&self, messages: u64) {
        self.counters.dropped.fetch_add(messages, Ordering::Relaxed);
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

/// Hears what becomes of an Outbox, without its lock.
pub(crate) trait Owner: Send + Sync {
    /// The peer of this connection is too slow: the reading thread finds that only when the stream ends, and that waits
    /// for our Close.
    fn hear_too_slow(&self, id: u64);

    /// There is room for what was refused.
    fn hear_room(&self, id: u64);
}

/// The owner, and how it knows the connection.
#[derive(Clone)]
pub(crate) struct Owned {
    pub by: Arc<dyn Owner>,
    pub id: u64,
}

/// Whether a frame may be collected.
#[derive(Clone, Copy)]
pub(crate) enum Collect<'a> {
    Never,
    /// While this thread collects for the connection's server.
    WhileActive,
    For(&'a Arc<Collector>),
}

impl<'a> Collect<'a> {
    fn collector(self, link: &'a Link) -> Option<&'a Arc<Collector>> {
        match self {
            Collect::Never => None,
            Collect::WhileActive => {
                let common = link.delivery.collector();
                common.filter(|collector| collector.is_active_here())
            }
            Collect::For(collector) => Some(collector),
        }
    }
}

#[repr(C)]
pub(crate) struct State {
    pub link: Option<Link>,
    pub member: Member,
    /// What is sent while a message is under way in fragments: it waits behind that.
    pub held: Option<Box<KeptFrames>>,
    pub queue: Queue,
    /// How messages are compressed that refer to earlier ones: in the order in which they leave.
    pub context: Context,
}

impl State {
    /// What a frame needs to leave; `None` when the connection has ended.
    #[inline]
    pub fn parts(&mut self) -> Option<(&Link, &mut Queue)> {
        self.link.as_ref().map(|link| (link, &mut self.queue))
    }

    /// The collector of its server, where it has part in that.
    pub fn collector(&self) -> Option<&Arc<Collector>> {
        let link = self.link.as_ref()?;
        link.delivery.collector()
    }

    /// Writes, collects or keeps a message; gives the collector that has to hear of its first frame.
    pub fn send(
        &mut self,
        mut message: Outbound<'_>,
        collect: Collect<'_>,
        unbounded: bool,
    ) -> Result<Option<Arc<Collector>>, SendErrorKind> {
        let (Some(link), queue) = (&self.link, &mut self.queue) else {
            return Err(SendErrorKind::Closed);
        };
        if queue.sender.close_sent() || queue.failure.is_some() {
            return Err(SendErrorKind::Closed);
        }
        // Only what is sent, or kept: later messages may refer to it.
        message = message.packed_by(|payload| self.context.pack(payload));
        if self.held.is_some() {
            return self.hold(message).map(|()| None);
        }
        let collector = collect.collector(link);
        let counted = message.counted();
        match queue.dispatch(link, message.frame(), collector.is_some(), unbounded)? {
            Dispatched::Sent => {}
            Dispatched::Collected { first } => {
                queue.note_collected(link, counted);
                return Ok(collector.filter(|_| first).cloned());
            }
            Dispatched::Remainder { written } => queue.keep(message.into_frame(), written),
        }
        if let Some(bytes) = counted {
            link.counters.sent(1, bytes);
        }
        Ok(None)
    }

    /// What there is to wait for; `None`: nothing, and the leader lets go of it.
    pub fn pending(&mut self) -> Option<Pending> {
        let (_, queue) = self.parts()?;
        let wants_write = !queue.kept.is_empty() && !queue.cut && !queue.turn.taken;
        let deadline = queue.deadline();
        if !wants_write && deadline.is_none() {
            // fault: let go of, yet taken for watched
            queue.watch.release();
            return None;
        }
        Some(Pending {
            wants_write,
            deadline,
        })
    }

    /// The write of `offered` bytes is over: gives the turn back.
    pub fn settle(&mut self, counters: &Counters, offered: usize, written: io::Result<usize>) {
        let queue = &mut self.queue;
        let link = self.link.as_ref().filter(|_| !queue.cut);
        let written = match link {
            Some(link) => queue.accepted(link, written),
            None => written.unwrap_or_default(),
        };
        queue.give_turn_back(counters, written, written < offered);
        match link {
            Some(link) if !queue.cut => queue.hold_to_bounds(link),
            // Given up meanwhile, or ended: what has not left is lost.
            _ => {
                let lost = queue.kept.clear();
                counters.dropped.fetch_add(lost, Ordering::Relaxed);
            }
        }
    }

    /// The owner, where it is to hear once that there is room for what was refused.
    pub fn take_drained(&mut self) -> Option<Owned> {
        let link = self.link.as_mut()?;
        let owned = link.owned.clone()?;
        let comes = self.queue.take_refused() && !std::mem::replace(&mut link.told, true);
        comes.then_some(owned)
    }

    /// Takes over what the run holds for it: whatever is done next comes after that.
    #[inline]
    pub fn catch_up(&mut self) {
        if let Some(link) = &self.link {
            self.member.catch_up(link, &mut self.queue);
        }
    }

    /// Tells the others whether this connection can take every frame.
    pub fn note_trouble(&mut self) {
        let troubled = !self.queue.is_well();
        if let Some(link) = &self.link {
            self.member.set_troubled(link, &mut self.queue, troubled);
        }
    }

    /// The connection has ended: counts what never left, and gives what is to be let go without the lock, and whether
    /// the leader has it.
    pub fn end(&mut self) -> Option<(Link, bool)> {
        let link = self.link.take()?;
        self.member.set_troubled(&link, &mut self.queue, true);
        self.queue.end(&link);
        let held = self.held.take();
        link.count_dropped(held.map_or(0, |held| held.messages() as u64));
        self.context.forget();
        Some((link, self.queue.watch.release()))
    }
}
