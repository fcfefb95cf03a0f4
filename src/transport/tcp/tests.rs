//! Reads at and after their deadline, and what a peer reads of a reset.

use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;

#[test]
fn behind_its_deadline_a_read_takes_what_is_there_and_waits_for_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let transport = TcpTransport::new(listener.accept().unwrap().0).unwrap();
    let passed = Some(Instant::now());
    let nothing = transport.read(&mut [0; 8], passed).unwrap_err();
    assert_eq!(nothing.kind(), io::ErrorKind::TimedOut);
    peer.write_all(b"there").unwrap();
    assert_eq!(transport.read(&mut [0; 1], None).unwrap(), 1);
    assert_eq!(transport.read(&mut [0; 8], passed).unwrap(), 4);
    drop(peer);
    transport.read(&mut [0; 1], None).unwrap();
    assert_eq!(transport.read(&mut [0; 8], passed).unwrap(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_peer_reads_the_reset_and_no_end_before_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let transport = TcpTransport::new(listener.accept().unwrap().0).unwrap();
    Transport::shutdown(&transport, How::Reset);
    // The socket is still open: somebody else may hold it.
    let read = Read::read(&mut peer, &mut [0; 8]);
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let own = transport.read(&mut [0; 8], None);
    assert!(matches!(own, Ok(0) | Err(_)), "{own:?}");
}
