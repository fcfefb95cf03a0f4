//! Reads and writes over a stream of the user's own, in either role: a signal ends none of them, and between them they
//! look at a deadline.

use std::io::{self, Read, Write};
use std::time::Instant;

use crate::connection::read_buffer::ReadBuffer;
use crate::patience::Patience;

/// One read of the handshake, unless its time has passed.
pub(crate) fn fill(
    stream: &mut impl Read,
    buffer: &mut ReadBuffer,
    deadline: Instant,
) -> io::Result<usize> {
    loop {
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match buffer.fill(|room| stream.read(room)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Writes all of the handshake's bytes, as patiently as is said. That is looked at between writes.
pub(crate) fn write_all(
    stream: &mut impl Write,
    mut bytes: &[u8],
    mut patience: Patience,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                patience.progressed(written, Instant::now());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if Instant::now() > patience.deadline() && !bytes.is_empty() {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    flush(stream, Some(patience.deadline()))
}

/// A signal does not end it, but for one after the deadline.
pub(crate) fn flush(stream: &mut impl Write, deadline: Option<Instant>) -> io::Result<()> {
    loop {
        match stream.flush() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
        if deadline.is_some_and(|deadline| deadline < Instant::now()) {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}
