//! Streams to where another program listens: to one of several addresses, each in turn, with its share of the time; or
//! to a Unix socket.

pub(crate) mod deadline;
pub(crate) mod lookup;

use std::ffi::OsStr;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

#[cfg(unix)]
use crate::transport::unix::UnixAddress;
use crate::transport::{TcpTransport, Transport};

/// The first address that answers. What is left of the time is shared by those that are left, so that one that swallows
/// everything does not cost the others theirs.
pub(crate) fn tcp(
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<TcpTransport, Vec<(SocketAddr, io::Error)>> {
    let mut failures = Vec::new();
    for (left, &address) in (1..=addresses.len() as u32).rev().zip(addresses) {
        let time = deadline.saturating_duration_since(Instant::now()) / left;
        match dial_one(address, time).and_then(TcpTransport::new) {
            Ok(stream) => return Ok(stream),
            Err(error) => failures.push((address, error)),
        }
    }
    Err(failures)
}

fn dial_one(address: SocketAddr, time: Duration) -> io::Result<TcpStream> {
    if time.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let stream = TcpStream::connect_timeout(&address, time)?;
    // RFC 9293 3.5: where nobody listens on a port of this machine that is free, the stream
    // may get that very port and connect to itself, and then hold the port against its server.
    if stream.local_addr().ok() == Some(address) {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// A Unix socket: a path, or an abstract name after `@`.
#[cfg(unix)]
pub(crate) fn unix(socket: &OsStr, time: Duration) -> io::Result<Box<dyn Transport>> {
    Ok(Box::new(UnixAddress::new(socket).connect(time)?))
}

#[cfg(not(unix))]
pub(crate) fn unix(_: &OsStr, _: Duration) -> io::Result<Box<dyn Transport>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests;
