//! Connections that hold no thread, led by one thread at a time: it asks which are ready, gives each of them a turn,
//! writes where a socket takes bytes again, and keeps deadlines.
//!
//! The leader is the thread that holds the [`Leader`]. [`lead`] says which thread that is: the application's while it
//! waits for events, else the stand-in. [`parked`] is a connection without a thread, [`stalled`] the Outbox of one that
//! has its own and whose peer does not read.

pub(crate) mod hand_over;
pub(crate) mod lead;
pub(crate) mod mail;
pub(crate) mod parked;
mod stalled;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use super::inbox::InboxItem;
use super::log_writer::LogWriter;
use super::places::Places;
use crate::connection::read_buffer::ReadBuffer;
use crate::limits::{Limits, read_size};
use crate::logging::line_for_later;
use crate::outbox::leader_queue::{Flusher, LeaderQueue};
use crate::outbox::{self, Outbox};
use crate::patience::stood_still;
use crate::poller::{EventLoop, Left, Mailbox, Next, Poller, Token, Waker};
use hand_over::{hand_over, serve_on_thread};
use mail::Mail;
use parked::{LONG, Parked};
use stalled::Stalled;

/// The most turns between two looks at which connections are ready. There are never more turns than there were ready
/// connections at the last look: a peer that floods is always ready, has one turn, and then waits for those that became
/// ready meanwhile.
const ROUND: usize = 32;
/// Deadlines that are judged between two turns of ready connections.
const DUE_AT_ONCE: usize = 64;

pub(crate) struct Leader {
    pub mailbox: Arc<Mailbox<Mail>>,
    pub leader_queue: Arc<LeaderQueue>,
    /// Connections; those that were reported ready and were not read to the end have turns.
    connections: EventLoop<PolledConnection>,
    /// Turns left before the next look at which are ready.
    round: usize,
    /// When the last look was, or the lead was taken up again: the time of the turns until the next one.
    now: Instant,
    /// Where each read goes: an idle connection has no buffer.
    scratch: ReadBuffer,
    read_size: usize,
    collectors: Vec<Arc<dyn Flusher>>,
    /// Wakes for streams that the system cannot watch, and those of them that have no room.
    waker: Waker,
    unwatched: Vec<Token>,
    /// Places on threads, for connections that give much to do.
    places: Arc<Places>,
    log_writer: Arc<LogWriter>,
}

enum PolledConnection {
    Parked(Box<Parked>),
    Stalled(Box<Stalled>),
}

impl Leader {
    pub fn new(log_writer: Arc<LogWriter>, limits: &Limits) -> std::io::Result<Self> {
        let poller = Poller::new()?;
        let bell = Some(poller.bell().clone());
        let read_size = read_size(limits.max_message);
        Ok(Leader {
            mailbox: Arc::new(Mailbox::new(bell.clone())),
            leader_queue: LeaderQueue::new(bell),
            waker: poller.waker(),
            connections: EventLoop::new(poller),
            round: 0,
            now: Instant::now(),
            scratch: ReadBuffer::scratch(read_size),
            read_size,
            collectors: Vec::new(),
            unwatched: Vec::new(),
            places: hand_over::places(),
            log_writer,
        })
    }

    pub fn has_ready(&self) -> bool {
        !self.connections.turns.is_empty()
    }

    /// The next turn comes after a look at which are ready, however many were left: the last look was a while ago.
    pub fn look_anew(&mut self) {
        self.round = 0;
    }

    /// A thread takes the lead up again where another look is not due: it may have been away for long.
    pub fn go_on(&mut self) {
        if self.has_ready() {
            self.now = Instant::now();
        }
    }

    /// Turns of ready connections, until they gave as much as a long turn does: where messages are short, to take the
    /// lead for each turn would cost a tenth of an echo. False when there was none, as for [`turn`](Leader::turn).
    pub fn turns(&mut self, put: &mut impl FnMut(InboxItem)) -> bool {
        let (given, mut had_turn) = (Cell::new(0), false);
        let mut put = |item: InboxItem| {
            given.set(given.get() + item.cost());
            put(item);
        };
        while given.get() < LONG && self.turn(&mut put) {
            had_turn = true;
        }
        had_turn
    }

    /// The next ready connection's turn: one read, or a few amid a long frame, whose messages go to `put`. False when
    /// none is ready, or when it is time to [ask](Leader::poll) which others are.
    pub fn turn(&mut self, put: &mut impl FnMut(InboxItem)) -> bool {
        let Some(round) = self.round.checked_sub(1) else {
            return false;
        };
        let Some(token) = self.connections.turns.pop() else {
            return false;
        };
        self.round = round;
        let others = self.connections.turns.len();
        // No other thread takes such a place meanwhile.
        let may_hand_over = others > 0 && self.places.has_free();
        let (mut has_more, now) = (false, self.now);
        self.with_parked(token, |parked, scratch| {
            let next = parked.turn(scratch, now, put);
            has_more = matches!(next, Next::Again(_));
            match next {
                Next::Wait(_) | Next::Again(_) if may_hand_over && parked.is_busy() => {
                    Next::NeedsThread
                }
                next => next,
            }
        });
        if has_more {
            // It gave as many messages as are taken at once, which the application needs a while for.
            self.see_to_collectors();
        }
        true
    }

