//! One connection of plain requests that holds no thread: what it waits for, and what happens when that comes.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::admission::Stage;
use super::super::hub::Hub;
use super::super::lifecycle::{Participant, Presence};
use super::super::opening;
use super::responder::{Notify, OnGone};
use super::streamed::Streamed;
use super::{
    HttpConnection, PlainRequest, WaitingRequest, call, give, go_on, resolve, write_answer,
};
use crate::clock;
use crate::http::{Peer, Refusal, Response};
use crate::logging::line_for_later;
use crate::patience::Patience;
use crate::poller::{Ready, Source};
use crate::transport::{How, LINGER, Transport};

/// At most so much is read away of a peer that sends on after the end.
const MOST_READ_AWAY: usize = 64 << 10;
/// How often a stream may ask to be asked again: TLS does while records come that hold nothing.
const MOST_TRIES: usize = 1000;
/// How much one such read takes.
const ROOM: usize = 1024;

pub(super) struct KeptConnection {
    hub: Arc<Hub>,
    connection: HttpConnection,
    state: KeptState,
    patience: Patience,
    /// Its place in the line of idle connections.
    number: Option<u64>,
    // Given up in this order.
    stream: Presence,
    parked: Option<Presence>,
}

enum KeptState {
    /// For a request.
    Idle,
    /// For an answer of the application.
    Waiting(Box<WaitingRequest>),
    /// For a thread that writes what is left of an answer.
    Writing { bytes: Vec<u8>, keeps: bool },
    /// For a thread that reads the body of an answer.
    Reading(PlainRequest, Response),
    /// For the peer to take its last bytes and end; so many bytes were read away.
    Lingering(usize),
}

/// What there is to do for a connection.
pub(super) enum NextAction {
    /// Nothing until something comes, or until then.
    Stays(Instant),
    /// Something that may take time.
    NeedsThread,
    Ends,
}

impl KeptConnection {
    pub fn idle(hub: Arc<Hub>, stream: Presence, connection: HttpConnection) -> Self {
        let keep_alive = hub.options.limits.keep_alive.unwrap_or_default();
        KeptConnection::new(hub, stream, connection, KeptState::Idle, keep_alive)
    }

    pub fn waiting(
        hub: Arc<Hub>,
        stream: Presence,
        connection: HttpConnection,
        later: Box<WaitingRequest>,
    ) -> Self {
        let timeout = hub.options.limits.answer_timeout;
        KeptConnection::new(hub, stream, connection, KeptState::Waiting(later), timeout)
    }

    fn new(
        hub: Arc<Hub>,
        stream: Presence,
        connection: HttpConnection,
        state: KeptState,
        timeout: Duration,
    ) -> Self {
        KeptConnection {
            parked: hub.lifecycle.come(Participant::Parked),
            hub,
            connection,
            state,
            patience: Patience::new(Instant::now(), timeout),
            number: None,
            stream,
        }
    }

