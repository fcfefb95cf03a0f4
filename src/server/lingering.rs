//! A stream whose connection has ended, and whose peer may still read our last bytes: what it sends is read away first,
//! so that no reset overtakes them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::hub::Hub;
use crate::connection::end::Parting;
use crate::stats::Counters;
use crate::transport::{self, How, LINGER, Transport};

pub(crate) struct LingeringClose {
    transport: Arc<dyn Transport>,
    parting: Parting,
    place: Option<LingeringPlace>,
    /// The peer's last byte was read behind ours.
    is_through: bool,
}

impl LingeringClose {
    pub fn new(transport: Arc<dyn Transport>, parting: Parting) -> Self {
        LingeringClose {
            transport,
            parting,
            place: None,
            is_through: false,
        }
    }

    /// Reads away what the peer still sends, and ends the stream; at once where so many threads linger that new
    /// connections would miss them.
    pub fn linger(mut self, hub: &Hub) {
        if self.begin(hub) {
            transport::linger(&*self.transport, self.transport.now() + LINGER);
        }
        self.end();
    }

    /// As [`linger`](LingeringClose::linger), where no thread waits: true if what comes is to be
    /// [read away](LingeringClose::read_away).
    pub fn begin(&mut self, hub: &Hub) -> bool {
        self.place = match self.parting {
            Parting::Linger => LingeringPlace::take(hub),
            Parting::Cut | Parting::Reset => None,
        };
        self.place.is_some()
    }

    /// Bytes that were there and were read away; `None` at the end of the stream.
    pub fn read_away(&mut self, room: &mut [u8]) -> Option<usize> {
        match self.transport.try_read(room) {
            Ok(0) => {
                self.is_through = true;
                None
            }
            Ok(read) => Some(read),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(0),
            Err(_) => None,
        }
    }

    /// Lets the stream go.
    pub fn end(self) {
        drop(self.place);
        // A socket whose two directions have ended needs no system call more. A user's stream may wait for its word.
        if !(self.is_through && self.transport.never_calls_back()) {
            self.transport.shutdown(How::Both);
        }
    }
}

/// A place among the connections that linger, bounded by [`Limits::max_handshakes`](crate::Limits::max_handshakes).
struct LingeringPlace(Arc<Counters>);

impl LingeringPlace {
    fn take(hub: &Hub) -> Option<Self> {
        let (counters, max) = (&hub.counters, hub.options.limits.max_handshakes);
        let place = |count| (count < max).then_some(count + 1);
        let taken = counters.lingering.fetch_update(Relaxed, Relaxed, place);
        taken.is_ok().then(|| LingeringPlace(counters.clone()))
    }
}

impl Drop for LingeringPlace {
    fn drop(&mut self) {
        self.0.lingering.fetch_sub(1, Relaxed);
    }
}