    /// Looks which connections are ready and which are due. If none is ready it sleeps until one is, at most until
    /// `until`. Before it sleeps it asks `idle`, with the bell attentive, whether there is nothing else to do.
    pub fn poll(
        &mut self,
        until: Option<Instant>,
        put: &mut impl FnMut(InboxItem),
        idle: impl FnOnce() -> bool,
    ) {
        let came = Cell::new(false);
        let mut put = |item| {
            came.set(true);
            put(item);
        };
        // What is collected already needs no look at the sockets of its own.
        let collectors = self.collectors.len();
        self.hear(&mut put);
        // `until` does not know when that is to be flushed.
        // prevents: collected amid a look, and nobody watches
        let more_is_collected = self.collectors.len() > collectors;
        let idle = || {
            !came.get()
                && !more_is_collected
                && !self.mailbox.is_full()
                && self.leader_queue.is_empty()
                && !self.waker.is_woken()
                && idle()
        };
        let first = self.connections.wait(until, idle);
        self.hear(&mut put);
        let now = Instant::now();
        self.now = now;
        self.note_ready(now);
        if let Some(first) = first.filter(|&first| first <= now) {
            self.see_to_deadlines(now, first, &mut put);
        }
        self.round = self.connections.turns.len().min(ROUND);
    }

    /// Takes what other threads have left since the last call.
    #[inline]
    fn hear(&mut self, put: &mut impl FnMut(InboxItem)) {
        if self.mailbox.is_full() {
            self.take_mail(put);
        }
        if !self.leader_queue.is_empty() {
            self.take_leader_queue(Instant::now());
        }
    }

    fn note_ready(&mut self, now: Instant) {
        while let Some(ready) = self.connections.next_found() {
            match self.connections.poller.get(ready.token) {
                Some(PolledConnection::Parked(parked)) => {
                    if ready.ended {
                        parked.note_end_of_stream();
                    }
                    let calls = parked.has_called();
                    if ready.readable {
                        self.connections.turns.push(ready.token);
                    }
                    if ready.writable && calls {
                        self.write(ready.token, now);
                    }
                }
                Some(PolledConnection::Stalled(_)) if ready.writable => {
                    self.write(ready.token, now)
                }
                Some(PolledConnection::Stalled(_)) | None => {}
            }
        }
        if self.waker.take_woken() {
            for token in self.unwatched.clone() {
                self.write(token, now);
            }
        }
    }

    #[inline(never)]
    fn take_mail(&mut self, put: &mut impl FnMut(InboxItem)) {
        let turns = &mut self.connections.turns;
        let arrived = self.mailbox.open(|mail| {
            (mail.resumed.drain(..)).for_each(|token| turns.push(token));
            std::mem::take(&mut mail.arrived)
        });
        for parked in arrived {
            self.admit(parked, put);
        }
    }

    fn admit(&mut self, parked: Box<Parked>, put: &mut impl FnMut(InboxItem)) {
        let connection = parked.connection().clone();
        // A Close of the shutdown may have called before the connection came: its stream is watched for that already.
        let called = connection.outbox().token();
        if let Some(token) = called {
            drop(self.take_out(token));
        }
        let inserted = (self.connections.poller)
            .insert(PolledConnection::Parked(parked), PolledConnection::source);
        match inserted {
            Ok(token) => {
                connection.outbox().set_token(Some(token));
                self.with_parked(token, |parked, _| parked.begin(put));
                if called.is_some() {
                    self.write(token, Instant::now());
                }
            }
            Err((led, error)) => {
                if let PolledConnection::Parked(parked) = led {
                    serve_on_thread(parked);
                }
                self.log_writer.write(line_for_later!(
                    Warn,
                    "connection {}: it gets a thread, for it cannot be watched: {error}",
                    connection.id()
                ));
            }
        }
    }

    /// Takes the Outboxes and collectors that called since the last look.
    fn take_leader_queue(&mut self, now: Instant) {
        let waiting = self.leader_queue.take();
        let mut late = false;
        outbox::for_each(&waiting.outboxes, |outbox| {
            late |= outbox.deadline().is_some_and(|at| stood_still(at, now));
        });
        if late {
            self.note_standstill(now);
            outbox::for_each(&waiting.outboxes, |outbox| outbox.resumed(now));
        }
        self.collectors.extend(waiting.collectors);
        for outbox in waiting.outboxes {
            match outbox.token() {
                Some(token) => self.write(token, now),
                None => self.admit_stalled(outbox, now),
            }
        }
    }