    pub fn source(&self) -> Option<Source<'_>> {
        self.connection.transport.source()
    }

    pub fn is_idle(&self) -> bool {
        matches!(self.state, KeptState::Idle)
    }

    pub fn number(&self) -> Option<u64> {
        self.number
    }

    pub fn set_number(&mut self, number: Option<u64>) {
        self.number = number;
    }

    /// It is watched from now on. What is there already makes nothing ready.
    pub fn begin(&mut self, hub: &Arc<Hub>, notify: Notify) -> NextAction {
        if hub.lifecycle.is_closing() {
            return self.close(hub);
        }
        match &self.state {
            KeptState::Waiting(later) => match later.promise.slot().wait(notify) {
                Some(answer) => self.conclude(hub, resolve(answer)),
                None => self.stay(),
            },
            _ => self.look(),
        }
    }

    pub fn is_ready(&mut self, hub: &Arc<Hub>, ready: Ready) -> NextAction {
        if let (KeptState::Waiting(later), true) = (&self.state, ready.ended) {
            later.promise.slot().note_left();
            let on_gone = later.promise.slot().take_on_gone();
            on_gone.into_iter().for_each(|it| call_elsewhere(hub, it));
        }
        match ready.readable {
            true => self.look(),
            false => self.stay(),
        }
    }

    /// Reads what has come.
    fn look(&mut self) -> NextAction {
        match self.state {
            KeptState::Idle => {
                let HttpConnection {
                    transport, buffer, ..
                } = &mut self.connection;
                if !buffer.is_empty() {
                    return NextAction::NeedsThread;
                }
                let read = buffer.fill(|room| read_now(&**transport, room));
                match read {
                    Ok(0) => NextAction::Ends,
                    Ok(_) => NextAction::NeedsThread,
                    Err(error) if may_come(&error) => self.stay(),
                    Err(_) => NextAction::Ends,
                }
            }
            // The next request has to wait, and an end shows without a read.
            KeptState::Waiting(_) | KeptState::Writing { .. } | KeptState::Reading(..) => {
                self.stay()
            }
            KeptState::Lingering(seen) => self.read_away(seen),
        }
    }

    fn read_away(&mut self, mut seen: usize) -> NextAction {
        let mut room = [0; ROOM];
        while seen < MOST_READ_AWAY {
            match read_now(&*self.connection.transport, &mut room) {
                Ok(0) => return NextAction::Ends,
                Ok(read) => seen += read.min(ROOM),
                Err(error) if may_come(&error) => {
                    self.state = KeptState::Lingering(seen);
                    return self.stay();
                }
                Err(_) => return NextAction::Ends,
            }
        }
        NextAction::Ends
    }

    /// There may be an answer.
    pub fn answer(&mut self, hub: &Arc<Hub>) -> NextAction {
        let KeptState::Waiting(later) = &self.state else {
            return self.stay();
        };
        match later.promise.slot().take() {
            Some(answer) => self.conclude(hub, resolve(answer)),
            None => self.stay(),
        }
    }

    /// Its deadline may have come.
    pub fn is_due(&mut self, hub: &Arc<Hub>, now: Instant) -> NextAction {
        if self.patience.deadline() > now || self.patience.renew(now) {
            return self.stay();
        }
        match self.state {
            KeptState::Waiting(_) => self.give_up(hub, Refusal::AnswerTimeout),
            KeptState::Writing { .. } | KeptState::Reading(..) => NextAction::NeedsThread,
            KeptState::Idle | KeptState::Lingering(_) => NextAction::Ends,
        }
    }

    /// The server shuts down.
    pub fn close(&mut self, hub: &Arc<Hub>) -> NextAction {
        match self.state {
            KeptState::Idle => NextAction::Ends,
            KeptState::Waiting(_) => self.give_up(hub, Refusal::ShuttingDown),
            KeptState::Writing { .. } | KeptState::Reading(..) => NextAction::NeedsThread,
            KeptState::Lingering(_) => self.stay(),
        }
    }

    /// Waits for the answer no longer.
    fn give_up(&mut self, hub: &Arc<Hub>, why: Refusal) -> NextAction {
        let KeptState::Waiting(later) = &self.state else {
            return self.stay();
        };
        let slot = later.promise.slot();
        if let Some(answer) = slot.give_up() {
            return self.conclude(hub, resolve(answer));
        }
        if matches!(why, Refusal::AnswerTimeout) {
            let on_gone = slot.take_on_gone();
            on_gone.into_iter().for_each(|it| call_elsewhere(hub, it));
        }
        self.conclude(hub, Err(why))
    }

    /// Writes the answer, as much as the socket takes at once.
    fn conclude(&mut self, hub: &Arc<Hub>, answer: Result<Response, Refusal>) -> NextAction {
        let KeptState::Waiting(later) = std::mem::replace(&mut self.state, KeptState::Idle) else {
            return NextAction::Ends;
        };
        let asked = &later.asked;
        let (bytes, keeps) = match answer {
            Ok(response) if response.pending::<Streamed>().is_some() => {
                self.state = KeptState::Reading(later.asked, response);
                return NextAction::NeedsThread;
            }
            Ok(response) => {
                let keeps = asked.keeps(hub, &self.connection);
                (asked.encode(hub, response, keeps), keeps)
            }
            Err(refusal) => {
                hub.counters.refuse(refusal.reason());
                log_later(hub, &refusal, self.connection.peer);
                (refusal.encode(asked.head_only(), clock::date()), false)
            }
        };
        // Its place is free before its client hears of it.
        drop(later);
        self.write(bytes, keeps)
    }

    fn write(&mut self, mut bytes: Vec<u8>, keeps: bool) -> NextAction {
        match self.connection.transport.try_write(&[IoSlice::new(&bytes)]) {
            Ok(written) if written >= bytes.len() => self.is_answered(keeps),
            Ok(0) => NextAction::Ends,
            Ok(written) => {
                bytes.drain(..written);
                self.state = KeptState::Writing { bytes, keeps };
                NextAction::NeedsThread
            }
            Err(error) if may_come(&error) => {
                self.state = KeptState::Writing { bytes, keeps };
                NextAction::NeedsThread
            }
            Err(_) => NextAction::Ends,
        }
    }

    fn is_answered(&mut self, keeps: bool) -> NextAction {
        let now = Instant::now();
        if keeps {
            self.connection.answered += 1;
            self.rest(now);
        } else {
            self.connection.transport.shutdown(How::Write);
            self.state = KeptState::Lingering(0);
            self.patience = Patience::until(now + LINGER);
        }
        self.look()
    }

    /// Waits for the next request.
    fn rest(&mut self, now: Instant) {
        let keep_alive = self.hub.options.limits.keep_alive.unwrap_or_default();
        self.state = KeptState::Idle;
        self.patience = Patience::new(now, keep_alive);
    }

    fn stay(&self) -> NextAction {
        NextAction::Stays(self.patience.deadline())
    }

    /// Ends the connection; what was written still goes out.
    pub fn end(self) {
        self.connection.transport.shutdown(How::Both);
    }

    pub fn cut_off(self) {
        self.connection.transport.shutdown(How::Reset);
    }

    /// Goes on on a thread: its next request has begun, or its answer takes time.
    pub fn go_on(self, hub: &Arc<Hub>) {
        let KeptConnection {
            hub: own,
            mut connection,
            state,
            stream,
            parked,
            ..
        } = self;
        drop(parked);
        let transport = connection.transport.clone();
        let is_idle = matches!(state, KeptState::Idle);
        let seat = opening::seat(hub, &transport);
        if !is_idle {
            // It waits for its peer.
            seat.enter(Stage::Reading);
        }
        let job = move || {
            let after = match state {
                KeptState::Writing { bytes, keeps } => {
                    write_answer(&own, &seat, &mut connection, &bytes, keeps)
                }
                KeptState::Reading(asked, response) => {
                    // Where there are too many, its peer has only a moment.
                    let _ = seat.serve_plain();
                    give(&own, &seat, &mut connection, &asked, response)
                }
                KeptState::Idle | KeptState::Waiting(_) | KeptState::Lingering(_) => {
                    return opening::serve_next(&own, stream, seat, connection);
                }
            };
            drop(seat);
            go_on(&own, stream, connection, after);
        };
        match (hub.workers.run(job), is_idle) {
            (Ok(()), _) => {}
            (Err(_), true) => opening::refuse_at_once(hub, &*transport, &Refusal::Full),
            // A part of an answer is out.
            (Err(_), false) => transport.shutdown(How::Reset),
        }
    }
}

/// What is there. A stream that asks to be asked again for ever gives nothing.
fn read_now(transport: &dyn Transport, room: &mut [u8]) -> io::Result<usize> {
    for _ in 0..MOST_TRIES {
        match transport.try_read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Nothing is there now.
fn may_come(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// A logger may take its time, too.
fn log_later(hub: &Hub, refusal: &Refusal, peer: Peer) {
    let text = || format!("refused {peer}: {refusal}");
    let line = hub.refusals.line(refusal.reason(), text);
    hub.workers.log_writer().write(line);
}

/// The application's code may take its time, or never return.
fn call_elsewhere(hub: &Arc<Hub>, on_gone: OnGone) {
    let own = hub.clone();
    if let Err(refused) = hub.workers.run(move || call(&own, on_gone)) {
        hub.workers.log_writer().write(line_for_later!(
            Warn,
            "the application is not told that a client has left: {refused}"
        ));
    }
}
