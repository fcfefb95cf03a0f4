//! Reads that wait for nothing, of a connection that holds no thread.

use std::io;

use crate::transport::{MOST_READ_AWAY, Transport, would_wait};

/// How much one read takes of what is read away.
const ROOM: usize = 1024;
/// How often what is read from may ask to be asked again: TLS does while records come that hold nothing.
pub(crate) const MOST_TRIES: usize = 1000;

/// Reads what is there. A stream that asks to be asked again for ever gives nothing.
pub(crate) fn read_now(transport: &dyn Transport, room: &mut [u8]) -> io::Result<usize> {
    for _ in 0..MOST_TRIES {
        match transport.try_read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// What a peer sends after the last answer: read away, so that no reset overtakes that answer.
#[derive(Default)]
pub(crate) struct TrailingBytes {
    bytes: usize,
}

impl TrailingBytes {
    /// Reads away what is there; false if nothing more is to be read.
    pub fn read_away(&mut self, transport: &dyn Transport) -> bool {
        let mut room = [0; ROOM];
        while self.bytes < MOST_READ_AWAY {
            match read_now(transport, &mut room) {
                Ok(0) => return false,
                Ok(read) => self.bytes += read.min(ROOM),
                Err(error) => return would_wait(&error),
            }
        }
        false
    }
}
