//! Places for what comes in: handshakes, of which the oldest give way to newer ones while their peers are waited for,
//! and then wait in line for the `accept` hook; and plain requests, which do not give way and are turned away when
//! there are too many.

pub(crate) mod slots;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar};
use std::time::Instant;

use crate::atomic::AtomicU64;
use crate::http::Refusal;
use crate::limits::Limits;
use crate::lock::{Mutex, SEATS, lock};
use crate::transport::{self, How, Transport};

/// So many times as many as the `accept` hook runs for may wait for it: where it takes a quarter of a second, there is
/// always one of them until those come again that were told to do so in a second.
const LINE: usize = 4;

pub(crate) struct Admission {
    max_handshakes: usize,
    max_http_requests: usize,
    next_id: AtomicU64,
    seats: Mutex<Seats, SEATS>,
    /// Seats that are held, also by those that gave way and are leaving.
    held: AtomicUsize,
}

#[derive(Default)]
struct Seats {
    /// The oldest first.
    seated: VecDeque<Seated>,
    /// Nobody waits in line any more.
    closed: bool,
}

struct Seated {
    id: u64,
    transport: Arc<dyn Transport>,
    stage: Stage,
    /// Rings when it is its turn, or when the server shuts down.
    turn: Option<Arc<Condvar>>,
}

/// How far a stream is that is no connection yet, and with that whether it gives way to a newer one, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its thread has not found yet that it has to wait for the peer: the whole request may be there, and where the
    /// processors are busy it is the thread that is late.
    Begun,
    /// The rest of its TLS handshake or of its request is waited for: its thread is woken, and answers 503.
    Reading,
    /// It waits for the `accept` hook.
    Waiting,
    /// The `accept` hook runs: its work would be lost.
    Deciding,
    /// Its 101 waits for the peer to take it: it is cut off.
    Answering,
    /// Its 101 leaves now, without waiting, or has left: a peer that reads 101 has a connection.
    Opening,
    /// A plain request, whose hook runs or whose answer is read: a page is not cut.
    Plain,
    /// A plain request whose answer comes later, over a stream that keeps its thread: it is read from meanwhile.
    Held,
    /// The last of its answer leaves now, without waiting: a peer that has that may ask again at once.
    Leaving,
    /// It has its answer, and what it still sends is read away: that ends.
    Parting,
}

impl Stage {
    fn gives_way(self) -> Option<How> {
        match self {
            Stage::Reading | Stage::Parting => Some(How::Read),
            Stage::Answering => Some(How::Both),
            Stage::Begun | Stage::Waiting | Stage::Deciding | Stage::Opening => None,
            Stage::Plain | Stage::Held | Stage::Leaving => None,
        }
    }
}

impl Admission {
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Admission {
            max_handshakes: limits.max_handshakes,
            max_http_requests: limits.max_http_requests,
            next_id: AtomicU64::new(1),
            seats: Mutex::default(),
            held: AtomicUsize::new(0),
        })
    }

    /// The most threads for streams that are no open connections: their requests are being read; they gave way and are
    /// leaving; they have ended and linger; the hook runs for them; they wait for it, or have only begun; or they are
    /// plain requests.
    pub fn max_threads(limits: &Limits) -> usize {
        limits
            .max_handshakes
            .saturating_mul(4 + 2 * LINE)
            .saturating_add(limits.max_http_requests)
    }

    /// A seat for a handshake that begins. The oldest gives way where as many have only begun as may wait for the hook.
    pub fn admit(self: &Arc<Self>, transport: &Arc<dyn Transport>) -> Seat {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut seats = lock(&self.seats);
        let most = self.max_handshakes.saturating_mul(LINE);
        let late = match seats.count(|stage| stage == Stage::Begun) >= most {
            true => seats.take_out(|it| it.stage == Stage::Begun),
            false => None,
        };
        seats.seated.push_back(Seated {
            id,
            transport: transport.clone(),
            stage: Stage::Begun,
            turn: None,
        });
        drop(seats);
        self.held.fetch_add(1, Ordering::Relaxed);
        let seat = Seat {
            admission: self.clone(),
            id,
        };
        if let Some(late) = late {
            late.transport.shutdown(How::Read);
        }
        seat
    }

    /// The server shuts down: the `accept` hook is not called any more.
    pub fn close(&self) {
        let mut seats = lock(&self.seats);
        seats.closed = true;
        for seated in &seats.seated {
            if let Some(turn) = &seated.turn {
                turn.notify_all();
            }
        }
    }

    /// Seats that are held.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Plain requests under way.
    pub fn answering(&self) -> usize {
        lock(&self.seats).count(|stage| stage == Stage::Plain)
    }

    /// Handshakes that wait for the `accept` hook.
    pub fn waiting(&self) -> usize {
        lock(&self.seats).count(|stage| stage == Stage::Waiting)
    }

    /// The streams that are so far.
    pub fn transports(&self, which: impl Fn(Stage) -> bool) -> Vec<Arc<dyn Transport>> {
        let seats = lock(&self.seats);
        let those = seats.seated.iter().filter(|seated| which(seated.stage));
        those.map(|seated| seated.transport.clone()).collect()
    }
}

impl Seats {
    fn count(&self, which: impl Fn(Stage) -> bool) -> usize {
        let those = self.seated.iter().filter(|seated| which(seated.stage));
        those.count()
    }

