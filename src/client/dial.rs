//! A connection to one of several addresses, each in turn, with its share of the time; or to a Unix socket.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::error::ClientError;
use crate::transport::{TcpTransport, Transport};

/// The first address that answers. What is left of the time is shared by those that are left, so
/// that one that swallows everything does not cost the others theirs.
pub(crate) fn dial(
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

/// The Unix socket of a `ws+unix` URL: a path, or an abstract name after `@`.
pub(crate) fn dial_unix(socket: &str, time: Duration) -> Result<Box<dyn Transport>, ClientError> {
    connect_unix(socket, time).map_err(|error| ClientError::UnixSocket {
        socket: socket.to_owned(),
        error,
    })
}

#[cfg(unix)]
fn connect_unix(socket: &str, time: Duration) -> io::Result<Box<dyn Transport>> {
    let address = crate::transport::unix::UnixAddress::new(socket.as_ref());
    Ok(Box::new(address.connect(time)?))
}

#[cfg(not(unix))]
fn connect_unix(_: &str, _: Duration) -> io::Result<Box<dyn Transport>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests;
