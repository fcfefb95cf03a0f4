//! A connection's stream in a model, and what its peer saw.

use std::check::choose;
use std::io::{self, IoSlice};
use std::kernel::Stream;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use crate::transport::{How, Source, Transport, Waker};

/// The server's end; the peer's is a clone.
#[derive(Clone)]
pub struct Line(pub Arc<Stream>, Watch, Whose);

/// Who says that there is something to read, or room to write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    System,
    Itself,
}

/// Who made the stream: one of the user's own is not written to under a lock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ours,
    Users,
}

impl Line {
    /// Takes `room` bytes until the peer reads. With a source or without one, and a user's own or not, as the schedule says.
    pub fn new(room: usize) -> Self {
        match choose(2) {
            0 => Line::without_source(room),
            _ => Line::with_source(room),
        }
    }

    pub fn with_source(room: usize) -> Self {
        Line::watched_by(Watch::System, room)
    }

    pub fn without_source(room: usize) -> Self {
        Line::watched_by(Watch::Itself, room)
    }

    fn watched_by(watch: Watch, room: usize) -> Self {
        let whose = match choose(2) {
            0 => Whose::Ours,
            _ => Whose::Users,
        };
        Line(Arc::new(Stream::new(room)), watch, whose)
    }

    /// What the peer saw so far, frame by frame.
    pub fn frames(&self) -> Vec<Seen> {
        frames(&self.0.written())
    }

    pub fn texts(&self) -> Vec<String> {
        let texts = self.frames().into_iter().filter_map(|seen| match seen {
            Seen::Text(text) => Some(text),
            _ => None,
        });
        texts.collect()
    }

    /// Close frames, and that nothing stands behind one.
    pub fn closes(&self) -> usize {
        let frames = self.frames();
        let closes = frames.iter().filter(|seen| matches!(seen, Seen::Close(_)));
        let count = closes.count();
        if count > 0 {
            assert!(
                matches!(frames.last(), Some(Seen::Close(_))),
                "a frame behind the Close: {frames:?}"
            );
        }
        count
    }
}

impl Transport for Line {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        self.0.read(buffer, deadline)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write(buffers)
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        self.0.wait_writable(deadline)
    }

    fn wake_when_writable(&self, waker: &Waker) {
        let waker = waker.clone();
        self.0.when_writable(move || waker.wake());
    }

    fn source(&self) -> Option<Source<'_>> {
        (self.1 == Watch::System).then(|| self.0.as_fd().into())
    }

    fn shutdown(&self, how: How) {
        let (how, reset) = match how {
            How::Read => (Shutdown::Read, false),
            How::Write => (Shutdown::Write, false),
            How::Both => (Shutdown::Both, false),
            How::Reset => (Shutdown::Both, true),
        };
        self.0.shutdown(how, reset);
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn never_calls_back(&self) -> bool {
        self.2 == Whose::Ours
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Close(u16),
    Ping,
    Pong(Vec<u8>),
    /// The rest, a frame that never became whole.
    Part,
}

/// The frames of a server; their payloads are short.
pub fn frames(mut bytes: &[u8]) -> Vec<Seen> {
    let mut seen = Vec::new();
    while let [first, len, rest @ ..] = bytes {
        assert_eq!(first & 0xf0, 0x80, "no frame begins here: {bytes:?}");
        let len = usize::from(*len);
        assert!(len < 126, "no short frame: {bytes:?}");
        let Some((payload, behind)) = rest.split_at_checked(len) else {
            break;
        };
        seen.push(match first & 0x0f {
            1 => Seen::Text(String::from_utf8(payload.to_vec()).expect("text")),
            8 => Seen::Close(u16::from_be_bytes([payload[0], payload[1]])),
            9 => Seen::Ping,
            10 => Seen::Pong(payload.to_vec()),
            other => panic!("opcode {other}"),
        });
        bytes = behind;
    }
    if !bytes.is_empty() {
        seen.push(Seen::Part);
    }
    seen
}

/// Asserts that each sender's texts (`a1`, `a2`, ... and `b1`, ...) are in order.
pub fn assert_in_order(texts: &[String]) {
    for sender in ["a", "b", "c"] {
        let numbers = texts.iter().filter_map(|text| text.strip_prefix(sender));
        let numbers: Vec<u32> = numbers
            .map(|number| number.parse().expect("number"))
            .collect();
        assert!(
            numbers.windows(2).all(|pair| pair[0] < pair[1]),
            "out of order: {texts:?}"
        );
    }
}
