//! The outgoing half of a connection: writes at once without blocking, keeps what the socket
//! refuses within bounds, and is drained by one helper thread ([`drain`]) for all connections.
//!
//! Frames wait in one of two places, never in both: `collected` holds frames of a sender that has
//! more to do (see [`collect`]) and that have not been offered to the socket; `kept` holds what the
//! socket refused. Bounds apply to `kept` alone. Collected broadcasts wait elsewhere, once for all
//! connections (see [`run`]).

pub(crate) mod collect;
pub(crate) mod drain;
mod kept;
mod queue;
mod run;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::connection::ReadyState;
use crate::deflate::{Context, Packing};
use crate::error::{CloseError, Error, SendError, SendErrorKind};
use crate::limits::Limits;
use crate::lock::lock;
use crate::message::{Message, Prepared};
use crate::patience::Patience;
use crate::protocol::close::CloseCode;
use crate::protocol::frame::EncodedHeader;
use crate::protocol::opcode::Opcode;
use crate::protocol::send::{AfterClose, Sender};
use crate::stats::Counters;
use crate::transport::{self, Transport};

use collect::Collector;
use drain::Drain;
use kept::Frame;
use queue::{COLLECT, Outgoing, Put, Queue};
use run::{Frames, Run};

/// Buffer that stays with an idle connection.
const IDLE: usize = 1 << 10;

/// What happens when a peer does not read: more than
/// [`outbound_per_connection`](Limits::outbound_per_connection) bytes wait for it, or a frame waits
/// for longer than [`write_timeout`](Limits::write_timeout). Control frames are never dropped, and
/// no policy cuts a frame that is partly written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// Give the connection up: what waits is dropped, Close 1013 is sent if the peer takes it in
    /// time, and the application sees `Error(SlowConsumer)`, then `Close` 1006. The default: a client
    /// that connects again knows that it missed something.
    #[default]
    Disconnect,
    /// Drop what is sent now: `send` returns it.
    DropNewest,
    /// Drop what has waited longest: for live data, where only the latest counts. The newest message
    /// is kept always: beside one that is partly written it may wait beyond the bound.
    DropOldest,
}

// In this order in memory, as `State`, `Queue` and `Kept`: what a send looks at comes first, in few cache lines. A
// broadcast finds those of no connection in the cache.
#[repr(C)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    ready: AtomicU8,
    write_timeout: Duration,
    /// How messages are compressed; those that refer to no other, before the lock is taken.
    packing: Option<Packing>,
}

#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    bytes: usize,
    age: Duration,
    overflow: Overflow,
}

impl Bounds {
    pub fn new(limits: &Limits, overflow: Overflow) -> Self {
        Bounds {
            bytes: limits.outbound(),
            age: limits.write_timeout,
            overflow,
        }
    }

    /// How many messages may wait: short ones cost more than their bytes.
    fn messages(&self) -> usize {
        (self.bytes / 64).max(16)
    }
}

/// What ties an Outbox to its connection; gone when the connection has ended, so that a handle
/// that outlives it holds no descriptor.
struct Link {
    transport: Arc<dyn Transport>,
    drain: Arc<Drain>,
    counters: Arc<Counters>,
    collector: Option<Arc<Collector>>,
}

#[repr(C)]
struct State {
    link: Option<Link>,
    /// Up to where it has had the collector's run; `None`: broadcasts do not reach it.
    place: Option<u64>,
    /// The collector counts it among those that cannot take every frame.
    troubled: bool,
    queue: Queue,
    /// How messages are compressed that refer to earlier ones: in the order in which they leave.
    context: Context,
}

/// Why the Outbox gave its connection up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    SlowConsumer,
    CloseTimeout,
    Lost,
}

/// What the drain helper has to wait for.
pub(crate) struct Pending {
    pub transport: Arc<dyn Transport>,
    pub wants_write: bool,
    pub deadline: Option<Instant>,
}

