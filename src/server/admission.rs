//! Places for what comes in: how many there may be of each kind, and how many there are.
//!
//! A stream has a [`seat`] before it is a connection; the list of them is [`seats`]. A handshake gives way to newer
//! ones while the server waits for its peer; then it waits in line for the `accept` hook. [`plain`] has the bounds of
//! plain requests, which do not give way, and are turned away when there are too many. A connection has one of the
//! [`slots`].

mod plain;
mod seat;
mod seats;
pub(crate) mod slots;

use std::sync::Arc;

use crate::http::Peer;
use crate::limits::Limits;
use crate::lock::lock;
use crate::transport::{How, Transport};
pub(crate) use seat::Seat;
use seat::{LINE, Seating};
pub(crate) use seats::{Stage, Wake};
use slots::Slots;

pub(crate) struct Admission {
    seating: Arc<Seating>,
    pub slots: Slots,
}

impl Admission {
    pub fn new(limits: &Limits) -> Self {
        Admission {
            seating: Seating::new(limits),
            slots: Slots::new(limits.max_connections, limits.max_per_address),
        }
    }

    /// The most threads for streams that are no open connections. There are up to `max_handshakes` each of those whose
    /// request is being read, that gave way and are leaving, that have ended and linger, and that the hook runs for;
    /// [`LINE`] times as many each of those that wait for the hook, and that have only begun; and plain requests.
    pub fn max_threads(limits: &Limits) -> usize {
        limits
            .max_handshakes
            .saturating_mul(4 + 2 * LINE)
            .saturating_add(limits.max_http_requests)
    }

    /// A seat for a handshake that begins. If as many have only begun as may wait for the hook, the oldest of them
    /// gives way.
    pub fn admit(&self, transport: &Arc<dyn Transport>) -> Seat {
        let mut seats = lock(&self.seating.seats);
        let most = self.seating.max_handshakes.saturating_mul(LINE);
        let late = match seats.count(|stage| stage == Stage::Begun) >= most {
            true => seats.take_out(|it| it.stage == Stage::Begun),
            false => None,
        };
        let seat = Seat::new(&self.seating, seats.add(transport, Stage::Begun));
        drop(seats);
        if let Some(late) = late {
            late.transport.shutdown(How::Read);
        }
        seat
    }

    /// True if no more handshakes may begin, or wait for their peers.
    pub fn is_crowded(&self) -> bool {
        let is_early = |stage| matches!(stage, Stage::Begun | Stage::Reading);
        lock(&self.seating.seats).count(is_early) >= self.seating.max_handshakes
    }

    /// A seat for an answer that needs a place among the plain requests, and waits for one if none is free. `on_served`
    /// is called when it has its place.
    pub fn queue(&self, transport: &Arc<dyn Transport>, client: Peer, on_served: Wake) -> Seat {
        let mut seats = lock(&self.seating.seats);
        let seat = Seat::new(&self.seating, seats.add(transport, Stage::Queued));
        if let Some(own) = seats.own(seat.id()) {
            own.client = client.counted_address();
            own.on_served = Some(on_served);
        }
        self.seating.serve_queued(seats);
        seat
    }

    /// The server shuts down: the `accept` hook is not called any more.
    pub fn close(&self) {
        let mut seats = lock(&self.seating.seats);
        seats.closed = true;
        for seated in &seats.seated {
            if let Some(turn) = &seated.turn {
                turn.notify_all();
            }
        }
    }

    /// Seats that are held by threads.
    pub fn held(&self) -> usize {
        let seats = lock(&self.seating.seats);
        seats.held - seats.count(|stage| stage == Stage::Queued)
    }

    /// Seats of this stage.
    pub fn count(&self, stage: Stage) -> usize {
        lock(&self.seating.seats).count(|it| it == stage)
    }

    /// The streams whose stage `which` picks.
    pub fn transports(&self, which: impl Fn(Stage) -> bool) -> Vec<Arc<dyn Transport>> {
        let seats = lock(&self.seating.seats);
        let those = seats.seated.iter().filter(|seated| which(seated.stage));
        those.map(|seated| seated.transport.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