    fn own(&mut self, id: u64) -> Option<&mut Seated> {
        self.seated.iter_mut().find(|seated| seated.id == id)
    }

    /// Takes out as many as have to give way, so that at most `max` are left: first one that only parts, then the
    /// oldest.
    fn make_room(&mut self, max: usize) -> Vec<Seated> {
        let mut gone = Vec::new();
        while self.count(|stage| stage.gives_way().is_some()) > max {
            let parting = self.take_out(|it| it.stage == Stage::Parting);
            let oldest = || self.take_out(|it| it.stage.gives_way().is_some());
            gone.extend(parting.or_else(oldest));
        }
        gone
    }

    /// Takes out the oldest of those.
    fn take_out(&mut self, which: impl Fn(&Seated) -> bool) -> Option<Seated> {
        let index = self.seated.iter().position(which)?;
        self.seated.remove(index)
    }

    /// Gives the hook's free places to those that have waited longest.
    fn pass_on(&mut self, max: usize) {
        while self.count(|stage| stage == Stage::Deciding) < max {
            let mut seated = self.seated.iter_mut();
            let Some(next) = seated.find(|it| it.stage == Stage::Waiting) else {
                return;
            };
            next.stage = Stage::Deciding;
            if let Some(turn) = next.turn.take() {
                turn.notify_one();
            }
        }
    }
}

/// A place among the handshakes, or among the plain requests. It is given up however its stream ends.
pub(crate) struct Seat {
    admission: Arc<Admission>,
    id: u64,
}

impl Seat {
    /// The number that the connection will have.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// It has come further; false if it had to give way. Where it may have to from now on, the oldest do, it
    /// among them.
    pub fn enter(&self, stage: Stage) -> bool {
        let max = self.admission.max_handshakes;
        let mut seats = lock(&self.admission.seats);
        let Some(own) = seats.own(self.id) else {
            return false;
        };
        own.stage = stage;
        own.turn = None;
        let gone = match stage.gives_way() {
            Some(_) => seats.make_room(max),
            None => Vec::new(),
        };
        seats.pass_on(max);
        drop(seats);
        for seated in &gone {
            if let Some(how) = seated.stage.gives_way() {
                seated.transport.shutdown(how);
            }
        }
        gone.iter().all(|it| it.id != self.id)
    }

    /// Reads of its stream; from when it has to wait for the peer it may have to give way. A stream of the user's own
    /// is not asked without waiting: what it makes of that is not known.
    pub fn read(
        &self,
        transport: &dyn Transport,
        room: &mut [u8],
        deadline: Instant,
    ) -> io::Result<usize> {
        // A request nearly always comes with its connection: then no deadline has to be set for it.
        if transport.never_calls_back() {
            match transport.try_read(room) {
                Err(error) if is_to_wait(&error) => {}
                done => return done,
            }
        }
        self.enter(Stage::Reading);
        transport::read(transport, room, Some(deadline))
    }

    /// Waits in line until the `accept` hook may be asked, at most until `deadline`.
    pub fn wait_for_turn(&self, deadline: Instant) -> Result<(), Refusal> {
        let waited = self.wait(deadline);
        if waited.is_err() {
            self.enter(Stage::Parting);
        }
        waited
    }

    fn wait(&self, deadline: Instant) -> Result<(), Refusal> {
        let max = self.admission.max_handshakes;
        let mut seats = lock(&self.admission.seats);
        let line = seats.count(|stage| stage == Stage::Waiting);
        let own = seats.own(self.id).ok_or(Refusal::Evicted)?;
        own.stage = Stage::Waiting;
        seats.pass_on(max);
        loop {
            let closed = seats.closed;
            let waiting = seats.own(self.id);
            let Some(own) = waiting.filter(|own| own.stage == Stage::Waiting) else {
                return Ok(());
            };
            if closed {
                return Err(Refusal::ShuttingDown);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if line >= max.saturating_mul(LINE) || left.is_zero() {
                return Err(Refusal::HandshakesFull);
            }
            let turn = own.turn.get_or_insert_default().clone();
            seats = seats.wait_timeout(&turn, left);
        }
    }

    /// It is a plain request, and one of those that may be under way.
    pub fn serve_plain(&self) -> Result<(), Refusal> {
        let mut seats = lock(&self.admission.seats);
        let own = seats.own(self.id).ok_or(Refusal::Evicted)?;
        // One that is among them counts as such.
        let before = std::mem::replace(&mut own.stage, Stage::Plain);
        let plain = seats.count(|stage| matches!(stage, Stage::Plain | Stage::Held));
        if plain <= self.admission.max_http_requests {
            seats.pass_on(self.admission.max_handshakes);
            return Ok(());
        }
        if let Some(own) = seats.own(self.id) {
            own.stage = before;
        }
        Err(Refusal::HttpRequestsFull)
    }

    pub fn has_given_way(&self) -> bool {
        lock(&self.admission.seats).own(self.id).is_none()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = lock(&self.admission.seats);
        let index = seats.seated.iter().position(|it| it.id == self.id);
        let own = index.and_then(|index| seats.seated.remove(index));
        seats.pass_on(self.admission.max_handshakes);
        drop(seats);
        // Its stream may be the user's.
        drop(own);
        self.admission.held.fetch_sub(1, Ordering::Relaxed);
    }
}

fn is_to_wait(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests;
