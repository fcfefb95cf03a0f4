//! What is sent: messages, compressed where that was agreed, and pings, pongs and Closes, to which no bound applies.
//! Nothing here waits for the socket; [`wait`](super::wait) does.

use std::sync::Arc;

use super::Outbox;
use super::broadcast::Collector;
use super::frame::EncodedFrame;
use super::outbound::Outbound;
use super::queue::{COLLECT, Fate, OutgoingFrame};
use super::ready_state::ReadyState;
use super::state::{Link, State};
use crate::compression::Packing;
use crate::error::{CloseError, SendError, SendErrorKind};
use crate::lock::Guard;
use crate::message::{Message, Prepared};
use crate::protocol::close::CloseCode;
use crate::protocol::frame::EncodedHeader;
use crate::protocol::opcode::Opcode;

impl Outbox {
    /// Sends or keeps a message; never blocks.
    pub fn send(self: &Arc<Self>, message: Message) -> Result<(), SendError> {
        self.send_at_once(self.pack(message, true))
    }

    /// As [`send`](Outbox::send), never compressed.
    #[cfg(feature = "deflate")]
    pub fn send_uncompressed(self: &Arc<Self>, message: Message) -> Result<(), SendError> {
        self.send_at_once(self.pack(message, false))
    }

    /// Compresses what may be compressed before the lock is taken.
    pub(super) fn pack(&self, message: Message, compress: bool) -> Outbound {
        Outbound::new(message, compress, self.packing)
    }

    /// Sends or keeps an encoded message; never blocks.
    pub fn send_prepared(self: &Arc<Self>, prepared: &Prepared) -> Result<(), SendErrorKind> {
        self.send_uncounted(prepared)?;
        if let Some(link) = &self.enter().link {
            link.counters.sent(1, prepared.len() as u64);
        }
        Ok(())
    }

    /// As [`send_prepared`](Outbox::send_prepared), for a broadcast that counts all at once.
    pub fn send_uncounted(self: &Arc<Self>, prepared: &Prepared) -> Result<(), SendErrorKind> {
        // Compressed here, unless another connection has done so, and not under the lock.
        prepared.frame_as(self.packing);
        let mut state = self.enter();
        let sent = state.send_shared(prepared, self.packing);
        self.finish_send(state, sent)
    }

    fn send_at_once(self: &Arc<Self>, message: Outbound) -> Result<(), SendError> {
        let mut state = self.enter();
        let sent = state.send(message, Collect::WhileActive, false);
        self.finish_send(state, sent)
    }

    /// Lets go of the lock behind a send, and tells the collector and the leader what they have to know.
    pub(super) fn finish_send<E>(
        self: &Arc<Self>,
        state: Guard<'_, State>,
        sent: Result<Option<Arc<Collector>>, E>,
    ) -> Result<(), E> {
        // fault: what a send leaves is watched by nobody
        self.watch(state);
        if let Some(collector) = sent? {
            collector.add(self);
        }
        Ok(())
    }

    /// Sends a ping (RFC 6455 section 5.5.2) with the payload that it is given, where it is sent.
    pub fn ping(self: &Arc<Self>, payload: impl FnOnce() -> [u8; 8]) -> Result<(), SendErrorKind> {
        let mut state = self.enter();
        let (link, queue) = state.parts().ok_or(SendErrorKind::Closed)?;
        // What was collected leaves first, and may end the connection.
        queue.flush(link);
        // One ping that waits asks as much as many.
        let payload = (!queue.kept.holds_ping()).then(payload);
        let (waits, payload) = (payload.is_none(), payload.unwrap_or_default());
        let mut frame = Vec::new();
        let ping = queue.sender.frame(Opcode::Ping, &payload, None, &mut frame);
        let goes = ping.is_ok() && !queue.cut;
        if goes && !waits {
            queue.send_control(link, frame);
        }
        self.watch(state);
        goes.then_some(()).ok_or(SendErrorKind::Closed)
    }

    /// Answers a ping. At most one answer waits: the latest ping wins (RFC 6455 section 5.5.3).
    pub fn pong(self: &Arc<Self>, payload: &[u8]) {
        let mut state = self.enter();
        let Some((link, queue)) = state.parts() else {
            return;
        };
        if queue.cut {
            return;
        }
        if !queue.kept.is_empty() {
            let mut frame = Vec::new();
            let sent = queue.sender.frame(Opcode::Pong, payload, None, &mut frame);
            if sent.is_ok() && queue.keep_pong(frame) {
                self.watch(state);
            }
        } else if queue
            .sender
            .frame(Opcode::Pong, payload, None, &mut queue.collected)
            .is_ok()
            && queue.collected.len() >= COLLECT
        {
            queue.flush(link);
            self.watch(state);
        }
    }

