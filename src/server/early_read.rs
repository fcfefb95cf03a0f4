//! Reads of a stream before it is a connection: once one has to wait for the peer, the stream may have to give way.

use std::io;
use std::time::Instant;

use super::admission::{Seat, Stage};
use crate::patience::Patience;
use crate::transport::{self, Transport};

/// Reads as patiently as is said. Where the process stood still meanwhile, the peer has its time once more.
pub(crate) fn read(
    seat: &Seat,
    transport: &dyn Transport,
    room: &mut [u8],
    patience: &mut Patience,
) -> io::Result<usize> {
    loop {
        let read = read_once(seat, transport, room, patience.deadline());
        let renewed = patience.renew(transport.now());
        match read {
            Err(error) if renewed && error.kind() == io::ErrorKind::TimedOut => {}
            done => return done,
        }
    }
}

/// A stream of the user's own is not tried without waiting, because it may not know how.
fn read_once(
    seat: &Seat,
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
    seat.enter(Stage::Reading);
    transport::read(transport, room, Some(deadline))
}