impl Outbox {
    pub fn new(
        transport: Arc<dyn Transport>,
        drain: Arc<Drain>,
        counters: Arc<Counters>,
        collector: Option<Arc<Collector>>,
        bounds: Bounds,
        close_timeout: Duration,
        packing: Option<Packing>,
    ) -> Arc<Self> {
        Arc::new(Outbox {
            packing,
            write_timeout: bounds.age,
            ready: AtomicU8::new(ReadyState::Open as u8),
            state: Mutex::new(State {
                link: Some(Link {
                    transport,
                    drain,
                    counters,
                    collector,
                }),
                queue: Queue::new(bounds, close_timeout, Instant::now),
                place: None,
                troubled: false,
                context: Context::new(packing.filter(Packing::keeps_context)),
            }),
        })
    }

    pub fn ready_state(&self) -> ReadyState {
        ReadyState::from_u8(self.ready.load(Ordering::Acquire))
    }

    /// Bytes that the socket has not taken yet.
    pub fn buffered_amount(&self) -> usize {
        let queue = &self.lock().queue;
        queue.collected.len() + queue.kept.unsent()
    }

    /// Sends or keeps a message; never blocks.
    pub fn send(self: &Arc<Self>, message: Message) -> Result<(), SendError> {
        self.put(self.pack(message, true))
    }

    /// As [`send`](Outbox::send), never compressed.
    #[cfg(feature = "deflate")]
    pub fn send_uncompressed(self: &Arc<Self>, message: Message) -> Result<(), SendError> {
        self.put(self.pack(message, false))
    }

    fn put(self: &Arc<Self>, message: Outbound) -> Result<(), SendError> {
        let mut state = self.lock();
        let put = state.put(message, Collect::WhileActive, false);
        self.after_put(state, put)
    }

