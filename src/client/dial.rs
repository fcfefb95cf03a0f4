//! A TCP connection to one of several addresses: each in turn, with its share of the time.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::transport::TcpTransport;

/// The first address that answers. What is left of the time is shared by those that are left, so
/// that one that swallows everything does not cost the others theirs.
pub(super) fn dial(
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<TcpTransport, Vec<(SocketAddr, io::Error)>> {
    let mut failures = Vec::new();
    for (left, &address) in (1..=addresses.len() as u32).rev().zip(addresses) {
        let time = deadline.saturating_duration_since(Instant::now()) / left;
        match dial_one(address, time) {
            Ok(stream) => return Ok(stream),
            Err(error) => failures.push((address, error)),
        }
    }
    Err(failures)
}

fn dial_one(address: SocketAddr, time: Duration) -> io::Result<TcpTransport> {
    if time.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let stream = TcpStream::connect_timeout(&address, time)?;
    // RFC 9293 section 3.5: where nobody listens on a port of this machine that is free, the stream
    // may get that very port and connect to itself, and then hold the port against its server.
    if stream.local_addr().ok() == Some(address) {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    TcpTransport::new(stream)
}

#[cfg(test)]
mod tests;
