//! Places for what comes in. Handshakes: the oldest give way to newer ones while the server waits for their peers; then
//! they wait in line for the `accept` hook. Plain requests: they do not give way, and are turned away when there are
//! too many. Answers that come later and need a thread wait in line for a place among the plain requests.

mod seats;
pub(crate) mod slots;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use crate::http::{Peer, Refusal};
use crate::limits::Limits;
use crate::lock::{Mutex, SEATS, lock};
use crate::patience::Patience;
use crate::transport::{self, How, Transport};
use seats::{PlainBounds, Seated, Seats};
pub(crate) use seats::{Stage, Wake};

/// The line for the `accept` hook is this many times as long as the number of hooks that run at once. Those that find
/// it full are told to come back in a second: until then it lasts for hooks that take a quarter of a second each.
const LINE: usize = 4;

pub(crate) struct Admission {
    max_handshakes: usize,
    plain: PlainBounds,
    seats: Mutex<Seats, SEATS>,
}

impl Admission {
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Admission {
            max_handshakes: limits.max_handshakes,
            plain: PlainBounds {
                in_all: limits.max_http_requests,
                per_address: limits.max_per_address,
            },
            seats: Mutex::default(),
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

    /// A seat for a handshake that begins. If as many have only begun as may wait for the hook, the oldest of them
    /// gives way.
    pub fn admit(self: &Arc<Self>, transport: &Arc<dyn Transport>) -> Seat {
        let mut seats = lock(&self.seats);
        let most = self.max_handshakes.saturating_mul(LINE);
        let late = match seats.count(|stage| stage == Stage::Begun) >= most {
            true => seats.take_out(|it| it.stage == Stage::Begun),
            false => None,
        };
        let seat = self.add(&mut seats, transport, Stage::Begun);
        drop(seats);
        if let Some(late) = late {
            late.transport.shutdown(How::Read);
        }
        seat
    }

    /// True if no more handshakes may begin, or wait for their peers.
    pub fn is_crowded(&self) -> bool {
        let is_early = |stage| matches!(stage, Stage::Begun | Stage::Reading);
        lock(&self.seats).count(is_early) >= self.max_handshakes
    }

    /// A seat for an answer that needs a place among the plain requests, and waits for one if none is free. `on_served`
    /// is called when it has its place.
    pub fn queue(
        self: &Arc<Self>,
        transport: &Arc<dyn Transport>,
        client: Peer,
        on_served: Wake,
    ) -> Seat {
        let mut seats = lock(&self.seats);
        let seat = self.add(&mut seats, transport, Stage::Queued);
        if let Some(own) = seats.own(seat.id) {
            own.client = client.counted_address();
            own.on_served = Some(on_served);
        }
        let served = seats.serve_queued(self.plain);
        drop(seats);
        served.iter().for_each(|wake| wake());
        seat
    }

    fn add(
        self: &Arc<Self>,
        seats: &mut Seats,
        transport: &Arc<dyn Transport>,
        stage: Stage,
    ) -> Seat {
        seats.last_id += 1;
        seats.held += 1;
        let id = seats.last_id;
        seats.seated.push_back(Seated {
            id,
            transport: transport.clone(),
            stage,
            client: None,
            turn: None,
            on_served: None,
        });
        Seat {
            admission: self.clone(),
            id,
        }
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

    /// Seats that are held by threads.
    pub fn held(&self) -> usize {
        let seats = lock(&self.seats);
        seats.held - seats.count(|stage| stage == Stage::Queued)
    }

    /// Plain requests under way.
    pub fn answering(&self) -> usize {
        lock(&self.seats).count(|stage| stage == Stage::Plain)
    }

    /// Handshakes that wait for the `accept` hook.
    pub fn waiting(&self) -> usize {
        lock(&self.seats).count(|stage| stage == Stage::Waiting)
    }

    /// The streams whose stage `which` picks.
    pub fn transports(&self, which: impl Fn(Stage) -> bool) -> Vec<Arc<dyn Transport>> {
        let seats = lock(&self.seats);
        let those = seats.seated.iter().filter(|seated| which(seated.stage));
        those.map(|seated| seated.transport.clone()).collect()
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

    /// The stream has reached this stage; false if it had to give way. If it can give way from now on, the oldest
    /// streams give way now, perhaps this one.
    pub fn enter(&self, stage: Stage) -> bool {
        self.change(|_| stage)
    }

    /// The last bytes of its answer leave now, which frees its place among the plain requests. If the peer has to be
    /// waited for all the same, [`serve_plain`](Seat::serve_plain) takes the place again.
    pub fn leave(&self) {
        self.change(|stage| match stage.is_plain() {
            true => Stage::Leaving,
            false => stage,
        });
    }

    fn change(&self, to: impl FnOnce(Stage) -> Stage) -> bool {
        let max = self.admission.max_handshakes;
        let mut seats = lock(&self.admission.seats);
        let Some(own) = seats.own(self.id) else {
            return false;
        };
        let stage = to(own.stage);
        own.stage = stage;
        own.turn = None;
        let gone = match stage.gives_way() {
            Some(_) => seats.make_room(max),
            None => Vec::new(),
        };
        seats.pass_on(max);
        let served = seats.serve_queued(self.admission.plain);
        drop(seats);
        served.iter().for_each(|wake| wake());
        for seated in &gone {
            if let Some(how) = seated.stage.gives_way() {
                seated.transport.shutdown(how);
            }
        }
        gone.iter().all(|it| it.id != self.id)
    }

    /// Reads from its stream, as patiently as is said. Where the process stood still meanwhile, the peer has its time
    /// once more.
    pub fn read(
        &self,
        transport: &dyn Transport,
        room: &mut [u8],
        patience: &mut Patience,
    ) -> io::Result<usize> {
        loop {
            let read = self.read_once(transport, room, patience.deadline());
            let renewed = patience.renew(transport.now());
            match read {
                Err(error) if renewed && error.kind() == io::ErrorKind::TimedOut => {}
                done => return done,
            }
        }
    }

    /// Once it has to wait for the peer it may have to give way. A stream of the user's own is not tried without
    /// waiting, because it may not know how.
    fn read_once(
        &self,
        transport: &dyn Transport,
        room: &mut [u8],
        deadline: Instant,
    ) -> io::Result<usize> {
        // A request nearly always comes with its connection: then no deadline has to be set for it.
        if transport.never_calls_back() {
            match transport.try_read(room) {
                Err(error) if transport::would_wait(&error) => {}
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

    /// It is a plain request of this client, and one of those that may be under way.
    pub fn serve_plain_of(&self, client: Peer) -> Result<(), Refusal> {
        if let Some(own) = lock(&self.admission.seats).own(self.id) {
            own.client = client.counted_address();
        }
        self.serve_plain()
    }

    /// It is one of the plain requests that may be under way, in all and of its address. One that had its place until a
    /// moment ago has it again, whatever has come meanwhile.
    pub fn serve_plain(&self) -> Result<(), Refusal> {
        let mut seats = lock(&self.admission.seats);
        let own = seats.own(self.id).ok_or(Refusal::Evicted)?;
        let (had_place, client) = (
            own.stage.is_plain() || own.stage == Stage::Leaving,
            own.client,
        );
        if !had_place {
            seats.check_plain(self.admission.plain, client)?;
        }
        if let Some(own) = seats.own(self.id) {
            own.stage = Stage::Plain;
        }
        seats.pass_on(self.admission.max_handshakes);
        Ok(())
    }

    /// It is among the plain requests.
    pub fn is_served(&self) -> bool {
        let mut seats = lock(&self.admission.seats);
        seats.own(self.id).is_some_and(|own| own.stage.is_plain())
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
        seats.held -= 1;
        seats.pass_on(self.admission.max_handshakes);
        let served = seats.serve_queued(self.admission.plain);
        drop(seats);
        served.iter().for_each(|wake| wake());
        // Its stream may be the user's.
        drop(own);
    }
}

#[cfg(test)]
mod tests;
