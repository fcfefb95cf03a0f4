//! A place among the handshakes, or among the plain requests: how its stream gets on, and what it waits for.

use std::sync::Arc;
use std::time::Instant;

use super::plain::PlainBounds;
use super::seats::{Seats, Stage};
use crate::http::{Peer, Refusal};
use crate::limits::Limits;
use crate::lock::{Guard, Mutex, SEATS, lock};

/// How many handshakes wait for each `accept` hook that runs. Who finds the line full is told to come back in a second:
/// by then hooks that take a quarter of a second each have emptied it.
pub(crate) const LINE: usize = 4;

/// What all seats of a server share.
pub(crate) struct Seating {
    pub max_handshakes: usize,
    pub plain: PlainBounds,
    pub seats: Mutex<Seats, SEATS>,
}

impl Seating {
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Seating {
            max_handshakes: limits.max_handshakes,
            plain: PlainBounds {
                in_all: limits.max_http_requests,
                per_address: limits.max_per_address,
            },
            seats: Mutex::default(),
        })
    }

    /// Gives free places to plain requests that wait for them, and tells those without the lock.
    pub fn serve_queued(&self, mut seats: Guard<'_, Seats>) {
        let served = self.plain.serve_queued(&mut seats);
        drop(seats);
        served.iter().for_each(|wake| wake());
    }
}

/// A place among the handshakes, or among the plain requests. It is given up however its stream ends.
pub(crate) struct Seat {
    seating: Arc<Seating>,
    id: u64,
}

impl Seat {
    pub fn new(seating: &Arc<Seating>, id: u64) -> Self {
        Seat {
            seating: seating.clone(),
            id,
        }
    }

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
        let max = self.seating.max_handshakes;
        let mut seats = lock(&self.seating.seats);
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
        self.seating.serve_queued(seats);
        for seated in &gone {
            if let Some(how) = seated.stage.gives_way() {
                seated.transport.shutdown(how);
            }
        }
        gone.iter().all(|it| it.id != self.id)
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
        let max = self.seating.max_handshakes;
        let mut seats = lock(&self.seating.seats);
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
        if let Some(own) = lock(&self.seating.seats).own(self.id) {
            own.client = client.counted_address();
        }
        self.serve_plain()
    }

    /// It is one of the plain requests that may be under way, in all and of its address. One that had its place until a
    /// moment ago has it again, whatever has come meanwhile.
    pub fn serve_plain(&self) -> Result<(), Refusal> {
        let mut seats = lock(&self.seating.seats);
        let own = seats.own(self.id).ok_or(Refusal::Evicted)?;
        let (had_place, client) = (
            own.stage.is_plain() || own.stage == Stage::Leaving,
            own.client,
        );
        if !had_place {
            self.seating.plain.check(&seats, client)?;
        }
        if let Some(own) = seats.own(self.id) {
            own.stage = Stage::Plain;
        }
        seats.pass_on(self.seating.max_handshakes);
        Ok(())
    }

    /// It is among the plain requests.
    pub fn is_served(&self) -> bool {
        let mut seats = lock(&self.seating.seats);
        seats.own(self.id).is_some_and(|own| own.stage.is_plain())
    }

    pub fn has_given_way(&self) -> bool {
        lock(&self.seating.seats).own(self.id).is_none()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = lock(&self.seating.seats);
        let index = seats.seated.iter().position(|it| it.id == self.id);
        let own = index.and_then(|index| seats.seated.remove(index));
        seats.held -= 1;
        seats.pass_on(self.seating.max_handshakes);
        self.seating.serve_queued(seats);
        // Its stream may be the user's.
        drop(own);
    }
}
