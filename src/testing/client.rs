//! A blocking client for tests, over any stream: small, and in the open about every frame.

use std::fmt;
use std::io::{self, Read, Write};

use crate::handshake::answer::{AnswerHead, AnswerScanner};
use crate::handshake::negotiate;
use crate::http::head::HeadLimits;
use crate::message::Message;
use crate::protocol::Role;
use crate::protocol::close::{self, CloseCode};
use crate::protocol::frame::{Accepts, EncodedHeader, FrameHeader, MAX_HEADER};
use crate::protocol::mask;
use crate::protocol::opcode::Opcode;

/// The key of RFC 6455 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// Every frame is masked with this one, so that the same test sends the same bytes. Not for use
/// outside of tests: masks have to be unpredictable (RFC 6455 10.3).
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// Nothing but what RFC 6455 allows a server.
const ACCEPTS: Accepts = Accepts {
    role: Role::Client,
    non_minimal_lengths: false,
    compression: false,
};

/// A WebSocket client for tests, over a [`duplex`](super::duplex) or any other stream. Every call blocks as long as the
/// stream blocks.
///
/// It sends what it is told to, also wrong frames, with a fixed mask. It checks what it reads:
/// [`io::ErrorKind::InvalidData`] means that the server broke the protocol. For uses other than tests take
/// `WebSocket::client`, with the feature `client`.
///
/// ```
/// use wshub::{Event, Server, testing};
///
/// let server = Server::builder().without_listener()?;
/// let (ours, theirs) = testing::duplex();
/// server.attach(ours);
/// let mut client = testing::Client::open(theirs, "/room?name=ann")?;
/// client.send_text("hello")?;
///
/// let mut events = server.events();
/// while let Ok(event) = events.recv() {
///     if let Event::Message(connection, message) = event {
///         connection.send(message)?;
///         break;
///     }
/// }
/// drop(events);
/// assert_eq!(client.read_message()?, Some("hello".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [testing](crate::guide::testing).
pub struct Client<S> {
    stream: S,
    protocol: Option<String>,
}

/// A frame as it came from the server (RFC 6455 5.2).
///
/// ```
/// use wshub::{Server, testing};
///
/// let server = Server::builder().without_listener()?;
/// let (ours, theirs) = testing::duplex();
/// server.attach(ours);
/// let mut client = testing::Client::open(theirs, "/")?;
/// client.ping(b"still there?")?;
/// let pong = client.read_frame()?;
/// assert_eq!((pong.opcode, &pong.payload[..]), (0xA, &b"still there?"[..]));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [testing](crate::guide::testing).
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The last frame of its message, or its only one.
    pub fin: bool,
    /// 0 continuation, 1 text, 2 binary, 8 Close, 9 ping, 10 pong.
    pub opcode: u8,
    /// The payload; of a Close frame two bytes of code, then the reason.
    pub payload: Vec<u8>,
}

impl<S: Read + Write> Client<S> {
    /// Opens a WebSocket at `path`, query included, on host `localhost`.
    ///
    /// # Errors
    /// The stream's; or the server refused: then the text holds status and body of its answer.
    pub fn open(stream: S, path: &str) -> io::Result<Self> {
        Client::open_with(stream, path, &[])
    }

    /// As [`open`](Client::open), with further headers: `Cookie`, `Origin`,
    /// `Sec-WebSocket-Protocol`; or `Host`, in place of `localhost`. They are sent as they are.
    ///
    /// # Errors
    /// As [`open`](Client::open).
    pub fn open_with(mut stream: S, path: &str, headers: &[(&str, &str)]) -> io::Result<Self> {
        stream.write_all(request(path, headers).as_bytes())?;
        stream.flush()?;
        let answer = read_answer(&mut stream)?;
        let offered: Vec<String> = headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"))
            .flat_map(|(_, value)| value.split(',').map(|name| name.trim().to_owned()))
            .collect();
        let accept_key = negotiate::accept_key(KEY.as_bytes()).unwrap_or([0; 28]);
        let (protocol, _) = answer.check(&accept_key, &offered, None).map_err(invalid)?;
        Ok(Client { stream, protocol })
    }

    /// The subprotocol that the server chose, if any.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// The stream's, here and in all that sends.
    pub fn send_text(&mut self, text: &str) -> io::Result<()> {
        self.send_frame(true, 1, text.as_bytes())
    }

    /// Sends a binary message.
    ///
    /// # Errors
    /// The stream's.
    pub fn send_binary(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.send_frame(true, 2, bytes)
    }

    /// Sends one message in as many frames as there are parts; `opcode` is 1 for text, 2 for binary.
    ///
    /// # Errors
    /// The stream's.
    pub fn send_fragments(&mut self, opcode: u8, parts: &[&[u8]]) -> io::Result<()> {
        for (at, part) in parts.iter().enumerate() {
            let opcode = if at == 0 { opcode } else { 0 };
            self.send_frame(at + 1 == parts.len(), opcode, part)?;
        }
        Ok(())
    }

    /// Sends a ping; the pong comes from [`read_frame`](Client::read_frame).
    ///
    /// # Errors
    /// The stream's.
    pub fn ping(&mut self, payload: &[u8]) -> io::Result<()> {
        self.send_frame(true, 9, payload)
    }