    /// As [`send_blocking`](Outbox::send_blocking), from a thread that has more to do and flushes
    /// `collector` itself: waits only behind what the socket refused.
    pub fn send_collected(
        self: &Arc<Self>,
        message: Message,
        compress: bool,
        collector: &Arc<Collector>,
    ) -> Result<(), SendError> {
        let message = self.pack(message, compress);
        let mut state = self.lock();
        if !state.queue.kept.is_empty() {
            return self.send_and_wait(state, message);
        }
        let put = state.put(message, Collect::For(collector), true);
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

    /// Lets go of the lock, and tells the collector and the drain helper what they have to know.
    fn after_put<E>(
        self: &Arc<Self>,
        state: MutexGuard<'_, State>,
        put: Result<Option<Arc<Collector>>, E>,
    ) -> Result<(), E> {
        self.watch(state);
        if let Some(collector) = put? {
            collector.add(self);
        }
        Ok(())
    }

    /// Sends a message and waits until the socket has taken it and all before it.
    pub fn send_blocking(
        self: &Arc<Self>,
        message: Message,
        compress: bool,
    ) -> Result<(), SendError> {
        let message = self.pack(message, compress);
        self.send_and_wait(self.lock(), message)
    }

    /// Compresses what may be compressed before the lock is taken.
    fn pack(&self, message: Message, compress: bool) -> Outbound {
        let packing = self.packing.filter(|_| compress);
        Outbound {
            packed: packing.and_then(|packing| packing.pack(message.as_bytes())),
            message,
            compress,
        }
    }

    fn send_and_wait(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        message: Outbound,
    ) -> Result<(), SendError> {
        let sent = state.put(message, Collect::Never, true).map(drop);
        if sent.is_err() || state.queue.kept.is_empty() {
            self.watch(state);
            return sent;
        }
        let patience = Patience::new(Instant::now(), self.write_timeout);
        // A failure of the wait shows at the next call: this message was taken.
        let _ = self.wait_for_kept(state, patience, Failure::SlowConsumer);
        sent
    }

    /// Offers everything and waits until all that is kept now has left; past the deadline the
    /// connection is given up as `failure` says.
    pub fn wait_drained(
        self: &Arc<Self>,
        patience: Patience,
        failure: Failure,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        let Some((link, queue)) = state.parts() else {
            return Err(Error::Closed);
        };
        queue.flush(link);
        if let Some(outcome) = queue.outcome(queue.kept.last()) {
            self.watch(state);
            return outcome;
        }
        self.wait_for_kept(state, patience, failure)
    }

    /// Starts or answers the closing handshake and waits until that has left. For the connection's
    /// own thread, which lets go of the Outbox next: the drain helper is not told of the Close,
    /// which would cost two wake-ups for nothing.
    pub fn close_blocking(
        self: &Arc<Self>,
        code: Option<CloseCode>,
        reason: &str,
        patience: Patience,
        failure: Failure,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        let Some((link, queue)) = state.parts() else {
            return Err(Error::Closed);
        };
        let watched = queue.watched;
        queue.put_close(link, code, reason);
        (queue.watched, queue.attended) = (watched, true);
        self.set_ready(ReadyState::Closing);
        let last = queue.kept.last();
        state.note_trouble();
        drop(state);
        self.drain_until(last, patience, failure)
    }

    /// Waits until all that is kept now has left; the drain helper is left alone meanwhile.
    fn wait_for_kept(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        patience: Patience,
        failure: Failure,
    ) -> Result<(), Error> {
        state.queue.attended = true;
        let last = state.queue.kept.last();
        drop(state);
        let drained = self.drain_until(last, patience, failure);
        let mut state = self.lock();
        state.queue.attended = false;
        self.watch(state);
        drained
    }

    /// Drains on this thread until the frame `last` has left. Frames that others send meanwhile are
    /// not waited for.
    fn drain_until(
        &self,
        last: u64,
        mut patience: Patience,
        failure: Failure,
    ) -> Result<(), Error> {
        loop {
            let transport = {
                let mut state = self.lock();
                let Some((link, queue)) = state.parts() else {
                    return Err(Error::Closed);
                };
                queue.drain(link);
                if let Some(outcome) = queue.outcome(last) {
                    return outcome;
                }
                link.transport.clone()
            };
            if let Err(error) = transport::wait_writable(&*transport, patience.deadline()) {
                let timed_out = error.kind() == io::ErrorKind::TimedOut;
                if timed_out && patience.renew() {
                    continue;
                }
                let mut state = self.lock();
                let Some((link, queue)) = state.parts() else {
                    return Err(Error::Closed);
                };
                if timed_out {
                    queue.give_up(link, failure);
                    return Err(Error::SlowConsumer);
                }
                queue.give_up(link, Failure::Lost);
                return Err(Error::Io(error));
            }
        }
    }

    /// Sends a ping (RFC 6455 section 5.5.2).
    pub fn ping(self: &Arc<Self>) -> Result<(), SendErrorKind> {
        let mut state = self.lock();
        let Some((link, queue)) = state.parts() else {
            return Err(SendErrorKind::Closed);
        };
        // What was collected leaves first, and may end the connection.
        queue.flush(link);
        let mut frame = Vec::new();
        let sent = queue.sender.frame(Opcode::Ping, &[], None, &mut frame);
        // One ping that waits asks as much as many.
        if sent.is_ok() && !queue.kept.holds_ping() {
            queue.put_control(link, frame);
        }
        self.watch(state);
        sent.map_err(|_| SendErrorKind::Closed)
    }

    /// Answers a ping. At most one answer waits: the latest ping wins (RFC 6455 section 5.5.3).
    pub fn pong(self: &Arc<Self>, payload: &[u8]) {
        let mut state = self.lock();
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
                // Its deadline is news to the drain helper.
                queue.watched = false;
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
        let mut state = self.lock();
        let Some((link, queue)) = state.parts() else {
            return Err(CloseError::Closed);
        };
        if !queue.put_close(link, code, reason) {
            return Err(CloseError::Closed);
        }
        self.set_ready(ReadyState::Closing);
        self.watch(state);
        Ok(())
    }

    /// Offers what was collected to the socket.
    pub fn flush(self: &Arc<Self>) {
        let mut state = self.lock();
        let Some((link, queue)) = state.parts() else {
            return;
        };
        queue.flush(link);
        self.watch(state);
    }

    /// From now on the collector's run reaches it.
    pub fn join_run(&self) {
        let state = &mut *self.lock();
        let collector = state.link.as_ref().and_then(|link| link.collector.as_ref());
        if let (true, Some(collector)) = (self.packing.is_some(), collector) {
            collector.note_packing(true);
        }
        state.place = collector.map(|collector| collector.run.end());
    }

    /// The connection is no longer among those that broadcasts reach.
    pub fn leave_run(&self, collector: &Collector) {
        let mut state = self.lock();
        let joined = state.place.take().is_some();
        if std::mem::take(&mut state.troubled) {
            collector.note_trouble(false);
        }
        if joined && self.packing.is_some() {
            collector.note_packing(false);
        }
    }

    /// Lets what `push` appends to the run pass by; false if broadcasts do not reach it anyway.
    fn pass_over<T>(&self, run: &Run, push: impl FnOnce() -> T) -> (T, bool) {
        let mut state = self.lock();
        let pushed = push();
        if let Some(place) = &mut state.place {
            *place = run.end();
        }
        (pushed, state.place.is_some())
    }

    /// Offers its part of the run to the socket, from where it lies.
    fn flush_run(self: &Arc<Self>, frames: &Frames) {
        let mut state = lock(&self.state);
        let place = state.place;
        let Some((link, queue)) = state.parts() else {
            return;
        };
        match place {
            Some(place) if place < frames.end() && queue.is_clear() => {
                queue.write_frames(link, frames.between(place..frames.end()));
                state.place = Some(frames.end());
            }
            _ => {
                state.catch_up();
                if let Some((link, queue)) = state.parts() {
                    queue.flush(link);
                }
            }
        }
        self.watch(state);
    }

    /// Gives buffers of an idle connection back.
    pub fn trim(&self) {
        let queue = &mut self.lock().queue;
        if queue.collected.is_empty() && queue.collected.capacity() > IDLE {
            queue.collected = Vec::new();
        }
    }

    /// The drain helper's turn: write what the socket takes, and see to deadlines. `None` when there
    /// is nothing to wait for any more.
    pub fn service(&self, now: Instant) -> Option<Pending> {
        let mut state = self.lock();
        let (link, queue) = state.parts()?;
        queue.drain(link);
        queue.check_deadlines(link, now);
        state.note_trouble();
        let (link, queue) = state.parts()?;
        let wants_write = !queue.kept.is_empty() && !queue.cut;
        let deadline = queue.deadline();
        if !wants_write && deadline.is_none() {
            queue.watched = false;
            return None;
        }
        Some(Pending {
            transport: link.transport.clone(),
            wants_write,
            deadline,
        })
    }

    /// When the connection will be given up, unless its peer reads or answers.
    pub fn deadline(&self) -> Option<Instant> {
        self.lock().queue.deadline()
    }

    /// The process stood still until now, and deadlines may have passed.
    pub fn resumed(&self, now: Instant) {
        self.lock().queue.resumed(now);
    }

    /// Ends the stream whatever waits, because the server can wait no longer.
    pub fn abort(&self) {
        let mut state = self.lock();
        if let Some((link, queue)) = state.parts() {
            queue.give_up(link, Failure::CloseTimeout);
        }
        state.note_trouble();
    }

    /// The connection has ended: lets everything go.
    pub fn finish(&self) {
        self.set_ready(ReadyState::Closed);
        let mut state = self.lock();
        let state = &mut *state;
        state.set_troubled(true);
        if let Some(link) = state.link.take() {
            let collected = kept::frames(&state.queue.collected);
            let unsent = collected.filter(|frame| !kept::is_control(frame)).count() as u64;
            let lost = state.queue.kept.clear() + unsent;
            link.counters.dropped.fetch_add(lost, Ordering::Relaxed);
            state.queue.count(&link);
            state.queue.collected = Vec::new();
            state.context.forget();
            if std::mem::take(&mut state.queue.watched) {
                link.drain.wake();
            }
        }
    }

    pub fn has_ended(&self) -> bool {
        self.ready_state() == ReadyState::Closed
    }

    /// Why the Outbox gave the connection up, if it did.
    pub fn failure(&self) -> Option<Failure> {
        self.lock().queue.failure
    }

    /// True while the peer does not take what is sent.
    pub fn is_stalled(&self) -> bool {
        !self.lock().queue.kept.is_empty()
    }

    fn set_ready(&self, ready: ReadyState) {
        self.ready.fetch_max(ready as u8, Ordering::AcqRel);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        state.catch_up();
        state
    }

    /// Puts the Outbox on the drain helper's list if something waits or a deadline runs. When the
    /// server has ended, and the helper with it, the stream ends here.
    #[inline]
    fn watch(self: &Arc<Self>, state: MutexGuard<'_, State>) {
        // Nearly always: nothing waits, no deadline runs, and nobody has been told otherwise.
        if state.troubled || !state.queue.is_well() {
            self.watch_troubled(state);
        }
    }

    fn watch_troubled(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        state.note_trouble();
        let Some((link, queue)) = state.parts() else {
            return;
        };
        if queue.failure == Some(Failure::SlowConsumer) {
            self.set_ready(ReadyState::Closing);
        }
        let waits = !queue.kept.is_empty() || queue.sender.close_sent();
        if waits && !queue.watched && !queue.attended {
            queue.watched = true;
            let drain = link.drain.clone();
            drop(state);
            if !drain.watch(self.clone()) {
                self.abort();
            }
        }
    }
}

impl State {
    fn parts(&mut self) -> Option<(&Link, &mut Queue)> {
        self.link.as_ref().map(|link| (link, &mut self.queue))
    }

