//! A message that is sent in fragments while it is made. What others send meanwhile waits behind its last one, for no
//! other message may come between them (RFC 6455 5.4); pings, pongs and a Close may.

use std::sync::Arc;

use super::Outbox;
use super::bounds::Terms;
use super::frame::{EncodedFrame, OutgoingFrame};
use super::outbound::Outbound;
use super::queue::{Dispatched, Failure};
use super::state::State;
use super::wait::Waiter;
use super::wire::Wire;
use crate::error::SendErrorKind;
use crate::patience::Patience;
use crate::protocol::close::CloseCode;
use crate::protocol::send::{Fragment, UNFINISHED};

/// The place of a message that is sent in fragments. If it is dropped before the last fragment, the connection is
/// closed with 1011: the peer would wait for the rest for ever.
pub(crate) struct OutgoingStream<'a> {
    outbox: &'a Arc<Outbox>,
    bytes: u64,
    is_amid: bool,
    is_complete: bool,
}

impl<'a> OutgoingStream<'a> {
    pub fn begin(outbox: &'a Arc<Outbox>) -> Self {
        let mut entry = outbox.enter();
        entry.held.get_or_insert_default();
        entry.leave();
        OutgoingStream {
            outbox,
            bytes: 0,
            is_amid: false,
            is_complete: false,
        }
    }

    /// Sends a fragment and waits until the socket has taken it and all before it.
    pub fn send(&mut self, fragment: Fragment, payload: &[u8]) -> Result<(), SendErrorKind> {
        let mut entry = self.outbox.enter();
        let sent = entry.send_fragment(fragment, payload);
        match sent.is_err() || entry.queue.kept.is_empty() {
            true => entry.leave(),
            false => {
                let patience = Patience::paced(entry.queue.time.now(), entry.queue.bounds.pace);
                // If the wait fails, the next call says so: this fragment was accepted.
                let _ = Waiter(self.outbox).wait_for_kept(entry, patience, Failure::SlowConsumer);
            }
        }
        sent?;
        self.bytes += payload.len() as u64;
        (self.is_amid, self.is_complete) = (!fragment.is_last, fragment.is_last);
        Ok(())
    }
}

impl Drop for OutgoingStream<'_> {
    fn drop(&mut self) {
        let mut entry = self.outbox.enter();
        if let (Some(link), true) = (&entry.link, self.is_complete) {
            link.server.counters.sent(1, self.bytes);
        }
        if self.is_amid {
            // Before what was held, which then leaves no more. It may be closing already.
            entry.begin_close(Some(CloseCode::INTERNAL_ERROR), UNFINISHED);
        }
        entry.release();
        entry.leave();
        self.outbox.turned.notify_all();
    }
}

impl State {
    fn send_fragment(&mut self, fragment: Fragment, payload: &[u8]) -> Result<(), SendErrorKind> {
        let (link, queue) = self.parts().ok_or(SendErrorKind::Closed)?;
        if queue.failure.is_some() {
            return Err(SendErrorKind::Closed);
        }
        let header = queue.sender.fragment(fragment, payload.len(), None);
        let header = header.map_err(|_| SendErrorKind::Closed)?;
        let frame = OutgoingFrame {
            header: &header,
            payload,
        };
        if let Dispatched::Remainder { written } = queue.dispatch(link, frame, Terms::Unbounded)? {
            queue.keep(EncodedFrame::new(&header, payload.to_vec()), written);
        }
        Ok(())
    }

    /// Keeps a message after the one that is under way in fragments, as the policy lets it.
    pub fn keep_behind_stream(&mut self, message: Outbound<'_>) -> Result<(), SendErrorKind> {
        let (Some(link), Some(held)) = (&self.link, &mut self.held) else {
            return Err(SendErrorKind::Closed);
        };
        let queue = &mut self.queue;
        let (made, dropped) = queue
            .bounds
            .make_room(held, message.frame().len(), &queue.time);
        link.count_dropped(dropped);
        if made == Err(SendErrorKind::SlowConsumer) {
            queue.slow_consumer(link);
        }
        made?;
        if let Some(bytes) = message.counted() {
            link.server.counters.sent(1, bytes);
        }
        held.push(message.into_frame(), 0, queue.time.now());
        Ok(())
    }

    /// Whether a message of `len` bytes may wait after the one that is under way in fragments; `None` if there is no
    /// such message.
    pub fn fits_behind_stream(&self, len: usize) -> Option<bool> {
        let held = self.held.as_ref()?;
        let ended = self.link.is_none() || self.queue.failure.is_some();
        Some(ended || self.queue.bounds.fits(held, len, &self.queue.time))
    }

    /// What was held leaves: no message is under way any more.
    fn release(&mut self) {
        let held = self.held.take();
        let frames = held.map(|mut held| held.take_frames()).unwrap_or_default();
        let Some((link, queue)) = self.parts() else {
            return;
        };
        // Nothing is kept while something is collected. A stream that wrote nothing has left a pong there, perhaps.
        queue.flush(link);
        if !queue.is_open() {
            return link.count_dropped(frames.len() as u64);
        }
        for frame in frames {
            queue.keep(frame, 0);
        }
        queue.write_kept(link);
    }
}
