//! What the lock of an Outbox guards.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::broadcast::{Collector, Member};
use super::kept::KeptFrames;
use super::link::Link;
use super::outbound::Outbound;
use super::queue::{Dispatched, Queue};
use super::watch::Pending;
use crate::compression::Context;
use crate::error::SendErrorKind;
use crate::message::Message;
use crate::stats::Counters;

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
                let common = link.server.delivery.collector();
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
    /// What is sent while a message is under way in fragments: it waits after that.
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
        link.server.delivery.collector()
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
        if !queue.is_open() {
            return Err(SendErrorKind::Closed);
        }
        // Only what is sent, or kept: later messages may refer to it.
        message.pack_by(|payload| self.context.pack(payload));
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
            link.server.counters.sent(1, bytes);
        }
        Ok(None)
    }

    /// Collects a short message that is sent as it is, if nothing waits before it; true if it is the first one. As
    /// [`send`](State::send) does, in fewer steps.
    #[inline]
    pub fn collect(&mut self, message: &Message) -> Option<bool> {
        let (Some(link), None) = (&self.link, &self.held) else {
            return None;
        };
        self.queue.collect(link, message)
    }

    /// What there is to wait for; `None`: nothing, and the leader lets go of it.
    pub fn pending(&mut self) -> Option<Pending> {
        let (_, queue) = self.parts()?;
        let wants_write = !queue.kept.is_empty() && !queue.cut && !queue.turn.taken;
        let deadline = queue.deadline();
        if !wants_write && deadline.is_none() {
            // prevents: let go of, yet taken for watched
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
