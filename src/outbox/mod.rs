//! The outgoing half of a connection: writes at once without blocking, and keeps what the socket refuses, within
//! bounds. The leader writes that when there is room again ([`leader_queue`]).
//!
//! The way of a message: [`Outbox::send`] packs it ([`outbound`]) and locks what it needs ([`entry`], [`state`]); the
//! [`queue`] writes or collects it, or keeps it ([`kept`]) where there is [`room`], within the [`bounds`]. On the way
//! out the [`entry`] calls the leader where something is left ([`leader_call`]). A sender that waits writes by itself
//! ([`wait`]), and a stream of the user's own is written to without the lock ([`turn`]). What goes to many is in
//! [`broadcast`], above all this: an Outbox knows of it the [`run`], and who flushes what is collected.
//!
//! Frames wait in four places:
//! - `kept`: what the socket refused.
//! - `collected`: what the socket was not offered yet, because its sender has more to do. It is empty while something
//!   is kept.
//! - `held`: what is sent while a message is under way in fragments. It leaves after the last of them.
//! - The run: broadcasts that are collected, once for all connections. Whoever locks an Outbox first takes over its
//!   part.
//!
//! Bounds apply to what is kept, and to what is held.

mod bounds;
pub(crate) mod broadcast;
mod coalescing;
mod collected;
mod ending;
mod entry;
mod for_each;
mod frame;
mod kept;
mod leader_call;
pub(crate) mod leader_queue;
mod member;
mod outbound;
mod owner;
mod queue;
mod ready_state;
mod room;
mod run;
mod state;
mod stream;
mod taken_turn;
#[cfg(test)]
mod tests;
mod turn;
mod wait;
mod wire;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Condvar};
use std::time::{Duration, Instant};

use crate::compression::{Context, Packing};
use crate::error::{CloseError, SendError, SendErrorKind};
use crate::lock::{Mutex, OUTBOX};
use crate::logging::log_line;
use crate::message::{Message, Prepared};
use crate::panics;
use crate::poller::Token;
use crate::protocol::close::CloseCode;
use crate::protocol::opcode::Opcode;
use crate::transport::Transport;

use bounds::Terms;
pub(crate) use bounds::{Bounds, LEAST_PENDING};
pub use broadcast::Broadcast;
#[cfg(feature = "socketio")]
pub(crate) use coalescing::note_message_of_burst;
pub(crate) use coalescing::{Coalescing, Collecting};
pub(crate) use collected::COLLECT;
use entry::Entry;
pub(crate) use for_each::for_each;
pub(crate) use leader_call::Pending;
use member::Member;
use outbound::Outbound;
use owner::Link;
pub(crate) use owner::{Delivery, OutboxServer, Owned, Owner};
pub(crate) use queue::Failure;
use queue::Queue;
pub use ready_state::ReadyState;
use run::Frames;
pub(crate) use run::Run;
use state::{Collect, State};
pub(crate) use stream::OutgoingStream;
use turn::Turn;
use wait::Waiter;

// In this order in memory, as `State` and `Queue`: what a send looks at comes first, in few cache lines. A
// broadcast finds those of no connection in the cache.
#[repr(C)]
pub(crate) struct Outbox {
    state: Mutex<State, OUTBOX>,
    ready: AtomicU8,
    /// Something was kept, or much was collected, and may still be there. Set under the lock; while it is false a
    /// reader need not take the lock.
    has_kept: AtomicBool,
    /// The owner was told that the peer is too slow, or is about to be.
    alarmed: AtomicBool,
    /// A `Drained` is on its way to the application. No second one is sent until it takes that.
    room_notice_waits: AtomicBool,
    /// One more than the number of its token with the poller; 0: it has none.
    token: AtomicU32,
    /// Notified when the turn is given back and a thread waits for it.
    turned: Condvar,
    /// A copy of the number in the bounds, which are behind the lock.
    messages_at_once: u32,
    /// How messages are compressed; those that refer to no other, before the lock is taken.
    packing: Option<Packing>,
    /// How the owner knows the connection; a later one has a larger number.
    id: u64,
}

