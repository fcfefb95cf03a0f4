//! The client's role: the opening handshake over a stream that leads to a server (RFC 6455 4.1).

use std::convert::Infallible;
use std::fmt;
use std::io::{self, Read, Write};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::accept::{fill, write_all};
use super::keys::{self, Keys};
use super::outgoing::Masking;
use super::{WebSocket, must_wait};
use crate::handshake::answer::{Answer, AnswerScanner};
use crate::handshake::response::reason_phrase;
use crate::handshake::{ClientRequest, InvalidAnswer, InvalidUrl, Refusal, Request, negotiate};
use crate::protocol::Role;
use crate::read_buffer::ReadBuffer;

/// How much of the body of an answer that is no 101 is read.
const MAX_BODY: usize = 1024;

/// Why a server gave no WebSocket; see [`WebSocket::client`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The URL cannot open a WebSocket; the text says how to write it.
    Url(InvalidUrl),
    /// The request cannot be sent: its headers are too long together. Remedy: fewer or shorter ones.
    Request(Refusal),
    /// The operating system gave no random bytes, and without them nothing may be sent (RFC 6455
    /// section 10.3). Remedy: on that machine; early in its boot, try again.
    Random(io::Error),
    /// The server did not answer in time: [`handshake_timeout`](crate::Limits::handshake_timeout)
    /// passed, or the stream's own timeout. Remedy: try again later, or raise these.
    Timeout,
    /// The server closed the stream before its answer was complete. It may be overloaded, speak
    /// another protocol, or expect TLS.
    ServerLeft,
    /// The stream failed.
    Io(io::Error),
    /// The server answered with another status than 101. Redirects are not followed.
    Status {
        /// The status: 401 asks for credentials, 403 may mean the Origin, 404 the path, 426 the
        /// version, 503 to try again later.
        status: u16,
        /// The `Location` header, as it came: where a redirect (3xx) leads.
        location: Option<String>,
        /// The beginning of the body, at most 1,024 bytes of it. It is the server's text: escape it
        /// where you show it.
        body: String,
    },
    /// The answer breaks the rules of the opening handshake, so that it cannot be trusted.
    Answer(InvalidAnswer),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Url(error) => error.fmt(f),
            ClientError::Request(refusal) => write!(f, "the request cannot be sent: {refusal}"),
            ClientError::Random(error) => {
                write!(f, "the operating system gave no random bytes: {error}")
            }
            ClientError::Timeout => {
                f.write_str("the server did not answer the opening handshake in time")
            }
            ClientError::ServerLeft => f.write_str(
                "the server closed the connection before its answer was complete; check that host \
                 and port are those of a WebSocket server, and ws:// or wss://",
            ),
            ClientError::Io(error) => write!(f, "the opening handshake failed: {error}"),
            ClientError::Status {
                status,
                location,
                body,
            } => write_status(f, *status, location.as_deref(), body),
            ClientError::Answer(error) => error.fmt(f),
        }
    }
}

/// The server's text is shown escaped and cut short.
fn write_status(
    f: &mut fmt::Formatter<'_>,
    status: u16,
    location: Option<&str>,
    body: &str,
) -> fmt::Result {
    use crate::handshake::refusal::excerpt;
    write!(f, "the server answered {status} {}", reason_phrase(status))?;
    if let Some(location) = location {
        let location = excerpt(location.as_bytes());
        write!(
            f,
            "; redirects are not followed, connect to \"{location}\" if you trust it"
        )?;
    }
    match body.trim() {
        "" => Ok(()),
        body => write!(f, ": {}", excerpt(body.as_bytes())),
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Url(error) => Some(error),
            ClientError::Request(refusal) => Some(refusal),
            ClientError::Random(error) | ClientError::Io(error) => Some(error),
            ClientError::Answer(error) => Some(error),
            ClientError::Timeout | ClientError::ServerLeft | ClientError::Status { .. } => None,
        }
    }
}

impl From<InvalidUrl> for ClientError {
    fn from(error: InvalidUrl) -> Self {
        ClientError::Url(error)
    }
}

impl From<InvalidAnswer> for ClientError {
    fn from(error: InvalidAnswer) -> Self {
        ClientError::Answer(error)
    }
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        match must_wait(&error) {
            true => ClientError::Timeout,
            false => ClientError::Io(error),
        }
    }
}

