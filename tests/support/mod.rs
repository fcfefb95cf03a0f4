//! A WebSocket client for tests: blocking, with a fixed mask, over TCP or the in-memory duplex.
#![allow(dead_code, unused_imports, unused_macros)] // Each test binary uses its part.

pub mod app;
pub mod child;
#[cfg(feature = "redis")]
pub mod cluster;
pub mod contract;
mod delegated;
pub mod directory;
#[cfg(unix)]
pub mod example;
pub mod faulty;
pub mod hostile;
pub mod refusal;
pub mod scripted;
pub mod sealed;
pub mod serving;
#[cfg(all(feature = "socketio", feature = "redis"))]
pub mod sides;
#[cfg(feature = "socketio")]
pub mod socketio;
#[cfg(feature = "tls")]
pub mod tls;
pub mod ugly;

pub(crate) use delegated::delegated;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt;
#[cfg(unix)]
use rustix::process::{Resource, getrlimit, setrlimit};
use wshub::testing::Duplex;
use wshub::{Event, Events, RecvError, ServerHandle};

/// Longer than anything here may take: a test that meets it has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// What std calls a read timeout of a socket that has passed.
pub const READ_TIMEOUT: io::ErrorKind = match cfg!(windows) {
    true => io::ErrorKind::TimedOut,
    false => io::ErrorKind::WouldBlock,
};
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as it came.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    /// With the reserved bits in front.
    pub opcode: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn text(&self) -> &str {
        assert_eq!(self.opcode, 1, "a text frame, not {self:?}");
        std::str::from_utf8(&self.payload).expect("text is UTF-8")
    }

    /// Code and reason of a Close frame.
    pub fn close(&self) -> (u16, &str) {
        assert_eq!(self.opcode, 8, "a Close frame, not {self:?}");
        match &self.payload[..] {
            [] => (1005, ""),
            [high, low, reason @ ..] => (
                u16::from_be_bytes([*high, *low]),
                std::str::from_utf8(reason).unwrap(),
            ),
            short => panic!("a Close payload of {} byte", short.len()),
        }
    }
}

/// Panics as a user's code may: without a word on standard error, and with a value that panics when it is dropped.
pub fn throw() -> ! {
    std::panic::resume_unwind(Box::new(Thorny))
}

/// Panics when it is dropped, as a user's value may.
pub struct Thorny;

impl Drop for Thorny {
    fn drop(&mut self) {
        // Not while the thread unwinds for another reason: that would end the process.
        if !std::thread::panicking() {
            throw();
        }
    }
}

/// Does that when it is dropped, on every way out: another thread of the test waits for it.
pub struct AtEnd<F: Fn()>(pub F);

impl<F: Fn()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

pub struct Client<S = TcpStream> {
    pub stream: S,
    /// The head of the server's answer.
    pub answer: String,
}

/// The request that opens a WebSocket, with further header lines (each ended by CRLF).
pub fn upgrade(host: &str, path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
    )
}

/// Sends bytes to `addr` and returns all that comes back until the server closes.
pub fn exchange(addr: SocketAddr, request: impl AsRef<[u8]>) -> String {
    let mut stream = dial(addr);
    stream.write_all(request.as_ref()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

/// A listener whose `accept` waits for [`PATIENCE`] at most, where the system keeps to it: Linux does.
pub fn listen() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    sockopt::set_socket_timeout(&listener, sockopt::Timeout::Recv, Some(PATIENCE)).unwrap();
    listener
}

pub fn dial(addr: impl ToSocketAddrs) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The two ends of a connection in memory. The second one, the peer's, waits for [`PATIENCE`] at most.
pub fn duplex() -> (Duplex, Duplex) {
    let (ours, mut theirs) = wshub::testing::duplex();
    theirs.set_timeout(Some(PATIENCE));
    (ours, theirs)
}

/// The peer of a connection for which the system holds little.
pub fn narrow(handle: &ServerHandle) -> TcpStream {
    const BUFFER: usize = 32 << 10;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = dial(listener.local_addr().unwrap());
    sockopt::set_socket_recv_buffer_size(&peer, BUFFER).unwrap();
    let stream = listener.accept().unwrap().0;
    sockopt::set_socket_send_buffer_size(&stream, BUFFER).unwrap();
    handle.attach(stream);
    peer
}

impl Client {
    pub fn connect(addr: SocketAddr) -> Client {
        Client::open(dial(addr), &upgrade(&addr.to_string(), "/", ""))
    }

    pub fn connect_with(addr: SocketAddr, path: &str, headers: &str) -> Client {
        Client::open(dial(addr), &upgrade(&addr.to_string(), path, headers))
    }
}

impl<S: Read + Write> Client<S> {
    /// Opens a WebSocket; panics unless the answer is 101.
    pub fn open(mut stream: S, request: &str) -> Client<S> {
        stream.write_all(request.as_bytes()).unwrap();
        Client::adopt(stream)
    }

    /// Over a stream on which the request is sent already.
    pub fn adopt(mut stream: S) -> Client<S> {
        let answer = read_head(&mut stream).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        Client { stream, answer }
    }

    pub fn send_text(&mut self, text: &str) {
        self.send(true, 1, text.as_bytes());
    }

    pub fn send_binary(&mut self, bytes: &[u8]) {
        self.send(true, 2, bytes);
    }

    pub fn send_close(&mut self, code: u16, reason: &str) {
        let payload: Vec<u8> = code
            .to_be_bytes()
            .into_iter()
            .chain(reason.bytes())
            .collect();
        self.send(true, 8, &payload);
    }

    pub fn send(&mut self, fin: bool, opcode: u8, payload: &[u8]) {
        self.try_send(fin, opcode, payload).unwrap();
    }

    pub fn try_send(&mut self, fin: bool, opcode: u8, payload: &[u8]) -> io::Result<()> {
        self.stream.write_all(&frame(fin, opcode, payload))
    }

    /// The next frame; panics when there is none.
    pub fn read(&mut self) -> Frame {
        self.try_read().expect("a frame")
    }

    pub fn try_read(&mut self) -> io::Result<Frame> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head)?;
        assert_eq!(head[1] & 0x80, 0, "a server's frames are not masked");
        let len = match head[1] {
            126 => self.read_number(2)?,
            127 => self.read_number(8)?,
            len => usize::from(len),
        };
        let mut payload = vec![0; len];
        self.stream.read_exact(&mut payload)?;
        Ok(Frame {
            fin: head[0] & 0x80 != 0,
            opcode: head[0] & 0x7f,
            payload,
        })
    }

    fn read_number(&mut self, bytes: usize) -> io::Result<usize> {
        let mut number = [0; 8];
        self.stream.read_exact(&mut number[8 - bytes..])?;
        Ok(u64::from_be_bytes(number) as usize)
    }

    /// The next frame that is neither ping nor pong.
    pub fn read_message(&mut self) -> Frame {
        loop {
            let frame = self.read();
            if !matches!(frame.opcode, 9 | 10) {
                return frame;
            }
        }
    }

    /// The next message, which is a text.
    pub fn read_text(&mut self) -> String {
        self.read_message().text().to_owned()
    }

    /// How long the next message is, however many frames it comes in.
    pub fn read_length(&mut self) -> usize {
        let mut length = 0;
        loop {
            let frame = self.read();
            length += frame.payload.len();
            if frame.fin {
                return length;
            }
        }
    }

    /// True when the server closed its side, with nothing more to read.
    pub fn at_end(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0))
    }
}