    /// Starts or answers the closing handshake (RFC 6455 section 7.1.2). After it nothing is sent.
    pub fn close(
        self: &Arc<Self>,
        code: Option<CloseCode>,
        reason: &str,
    ) -> Result<(), CloseError> {
        let mut state = self.enter();
        let (link, queue) = state.parts().ok_or(CloseError::Closed)?;
        if queue.cut || !queue.begin_close(link, code, reason) {
            return Err(CloseError::Closed);
        }
        self.set_ready(ReadyState::Closing);
        self.watch(state);
        Ok(())
    }
}

impl State {
    /// Writes, collects or keeps a message; gives the collector that has to hear of its first frame.
    pub fn send(
        &mut self,
        mut message: Outbound,
        collect: Collect<'_>,
        unbounded: bool,
    ) -> Result<Option<Arc<Collector>>, SendError> {
        if message.compress && message.packed.is_none() {
            message.packed = self.pack_in_context(message.message.as_bytes());
        }
        let Some((link, queue)) = self.parts() else {
            return Err(message.refused(SendErrorKind::Closed));
        };
        let Ok(header) = message.header(&queue.sender) else {
            return Err(message.refused(SendErrorKind::Closed));
        };
        let collector = collect.collector(link);
        let bytes = message.message.len() as u64;
        let frame = OutgoingFrame {
            header: header.as_slice(),
            payload: message.payload(),
        };
        match queue.dispatch(link, frame, collector.is_some(), unbounded) {
            Fate::Sent => {}
            Fate::Collected { first } => {
                queue.count_later(bytes);
                return Ok(collector.filter(|_| first).cloned());
            }
            Fate::Remainder { written } => queue.keep(message.into_frame(&header), written),
            Fate::Refused(kind) => return Err(message.refused(kind)),
        }
        link.counters.sent(1, bytes);
        Ok(None)
    }

    /// As [`send`](State::send), for a message that goes to others, too; whoever sends it counts it.
    fn send_shared(
        &mut self,
        message: &Prepared,
        packing: Option<Packing>,
    ) -> Result<Option<Arc<Collector>>, SendErrorKind> {
        let compress = message.may_be_compressed();
        let packed = compress.then(|| self.pack_in_context(message.payload()));
        let packed = packed.flatten().map(|packed| {
            let header = EncodedHeader::new(message.opcode(), packed.len(), None);
            (header.compressed(), packed)
        });
        let (link, queue) = self.parts().ok_or(SendErrorKind::Closed)?;
        if queue.sender.close_sent() {
            return Err(SendErrorKind::Closed);
        }
        let collector = Collect::WhileActive.collector(link);
        let (header, payload) = match &packed {
            Some((header, payload)) => (header.as_slice(), &payload[..]),
            None => (message.frame_as(packing), &[][..]),
        };
        let frame = OutgoingFrame { header, payload };
        match queue.dispatch(link, frame, collector.is_some(), false) {
            Fate::Sent => Ok(None),
            Fate::Collected { first } => Ok(collector.filter(|_| first).cloned()),
            Fate::Remainder { written } => {
                let kept = match packed {
                    Some((header, payload)) => EncodedFrame::packed(&header, payload),
                    None => EncodedFrame::Shared(message.clone(), packing),
                };
                queue.keep(kept, written);
                Ok(None)
            }
            Fate::Refused(kind) => Err(kind),
        }
    }

    /// Compresses the next message where it may refer to earlier ones: one that would be sent or kept, for later ones
    /// may refer to it.
    fn pack_in_context(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let ended = self.link.is_none() || self.queue.failure.is_some();
        match ended || self.queue.sender.close_sent() {
            true => None,
            false => self.context.pack(payload),
        }
    }
}

/// Whether a frame may be collected.
#[derive(Clone, Copy)]
pub(super) enum Collect<'a> {
    Never,
    /// While this thread collects for the connection's server.
    WhileActive,
    For(&'a Arc<Collector>),
}

impl<'a> Collect<'a> {
    pub fn collector(self, link: &'a Link) -> Option<&'a Arc<Collector>> {
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
