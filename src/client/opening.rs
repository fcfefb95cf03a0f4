//! The client's opening handshake over a stream that leads to a server (RFC 6455 4.1).

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::ClientError;
use super::exchange::Exchange;
use super::request::ClientRequest;
use crate::clock;
use crate::connection::opening::Opening;
use crate::connection::read_buffer::ReadBuffer;
use crate::handshake::answer::AnswerHead;
use crate::handshake::data::Data;
use crate::handshake::{InvalidAnswer, negotiate};
use crate::http::Request;
use crate::http::date::Date;
use crate::limits::YEAR;
use crate::websocket::WebSocket;

impl<S: Read + Write> WebSocket<S> {
    /// Opens a WebSocket as a client, over a stream that leads to the server: a connected
    /// `TcpStream`, or an encrypted one for `wss`. `request` is a URL, or a
    /// [`ClientRequest`](crate::ClientRequest) with headers, subprotocols and limits.
    ///
    /// Blocks until the server has answered, as long as the stream blocks: give it a read and a write timeout before.
    /// Between reads it looks at [`handshake_timeout`](crate::Limits::handshake_timeout), so a server that answers byte
    /// by byte does not hold it for longer. To keep the stream after a failure, pass `&mut stream`.
    ///
    /// Source: RFC 6455 4.1.
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
        request.limits.check()?;
        let deadline = Instant::now() + request.limits.handshake_timeout;
        let OpenedClient {
            buffer, opening, ..
        } = open(&mut stream, &request, deadline)?;
        Ok(Self::as_client(stream, request.limits, buffer, opening))
    }
}

/// What the opening handshake brought.
pub(crate) struct OpenedClient {
    pub answer: AnswerHead,
    /// What came after the answer: the server's first frames.
    pub buffer: ReadBuffer,
    pub opening: Opening,
}

/// The opening handshake, over a stream whose waits end by themselves.
pub(crate) fn open(
    stream: &mut (impl Read + Write),
    request: &ClientRequest,
    deadline: Instant,
) -> Result<OpenedClient, ClientError> {
    let key = new_key()?;
    let head = request.opening.encode(&key);
    let sent = Request::parse(&head).map_err(ClientError::Request)?;
    let mut exchange = Exchange::new(stream, request.limits.head(), deadline);
    let answer = exchange.ask(&head).map_err(|none| none.of_server())?;
    if answer.status != 101 {
        let location = answer.header("location");
        return Err(ClientError::Status {
            status: answer.status,
            retry_after: retry_after(&answer),
            location: location.map(|value| String::from_utf8_lossy(value).into_owned()),
            body: exchange.body(&answer),
        });
    }
    let accept_key = negotiate::accept_key(key.as_bytes()).ok_or(InvalidAnswer::Accept)?;
    let asked = &request.opening;
    let compression = asked.compression.as_ref();
    let (protocol, extension) = answer.check(&accept_key, &asked.subprotocols, compression)?;
    Ok(OpenedClient {
        answer,
        buffer: exchange.buffer,
        opening: Opening {
            request: sent,
            protocol: protocol.map(|name| Box::new(name.into())),
            extension,
            data: Data::default(),
        },
    })
}

/// RFC 9110 10.2.3: so many seconds, or a date. That is by the server's clock, and so is the date of its answer;
/// without one, our own has to do. No longer than can be added to an `Instant`.
fn retry_after(answer: &AnswerHead) -> Option<Duration> {
    let asked = answer.header("retry-after")?;
    let until_date = || {
        let until = Date::parse(asked)?;
        let now = answer.header("date").and_then(Date::parse);
        Some(until.since(now.or_else(clock::date)?))
    };
    let wait = seconds(asked).or_else(until_date)?;
    Some(wait.min(YEAR))
}

fn seconds(value: &[u8]) -> Option<Duration> {
    let seconds = std::str::from_utf8(value).ok()?;
    let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    // A number that does not fit is longer than any client waits.
    is_number.then(|| Duration::from_secs(seconds.parse().unwrap_or(u64::MAX)))
}

/// A fresh Sec-WebSocket-Key: 16 random bytes in base64.
fn new_key() -> Result<String, ClientError> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| ClientError::Random(error.into()))?;
    Ok(STANDARD.encode(nonce))
}