    /// Takes over what the collector's run holds for it: whatever is done next comes after that.
    fn catch_up(&mut self) {
        let (Some(link), Some(place)) = (&self.link, &mut self.place) else {
            return;
        };
        let Some(run) = link.collector.as_ref().map(|collector| &collector.run) else {
            return;
        };
        if *place != run.end() {
            *place = run.take_from(*place, |frames| self.queue.take_over(link, frames));
        }
    }

    /// Tells the collector whether this connection can take every frame.
    fn note_trouble(&mut self) {
        self.set_troubled(!self.queue.is_well());
    }

    fn set_troubled(&mut self, troubled: bool) {
        let Some(link) = &self.link else { return };
        if troubled == self.troubled {
            return;
        }
        self.troubled = troubled;
        if let Some(collector) = &link.collector {
            collector.note_trouble(troubled);
            collector.run.wait_for_push();
        }
        // What joined the run before the collector knew.
        self.catch_up();
    }

    /// Writes, collects or keeps a message; gives the collector that has to hear of its first frame.
    fn put(
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
                let head = header.as_slice().to_vec();
                let body = message.into_payload();
                queue.keep(Frame::Owned { head, body }, written);
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
        let packed = match prepared.may_be_compressed() {
            true => self.pack_in_context(prepared.payload()),
            false => None,
        };
        let (link, queue) = self.parts().ok_or(SendErrorKind::Closed)?;
        if queue.sender.close_sent() {
            return Err(SendErrorKind::Closed);
        }
        let collector = Collect::WhileActive.collector(link);
        let header;
        let (header, payload): (_, &[u8]) = match &packed {
            Some(packed) => {
                let plain = EncodedHeader::new(prepared.opcode(), true, packed.len(), None);
                header = plain.compressed();
                (header.as_slice(), packed)
            }
            None => (prepared.frame_as(packing), &[]),
        };
        let frame = Outgoing { header, payload };
        match queue.put(link, frame, collector.is_some(), false) {
            Put::Sent => {}
            Put::Collected { first } => return Ok(collector.filter(|_| first).cloned()),
            Put::Remainder { written } => {
                let kept = match packed {
                    Some(_) => Frame::Owned {
                        head: header.to_vec(),
                        body: payload.to_vec(),
                    },
                    None => Frame::Shared(prepared.clone(), packing),
                };
                queue.keep(kept, written);
            }
            Put::Refused(kind) => return Err(kind),
        }
        Ok(None)
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

/// A message on its way, and what it was compressed to.
struct Outbound {
    message: Message,
    packed: Option<Vec<u8>>,
    compress: bool,
}

impl Outbound {
    fn header(&self, sender: &Sender) -> Result<EncodedHeader, AfterClose> {
        let header = sender.header(self.message.opcode(), self.payload().len(), None)?;
        Ok(match self.packed {
            Some(_) => header.compressed(),
            None => header,
        })
    }

    fn payload(&self) -> &[u8] {
        match &self.packed {
            Some(packed) => packed,
            None => self.message.as_bytes(),
        }
    }

    fn into_payload(self) -> Vec<u8> {
        match self.packed {
            Some(mut packed) => {
                // Kept without the room that compressing it took.
                packed.shrink_to_fit();
                packed
            }
            None => self.message.into_bytes(),
        }
    }

    fn refused(self, kind: SendErrorKind) -> SendError {
        SendError::new(kind, self.message)
    }
}

/// Whether a frame may be collected.
#[derive(Clone, Copy)]
enum Collect<'a> {
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
                let common = link.collector.as_ref();
                common.filter(|collector| collector.is_active_here())
            }
            Collect::For(collector) => Some(collector),
        }
    }
}
