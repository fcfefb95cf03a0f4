//! What each answer of the stream means for reading away.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use super::*;
use crate::lock::{Mutex, PLAYED, lock};
use crate::transport::inert;

/// A stream whose reads give these, one after the other.
struct Reads(Mutex<VecDeque<io::Result<usize>>, PLAYED>);

impl Transport for Reads {
    fn read(&self, _: &mut [u8], _: Option<Instant>) -> io::Result<usize> {
        lock(&self.0).pop_front().unwrap_or(Ok(0))
    }

    fn try_read(&self, room: &mut [u8]) -> io::Result<usize> {
        self.read(room, None)
    }

    inert! { try_write, wait_writable, wake_when_writable, shutdown, peer_addr }
}

/// A TLS stream says so after a few reads that completed no record: most of what it brings is still to come.
#[test]
fn a_stream_that_is_to_be_asked_again_has_not_ended() {
    let reads = [
        Err(io::ErrorKind::Interrupted.into()),
        Ok(3),
        Err(io::ErrorKind::WouldBlock.into()),
        Err(io::ErrorKind::ConnectionReset.into()),
        Ok(0),
    ];
    let stream = Arc::new(Reads(Mutex::new(reads.into())));
    let mut lingering = LingeringClose::new(stream, StreamEnd::Linger);
    let goes_on = [(); 3].map(|()| lingering.read_away());
    assert_eq!(goes_on, [true, false, false]);
}
