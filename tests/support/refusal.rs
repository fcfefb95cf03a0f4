//! Requests that are refused, and how: one complete answer, after which the server closes.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use super::{ask, dial, read_to_close, upgrade};

pub const KEY_LINE: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// An upgrade request with a line replaced.
pub fn but(line: &str, by: &str) -> String {
    let request = upgrade("localhost", "/", "");
    assert!(request.contains(line), "{line:?}");
    request.replace(line, by)
}

pub fn status(addr: SocketAddr, request: impl AsRef<[u8]>) -> u16 {
    status_of(&ask(addr, request).0)
}

pub fn status_of(answer: &str) -> u16 {
    let mut words = answer.split(' ');
    assert_eq!(words.next(), Some("HTTP/1.1"), "{answer}");
    words.next().unwrap().parse().unwrap()
}

/// What is answered to a request that is refused; checks that it is one complete answer, after which the server closes.
pub fn refusal(addr: SocketAddr, request: impl AsRef<[u8]>) -> String {
    let mut stream = dial(addr);
    stream.write_all(request.as_ref()).unwrap();
    refusal_on(&mut stream)
}

pub fn refusal_on(stream: &mut TcpStream) -> String {
    let answer = String::from_utf8(read_to_close(stream)).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    assert!(status_of(&answer) >= 300, "{answer}");
    assert!(head.contains("\r\nConnection: close"), "{answer}");
    let length = format!("\r\nContent-Length: {}", body.len());
    assert!(head.contains(&length), "{answer}");
    answer
}

pub fn assert_refused(addr: SocketAddr, request: impl AsRef<[u8]>, status: u16, lines: &[&str]) {
    let answer = refusal(addr, request.as_ref());
    let shown = String::from_utf8_lossy(request.as_ref()).into_owned();
    assert_eq!(status_of(&answer), status, "{shown}\n{answer}");
    for line in lines {
        assert!(answer.contains(&format!("\r\n{line}\r\n")), "{answer}");
    }
}
