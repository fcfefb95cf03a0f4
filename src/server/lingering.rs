//! A stream whose connection has ended, and whose peer may still read our last bytes: what it sends is read away first,
//! so that no reset overtakes them.

use std::io;
use std::sync::Arc;

use super::places::{Place, Places};
use crate::connection::end::StreamEnd;
use crate::transport::{self, How, LINGER, Transport};

pub(crate) struct LingeringClose {
    transport: Arc<dyn Transport>,
    stream_end: StreamEnd,
    place: Option<Place>,
    /// The peer's last byte was read after ours.
    is_through: bool,
}

/// What came of one read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReadAway {
    /// So many bytes, and there may be more.
    Came(usize),
    /// No more for now.
    Nothing,
    /// The stream has ended.
    End,
}

impl LingeringClose {
    pub fn new(transport: Arc<dyn Transport>, stream_end: StreamEnd) -> Self {
        LingeringClose {
            transport,
            stream_end,
            place: None,
            is_through: false,
        }
    }

    /// Reads away what the peer still sends, and ends the stream; at once where so many threads linger that new
    /// connections would miss them.
    pub fn linger(mut self, places: &Arc<Places>) {
        if self.begin(places) {
            transport::linger(&*self.transport, self.transport.now() + LINGER);
        }
        self.end();
    }

    /// As [`linger`](LingeringClose::linger), where no thread waits: true if what comes is to be
    /// [read away](LingeringClose::read_away).
    pub fn begin(&mut self, places: &Arc<Places>) -> bool {
        self.place = match self.stream_end {
            StreamEnd::Linger => places.take(),
            StreamEnd::Cut | StreamEnd::Reset => None,
        };
        self.place.is_some()
    }

    /// Reads away what is there.
    pub fn read_away(&mut self, room: &mut [u8]) -> ReadAway {
        match self.transport.try_read(room) {
            Ok(0) => {
                self.is_through = true;
                ReadAway::End
            }
            Ok(read) => ReadAway::Came(read),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => ReadAway::Nothing,
                // Over TLS a record may come in more reads than are made at once.
                io::ErrorKind::Interrupted => ReadAway::Came(0),
                _ => ReadAway::End,
            },
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

#[cfg(test)]
mod tests;
