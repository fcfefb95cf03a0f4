//! The outgoing half of a connection: writes at once without blocking, keeps what the socket
//! refuses within bounds, and is drained by one helper thread ([`drain`]) for all connections.
//!
//! Frames wait in one of two places, never in both: `collected` holds frames of a sender that has
//! more to do (see [`collect`]) and that have not been offered to the socket; `kept` holds what the
//! socket refused. Bounds apply to `kept` alone.

pub(crate) mod collect;
pub(crate) mod drain;
mod kept;
#[cfg(test)]
mod tests;

use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::connection::ReadyState;
use crate::error::{CloseError, Error, SendError, SendErrorKind};
use crate::limits::Limits;
use crate::lock::lock;
use crate::message::{Message, Prepared};
use crate::protocol::close::CloseCode;
use crate::protocol::opcode::Opcode;
use crate::protocol::send::{Masking, Sender};
use crate::stats::Counters;
use crate::transport::{How, Transport};

use collect::Collector;
use drain::Drain;
use kept::{Frame, Kept};

/// Collected bytes that are worth a write of their own.
const COLLECT: usize = 64 << 10;
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
    /// Drop what has waited longest: for live data, where only the latest counts.
    DropOldest,
}

pub(crate) struct Outbox {
    ready: AtomicU8,
    write_timeout: Duration,
    state: Mutex<State>,
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
}

/// What ties an Outbox to its connection; gone when the connection has ended, so that a handle
/// that outlives it holds no descriptor.
struct Link {
    transport: Arc<dyn Transport>,
    drain: Arc<Drain>,
    counters: Arc<Counters>,
    collector: Option<Arc<Collector>>,
}

struct State {
    link: Option<Link>,
    queue: Queue,
}

