//! A WebSocket over a stream of the user's own, with the limits, rules and hooks of a builder and without a server.

use std::io::{self, Read, Write};

use super::ServerBuilder;
use crate::error::HandshakeError;
use crate::limits::Limits;
use crate::server::ServerHandle;
use crate::server::hooks::HookRequest;
use crate::stats::Counters;
use crate::websocket::WebSocket;
use crate::websocket::accept::{OVERFLOW, accept};

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
        let limits = self.limits_of_one_stream()?;
        let (rules, hooks) = (&self.settings.rules, &self.hooks);
        // A stream has no statistics: a hook that panics shows in the refusal.
        let (server, counters) = (ServerHandle::of_no_server(), Counters::default());
        accept(stream, &limits, rules, |request| {
            let request = HookRequest::new(request, &server);
            hooks.upgrade(request, rules, OVERFLOW, &counters)
        })
    }

    fn limits_of_one_stream(&self) -> io::Result<Limits> {
        self.check()?;
        if self.settings.tls.is_some() {
            let text = "websocket() speaks no TLS over the stream it is given: leave .tls(…) out, \
                        and give it the stream that Tls::accept returns";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let mut limits = self.options.limits.clone();
        limits.bound_times();
        Ok(limits)
    }
}