impl From<Infallible> for ClientError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl<S: Read + Write> WebSocket<S> {
    /// Opens a WebSocket as a client, over a stream that leads to the server: a connected
    /// `TcpStream`, or an encrypted one for `wss`. `request` is a URL, or a
    /// [`ClientRequest`](crate::ClientRequest) with headers, subprotocols and limits.
    ///
    /// Blocks until the server has answered, as long as the stream does: give it a read and a write
    /// timeout before. [`handshake_timeout`](crate::Limits::handshake_timeout) is looked at between
    /// reads, so that a server that answers byte by byte does not hold on for longer.
    /// To keep the stream after a failure, pass `&mut stream`.
    ///
    /// Source: RFC 6455 section 4.1.
    ///
    /// ```no_run
    /// use std::net::TcpStream;
    /// use std::time::Duration;
    /// use wshub::WebSocket;
    ///
    /// let stream = TcpStream::connect("127.0.0.1:9001")?;
    /// stream.set_nodelay(true)?;
    /// stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    /// stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    /// let mut ws = WebSocket::client(stream, "ws://127.0.0.1:9001/")?;
    /// ws.send("hello")?;
    /// println!("{:?}", ws.read()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ClientError`]: each variant says what to do about it.
    pub fn client<R>(mut stream: S, request: R) -> Result<Self, ClientError>
    where
        R: TryInto<ClientRequest, Error: Into<ClientError>>,
    {
        let request: ClientRequest = request.try_into().map_err(Into::into)?;
        let limits = request.limits().clone();
        let deadline = Instant::now() + limits.handshake_timeout;
        let key = new_key()?;
        let head = request.encode(&key);
        let sent = Request::parse(&head).map_err(ClientError::Request)?;
        write_all(&mut stream, &head, deadline)?;

        let mut buffer = ReadBuffer::default();
        let answer = read_answer(
            &mut stream,
            AnswerScanner::new(limits.head()),
            &mut buffer,
            deadline,
        )?;
        if answer.status != 101 {
            return Err(other_status(&answer, stream, buffer, deadline));
        }
        let accept_key = negotiate::accept_key(key.as_bytes()).ok_or(InvalidAnswer::Accept)?;
        let protocol = answer.check(&accept_key, request.subprotocols())?;
        Ok(WebSocket::new(
            stream,
            Role::Client,
            Masking::Keys(Box::new(Keys::new(keys::from_system))),
            limits,
            buffer,
            sent,
            protocol,
        ))
    }
}

/// A fresh Sec-WebSocket-Key: 16 random bytes in base64.
fn new_key() -> Result<String, ClientError> {
    let mut nonce = [0; 16];
    keys::from_system(&mut nonce).map_err(ClientError::Random)?;
    let mut key = [0; 24];
    let encoded = STANDARD.encode_slice(nonce, &mut key);
    debug_assert_eq!(encoded, Ok(key.len()));
    Ok(String::from_utf8_lossy(&key).into_owned())
}

fn read_answer(
    stream: &mut impl Read,
    mut scanner: AnswerScanner,
    buffer: &mut ReadBuffer,
    deadline: Instant,
) -> Result<Answer, ClientError> {
    loop {
        if fill(stream, buffer, deadline)? == 0 {
            return Err(ClientError::ServerLeft);
        }
        if let Some(head) = scanner.scan(buffer.filled())? {
            let answer = Answer::parse(buffer.filled().get(..head).unwrap_or_default())?;
            // What follows the head are the server's first frames.
            buffer.discard(head);
            return Ok(answer);
        }
    }
}

/// Takes the beginning of the body with it, where there is one and it comes.
fn other_status(
    answer: &Answer,
    mut stream: impl Read,
    mut buffer: ReadBuffer,
    deadline: Instant,
) -> ClientError {
    let wanted = body_len(answer).min(MAX_BODY);
    while buffer.filled().len() < wanted {
        // A body that does not come in whole is shown as far as it came.
        if !matches!(fill(&mut stream, &mut buffer, deadline), Ok(1..)) {
            break;
        }
    }
    let body = buffer.filled();
    let body = body.get(..MAX_BODY).unwrap_or(body);
    ClientError::Status {
        status: answer.status,
        location: answer
            .header("location")
            .map(|value| String::from_utf8_lossy(value).into_owned()),
        body: String::from_utf8_lossy(body).into_owned(),
    }
}

/// How much of the body is worth waiting for: none where only the server knows when it ends.
fn body_len(answer: &Answer) -> usize {
    let length = answer.header("content-length");
    let length = length.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    match answer.header("transfer-encoding") {
        Some(_) => 0,
        None => length.unwrap_or(0),
    }
}