impl Outbox {
    pub fn new(
        transport: Arc<dyn Transport>,
        server: Arc<OutboxServer>,
        id: u64,
        bounds: impl Into<Arc<Bounds>>,
        close_timeout: Duration,
        packing: Option<Packing>,
    ) -> Arc<Self> {
        let bounds: Arc<Bounds> = bounds.into();
        let messages_at_once = u32::try_from(bounds.at_once).unwrap_or(u32::MAX);
        let mut queue = Queue::new(bounds, close_timeout, transport.time_source());
        if !transport.never_calls_back() {
            queue.turn = Turn::FREE;
        }
        let link = Link { transport, server };
        Arc::new(Outbox {
            id,
            packing,
            messages_at_once,
            ready: AtomicU8::new(ReadyState::Open as u8),
            has_kept: AtomicBool::new(false),
            alarmed: AtomicBool::new(false),
            room_notice_waits: AtomicBool::new(false),
            token: AtomicU32::new(0),
            turned: Condvar::new(),
            state: Mutex::new(State {
                link: Some(link),
                queue,
                member: Member::default(),
                held: None,
                context: Context::new(packing.filter(Packing::keeps_context)),
            }),
        })
    }

    /// Sends or keeps a message; never blocks.
    pub fn send(self: &Arc<Self>, message: Message) -> Result<(), SendError> {
        self.send_message(message, true)
    }

    /// As [`send`](Outbox::send), never compressed.
    pub fn send_uncompressed(self: &Arc<Self>, message: Message) -> Result<(), SendError> {
        self.send_message(message, false)
    }

    fn send_message(
        self: &Arc<Self>,
        mut message: Message,
        compress: bool,
    ) -> Result<(), SendError> {
        // Compressed before the lock is taken, where that can be.
        let outbound = Outbound::new(&mut message, compress, self.packing);
        if let Err(kind) = self
            .enter()
            .send(outbound, Collect::WhileActive, Terms::Bounded)
        {
            return Err(SendError::new(kind, message));
        }
        message.recycle();
        Ok(())
    }

    /// Sends or keeps an encoded message; never blocks.
    pub fn send_prepared(self: &Arc<Self>, prepared: &Prepared) -> Result<(), SendErrorKind> {
        let outbound = Outbound::shared(prepared, self.packing);
        self.enter()
            .send(outbound, Collect::WhileActive, Terms::Bounded)
    }

    /// As [`send_prepared`](Outbox::send_prepared), for a broadcast, which counts its messages for all connections at
    /// once.
    pub fn send_uncounted(self: &Arc<Self>, prepared: &Prepared) -> Result<(), SendErrorKind> {
        let outbound = Outbound::shared(prepared, self.packing).uncounted();
        self.enter()
            .send(outbound, Collect::WhileActive, Terms::Bounded)
    }

