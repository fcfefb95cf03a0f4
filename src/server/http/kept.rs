//! One connection of plain requests that holds no thread: what it waits for, and what happens when that comes.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::super::admission::Wake;
use super::super::hub::Hub;
use super::super::lifecycle::{Participant, Presence};
use super::super::opening;
use super::super::places::Place;
use super::connection::HttpConnection;
use super::keeper::{Awaited, Resting};
use super::lines::{KeptLine, PlaceInLine};
use super::plain_request::{ParkedRequest, WaitingRequest};
use super::queued::QueuedAnswer;
use super::responder::Promise;
use super::streamed::Streamed;
use super::unsent_answer::{TURN, UnsentAnswer};
use super::{at_once, keep_alive, resolve};
use crate::clock;
use crate::connection::read_buffer::ReadBuffer;
use crate::http::head::asks_for_head;
use crate::http::refusal::RefusedRequest;
use crate::http::{Refusal, Response};
use crate::limits::Limits;
use crate::logging::Line;
use crate::patience::Patience;
use crate::poller::{Next, Ready, Source};
use crate::transport::{How, LINGER, TrailingBytes, read_now, would_wait};

pub(crate) struct KeptConnection {
    hub: Arc<Hub>,
    connection: HttpConnection,
    state: KeptState,
    patience: Patience,
    /// There may be something to read.
    unread: bool,
    /// The peer has ended its side, after what is there to read. That is reported once.
    ends: bool,
    /// Its place in a line.
    pub place: Option<PlaceInLine>,
    /// Makes the thread that watches [look at](KeptConnection::on_wake) this connection; set once it is watched.
    wake: Option<Wake>,
    stream: Presence,
}

/// What the connection waits for.
enum KeptState {
    /// Its first request.
    New,
    /// The next request.
    Idle,
    /// An answer of the application.
    Waiting(Box<WaitingRequest>),
    /// That the peer takes an answer.
    Writing(UnsentAnswer),
    /// A place among the plain requests, for an answer whose body is read.
    Queued(Box<QueuedAnswer>),
    /// That the peer takes its last bytes and ends.
    Lingering(TrailingBytes),
}

impl KeptConnection {
    pub fn new(hub: Arc<Hub>, resting: Resting) -> Self {
        let (limits, now) = (&hub.options.limits, Instant::now());
        let (state, patience) = match resting.awaited {
            Awaited::FirstRequest => {
                let begun = resting.connection.begun;
                (
                    KeptState::New,
                    Patience::new(begun, limits.handshake_timeout),
                )
            }
            Awaited::NextRequest => (KeptState::Idle, idle_patience(limits, now)),
            Awaited::Answer(later) => {
                let patience = later.promise.patience(limits, now);
                (KeptState::Waiting(later), patience)
            }
        };
        KeptConnection {
            hub,
            connection: resting.connection,
            state,
            patience,
            unread: true,
            ends: false,
            place: None,
            wake: None,
            stream: resting.stream,
        }
    }

