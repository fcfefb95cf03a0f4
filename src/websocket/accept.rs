//! The server's role without a server: the opening handshake over a stream of the user's own.

use std::io::{Read, Write};
use std::time::Instant;

use super::WebSocket;
use super::stream_error::must_wait;
use super::stream_io::{fill, write_all};
use super::write_buffer::Masking;
use crate::clock;
use crate::connection::opening::Opening;
use crate::connection::read_buffer::ReadBuffer;
use crate::connection::request_head::{self, NoRequest};
use crate::error::HandshakeError;
use crate::handshake::rules::Rules;
use crate::handshake::upgrade::{self, UpgradeAnswer};
use crate::handshake::{Accept, negotiate};
use crate::http::head::asks_for_head;
use crate::http::{Refusal, Request};
use crate::limits::Limits;
use crate::overflow::Overflow;
use crate::patience::Patience;
use crate::protocol::Role;

impl<S: Read + Write> WebSocket<S> {
    /// Opens a WebSocket as the server, over a stream from which a client's opening handshake comes, with the default
    /// [`Limits`] and rules: only pages of this host may connect, and programs that send no Origin. For other ones,
    /// subprotocols and the `accept` hook: [`ServerBuilder::websocket`](crate::ServerBuilder::websocket).
    ///
    /// Blocks as long as the stream does; see [`WebSocket`] for timeouts. Between reads it looks at
    /// [`handshake_timeout`](Limits::handshake_timeout), so a client that writes byte by byte does not hold it for
    /// longer. To keep the stream after a failure, pass `&mut stream`.
    ///
    /// Source: RFC 6455 4.2.
    ///
    /// ```no_run
    /// use std::net::TcpListener;
    /// use std::time::Duration;
    /// use wshub::WebSocket;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:9001")?;
    /// let (stream, _) = listener.accept()?;
    /// stream.set_nodelay(true)?;
    /// stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    /// stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    /// let mut ws = WebSocket::accept(stream)?;
    /// while let Some(message) = ws.read()? {
    ///     ws.send(message)?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`HandshakeError`]: the client was refused, and has been told why; or the stream failed.
    pub fn accept(stream: S) -> Result<Self, HandshakeError> {
        let rules = Rules::default();
        let upgrade = |request: &Request| {
            let accept = || Ok(Accept::new());
            upgrade::answer(request, &rules, OVERFLOW, |_| Ok(false), accept)
        };
        accept(stream, &Limits::default(), &rules, upgrade)
    }
}

/// What is sent over a stream of the user's own is never dropped.
pub(crate) const OVERFLOW: Overflow = Overflow::Disconnect;

/// Reads a request and answers it: with the 101 that `upgrade` gives, or with the refusal that is returned.
pub(crate) fn accept<S: Read + Write>(
    mut stream: S,
    limits: &Limits,
    rules: &Rules,
    upgrade: impl FnOnce(&Request) -> Result<UpgradeAnswer, Refusal>,
) -> Result<WebSocket<S>, HandshakeError> {
    let deadline = Instant::now() + limits.handshake_timeout;
    let mut buffer = ReadBuffer::default();
    let request = match read_request(&mut stream, limits, &mut buffer, deadline) {
        Ok(request) => request,
        Err(HandshakeError::Refused(refusal)) => {
            let head_only = asks_for_head(buffer.filled());
            return Err(refuse(stream, refusal, head_only, limits));
        }
        Err(error) => return Err(error),
    };
    let upgrade = match decide(&request, rules, deadline, upgrade) {
        Ok(upgrade) => upgrade,
        Err(refusal) => {
            let head_only = request.method() == "HEAD";
            return Err(refuse(stream, refusal, head_only, limits));
        }
    };
    write_all(&mut stream, &upgrade.answer, Patience::until(deadline))?;
    Ok(WebSocket::new(
        stream,
        Role::Server,
        Masking::Off,
        limits
            .with_max_message(upgrade.bounds.max_message)
            .into_owned(),
        buffer,
        Opening::new(request, upgrade),
    ))
}

fn read_request(
    stream: &mut impl Read,
    limits: &Limits,
    buffer: &mut ReadBuffer,
    deadline: Instant,
) -> Result<Request, HandshakeError> {
    let fill = |buffer: &mut ReadBuffer| fill(stream, buffer, deadline);
    request_head::read(limits, buffer, fill).map_err(|none| match none {
        NoRequest::Refused(refusal) => refusal.into(),
        NoRequest::Ended => match buffer.is_empty() {
            true => Refusal::PeerLeft.into(),
            false => request_head::CUT_SHORT.into(),
        },
        NoRequest::Failed(error) if must_wait(&error) => match buffer.is_empty() {
            true => Refusal::Silence.into(),
            false => Refusal::Timeout.into(),
        },
        NoRequest::Failed(error) => error.into(),
    })
}

fn decide(
    request: &Request,
    rules: &Rules,
    deadline: Instant,
    upgrade: impl FnOnce(&Request) -> Result<UpgradeAnswer, Refusal>,
) -> Result<UpgradeAnswer, Refusal> {
    if !request.wants_upgrade() {
        negotiate::plain(request, rules, |_| Ok(true))?;
        return Err(negotiate::unserved(request));
    }
    let upgrade = upgrade(request)?;
    match Instant::now() > deadline {
        true => Err(Refusal::Timeout),
        false => Ok(upgrade),
    }
}

/// Tells the client why. Where even that fails the refusal is still what the caller has to know.
fn refuse(
    mut stream: impl Write,
    refusal: Refusal,
    head_only: bool,
    limits: &Limits,
) -> HandshakeError {
    let answer = refusal.encode(head_only, clock::date());
    // The hook chose how long it is.
    let patience = Patience::paced(Instant::now(), limits.writing());
    let _ = write_all(&mut stream, &answer, patience);
    refusal.into()
}
