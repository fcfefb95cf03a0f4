//! The last bytes to a peer, and the end of the stream after them.

use std::io;
use std::time::{Duration, Instant};

use super::{How, Transport, read, read_now, would_wait};
use crate::clock;
use crate::http::Refusal;
use crate::http::refusal::RefusedRequest;

/// How long the peer may take to read our last bytes (RFC 9112 9.6).
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// The lingering close of RFC 9112 9.6: says that nothing more comes, then reads away what
/// the peer still sends, so that a reset does not overtake our last bytes.
pub(crate) fn linger(transport: &dyn Transport, deadline: Instant) {
    transport.shutdown(How::Write);
    read_away(transport, deadline);
}

/// Reads until the peer ends its direction, or until so much has come that the peer will not stop.
pub(crate) fn read_away(transport: &dyn Transport, deadline: Instant) {
    TrailingBytes::default().read_by(|room| read(transport, room, Some(deadline)));
}

/// At most so much is read away of a peer that sends on after the end.
const MOST_READ_AWAY: usize = 64 << 10;

/// What a peer sends after our last bytes: read away, so that no reset overtakes them.
#[derive(Default)]
pub(crate) struct TrailingBytes {
    seen: usize,
    /// The peer's last byte was read.
    pub is_through: bool,
}

impl TrailingBytes {
    /// Reads away what is there, without waiting; false if nothing more is to be read.
    pub fn read_away(&mut self, transport: &dyn Transport) -> bool {
        self.read_by(|room| read_now(transport, room))
    }

    fn read_by(&mut self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> bool {
        let mut room = [0; 1024];
        while self.seen < MOST_READ_AWAY && !self.is_through {
            match read(&mut room) {
                Ok(read) => {
                    self.seen += read.min(room.len());
                    self.is_through = read == 0;
                }
                Err(error) => return would_wait(&error),
            }
        }
        false
    }
}

/// Writes a complete answer with `write`, if there is one, and lingers, so that the peer can read it. `log` is called
/// when the peer has all of it.
pub(crate) fn answer_refusal(
    transport: &dyn Transport,
    refused: &RefusedRequest,
    write: impl FnOnce(&[u8]) -> io::Result<()>,
    log: impl FnOnce(),
) {
    let RefusedRequest { refusal, head_only } = refused;
    let answer = refusal.encode(*head_only, clock::date());
    let answered = !answer.is_empty() && write(&answer).is_ok();
    transport.shutdown(if answered { How::Write } else { How::Both });
    log();
    // A handshake that gives way does so at once: a newer one waits for its thread.
    if answered && !matches!(refusal, Refusal::Evicted) {
        read_away(transport, transport.now() + LINGER);
    }
}
