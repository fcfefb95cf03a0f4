//! Connections that hold no thread, led by one thread at a time: it asks which are ready, gives each of them a turn,
//! writes where a socket takes bytes again, and keeps deadlines.
//!
//! The leader is the thread that holds the [`Leader`]. [`lead`] says which thread that is: the application's while it
//! waits for events, else the stand-in. [`parked`] is a connection without a thread, [`stalled`] the Outbox of one that
//! has its own and whose peer does not read.

pub(crate) mod hand_over;
pub(crate) mod lead;
mod line;
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
use crate::outbox::broadcast::Collector;
use crate::outbox::leader_queue::LeaderQueue;
use crate::outbox::{self, Outbox};
use crate::panics;
use crate::patience::stood_still;
use crate::poller::{Bell, Mailbox, Poller, Ready, Token, Waker};
use hand_over::hand_over;
use line::ReadyLine;
use parked::Parked;
use stalled::Stalled;

/// The most turns between two looks at which connections are ready. There are never more turns than there were ready
/// connections at the last look: a peer that floods is always ready, has one turn, and then waits for those that became
/// ready meanwhile.
const ROUND: usize = 32;
/// Deadlines that are judged between two turns of ready connections.
const DUE_AT_ONCE: usize = 64;

/// What other threads leave for the leader.
#[derive(Default)]
pub(crate) struct Mail {
    /// Connections after their opening handshake. Boxed on their threads, so that the leader has less to do.
    #[allow(clippy::vec_box)]
    pub arrived: Vec<Box<Parked>>,
    /// Connections that waited for the application, and may go on.
    pub resumed: Vec<Token>,
    /// No thread leads any more: a connection that arrives is ended.
    stopped: bool,
}

