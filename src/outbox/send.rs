//! Messages on their way in: compressed where that was agreed, then written, collected or kept.
//! Nothing here waits for the socket; [`wait`](super::wait) does.

use std::sync::Arc;

use super::Outbox;
use super::broadcast::Collector;
use super::frame::Frame;
use super::outbound::Outbound;
use super::queue::{Outgoing, Put};
use super::state::{Link, State};
use crate::compression::Packing;
use crate::error::{SendError, SendErrorKind};
use crate::lock::Guard;
use crate::message::{Message, Prepared};
use crate::protocol::frame::EncodedHeader;

impl Outbox {
    /// Sends or keeps a message; never blocks.
    pub fn send(self: &Arc<Self>, message: Message) -> Result<(), SendError> {
        self.put(self.pack(message, true))
    }

    /// As [`send`](Outbox::send), never compressed.
    #[cfg(feature = "deflate")]
    pub fn send_uncompressed(self: &Arc<Self>, message: Message) -> Result<(), SendError> {
        self.put(self.pack(message, false))
    }

    /// Compresses what may be compressed before the lock is taken.
    pub(super) fn pack(&self, message: Message, compress: bool) -> Outbound {
        Outbound::new(message, compress, self.packing)
    }

    fn put(self: &Arc<Self>, message: Outbound) -> Result<(), SendError> {
        let mut state = self.lock();
        let put = state.put(message, Collect::WhileActive, false);
        self.after_put(state, put)
    }

    /// Sends or keeps an encoded message; never blocks.
    pub fn send_prepared(self: &Arc<Self>, prepared: &Prepared) -> Result<(), SendErrorKind> {
        self.send_uncounted(prepared)?;
        if let Some(link) = &self.lock().link {
            link.counters.sent(1, prepared.len() as u64);
        }
        Ok(())
    }

    /// As [`send_prepared`](Outbox::send_prepared), for a broadcast that counts all at once.
    pub fn send_uncounted(self: &Arc<Self>, prepared: &Prepared) -> Result<(), SendErrorKind> {
        // Compressed here, unless another connection has done so, and not under the lock.
        prepared.frame_as(self.packing);
        let mut state = self.lock();
        let put = state.put_prepared(prepared, self.packing);
        self.after_put(state, put)
    }

    /// Lets go of the lock, and tells the collector and whoever leads what they have to know.
    pub(super) fn after_put<E>(
        self: &Arc<Self>,
        state: Guard<'_, State>,
        put: Result<Option<Arc<Collector>>, E>,
    ) -> Result<(), E> {
        // fault: what a send leaves is watched by nobody
        self.watch(state);
        if let Some(collector) = put? {
            collector.add(self);
        }
        Ok(())
    }
}

impl State {
    /// Writes, collects or keeps a message; gives the collector that has to hear of its first frame.
    pub fn put(
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
        let frame = Outgoing {
            header: header.as_slice(),
            payload: message.payload(),
        };
        match queue.put(link, frame, collector.is_some(), unbounded) {
            Put::Sent => {}
            Put::Collected { first } => {
                queue.count_later(bytes);
                return Ok(collector.filter(|_| first).cloned());
            }
            Put::Remainder { written } => {
                queue.keep(message.into_frame(&header), written);
            }
            Put::Refused(kind) => return Err(message.refused(kind)),
        }
        link.counters.sent(1, bytes);
        Ok(None)
    }

    /// As [`put`](State::put); the sender counts it.
    fn put_prepared(
        &mut self,
        prepared: &Prepared,
        packing: Option<Packing>,
    ) -> Result<Option<Arc<Collector>>, SendErrorKind> {
        let packed = self.pack_prepared(prepared);
        let (link, queue) = self.parts().ok_or(SendErrorKind::Closed)?;
        if queue.sender.close_sent() {
            return Err(SendErrorKind::Closed);
        }
        let collector = Collect::WhileActive.collector(link);
        let frame = match &packed {
            Some((header, payload)) => Outgoing {
                header: header.as_slice(),
                payload,
            },
            None => Outgoing {
                header: prepared.frame_as(packing),
                payload: &[],
            },
        };
        match queue.put(link, frame, collector.is_some(), false) {
            Put::Sent => Ok(None),
            Put::Collected { first } => Ok(collector.filter(|_| first).cloned()),
            Put::Remainder { written } => {
                let kept = match packed {
                    Some((header, payload)) => Frame::packed(&header, payload),
                    None => Frame::Shared(prepared.clone(), packing),
                };
                queue.keep(kept, written);
                Ok(None)
            }
            Put::Refused(kind) => Err(kind),
        }
    }

    /// As [`pack_in_context`](State::pack_in_context), for an encoded message: its frame's other header, too.
    fn pack_prepared(&mut self, prepared: &Prepared) -> Option<(EncodedHeader, Vec<u8>)> {
        if !prepared.may_be_compressed() {
            return None;
        }
        let packed = self.pack_in_context(prepared.payload())?;
        let header = EncodedHeader::new(prepared.opcode(), packed.len(), None);
        Some((header.compressed(), packed))
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
