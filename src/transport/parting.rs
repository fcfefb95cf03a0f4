//! The last bytes to a peer, and the end of the stream after them.

use std::io;
use std::time::{Duration, Instant};

use super::{How, Transport, read};
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

/// At most so much is read away of a peer that sends on after the end.
pub(crate) const MOST_READ_AWAY: usize = 64 << 10;

/// Reads until the peer ends its direction, or until so much has come that the peer will not stop.
pub(crate) fn read_away(transport: &dyn Transport, deadline: Instant) {
    let mut buffer = vec![0; 1024];
    let mut seen = 0;
    while seen < MOST_READ_AWAY {
        match read(transport, &mut buffer, Some(deadline)) {
            Ok(0) | Err(_) => return,
            Ok(read) => seen += read.min(buffer.len()),
        }
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
