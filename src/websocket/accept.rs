//! The server's role without a server: the opening handshake over a stream of the user's own.

use std::io::{Read, Write};
use std::time::Instant;

use super::WebSocket;
use super::stream_error::must_wait;
use super::stream_io::{fill, write_all};
use super::write_buffer::Masking;
use crate::clock;
use crate::connection::read_buffer::ReadBuffer;
use crate::error::HandshakeError;
use crate::handshake::negotiate;
use crate::handshake::rules::Rules;
use crate::http::head::asks_for_head;
use crate::http::{Refusal, Request};
use crate::limits::Limits;
use crate::overflow::Overflow;
use crate::patience::Patience;
use crate::protocol::Role;
use crate::server::hooks::{HookRequest, Hooks};
use crate::server::request_head::{self, NoRequest};
use crate::server::upgrade;
use crate::server::{ServerBuilder, ServerHandle};
use crate::stats::Counters;

impl ServerBuilder {
    /// Opens a WebSocket over a stream of your own, with this builder's limits, rules and `accept` hook and without a
    /// server; see [`WebSocket::accept`]. The builder may serve further streams. Settings of a whole server, such as
    /// `overflow` and `http`, have no effect here: a plain request gets 426.
    ///
    /// ```no_run
    /// use std::net::TcpListener;
    /// use wshub::Server;
    ///
    /// let options = Server::builder().subprotocols(["chat"]);
    /// for stream in TcpListener::bind("127.0.0.1:9001")?.incoming() {
    ///     match options.websocket(stream?) {
    ///         Ok(mut ws) => drop(ws.send("hello")),
    ///         Err(error) => eprintln!("{error}"),
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`WebSocket::accept`]; and [`HandshakeError::Io`] with [`InvalidInput`](std::io::ErrorKind::InvalidInput) if
    /// nothing could work with a limit that was set, if an origin, host, subprotocol or proxy could never match, or if
    /// `ServerBuilder::tls` was set: here the stream has to speak TLS itself (`Tls::accept`).
    pub fn websocket<S: Read + Write>(&self, stream: S) -> Result<WebSocket<S>, HandshakeError> {
        let (limits, rules, hooks) = self.for_one_stream()?;
        accept(stream, &limits, rules, hooks)
    }
}

/// Reads a request and answers it: with a 101, or with the refusal that is returned.
fn accept<S: Read + Write>(
    mut stream: S,
    limits: &Limits,
    rules: &Rules,
    hooks: &Hooks,
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
    let upgrade = match negotiate(&request, rules, hooks, deadline) {
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
        upgrade.into_opening(request),
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

fn negotiate(
    request: &Request,
    rules: &Rules,
    hooks: &Hooks,
    deadline: Instant,
) -> Result<upgrade::UpgradeAnswer, Refusal> {
    if !request.wants_upgrade() {
        negotiate::plain(request, rules, |_| Ok(true))?;
        return Err(negotiate::unserved(request));
    }
    // A stream has no statistics: a hook that panics shows in the refusal. And what is sent over it is never dropped.
    let server = ServerHandle::of_no_server();
    let request = HookRequest::new(request, &server);
    let upgrade = upgrade::negotiate(
        request,
        rules,
        hooks,
        &Counters::default(),
        Overflow::Disconnect,
    )?;
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