    fn admit_stalled(&mut self, outbox: Arc<Outbox>, now: Instant) {
        let Some(stalled) = Stalled::new(outbox.clone(), &self.waker) else {
            return;
        };
        let unwatched = stalled.is_unwatched();
        match self.connections.poller.insert(
            PolledConnection::Stalled(Box::new(stalled)),
            PolledConnection::source,
        ) {
            Ok(token) => {
                outbox.set_token(Some(token));
                if unwatched {
                    self.unwatched.push(token);
                }
                self.write(token, now);
            }
            Err((_, error)) => {
                outbox.abort();
                self.log_writer.write(line_for_later!(
                    Warn,
                    "a connection ends, for it cannot be watched: {error}"
                ));
            }
        }
    }

    /// Writes what the socket takes of what waits in an Outbox.
    fn write(&mut self, token: Token, now: Instant) {
        self.with(token, |led, _| match led {
            PolledConnection::Parked(parked) => parked.write(now),
            PolledConnection::Stalled(stalled) => stalled.write(now),
        });
    }

    fn see_to_deadlines(&mut self, now: Instant, first: Instant, put: &mut impl FnMut(InboxItem)) {
        let stood_still = stood_still(first, now);
        if stood_still {
            self.note_standstill(now);
        }
        for _ in 0..DUE_AT_ONCE {
            let Some(token) = self.connections.poller.next_due(now) else {
                return;
            };
            self.with(token, |led, scratch| match led {
                PolledConnection::Parked(parked) => {
                    parked.on_deadline(scratch, now, stood_still, put)
                }
                PolledConnection::Stalled(stalled) => stalled.write(now),
            });
        }
    }

    /// The process stood still until now: no peer that it waited for was slow.
    fn note_standstill(&mut self, now: Instant) {
        let all = self.connections.poller.all();
        let calling = all.filter_map(|(_, led)| led.calling());
        outbox::for_each(calling, |outbox| outbox.resumed(now));
    }

    /// Flushes what was collected for long enough; when to look again.
    pub fn see_to_collectors(&mut self) -> Option<Instant> {
        if self.collectors.is_empty() {
            return None;
        }
        let (now, mut next) = (Instant::now(), None);
        self.collectors.retain(|collector| {
            let at = collector.service(now);
            next = [next, at].into_iter().flatten().min();
            at.is_some()
        });
        next
    }

    fn with_parked(
        &mut self,
        token: Token,
        act: impl FnOnce(&mut Parked, &mut ReadBuffer) -> Next,
    ) {
        self.with(token, |led, scratch| match led {
            PolledConnection::Parked(parked) => act(parked, scratch),
            PolledConnection::Stalled(_) => Next::Wait(None),
        });
    }

    /// Has a connection do something, then does what it says is left to do. A panic costs this connection alone.
    fn with(
        &mut self,
        token: Token,
        act: impl FnOnce(&mut PolledConnection, &mut ReadBuffer) -> Next,
    ) {
        let scratch = &mut self.scratch;
        if let Some(left) = self.connections.with(token, |led| act(led, scratch)) {
            self.let_go(token, left);
        }
    }

    fn let_go(&mut self, token: Token, left: Left<PolledConnection>) {
        match left {
            Left::Gone(led) => self.forget(token, &led),
            Left::NeedsThread(led) => {
                self.forget(token, &led);
                if let PolledConnection::Parked(parked) = led {
                    // One was free before its turn.
                    hand_over(parked, self.places.take_again(), &self.mailbox);
                }
            }
            Left::Broken(led) => {
                self.scratch = ReadBuffer::scratch(self.read_size);
                led.outbox().break_off();
                self.forget(token, &led);
            }
        }
    }

    fn take_out(&mut self, token: Token) -> Option<PolledConnection> {
        let led = self.connections.poller.remove(token)?;
        self.forget(token, &led);
        Some(led)
    }

    fn forget(&mut self, token: Token, led: &PolledConnection) {
        led.outbox().set_token(None);
        self.unwatched.retain(|it| *it != token);
    }

    /// No thread leads any more: ends the connections on threads for which something waits.
    pub fn abort_stalled(&mut self) {
        let all = self.connections.poller.all();
        let stalled = all.filter_map(|(_, led)| match led {
            PolledConnection::Stalled(stalled) => Some(stalled.outbox()),
            PolledConnection::Parked(_) => None,
        });
        outbox::for_each(stalled, |outbox| outbox.abort());
    }
}

impl PolledConnection {
    fn source(&self) -> Option<crate::poller::Source<'_>> {
        match self {
            PolledConnection::Parked(parked) => parked.source(),
            PolledConnection::Stalled(stalled) => stalled.source(),
        }
    }

    fn outbox(&self) -> &Arc<Outbox> {
        match self {
            PolledConnection::Parked(parked) => parked.connection().outbox(),
            PolledConnection::Stalled(stalled) => stalled.outbox(),
        }
    }

    /// The Outbox, if something waits in it.
    fn calling(&self) -> Option<&Arc<Outbox>> {
        match self {
            PolledConnection::Parked(parked) if !parked.has_called() => None,
            led => Some(led.outbox()),
        }
    }
}

#[cfg(test)]
mod tests;
