//! A message that is read while it arrives.

use std::fmt;
use std::io::{self, Read};

use crate::error::Error;
use crate::message::Message;
use crate::protocol::receive::MessagePart;

/// Where the parts of one message come from.
pub(crate) trait PartSource {
    /// Blocks until the next part is there, and appends it; true if it is the last.
    ///
    /// # Errors
    /// The connection ended, or had to be given up.
    fn next_part(&mut self, bytes: &mut Vec<u8>) -> Result<bool, Error>;
}

/// One message while it arrives, made by `read_stream`: its bytes by [`Read`], in memory that does not grow with it.
///
/// Reading blocks as the connection's own `read` does. While it waits, pings are answered, a silent peer is given up
/// after the heartbeat's time, and a peer that sends more slowly than [`min_rate`](crate::Limits::min_rate) after
/// [`assembly_timeout`](crate::Limits::assembly_timeout). Time between two reads does not count against the peer; TCP
/// slows it down then. A text is checked as it arrives: a read gives whole characters.
///
/// If it is dropped before its end, the next read throws the rest away.
///
/// ```
/// use std::io::Read;
/// use wshub::{WebSocket, testing};
///
/// let (ours, theirs) = testing::duplex();
/// let server = std::thread::spawn(move || {
///     let mut socket = WebSocket::accept(ours).unwrap();
///     let mut upload = socket.read_stream(1 << 30).unwrap().expect("a message");
///     let mut text = String::new();
///     upload.read_to_string(&mut text).unwrap();
///     text
/// });
/// testing::Client::open(theirs, "/upload")?.send_fragments(1, &[b"a long ", b"story"])?;
/// assert_eq!(server.join().unwrap(), "a long story");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Of its reads: [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the connection ended before the message did, also
/// by a Close; [`InvalidData`](io::ErrorKind::InvalidData) when the peer broke the protocol or the bound on the
/// message, and [`TimedOut`](io::ErrorKind::TimedOut) when it was too slow. The [`Error`] is the cause
/// ([`io::Error::get_ref`]). Then the message is incomplete: do not use the part that came as if it were whole.
///
/// The guide: [slow peers and large data](crate::guide::slow_peers).
pub struct MessageStream<'a> {
    source: &'a mut dyn PartSource,
    is_text: bool,
    part: Vec<u8>,
    /// How much of it was read.
    at: usize,
    /// It is the last.
    is_last: bool,
}

impl<'a> MessageStream<'a> {
    /// `first`: its first part; `is_last`: its only one.
    pub(crate) fn new(source: &'a mut dyn PartSource, begun: FirstPart) -> Self {
        MessageStream {
            source,
            is_text: begun.is_text,
            part: begun.bytes,
            at: 0,
            is_last: begun.is_last,
        }
    }

    /// True for a text message.
    pub fn is_text(&self) -> bool {
        self.is_text
    }
}

/// The first part of a message.
pub(crate) struct FirstPart {
    pub is_text: bool,
    pub bytes: Vec<u8>,
    pub is_last: bool,
}

impl FirstPart {
    /// A message that has come already.
    pub fn whole(message: Message) -> Self {
        FirstPart {
            is_text: message.as_text().is_some(),
            bytes: message.into_bytes(),
            is_last: true,
        }
    }

    pub fn of(part: MessagePart<'_>) -> Self {
        FirstPart {
            is_text: part.text,
            bytes: part.bytes.to_vec(),
            is_last: part.last,
        }
    }
}

impl Read for MessageStream<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if room.is_empty() {
            return Ok(0);
        }
        while self.at == self.part.len() {
            if self.is_last {
                return Ok(0);
            }
            (self.at, self.is_last) = (0, false);
            self.part.clear();
            self.is_last = self.source.next_part(&mut self.part).map_err(as_io_error)?;
        }
        let mut rest = self.part.get(self.at..).unwrap_or_default();
        let read = rest.read(room)?;
        self.at += read;
        Ok(read)
    }
}

/// An error of the connection as one of a reader's.
fn as_io_error(error: Error) -> io::Error {
    let kind = match error {
        Error::Io(error) => return error,
        Error::Closed => io::ErrorKind::UnexpectedEof,
        Error::Protocol(_) => io::ErrorKind::InvalidData,
        Error::AssemblyTimeout | Error::PongTimeout | Error::SlowConsumer => {
            io::ErrorKind::TimedOut
        }
        Error::OutOfMemory => io::ErrorKind::OutOfMemory,
    };
    io::Error::new(kind, error)
}

impl fmt::Debug for MessageStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStream")
            .field("is_text", &self.is_text)
            .finish_non_exhaustive()
    }
}
