//! Servers and proxies that do to a client what they should not, and a proxy that does what it should.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{PATIENCE, dial, listen, read_head};

/// The answer that opens a WebSocket; `{accept}` is replaced by what belongs there.
pub const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                             Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n";

/// A peer that sees one connection.
pub struct Peer<T = ()> {
    pub addr: SocketAddr,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Peer<T> {
    pub fn new(behave: impl FnOnce(TcpStream) -> T + Send + 'static) -> Peer<T> {
        let listener = listen();
        let addr = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.set_write_timeout(Some(PATIENCE)).unwrap();
            behave(stream)
        });
        Peer { addr, thread }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/", self.addr)
    }

    /// What it has seen, when it has ended.
    pub fn end(self) -> T {
        self.thread.join().unwrap()
    }
}

/// Reads a request and answers it so, `{accept}` replaced; then reads to the client's end and returns what came.
pub fn answer(mut stream: TcpStream, answer: impl AsRef<[u8]>) -> Vec<u8> {
    open(&mut stream, answer);
    rest(stream)
}

/// Reads a request and answers it so, `{accept}` replaced.
pub fn open(stream: &mut TcpStream, answer: impl AsRef<[u8]>) -> String {
    let request = read_head(stream).unwrap_or_default();
    let answer = answer.as_ref();
    let at = answer.windows(8).position(|part| part == b"{accept}");
    let answer = match at {
        None => answer.to_vec(),
        Some(at) => {
            // A proxy is shown none.
            let key = header(&request, "Sec-WebSocket-Key").unwrap_or_default();
            [&answer[..at], accept_of(key).as_bytes(), &answer[at + 8..]].concat()
        }
    };
    // One that is left in the middle has seen enough.
    let _ = stream.write_all(&answer);
    request
}

/// What comes until the client ends the stream, in order or not.
pub fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

/// Says nothing until the client ends the stream.
pub fn silence(stream: TcpStream) {
    rest(stream);
}

/// Reads a request and resets the connection. A reset before the request can fail the client's connect itself.
pub fn reset(mut stream: TcpStream) {
    read_head(&mut stream).unwrap();
    super::reset(stream);
}

/// Writes the same again and again, with a pause between, until the client ends the stream.
pub fn drip(mut stream: TcpStream, first: &str, again: &str, pause: Duration) {
    let mut sent = stream.write_all(first.as_bytes());
    while sent.is_ok() {
        thread::park_timeout(pause);
        sent = stream.write_all(again.as_bytes());
    }
}

pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find_map(|(sent, value)| (sent == name).then_some(value))
}

/// RFC 6455 4.2.2.
pub fn accept_of(key: &str) -> String {
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let mut accept = [0; 28];
    STANDARD
        .encode_slice(hash.digest().bytes(), &mut accept)
        .unwrap();
    String::from_utf8(accept.to_vec()).unwrap()
}

/// An HTTP proxy that lets one client through; returns the head of its request.
pub fn proxy(answer: &'static str) -> Peer<String> {
    Peer::new(move |mut client| {
        let head = read_head(&mut client).unwrap();
        let target = head.split(' ').nth(1).unwrap();
        let server = dial(target);
        client.write_all(answer.as_bytes()).unwrap();
        let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let back = thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut client, &mut &server);
        let _ = server.shutdown(Shutdown::Write);
        back.join().unwrap();
        head
    })
}