    /// For a sender that waits until what it sends has left.
    pub fn waiter(self: &Arc<Self>) -> Waiter<'_> {
        Waiter(self)
    }

    /// Sends a ping (RFC 6455 5.5.2). `payload` is called if the ping is sent.
    pub fn ping(self: &Arc<Self>, payload: impl FnOnce() -> [u8; 8]) -> Result<(), SendErrorKind> {
        let mut entry = self.enter();
        let (link, queue) = entry.parts().ok_or(SendErrorKind::Closed)?;
        // What was collected leaves first, and may end the connection.
        queue.flush(link);
        // If a ping waits already, a second one would ask nothing more.
        let payload = (!queue.kept.holds_ping()).then(payload);
        let (waits, payload) = (payload.is_none(), payload.unwrap_or_default());
        let mut frame = Vec::new();
        let ping = queue.sender.frame(Opcode::Ping, &payload, None, &mut frame);
        let goes = ping.is_ok() && !queue.cut;
        if goes && !waits {
            queue.send_control(link, frame);
        }
        entry.leave();
        goes.then_some(()).ok_or(SendErrorKind::Closed)
    }

    /// Answers a ping. At most one answer waits: the latest ping wins (RFC 6455 5.5.3).
    pub fn pong(self: &Arc<Self>, payload: &[u8]) {
        let mut entry = self.enter();
        if let Some((link, queue)) = entry.parts() {
            if queue.pong(link, payload) {
                entry.leave();
            }
        }
    }

    /// Starts or answers the closing handshake (RFC 6455 7.1.2). After it nothing is sent.
    pub fn close(
        self: &Arc<Self>,
        code: Option<CloseCode>,
        reason: &str,
    ) -> Result<(), CloseError> {
        let mut entry = self.enter();
        if !entry.begin_close(code, reason) {
            return Err(CloseError::Closed);
        }
        entry.leave();
        Ok(())
    }

    /// Offers what was collected to the socket.
    pub fn flush(self: &Arc<Self>) {
        let mut entry = self.enter();
        if let Some((link, queue)) = entry.parts() {
            queue.flush(link);
        }
        entry.leave();
    }

    /// Offers its part of the run to the socket.
    fn flush_run(self: &Arc<Self>, frames: &Frames) {
        let mut entry = Entry::ahead_of_the_run(self);
        entry.flush_run(frames);
        entry.leave();
    }

    /// A turn of the leader: writes what the socket takes, gives up past a deadline, and raises the alarm if the
    /// peer is too slow. `None` when there is nothing to wait for any more.
    pub fn service(self: &Arc<Self>, now: Instant) -> Option<Pending> {
        let pending = self.enter().serve(now);
        let too_slow = self.failure() == Some(Failure::SlowConsumer);
        let alarmed = too_slow.then(|| self.take_alarm()).flatten();
        // prevents: too slow, and nobody hears of it
        alarmed.iter().for_each(Owned::tell_too_slow);
        let notice = self.enter().take_room_notice();
        notice.iter().for_each(Owned::tell_room);
        pending
    }

    /// The owner, if it is to be told that the peer is too slow; `None` if it was told, or is about to be.
    pub fn take_alarm(self: &Arc<Self>) -> Option<Owned> {
        let owned = self.enter().link.as_ref()?.owned(self.id)?;
        let first = !self.alarmed.swap(true, Ordering::AcqRel);
        first.then_some(owned)
    }

    /// The application takes the notice of room: for what was refused until now it needs no second one.
    pub fn note_room_notice_taken(self: &Arc<Self>) {
        let mut state = self.enter();
        state.queue.take_room_for_refused();
        self.room_notice_waits.store(false, Ordering::Release);
    }

    /// True if so much waits for the peer that it must not be read from; the leader is called when it may be again.
    /// `pending`: bytes of its messages that the application has still to answer.
    pub fn awaits_room(self: &Arc<Self>, pending: usize) -> bool {
        self.look_for_room(pending, |queue| queue.await_room(pending))
    }

    /// As [`awaits_room`](Outbox::awaits_room), for a thread that waits by itself: nobody is called.
    pub fn is_crowded(self: &Arc<Self>, pending: usize) -> bool {
        self.look_for_room(pending, |queue| queue.is_crowded(pending))
    }

    fn look_for_room(
        self: &Arc<Self>,
        pending: usize,
        is_crowded: impl FnOnce(&mut Queue) -> bool,
    ) -> bool {
        if !self.has_kept.load(Ordering::Acquire) {
            return false;
        }
        let mut state = self.enter_to_read(pending);
        if state.queue.kept.is_empty() && state.queue.collected.is_empty() {
            self.has_kept.store(false, Ordering::Release);
        }
        is_crowded(&mut state.queue)
    }

    /// Has a reader that waits for room look again.
    pub fn wake_reader(self: &Arc<Self>) {
        let entry = Entry::ahead_of_the_run(self);
        entry.queue.leader_call.wake_reader(&self.turned);
    }

    /// How many messages of the peer are to be taken at once, so that their answers find room.
    pub fn messages_at_once(&self) -> usize {
        self.messages_at_once as usize
    }

    /// For a thread that is about to read: if much is collected it is offered to the socket first, because the read may
    /// wait.
    fn enter_to_read(self: &Arc<Self>, pending: usize) -> Entry<'_> {
        let mut entry = self.enter();
        let parts = entry.parts();
        if parts.is_some_and(|(link, queue)| queue.flush_if_crowded(link, pending)) {
            entry.leave();
            entry = self.enter();
        }
        entry
    }

    /// Ends the stream whatever waits, because the server can wait no longer.
    pub fn abort(self: &Arc<Self>) {
        self.give_up(Failure::CloseTimeout);
    }

    /// As [`abort`](Outbox::abort), because the application wants it so.
    pub fn terminate(self: &Arc<Self>) {
        self.set_ready(ReadyState::Closed);
        self.give_up(Failure::Terminated);
    }

    /// As [`abort`](Outbox::abort), after a panic; the connection's thread then reports the end.
    pub fn break_off(self: &Arc<Self>) {
        let _ = panics::catch(|| {
            self.abort();
            log_line!(
                Error,
                "a connection is given up for a panic: this is a bug of wshub"
            );
        });
    }

    fn give_up(self: &Arc<Self>, failure: Failure) {
        let mut entry = self.enter();
        if let Some((link, queue)) = entry.parts() {
            queue.give_up(link, failure);
        }
        entry.note_trouble();
        entry.leave_uncalled();
    }

    /// The connection has ended: lets everything go.
    pub fn finish(self: &Arc<Self>) {
        self.set_ready(ReadyState::Closed);
        let ended = self.enter().end();
        // prevents: an ended connection is led on
        if let Some((link, true)) = &ended {
            // After the stop no thread leads any more, and none holds this Outbox.
            let _ = link.server.leader_queue.add(self.clone());
        }
    }

    /// The process stood still until now, and deadlines may have passed.
    pub fn resumed(self: &Arc<Self>, now: Instant) {
        self.enter().queue.resumed(now);
    }

    /// The time that its deadlines are made from.
    pub fn now(self: &Arc<Self>) -> Instant {
        self.enter().queue.time.now()
    }

    /// Gives buffers of an idle connection back.
    pub fn trim(self: &Arc<Self>) {
        self.enter().queue.collected.trim();
    }

    pub fn ready_state(&self) -> ReadyState {
        ReadyState::from_u8(self.ready.load(Ordering::Acquire))
    }

    pub fn has_ended(&self) -> bool {
        self.ready_state() == ReadyState::Closed
    }

    fn set_ready(&self, ready: ReadyState) {
        self.ready.fetch_max(ready as u8, Ordering::AcqRel);
    }

    /// Its token with the poller, if the leader holds it.
    pub fn token(&self) -> Option<Token> {
        let number = self.token.load(Ordering::SeqCst).checked_sub(1)?;
        Some(Token::from_number(number))
    }

    pub fn set_token(&self, token: Option<Token>) {
        let number = token.map_or(0, |token| token.number() + 1);
        self.token.store(number, Ordering::SeqCst);
    }

    /// The stream, as long as the connection has not ended.
    pub fn transport(self: &Arc<Self>) -> Option<Arc<dyn Transport>> {
        let state = self.enter();
        state.link.as_ref().map(|link| link.transport.clone())
    }

    /// Bytes that the socket has not taken yet.
    pub fn buffered_amount(self: &Arc<Self>) -> usize {
        let state = self.enter();
        let queue = &state.queue;
        match state.link.is_none() || queue.cut {
            // A thread may still be about to write.
            true => 0,
            false => {
                let held = state.held.as_ref().map_or(0, |held| held.unsent());
                queue.collected.bytes().len() + queue.kept.unsent() + held
            }
        }
    }

    /// True while the peer does not take what is sent.
    pub fn is_stalled(self: &Arc<Self>) -> bool {
        self.enter().queue.is_blocked()
    }

    /// True if nothing of what was sent waits any more.
    pub fn has_sent_all(self: &Arc<Self>) -> bool {
        let state = self.enter();
        let queue = &state.queue;
        state.link.is_none() || queue.outcome(queue.kept.last()).is_some()
    }

    /// Bytes that have left in all of what had to wait.
    pub fn left(self: &Arc<Self>) -> u64 {
        self.enter().queue.kept.left()
    }

    /// When the peer has last made room for what waits.
    pub fn left_at(self: &Arc<Self>) -> Option<Instant> {
        self.enter().queue.kept.left_at()
    }

    /// When the connection will be given up, unless its peer reads or answers.
    pub fn deadline(self: &Arc<Self>) -> Option<Instant> {
        self.enter().queue.deadline()
    }

    /// Why the Outbox gave the connection up, if it did.
    pub fn failure(self: &Arc<Self>) -> Option<Failure> {
        self.enter().queue.failure
    }

    /// True if the stream was ended from here: nothing is written any more.
    pub fn is_cut(self: &Arc<Self>) -> bool {
        self.enter().queue.cut
    }

    #[inline]
    fn enter(self: &Arc<Self>) -> Entry<'_> {
        Entry::new(self)
    }
}
