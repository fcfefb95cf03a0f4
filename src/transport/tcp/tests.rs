//! Reads at and behind their deadline.

use super::*;
use std::io::Write;
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