    pub fn source(&self) -> Option<Source<'_>> {
        self.connection.transport.source()
    }

    /// The line that it belongs to.
    pub fn line(&self) -> Option<KeptLine> {
        match self.state {
            KeptState::New => Some(KeptLine::New),
            // One whose next request is there is not idle.
            KeptState::Idle if !self.has_next() => Some(KeptLine::Idle),
            _ => None,
        }
    }

    /// False once it waits for something else, or has had an answer since it took its place.
    pub fn is_in_its_place(&self) -> bool {
        let answered = self.connection.answered;
        self.place.map(|place| place.line) == self.line()
            && self.place.is_none_or(|place| place.answered == answered)
    }

    pub fn take_place(&mut self, line: KeptLine, number: u64) {
        self.place = Some(PlaceInLine {
            line,
            number,
            answered: self.connection.answered,
        });
    }

    /// The next request may be there.
    fn has_next(&self) -> bool {
        self.unread || !self.connection.buffer.is_empty()
    }

    /// It is watched from now on. What is there already makes no socket ready, so it is looked at now.
    pub fn begin(&mut self, wake: Wake, room: &mut ReadBuffer) -> Next {
        self.wake = Some(wake);
        if self.hub.lifecycle.is_closing() {
            return self.close();
        }
        match &self.state {
            KeptState::Waiting(_) => self.wait(),
            _ => self.read_on(room),
        }
    }

    /// Asks to be woken when the answer comes, unless it is there.
    fn wait(&mut self) -> Next {
        let (KeptState::Waiting(later), Some(wake)) = (&self.state, self.wake.clone()) else {
            return Next::Gone;
        };
        match later.promise.slot().wait(Box::new(move || wake())) {
            Some(answer) => self.conclude(resolve(answer)),
            None => {
                if self.ends {
                    later.promise.tell_gone(&self.hub.callbacks);
                }
                self.stay()
            }
        }
    }

    pub fn on_ready(&mut self, ready: Ready, room: &mut ReadBuffer) -> Next {
        self.unread |= ready.readable;
        self.ends |= ready.ended;
        if let (KeptState::Waiting(later), true) = (&self.state, ready.ended) {
            later.promise.tell_gone(&self.hub.callbacks);
        }
        match self.state {
            KeptState::Writing(_) if ready.writable => self.write_on(),
            _ if ready.readable => self.read_on(room),
            _ => self.stay(),
        }
    }

    /// It has more to write, or to read.
    pub fn on_turn(&mut self, room: &mut ReadBuffer) -> Next {
        match self.state {
            KeptState::Writing(_) => self.write_on(),
            _ => self.read_on(room),
        }
    }

    /// What came for it may not have been seen to.
    pub fn look_again(&mut self, room: &mut ReadBuffer) -> Next {
        self.unread = true;
        match self.state {
            KeptState::Waiting(_) | KeptState::Queued(_) => self.on_wake(),
            _ => self.on_turn(room),
        }
    }

    /// Reads what has come.
    fn read_on(&mut self, room: &mut ReadBuffer) -> Next {
        match &self.state {
            KeptState::New | KeptState::Idle => {
                let lent = self.connection.buffer.borrow(room);
                let next = self.read_request();
                if lent {
                    self.connection.buffer.give_back(room);
                }
                next
            }
            // The next request has to wait, and an end shows without a read.
            KeptState::Waiting(_) | KeptState::Writing(_) | KeptState::Queued(_) => self.stay(),
            KeptState::Lingering(_) => self.read_away(),
        }
    }

    fn read_request(&mut self) -> Next {
        if self.connection.buffer.is_empty() {
            match self.read() {
                Ok(0) => return Next::Gone,
                Ok(_) => {}
                Err(error) if would_wait(&error) => return self.stay(),
                Err(_) => return Next::Gone,
            }
        }
        match at_once::answer(&self.hub, &mut self.connection) {
            Some((parked, answer)) => self.take_answer(parked, answer),
            None => Next::NeedsThread,
        }
    }

    fn read(&mut self) -> io::Result<usize> {
        let HttpConnection {
            transport, buffer, ..
        } = &mut self.connection;
        let source = transport.source();
        let mut may_be_last = source.is_some_and(|source| source.short_read_is_last());
        let read = buffer.fill(|room| {
            let read = read_now(&**transport, room)?;
            may_be_last &= read < room.len();
            Ok(read)
        });
        self.unread = read.is_ok() && (self.ends || !may_be_last);
        read
    }

    /// What the application answers at once, or promises.
    fn take_answer(&mut self, parked: ParkedRequest, answer: Result<Response, Refusal>) -> Next {
        let now = Instant::now();
        let pending = answer.as_ref().ok().and_then(Response::pending::<Promise>);
        let Some(promise) = pending.cloned() else {
            // A body that is read waits for its place so long.
            self.patience = Patience::new(now, self.hub.options.limits.answer_timeout);
            return self.give(parked, answer);
        };
        self.patience = promise.patience(&self.hub.options.limits, now);
        self.state = KeptState::Waiting(Box::new(WaitingRequest { parked, promise }));
        self.wait()
    }

    fn read_away(&mut self) -> Next {
        let KeptState::Lingering(rest) = &mut self.state else {
            return Next::Gone;
        };
        match rest.read_away(&*self.connection.transport) {
            true => self.stay(),
            false => Next::Gone,
        }
    }

    /// There may be an answer, or a place for it.
    pub fn on_wake(&mut self) -> Next {
        match &self.state {
            KeptState::Waiting(later) => match later.promise.slot().take() {
                Some(answer) => self.conclude(resolve(answer)),
                None => self.stay(),
            },
            KeptState::Queued(answer) if answer.seat.is_served() => Next::NeedsThread,
            _ => self.stay(),
        }
    }

    /// Its deadline may have come.
    pub fn on_deadline(&mut self, now: Instant) -> Next {
        if self.patience.deadline() > now {
            return self.stay();
        }
        match self.state {
            KeptState::Writing(_) if self.patience.allows_another_try(now) => self.write_on(),
            KeptState::Writing(_) => self.give_up_writing(&io::ErrorKind::TimedOut.into()),
            _ if self.patience.renew(now) => self.stay(),
            KeptState::Waiting(_) => self.give_up(Refusal::AnswerTimeout),
            KeptState::Queued(_) => self.give_up(Refusal::HttpRequestsFull),
            KeptState::New => {
                let silence = Refusal::Silence;
                self.hub.counters.refuse(silence.reason());
                self.log(self.hub.refuser.line(&silence, self.connection.peer));
                Next::Gone
            }
            KeptState::Idle | KeptState::Lingering(_) => Next::Gone,
        }
    }

    /// The server shuts down.
    pub fn close(&mut self) -> Next {
        match self.state {
            KeptState::New => {
                self.refuse_new(Refusal::ShuttingDown);
                Next::Gone
            }
            KeptState::Idle => Next::Gone,
            KeptState::Waiting(_) | KeptState::Queued(_) => self.give_up(Refusal::ShuttingDown),
            KeptState::Writing(_) | KeptState::Lingering(_) => self.stay(),
        }
    }

    /// Refuses a connection of which nothing was read.
    fn refuse_new(&self, refusal: Refusal) {
        self.log(self.hub.refuser.line(&refusal, self.connection.peer));
        self.hub
            .refuser
            .at_once(&*self.connection.transport, &refusal.into());
    }

    /// Waits for the answer, or for a place for it, no longer.
    fn give_up(&mut self, why: Refusal) -> Next {
        match &self.state {
            KeptState::Waiting(later) => {
                let slot = later.promise.slot();
                if let Some(answer) = slot.give_up() {
                    return self.conclude(resolve(answer));
                }
                if matches!(why, Refusal::AnswerTimeout) {
                    later.promise.tell_gone(&self.hub.callbacks);
                }
                self.conclude(Err(why))
            }
            KeptState::Queued(answer) if answer.seat.is_served() => Next::NeedsThread,
            KeptState::Queued(_) => self.conclude(Err(why)),
            _ => self.stay(),
        }
    }

    /// There is an answer.
    fn conclude(&mut self, answer: Result<Response, Refusal>) -> Next {
        match std::mem::replace(&mut self.state, KeptState::Idle) {
            KeptState::Waiting(later) => self.give(later.parked, answer),
            KeptState::Queued(queued) => {
                let parked = queued.cancel(&self.hub.callbacks);
                self.give(parked, answer)
            }
            _ => Next::Gone,
        }
    }

    /// Has an answer written, or wait for its place.
    fn give(&mut self, parked: ParkedRequest, answer: Result<Response, Refusal>) -> Next {
        let response = match answer {
            Ok(response) => response,
            Err(refusal) => return self.refuse(parked, &refusal),
        };
        if response.pending::<Streamed>().is_some() {
            return self.queue(parked, response);
        }
        let keep_alive = keep_alive(&self.hub, &parked.asked, &self.connection);
        let counters = &self.hub.counters;
        let bytes = parked.asked.encode(counters, response, keep_alive);
        self.write(bytes, keep_alive.is_some(), parked.place)
    }

    fn refuse(&mut self, parked: ParkedRequest, refusal: &Refusal) -> Next {
        self.hub.counters.refuse(refusal.reason());
        self.log(self.hub.refuser.line(refusal, self.connection.peer));
        let bytes = refusal.encode(parked.asked.head_only(), clock::date());
        self.write(bytes, false, parked.place)
    }

    /// Waits for a place among the plain requests, as long as for the answer.
    fn queue(&mut self, parked: ParkedRequest, response: Response) -> Next {
        let Some(wake) = self.wake.clone() else {
            return Next::Gone;
        };
        let (transport, peer) = (&self.connection.transport, self.connection.peer);
        self.state = KeptState::Queued(Box::new(QueuedAnswer {
            parked,
            response,
            seat: self.hub.admission.queue(transport, peer, wake),
        }));
        self.stay()
    }

    fn write(&mut self, bytes: Vec<u8>, keeps: bool, place: Place) -> Next {
        self.patience = Patience::paced(Instant::now(), self.hub.options.limits.writing());
        self.state = KeptState::Writing(UnsentAnswer::new(bytes, keeps, place));
        self.write_on()
    }

    /// Writes of the answer what the socket takes, or as much as one turn may.
    fn write_on(&mut self) -> Next {
        let KeptState::Writing(answer) = &mut self.state else {
            return self.stay();
        };
        let before = answer.sent();
        let end = loop {
            match answer.write(&*self.connection.transport) {
                Ok(0) => break Some(io::ErrorKind::WriteZero.into()),
                Ok(_) if answer.is_written() => {
                    let keeps = answer.keeps;
                    return self.on_answered(keeps);
                }
                Ok(_) if answer.sent() - before >= TURN => break None,
                Ok(_) => {}
                Err(error) => break Some(error),
            }
        };
        let places = &self.hub.waiting_places;
        answer.place.get_or_insert_with(|| places.take_again());
        let written = answer.sent() - before;
        self.patience.progressed(written, Instant::now());
        match end {
            None => Next::Again(None),
            Some(error) if would_wait(&error) => self.stay(),
            Some(error) => self.give_up_writing(&error),
        }
    }

    /// The peer does not take its answer.
    fn give_up_writing(&self, error: &io::Error) -> Next {
        self.log(self.hub.refuser.not_taken(error, self.connection.peer));
        Next::Gone
    }

    /// Has a line written elsewhere: a logger may take its time.
    fn log(&self, line: Option<Line>) {
        self.hub.workers.log_writer.write(line);
    }

    fn on_answered(&mut self, keeps: bool) -> Next {
        let now = Instant::now();
        if keeps && self.hub.lifecycle.is_closing() {
            return Next::Gone;
        }
        if keeps {
            self.connection.answered += 1;
            self.state = KeptState::Idle;
            self.patience = idle_patience(&self.hub.options.limits, now);
            // The next request has its turn after those of others.
            match self.has_next() {
                true => Next::Again(None),
                false => self.stay(),
            }
        } else {
            self.connection.transport.shutdown(How::Write);
            self.state = KeptState::Lingering(TrailingBytes::default());
            self.patience = Patience::until(now + LINGER);
            self.read_away()
        }
    }

    fn stay(&self) -> Next {
        Next::Wait(Some(self.patience.deadline()))
    }

    /// Ends a connection that waits for a request, for others that have come.
    pub fn give_way(self) {
        if matches!(self.state, KeptState::New) {
            self.refuse_new(Refusal::Evicted);
        }
        self.end();
    }

    /// Ends the connection; what was written still goes out.
    pub fn end(self) {
        self.connection.transport.shutdown(How::Both);
        self.let_go();
    }

    /// Ends a connection that cannot be watched.
    pub fn cut_off(self) {
        self.connection.transport.shutdown(How::Reset);
        if let (KeptState::Waiting(later), false) = (&self.state, self.hub.lifecycle.is_closing()) {
            later.promise.tell_gone(&self.hub.callbacks);
        }
        self.let_go();
    }

    /// What it holds of the application's is dropped elsewhere.
    fn let_go(self) {
        match self.state {
            KeptState::Queued(answer) => drop(answer.cancel(&self.hub.callbacks)),
            KeptState::Waiting(later) => later.let_go(&self.hub.callbacks),
            _ => {}
        }
    }

    /// Goes on on a thread: its next request has begun, or the body of its answer is to be read.
    pub fn go_on(self) {
        let KeptConnection {
            hub,
            mut connection,
            state,
            patience,
            mut stream,
            ..
        } = self;
        stream.part(Participant::Parked);
        let head_only = match &state {
            KeptState::Queued(answer) => answer.parked.asked.head_only(),
            _ => asks_for_head(connection.buffer.filled()),
        };
        let (own, transport) = (hub.clone(), connection.transport.clone());
        let started = match state {
            KeptState::Queued(answer) => answer.start(&hub, stream, connection),
            state => {
                let seat = opening::seat(&hub, &transport);
                let patience = matches!(state, KeptState::New).then_some(patience);
                (hub.workers)
                    .run(move || opening::serve_next(&own, stream, seat, connection, patience))
            }
        };
        if started.is_err() {
            let refusal = Refusal::Full;
            hub.refuser
                .at_once(&*transport, &RefusedRequest { refusal, head_only });
        }
    }
}

/// How long the next request may take to come.
fn idle_patience(limits: &Limits, now: Instant) -> Patience {
    Patience::new(now, limits.keep_alive.unwrap_or_default())
}