struct Queue {
    /// When the connection began: the protocol core counts time from there.
    epoch: Instant,
    bounds: Bounds,
    sender: Sender,
    /// Whole frames, not yet offered to the socket.
    collected: Vec<u8>,
    kept: Kept,
    /// Why the connection is being given up.
    failure: Option<Failure>,
    /// The stream was ended from here: nothing is written and no deadline runs any more.
    cut: bool,
    /// The drain helper has it on its list, and knows its nearest deadline.
    watched: bool,
    /// A sender that waits drains by itself: the helper is left alone.
    attended: bool,
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
    ) -> Arc<Self> {
        Arc::new(Outbox {
            write_timeout: bounds.age,
            ready: AtomicU8::new(ReadyState::Open as u8),
            state: Mutex::new(State {
                link: Some(Link {
                    transport,
                    drain,
                    counters,
                    collector,
                }),
                queue: Queue {
                    epoch: Instant::now(),
                    bounds,
                    sender: Sender::new(Masking::Off, close_timeout),
                    collected: Vec::new(),
                    kept: Kept::default(),
                    failure: None,
                    cut: false,
                    watched: false,
                    attended: false,
                },
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
        let mut state = self.lock();
        let collector = state.active_collector();
        self.send_locked(state, message, collector, false)
    }

    /// As [`send_blocking`](Outbox::send_blocking), from a thread that has more to do and flushes
    /// `collector` itself: waits only behind what the socket refused.
    pub fn send_collected(
        self: &Arc<Self>,
        message: Message,
        collector: &Arc<Collector>,
    ) -> Result<(), SendError> {
        let state = self.lock();
        if !state.queue.kept.is_empty() {
            drop(state);
            return self.send_blocking(message);
        }
        self.send_locked(state, message, Some(collector.clone()), true)
    }

    fn send_locked(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        message: Message,
        collector: Option<Arc<Collector>>,
        unbounded: bool,
    ) -> Result<(), SendError> {
        let State {
            link: Some(link),
            queue,
        } = &mut *state
        else {
            return Err(SendError::new(SendErrorKind::Closed, message));
        };
        let Ok(header) = queue.sender.header(message.opcode(), message.len()) else {
            return Err(SendError::new(SendErrorKind::Closed, message));
        };
        let bytes = message.len() as u64;
        let frame = Outgoing {
            header: header.as_slice(),
            payload: message.as_bytes(),
        };
        let first = match queue.put(link, frame, collector.is_some(), unbounded) {
            Put::Sent => false,
            Put::Collected { first } => first,
            Put::Remainder { written } => {
                let head = header.as_slice().to_vec();
                queue.kept.push(
                    Frame::Owned {
                        head,
                        body: message.into_bytes(),
                    },
                    written,
                );
                false
            }
            Put::Refused(kind) => {
                self.watch(state);
                return Err(SendError::new(kind, message));
            }
        };
        link.counters.sent(1, bytes);
        self.after_put(state, first, collector);
        Ok(())
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
        let mut state = self.lock();
        let collector = state.active_collector();
        let State {
            link: Some(link),
            queue,
        } = &mut *state
        else {
            return Err(SendErrorKind::Closed);
        };
        if queue.sender.close_sent() {
            return Err(SendErrorKind::Closed);
        }
        let frame = Outgoing {
            header: prepared.frame(),
            payload: &[],
        };
        let first = match queue.put(link, frame, collector.is_some(), false) {
            Put::Sent => false,
            Put::Collected { first } => first,
            Put::Remainder { written } => {
                queue.kept.push(Frame::Shared(prepared.clone()), written);
                false
            }
            Put::Refused(kind) => {
                self.watch(state);
                return Err(kind);
            }
        };
        self.after_put(state, first, collector);
        Ok(())
    }

    fn after_put(
        self: &Arc<Self>,
        state: MutexGuard<'_, State>,
        first: bool,
        collector: Option<Arc<Collector>>,
    ) {
        self.watch(state);
        if let (true, Some(collector)) = (first, collector) {
            collector.add(self);
        }
    }

    /// Sends a message and waits until the socket has taken it and all before it.
    pub fn send_blocking(self: &Arc<Self>, message: Message) -> Result<(), SendError> {
        let mut state = self.lock();
        state.queue.attended = true;
        let sent = self.send_locked(state, message, None, true);
        // A failure of the wait shows at the next call: this message was taken.
        let _ = self.wait_drained(Instant::now() + self.write_timeout);
        sent
    }

    /// Offers everything and waits until nothing is kept; past the deadline the connection is given up.
    pub fn wait_drained(self: &Arc<Self>, deadline: Instant) -> Result<(), Error> {
        self.lock().queue.attended = true;
        let drained = self.drain_until(deadline);
        let mut state = self.lock();
        state.queue.attended = false;
        self.watch(state);
        drained
    }

    fn drain_until(&self, deadline: Instant) -> Result<(), Error> {
        loop {
            let transport = {
                let mut state = self.lock();
                let State {
                    link: Some(link),
                    queue,
                } = &mut *state
                else {
                    return Err(Error::Closed);
                };
                queue.flush(link);
                queue.drain(link);
                match queue.failure {
                    Some(Failure::SlowConsumer) if queue.kept.is_empty() => {
                        return Err(Error::SlowConsumer);
                    }
                    Some(Failure::Lost | Failure::CloseTimeout) => return Err(Error::Closed),
                    _ if queue.kept.is_empty() => return Ok(()),
                    _ => link.transport.clone(),
                }
            };
            if let Err(error) = transport.wait_writable(deadline) {
                let mut state = self.lock();
                let State {
                    link: Some(link),
                    queue,
                } = &mut *state
                else {
                    return Err(Error::Closed);
                };
                if error.kind() == io::ErrorKind::TimedOut {
                    queue.give_up(link, Failure::SlowConsumer);
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
        let State {
            link: Some(link),
            queue,
        } = &mut *state
        else {
            return Err(SendErrorKind::Closed);
        };
        let mut frame = Vec::new();
        queue
            .sender
            .frame(Opcode::Ping, &[], &mut frame)
            .map_err(|_| SendErrorKind::Closed)?;
        // One ping that waits asks as much as many.
        if !queue.kept.holds_ping() {
            queue.put_control(link, frame);
        }
        self.watch(state);
        Ok(())
    }

    /// Answers a ping. At most one answer waits: the latest ping wins (RFC 6455 section 5.5.3).
    pub fn pong(self: &Arc<Self>, payload: &[u8]) {
        let mut state = self.lock();
        let State {
            link: Some(link),
            queue,
        } = &mut *state
        else {
            return;
        };
        if !queue.kept.is_empty() {
            let mut frame = Vec::new();
            if queue
                .sender
                .frame(Opcode::Pong, payload, &mut frame)
                .is_ok()
            {
                queue.kept.set_pong(frame);
            }
        } else if queue
            .sender
            .frame(Opcode::Pong, payload, &mut queue.collected)
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
        let State {
            link: Some(link),
            queue,
        } = &mut *state
        else {
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
        let State {
            link: Some(link),
            queue,
        } = &mut *state
        else {
            return;
        };
        queue.flush(link);
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
        let State {
            link: Some(link),
            queue,
        } = &mut *state
        else {
            return None;
        };
        queue.drain(link);
        queue.check_deadlines(link, now);
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

    /// Ends the stream whatever waits, because the server can wait no longer.
    pub fn abort(&self) {
        let mut state = self.lock();
        if let State {
            link: Some(link),
            queue,
        } = &mut *state
        {
            queue.give_up(link, Failure::CloseTimeout);
        }
    }

    /// The connection has ended: lets everything go and says why the Outbox gave up, if it did.
    pub fn finish(&self) -> Option<Failure> {
        self.set_ready(ReadyState::Closed);
        let mut state = self.lock();
        let state = &mut *state;
        if let Some(link) = state.link.take() {
            let lost = state.queue.kept.clear();
            link.counters.dropped.fetch_add(lost, Ordering::Relaxed);
            state.queue.collected = Vec::new();
            if std::mem::take(&mut state.queue.watched) {
                link.drain.wake();
            }
        }
        state.queue.failure
    }

    pub fn has_ended(&self) -> bool {
        self.ready_state() == ReadyState::Closed
    }

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
        lock(&self.state)
    }

    /// Puts the Outbox on the drain helper's list if something waits or a deadline runs.
    fn watch(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let State {
            link: Some(link),
            queue,
        } = &mut *state
        else {
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
            drain.watch(self.clone());
        }
    }
}

impl State {
    /// The collector of this connection's server, if this thread collects for it now.
    fn active_collector(&mut self) -> Option<Arc<Collector>> {
        self.link
            .as_ref()?
            .collector
            .as_ref()
            .filter(|collector| collector.is_active_here())
            .cloned()
    }
}

/// A frame on its way: encoded header and payload, or a whole frame and nothing.
struct Outgoing<'a> {
    header: &'a [u8],
    payload: &'a [u8],
}

impl Outgoing<'_> {
    fn len(&self) -> usize {
        self.header.len() + self.payload.len()
    }
}

/// What became of a frame.
enum Put {
    Sent,
    Collected {
        first: bool,
    },
    /// The caller keeps the frame, of which so many bytes are written.
    Remainder {
        written: usize,
    },
    Refused(SendErrorKind),
}

impl Queue {
    /// `unbounded`: for a sender that waits until its frame has left.
    fn put(&mut self, link: &Link, frame: Outgoing<'_>, collect: bool, unbounded: bool) -> Put {
        if self.failure.is_some() {
            return Put::Refused(SendErrorKind::Closed);
        }
        if self.kept.is_empty() {
            if collect && frame.len() < COLLECT / 4 {
                return self.collect(link, frame);
            }
            let written = self.write_through(link, &frame);
            match written {
                Some(written) if written == frame.len() => return Put::Sent,
                Some(written) if self.kept.is_empty() && self.failure.is_none() => {
                    return Put::Remainder { written };
                }
                _ => {}
            }
        }
        self.admit(link, frame.len(), unbounded)
    }

    fn collect(&mut self, link: &Link, frame: Outgoing<'_>) -> Put {
        let first = self.collected.is_empty();
        self.collected.extend_from_slice(frame.header);
        self.collected.extend_from_slice(frame.payload);
        if self.collected.len() >= COLLECT {
            self.flush(link);
        }
        Put::Collected { first }
    }

    /// Offers what was collected and this frame in one write. `None`: not even all that was
    /// collected went, the frame must wait behind it.
    fn write_through(&mut self, link: &Link, frame: &Outgoing<'_>) -> Option<usize> {
        let before = self.collected.len();
        let written = if before == 0 {
            self.write(link, frame)
        } else {
            let slices = [
                IoSlice::new(&self.collected),
                IoSlice::new(frame.header),
                IoSlice::new(frame.payload),
            ];
            let result = link.transport.try_write(&slices);
            self.accepted(link, result)
        };
        if written < before {
            self.keep_collected(link, written);
            return None;
        }
        self.collected.clear();
        Some(written - before)
    }

    fn write(&mut self, link: &Link, frame: &Outgoing<'_>) -> usize {
        // One slice costs the kernel less than two: small frames are joined on the stack.
        let mut joined = [0; 144];
        let result = if frame.payload.is_empty() {
            link.transport.try_write(&[IoSlice::new(frame.header)])
        } else if let Some(small) = joined.get_mut(..frame.len()) {
            let (header, payload) = small.split_at_mut(frame.header.len());
            header.copy_from_slice(frame.header);
            payload.copy_from_slice(frame.payload);
            link.transport.try_write(&[IoSlice::new(small)])
        } else {
            link.transport
                .try_write(&[IoSlice::new(frame.header), IoSlice::new(frame.payload)])
        };
        self.accepted(link, result)
    }

    /// How much a write took. A stream that is gone takes nothing more: its reader is woken.
    fn accepted(&mut self, link: &Link, result: io::Result<usize>) -> usize {
        match result {
            Ok(written) => written,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                0
            }
            Err(_) => {
                self.give_up(link, Failure::Lost);
                0
            }
        }
    }

    fn flush(&mut self, link: &Link) {
        if self.collected.is_empty() {
            return;
        }
        let result = link.transport.try_write(&[IoSlice::new(&self.collected)]);
        let written = self.accepted(link, result);
        if written < self.collected.len() {
            self.keep_collected(link, written);
        }
        self.collected.clear();
    }

    /// The socket took `written` bytes of what was collected: keeps the rest, frame by frame.
    fn keep_collected(&mut self, link: &Link, written: usize) {
        let collected = std::mem::take(&mut self.collected);
        // Without a common collector only a handler collects, and it waits for what it collected.
        let unbounded = link.collector.is_none();
        let mut at = 0;
        for frame in kept::frames(&collected) {
            let begun = written.saturating_sub(at).min(frame.len());
            at += frame.len();
            if begun == frame.len() {
                continue;
            }
            if kept::is_pong(frame) && begun == 0 {
                if self.failure.is_none() {
                    self.kept.set_pong(frame.to_vec());
                }
            } else if begun > 0 || kept::is_control(frame) {
                self.kept.push(Frame::bytes(frame), begun);
            } else {
                match self.admit(link, frame.len(), unbounded) {
                    Put::Remainder { .. } => self.kept.push(Frame::bytes(frame), 0),
                    // Counted by its policy.
                    Put::Refused(SendErrorKind::Full) => {}
                    // It was taken for sending before: now it counts as dropped.
                    _ => drop(link.counters.dropped.fetch_add(1, Ordering::Relaxed)),
                }
            }
        }
    }

    /// Decides whether a frame may wait behind what is kept, and makes room by the policy.
    fn admit(&mut self, link: &Link, len: usize, unbounded: bool) -> Put {
        let keep = Put::Remainder { written: 0 };
        if self.failure.is_some() {
            return Put::Refused(SendErrorKind::Closed);
        }
        if unbounded {
            return keep;
        }
        let now = Instant::now();
        let fits =
            |kept: &Kept| kept.messages() == 0 || kept.message_bytes() + len <= self.bounds.bytes;
        match self.bounds.overflow {
            _ if fits(&self.kept) && !self.kept.is_older(now, self.bounds.age) => keep,
            Overflow::Disconnect => {
                self.slow_consumer(link);
                Put::Refused(SendErrorKind::SlowConsumer)
            }
            Overflow::DropNewest => {
                link.counters.dropped.fetch_add(1, Ordering::Relaxed);
                Put::Refused(SendErrorKind::Full)
            }
            Overflow::DropOldest => {
                while (!fits(&self.kept) || self.kept.is_older(now, self.bounds.age))
                    && self.kept.drop_oldest()
                {
                    link.counters.dropped.fetch_add(1, Ordering::Relaxed);
                }
                keep
            }
        }
    }

    /// Drops every whole unsent message and queues Close 1013 behind a partly written one.
    fn slow_consumer(&mut self, link: &Link) {
        let dropped = self.kept.drop_whole_messages();
        link.counters.dropped.fetch_add(dropped, Ordering::Relaxed);
        self.put_close(link, Some(CloseCode::TRY_AGAIN_LATER), "too slow");
        self.failure = Some(Failure::SlowConsumer);
    }

    fn put_control(&mut self, link: &Link, frame: Vec<u8>) {
        if self.failure.is_some() {
            return;
        }
        let mut written = None;
        if self.kept.is_empty() {
            written = self.write_through(
                link,
                &Outgoing {
                    header: &frame,
                    payload: &[],
                },
            );
            if written == Some(frame.len()) {
                return;
            }
        }
        self.kept.push(
            Frame::Owned {
                head: frame,
                body: Vec::new(),
            },
            written.unwrap_or(0),
        );
    }

    fn put_close(&mut self, link: &Link, code: Option<CloseCode>, reason: &str) -> bool {
        let mut frame = Vec::new();
        let begun = self
            .sender
            .close(code, reason, self.epoch.elapsed(), &mut frame);
        if begun {
            // The deadline of the closing handshake is news to the drain helper.
            self.watched = false;
            self.put_control(link, frame);
        }
        begun
    }

    fn drain(&mut self, link: &Link) {
        while !self.kept.is_empty() && !self.cut {
            let mut offered = 0;
            let result = self.kept.with_slices(|slices| {
                offered = slices.iter().map(|slice| slice.len()).sum();
                link.transport.try_write(slices)
            });
            let written = self.accepted(link, result);
            self.kept.advance(written);
            if written < offered {
                return;
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if self.cut {
            return None;
        }
        let close = self
            .sender
            .close_deadline()
            .and_then(|at| self.epoch.checked_add(at));
        [close, self.age_deadline()].into_iter().flatten().min()
    }

    /// When a frame will have waited too long: under `Disconnect` any frame, else a pong alone,
    /// since dropping policies are for peers that may stay slow.
    fn age_deadline(&self) -> Option<Instant> {
        self.kept.deadline(
            self.bounds.age,
            self.bounds.overflow == Overflow::Disconnect,
        )
    }

    fn check_deadlines(&mut self, link: &Link, now: Instant) {
        if self.age_deadline().is_some_and(|at| at <= now) {
            self.give_up(link, Failure::SlowConsumer);
        } else if self.deadline().is_some_and(|at| at <= now) {
            self.give_up(link, Failure::CloseTimeout);
        }
    }

    /// Ends the stream; the connection's thread, woken by that, reports it.
    fn give_up(&mut self, link: &Link, failure: Failure) {
        let failure = *self.failure.get_or_insert(failure);
        self.cut = true;
        let lost = self.kept.clear();
        link.counters.dropped.fetch_add(lost, Ordering::Relaxed);
        let how = if failure == Failure::SlowConsumer || lost > 0 {
            How::Reset
        } else {
            How::Both
        };
        link.transport.shutdown(how);
    }
}
