//! Addresses that refuse, swallow everything or lead back to the caller.

use super::*;
use rustix::net::{AddressFamily, SocketType};
use std::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(20);

/// An address that answers no SYN: its queue is full. With what keeps it so.
fn silent() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queued.push(stream);
    }
    (address, listener, queued)
}

/// An address that refuses, as long as its socket is kept: nobody listens there, and nobody else gets the port.
fn refusing() -> (SocketAddr, TcpListener) {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let socket = TcpListener::from(socket);
    (socket.local_addr().unwrap(), socket)
}

#[test]
fn one_that_swallows_everything_leaves_the_others_their_time() {
    let (silent, _listener, _queued) = silent();
    let (refusing, _socket) = refusing();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let deadline = Instant::now() + Duration::from_secs(3);
    let stream = tcp(&[silent, refusing, address], deadline).unwrap();
    assert_eq!(stream.peer_addr(), Some(address));
    assert!(Instant::now() < deadline);
}

#[test]
fn each_failure_is_told() {
    let (silent, _listener, _queued) = silent();
    let (refusing, _socket) = refusing();
    let begun = Instant::now();
    let failures = tcp(&[refusing, silent], begun + Duration::from_secs(1));
    let failures = failures.err().unwrap();
    let kinds: Vec<_> = failures
        .iter()
        .map(|(addr, error)| (*addr, error.kind()))
        .collect();
    assert_eq!(
        kinds,
        [
            (refusing, io::ErrorKind::ConnectionRefused),
            (silent, io::ErrorKind::TimedOut)
        ]
    );
    assert!(begun.elapsed() < PATIENCE);
    // When the time is over, nothing more is tried.
    let failures = tcp(&[refusing], begun).err().unwrap();
    assert_eq!(failures[0].1.kind(), io::ErrorKind::TimedOut);
}

/// A port from which the system lets streams begin: within some ten thousand tries it picks the very one that is
/// asked for.
#[test]
fn a_stream_that_would_lead_to_itself_is_refused() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let address = stream.local_addr().unwrap();
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop((stream, server));
    let end = Instant::now() + PATIENCE;
    for _ in (0..100_000).take_while(|_| Instant::now() < end) {
        assert!(dial_one(address, Duration::from_secs(1)).is_err());
    }
}