/// A client's frame, masked.
pub fn frame(fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![u8::from(fin) << 7 | opcode];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | len as u8),
        len @ 126..65536 => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}

/// A server's frame, not masked.
pub fn server_frame(fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame(fin, opcode, payload);
    bytes[1] &= 0x7f;
    let header = bytes.len() - payload.len();
    bytes.truncate(header - MASK.len());
    bytes.extend(payload);
    bytes
}

/// Reads up to the blank line, byte by byte: what follows are frames.
pub fn read_head(stream: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8(head).unwrap())
}

/// One answer of a connection that may stay: its head, and its body by its length.
pub fn read_answer(stream: &mut impl Read) -> (String, String) {
    let head = read_head(stream).expect("an answer");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

/// Sends a request over a connection that may stay; its answer as [`read_answer`] has it.
pub fn ask_on(stream: &mut TcpStream, request: &str) -> (String, String) {
    stream.write_all(request.as_bytes()).unwrap();
    read_answer(stream)
}

/// Sends bytes to `addr` and returns the head of the answer, and the connection.
pub fn ask(addr: SocketAddr, request: impl AsRef<[u8]>) -> (String, TcpStream) {
    let mut stream = dial(addr);
    stream.write_all(request.as_ref()).unwrap();
    let head = read_head(&mut stream).unwrap();
    (head, stream)
}

/// Reads until the peer's end of stream or reset.
pub fn read_to_close(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the peer did not close: {error}"),
    }
    bytes
}

/// Closes a connection with a reset.
pub fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}

/// A loopback address, where no other test listens or is given the port that one here has given up. Linux has many.
pub fn own_loopback() -> SocketAddr {
    static GIVEN: AtomicU8 = AtomicU8::new(0);
    let number = match cfg!(target_os = "linux") {
        true => GIVEN.fetch_add(1, Relaxed).wrapping_add(1),
        false => 0,
    };
    SocketAddr::from(([127, 0, number, 1], 0))
}

/// The events up to the end of the server; panics where none comes in time.
pub fn events_in_time(mut events: Events<'_>) -> impl Iterator<Item = Event> {
    std::iter::from_fn(move || {
        let end = Instant::now() + PATIENCE;
        let event = events.recv_timeout(PATIENCE);
        // It looks again when the time is over, and would find what it was not woken for.
        assert!(Instant::now() < end, "no event in time");
        match event {
            Err(RecvError::Ended) => None,
            event => Some(event.expect("an event")),
        }
    })
}

/// Waits for what no event announces.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// Threads and open descriptors of this process.
pub fn threads_and_descriptors() -> (usize, usize) {
    let count = |folder| std::fs::read_dir(folder).unwrap().count();
    // The listing of descriptors holds its own.
    (count("/proc/self/task"), count("/proc/self/fd") - 1)
}

/// Has this process open so many descriptors at once; many systems begin with fewer.
#[cfg(unix)]
pub fn allow_descriptors(count: usize) {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|soft| soft < count as u64) {
        limit.current = Some(count as u64);
        setrlimit(Resource::Nofile, limit).expect("the system allows it");
    }
}

/// Windows has no limit.
#[cfg(windows)]
pub fn allow_descriptors(_: usize) {}

/// CPU time that a process has used, to 10 ms.
pub fn cpu_time(process: impl std::fmt::Display) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The fields after the name, which may hold anything: utime and stime are the 14th and 15th.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2);
    Duration::from_millis(ticks.map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
}

/// Memory of a process that no file stands behind: its heap, and what was touched of its stacks.
pub fn own_memory(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<usize>().unwrap() << 10
}
