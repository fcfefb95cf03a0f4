//! A client that is refused without waiting reads its answer, and then the end.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::*;
use crate::transport::TcpTransport;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn h26_a_request_that_is_there_makes_no_reset_of_a_refusal_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    theirs.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    theirs.write_all(request).unwrap();
    let ours = listener.accept().unwrap().0;
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    ours.peek(&mut [0]).unwrap();
    let ours = TcpTransport::new(ours).unwrap();
    Refuser::default().unread(&ours, &ListenerSettings::default(), Refusal::Full);
    drop(ours);
    let mut answer = String::new();
    theirs.read_to_string(&mut answer).expect("no reset");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    // Linux shows a reset after the answer only here.
    assert!(theirs.take_error().unwrap().is_none());
}
