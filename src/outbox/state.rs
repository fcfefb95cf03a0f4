//! What the lock of an Outbox guards.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::bounds::Terms;
use super::frame::OutgoingFrame;
use super::kept::KeptFrames;
use super::leader_call::Pending;
use super::leader_queue::Flusher;
use super::member::Member;
use super::outbound::Outbound;
use super::owner::Link;
use super::queue::{Dispatched, Queue};
use super::run::{Frames, Run};
use super::wire::Wire;
use crate::compression::Context;
use crate::error::SendErrorKind;
use crate::message::Message;
use crate::protocol::frame::EncodedHeader;
use crate::stats::Counters;

/// Whether a frame may be collected.
#[derive(Clone, Copy)]
pub(crate) enum Collect {
    Never,
    /// While this thread collects for the connection's server.
    WhileActive,
    /// The sender flushes what it collects.
    Always,
}

impl Collect {
    #[inline]
    fn applies(self, link: &Link) -> bool {
        match self {
            Collect::Never => false,
            Collect::WhileActive => link.server.delivery.is_collected_here(),
            Collect::Always => true,
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

    /// The run that may reach it.
    pub fn run(&self) -> Option<&Run> {
        self.link.as_ref()?.server.delivery.run()
    }

    /// Flushes what is collected, where it has part in that.
    pub fn flusher(&self) -> Option<&Arc<dyn Flusher>> {
        self.link.as_ref()?.server.delivery.flusher()
    }

    /// Writes, collects or keeps a message; true if it is the first one that is collected.
    pub fn put(
        &mut self,
        mut message: Outbound<'_>,
        collect: Collect,
        terms: Terms,
    ) -> Result<bool, SendErrorKind> {
        let (Some(link), queue) = (&self.link, &mut self.queue) else {
            return Err(SendErrorKind::Closed);
        };
        if !queue.is_open() {
            return Err(SendErrorKind::Closed);
        }
        // Only what is sent, or kept: later messages may refer to it.
        message.pack_by(|payload| self.context.pack(payload));
        if self.held.is_some() {
            return self.keep_behind_stream(message).map(|()| false);
        }
        let counted = message.counted();
        if collect.applies(link) {
            if let Some(first) = queue.collect(link, &message.frame(), counted) {
                return Ok(first);
            }
        }
        if let Dispatched::Remainder { written } = queue.dispatch(link, message.frame(), terms)? {
            queue.keep(message.into_frame(), written);
        }
        if let Some(bytes) = counted {
            link.server.counters.sent(1, bytes);
        }
        Ok(false)
    }

    /// Collects a short message that is sent as it is, if nothing waits before it; true if it is the first one. As
    /// [`put`](State::put) does, in fewer steps.
    #[inline]
    pub fn put_collected(&mut self, message: &Message) -> Option<bool> {
        let (Some(link), None) = (&self.link, &self.held) else {
            return None;
        };
        let header = EncodedHeader::new(message.opcode(), message.len(), None);
        let frame = OutgoingFrame {
            header: &header,
            payload: message.as_bytes(),
        };
        self.queue.collect(link, &frame, Some(message.len() as u64))
    }

    /// What there is to wait for; `None`: nothing, and the leader lets go of it.
    pub fn pending(&mut self) -> Option<Pending> {
        let (_, queue) = self.parts()?;
        let wants_write = !queue.kept.is_empty() && !queue.cut && !queue.turn.taken;
        let deadline = queue.deadline();
        if !wants_write && deadline.is_none() {
            // prevents: let go of, yet taken for watched
            queue.leader_call.release();
            return None;
        }
        Some(Pending {
            wants_write,
            deadline,
        })
    }

    /// The write of `offered` bytes is over: gives the turn back.
    pub fn end_turn(&mut self, counters: &Counters, offered: usize, written: io::Result<usize>) {
        let queue = &mut self.queue;
        let link = self.link.as_ref().filter(|_| !queue.cut);
        let written = match link {
            Some(link) => queue.accepted(link, written),
            None => written.unwrap_or_default(),
        };
        queue.give_turn_back(counters, written, written < offered);
        match link {
            Some(link) if !queue.cut => queue.cut_back(link),
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
            let run = link.server.delivery.run();
            self.member.catch_up(run, link, &mut self.queue);
        }
    }

    /// Tells the others whether this connection can take every frame.
    pub fn note_trouble(&mut self) {
        self.set_troubled(!self.queue.is_well());
    }

    fn set_troubled(&mut self, troubled: bool) {
        if let Some(link) = &self.link {
            let run = link.server.delivery.run();
            self.member
                .set_troubled(run, link, &mut self.queue, troubled);
        }
    }

    /// Offers its part of the run to the socket.
    pub fn flush_run(&mut self, frames: &Frames) {
        if let Some(link) = &self.link {
            let run = link.server.delivery.run();
            self.member.flush(run, link, &mut self.queue, frames);
        }
    }

    /// The connection has ended: counts what never left, and gives what is to be let go without the lock, and whether
    /// the leader has it.
    pub fn end(&mut self) -> Option<(Link, bool)> {
        self.set_troubled(true);
        let link = self.link.take()?;
        self.queue.end(&link);
        let held = self.held.take();
        link.count_dropped(held.map_or(0, |held| held.messages() as u64));
        self.context.forget();
        Some((link, self.queue.leader_call.release()))
    }
}