pub(crate) struct Leader {
    mailbox: Arc<Mailbox<Mail>>,
    leader_queue: Arc<LeaderQueue>,
    poller: Poller<PolledConnection>,
    /// Connections that were reported ready and were not read to the end, in turn.
    ready: ReadyLine,
    /// Turns left before the next look at which are ready.
    round: usize,
    /// What the last look found.
    found: Vec<Ready>,
    /// Where each read goes: an idle connection has no buffer.
    scratch: ReadBuffer,
    read_size: usize,
    collectors: Vec<Arc<Collector>>,
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

/// What there is left to do for a connection.
pub(crate) enum Next {
    /// Nothing until something comes, or this deadline; `None`: no earlier one than before.
    Wait(Option<Instant>),
    /// Another turn: more may be there.
    Again(Option<Instant>),
    Gone,
}

impl Next {
    /// What both leave to do.
    fn and(self, other: Next) -> Next {
        let earlier = |one: Option<Instant>, other| [one, other].into_iter().flatten().min();
        match (self, other) {
            (Next::Gone, _) | (_, Next::Gone) => Next::Gone,
            (Next::Wait(one), Next::Wait(other)) => Next::Wait(earlier(one, other)),
            (Next::Again(one) | Next::Wait(one), Next::Again(other) | Next::Wait(other)) => {
                Next::Again(earlier(one, other))
            }
        }
    }
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
            poller,
            ready: ReadyLine::default(),
            round: 0,
            found: Vec::new(),
            scratch: ReadBuffer::scratch(read_size),
            read_size,
            collectors: Vec::new(),
            unwatched: Vec::new(),
            places: hand_over::places(),
            log_writer,
        })
    }

    pub fn bell(&self) -> &Arc<Bell> {
        self.poller.bell()
    }

    pub fn mailbox(&self) -> &Arc<Mailbox<Mail>> {
        &self.mailbox
    }

    pub fn leader_queue(&self) -> &Arc<LeaderQueue> {
        &self.leader_queue
    }

    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next ready connection's turn: one read, or a few amid a long frame, whose messages go to `put`. False when
    /// none is ready, or when it is time to [ask](Leader::poll) which others are.
    pub fn turn(&mut self, put: &mut impl FnMut(InboxItem)) -> bool {
        let Some(round) = self.round.checked_sub(1) else {
            return false;
        };
        let Some(token) = self.ready.pop() else {
            return false;
        };
        self.round = round;
        let others = self.ready.len();
        self.with_parked(token, |parked, scratch| parked.turn(scratch, put));
        if others > 0 {
            self.hand_over_if_busy(token);
        }
        if self.ready.len() > others {
            // It gave as many messages as are taken at once, which the application needs a while for.
            self.see_to_collectors();
        }
        true
    }

    fn hand_over_if_busy(&mut self, token: Token) {
        let Some(PolledConnection::Parked(parked)) = self.poller.get(token) else {
            return;
        };
        if !parked.is_busy() {
            return;
        }
        let Some(place) = self.places.take() else {
            return;
        };
        if let Some(PolledConnection::Parked(parked)) = self.take_out(token) {
            hand_over(parked, place);
        }
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
        let first = self.poller.first_deadline();
        let idle = || {
            !came.get()
                && !more_is_collected
                && self.ready.is_empty()
                && !self.mailbox.is_full()
                && self.leader_queue.is_empty()
                && !self.waker.is_woken()
                && idle()
        };
        self.poller.wait(until, &mut self.found, idle);
        self.hear(&mut put);
        let now = Instant::now();
        self.note_ready(now);
        if let Some(first) = first.filter(|&first| first <= now) {
            self.see_to_deadlines(now, first, &mut put);
        }
        self.round = self.ready.len().min(ROUND);
    }

    /// Takes what other threads have left since the last call.
    fn hear(&mut self, put: &mut impl FnMut(InboxItem)) {
        self.take_mail(put);
        if !self.leader_queue.is_empty() {
            self.take_leader_queue(Instant::now());
        }
    }

    fn note_ready(&mut self, now: Instant) {
        for index in 0..self.found.len() {
            let Some(&ready) = self.found.get(index) else {
                break;
            };
            match self.poller.get(ready.token) {
                Some(PolledConnection::Parked(parked)) => {
                    if ready.ended {
                        parked.note_end_of_stream();
                    }
                    let calls = parked.has_called();
                    if ready.readable {
                        self.ready.push(ready.token);
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
        self.found.clear();
        if self.waker.take_woken() {
            for token in self.unwatched.clone() {
                self.write(token, now);
            }
        }
    }

    fn take_mail(&mut self, put: &mut impl FnMut(InboxItem)) {
        if !self.mailbox.is_full() {
            return;
        }
        let ready = &mut self.ready;
        let arrived = self.mailbox.open(|mail| {
            mail.resumed.drain(..).for_each(|token| ready.push(token));
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
            self.remove(token);
        }
        let inserted = self
            .poller
            .insert(PolledConnection::Parked(parked), PolledConnection::source);
        match inserted {
            Ok(token) => {
                connection.outbox().set_token(Some(token));
                self.with_parked(token, |parked, _| {
                    parked.open().into_iter().for_each(&mut *put);
                    // What came after the opening handshake.
                    parked.take_messages(put)
                });
                if called.is_some() {
                    self.write(token, Instant::now());
                }
            }
            Err((led, error)) => {
                if let PolledConnection::Parked(parked) = led {
                    parked.unpark();
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
        match self.poller.insert(
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
            let Some(token) = self.poller.next_due(now) else {
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
        let calling = self.poller.all().filter_map(|(_, led)| led.calling());
        outbox::for_each(calling, |outbox| outbox.resumed(now));
    }

    /// Flushes what was collected for long enough; when to look again.
    pub fn see_to_collectors(&mut self) -> Option<Instant> {
        if self.collectors.is_empty() {
            return None;
        }
        let (now, mut next) = (Instant::now(), None);
        self.collectors
            .retain(|collector| match collector.service(now) {
                Some(at) => {
                    next = Some(next.map_or(at, |next: Instant| next.min(at)));
                    true
                }
                None => false,
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
        let Some(led) = self.poller.get(token) else {
            return;
        };
        let scratch = &mut self.scratch;
        match panics::catch(|| act(led, scratch)) {
            Ok(Next::Wait(None)) => {}
            Ok(Next::Wait(Some(at))) => self.poller.set_deadline(token, at),
            Ok(Next::Again(at)) => {
                if let Some(at) = at {
                    self.poller.set_deadline(token, at);
                }
                self.ready.push(token);
            }
            Ok(Next::Gone) => self.remove(token),
            Err(_) => {
                self.scratch = ReadBuffer::scratch(self.read_size);
                if let Some(led) = self.poller.get(token) {
                    led.outbox().break_off();
                }
                self.remove(token);
            }
        }
    }

    fn remove(&mut self, token: Token) {
        drop(self.take_out(token));
    }

    fn take_out(&mut self, token: Token) -> Option<PolledConnection> {
        let led = self.poller.remove(token)?;
        led.outbox().set_token(None);
        self.unwatched.retain(|it| *it != token);
        Some(led)
    }

    /// No thread leads any more: ends the connections for which something waits.
    pub fn stop(&mut self) {
        let waiting = self.leader_queue.stop();
        let stalled = self.poller.all().filter_map(|(_, led)| match led {
            PolledConnection::Stalled(stalled) => Some(stalled.outbox()),
            PolledConnection::Parked(_) => None,
        });
        outbox::for_each(stalled.chain(&waiting.outboxes), |outbox| outbox.abort());
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