    /// Sends any frame, masked; the low four bits of `opcode` are its opcode, the next three the
    /// reserved bits. For bytes that are no frame at all, write to [`stream`](Client::stream).
    ///
    /// # Errors
    /// The stream's.
    pub fn send_frame(&mut self, fin: bool, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let last = EncodedHeader::new(Opcode::Continuation, payload.len(), Some(MASK));
        let header = if fin { last } else { last.continued() };
        let mut frame = header.as_slice().to_vec();
        if let Some(first) = frame.first_mut() {
            *first |= opcode & 0x7f;
        }
        let start = frame.len();
        frame.extend_from_slice(payload);
        mask::apply(frame.get_mut(start..).unwrap_or_default(), MASK, 0);
        self.stream.write_all(&frame)?;
        self.stream.flush()
    }

    /// The next frame, of any kind.
    ///
    /// # Errors
    /// The stream's; [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the server has closed it.
    pub fn read_frame(&mut self) -> io::Result<Frame> {
        let mut bytes = [0; MAX_HEADER];
        let mut size = 0;
        let header = loop {
            let byte = bytes.get_mut(size).ok_or(io::ErrorKind::InvalidData)?;
            self.stream.read_exact(std::slice::from_mut(byte))?;
            size += 1;
            let seen = bytes.get(..size).unwrap_or_default();
            if let Some((header, _)) = FrameHeader::parse(seen, ACCEPTS).map_err(invalid)? {
                break header;
            }
        };
        let mut payload = Vec::new();
        (&mut self.stream)
            .take(header.len)
            .read_to_end(&mut payload)?;
        if payload.len() as u64 != header.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Frame {
            fin: header.fin,
            opcode: header.opcode.bits(),
            payload,
        })
    }

    /// The next message, its fragments joined, pings answered on the way; `None` when a Close frame came.
    ///
    /// # Errors
    /// As [`read_frame`](Client::read_frame).
    pub fn read_message(&mut self) -> io::Result<Option<Message>> {
        let (mut joined, mut text) = (Vec::new(), false);
        loop {
            let mut frame = self.read_frame()?;
            match frame.opcode {
                8 => return Ok(None),
                9 => self.send_frame(true, 10, &frame.payload)?,
                10 => {}
                opcode => {
                    text = opcode == 1 || (opcode == 0 && text);
                    joined.append(&mut frame.payload);
                    if frame.fin {
                        return message(text, joined).map(Some);
                    }
                }
            }
        }
    }

    /// Closes in order: sends a Close frame, and reads up to the server's, which is returned.
    ///
    /// # Errors
    /// As [`read_frame`](Client::read_frame).
    pub fn close(
        &mut self,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> io::Result<(CloseCode, String)> {
        let mut payload = u16::from(code.into()).to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        self.send_frame(true, 8, &payload)?;
        loop {
            let frame = self.read_frame()?;
            if frame.opcode == 8 {
                return frame.close();
            }
        }
    }
}

impl<S> Client<S> {
    /// The stream, to set its timeouts, or to write bytes that are no frame.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream. The client has read nothing beyond the last frame.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl Frame {
    /// Code and reason of a Close frame; 1005 where it carries none.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] for another frame, or a payload that no Close may have.
    pub fn close(&self) -> io::Result<(CloseCode, String)> {
        if self.opcode != 8 {
            return Err(invalid(format!("{self:?} is not a Close frame")));
        }
        let (code, reason) = close::parse(&self.payload).map_err(invalid)?;
        Ok((code.unwrap_or(CloseCode::NO_STATUS), reason.to_owned()))
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.payload.get(..32).unwrap_or(&self.payload);
        write!(
            f,
            "Frame(fin {}, opcode {}, {} bytes, {:?})",
            self.fin,
            self.opcode,
            self.payload.len(),
            String::from_utf8_lossy(shown)
        )
    }
}

impl<S> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

fn request(path: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!(
        "GET {path} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
    );
    let names_host = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"));
    let host = (!names_host).then_some(("Host", "localhost"));
    for (name, value) in host.iter().chain(headers) {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head + "\r\n"
}

/// Reads byte by byte up to the blank line, for what follows are frames; of a refusal the body too.
fn read_answer(stream: &mut impl Read) -> io::Result<AnswerHead> {
    let mut scanner = AnswerScanner::new(HeadLimits::default());
    let mut head = Vec::new();
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
        if scanner.scan(&head).map_err(invalid)?.is_some() {
            break;
        }
    }
    let answer = AnswerHead::parse(&head).map_err(invalid)?;
    if answer.status == 101 {
        return Ok(answer);
    }
    let mut text = head;
    // wshub's refusals say how long they are, and close; the text so far is worth showing anyway.
    let _ = stream.take(4096).read_to_end(&mut text);
    Err(io::Error::new(
        io::ErrorKind::ConnectionRefused,
        String::from_utf8_lossy(&text).into_owned(),
    ))
}

fn message(text: bool, payload: Vec<u8>) -> io::Result<Message> {
    match text {
        true => String::from_utf8(payload).map(Into::into).map_err(invalid),
        false => Ok(payload.into()),
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
