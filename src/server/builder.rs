//! What is chosen before a server starts. This file has what concerns the whole server. [`rules`] has which clients may
//! come in, [`hooks`] the code of the application, [`listen`] the addresses, [`start`] the ways to start
//! it, and [`websocket`] the way without a server.

mod hooks;
mod listen;
mod rules;
mod start;
mod websocket;

use std::fmt;

use super::ServerHandle;
use super::hooks::Hooks;
use super::listen::{ListenerSettings, Listening};
use super::options::Options;
use crate::limits::Limits;
use crate::overflow::Overflow;
#[cfg(feature = "tls")]
use crate::tls::Tls;

/// Builds a [`Server`](crate::Server); made by [`Server::builder`](crate::Server::builder). Every default is safe:
/// pages of other sites may not connect, and nothing is unbounded.
///
/// ```
/// use wshub::{Accept, Overflow, Reject, Response, Server, secret_matches};
///
/// let token = std::env::var("HUB_TOKEN").unwrap_or_default();
/// let server = Server::builder()
///     .subprotocols(["chat"])
///     .origins(["https://app.example.com"])
///     .overflow(Overflow::DropOldest)
///     .accept(move |request| match request.cookie("token") {
///         Some(given) if secret_matches(given, &token) => Ok(Accept::new()),
///         _ => Err(Reject::unauthorized()),
///     })
///     .http(|request| match request.path() {
///         "/" => Response::html("<!doctype html><title>hub</title>"),
///         _ => Response::not_found(),
///     })
///     .bind("127.0.0.1:0")?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [deployment](crate::guide::deployment).
#[derive(Default)]
#[must_use = "a builder does nothing until it is bound or given a stream"]
pub struct ServerBuilder {
    options: Options,
    hooks: Hooks,
    /// What applies to each listener, unless that has its own.
    settings: ListenerSettings,
    listening: Vec<Listening>,
    start_hooks: Vec<StartHook>,
}

type StartHook = Box<dyn FnOnce(ServerHandle) + Send>;

impl ServerBuilder {
    /// Bounds and times; see [`Limits`] for the defaults.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// What happens when a peer does not read. Default: [`Overflow::Disconnect`]. For one connection:
    /// [`Accept::with_overflow`](crate::Accept::with_overflow).
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.options.overflow = overflow;
        self
    }

    /// The headers of its request that a connection keeps, by name in any case. Hooks see all headers;
    /// [`Connection::request`](crate::Connection::request) has only these. Default: all, which is a KiB or two for a
    /// browser with cookies, half of what an idle connection takes. Method, target, host, subprotocols, peer and
    /// certificates always stay.
    ///
    /// ```
    /// use wshub::Server;
    ///
    /// let server = Server::builder().keep_headers(["Origin", "User-Agent"]).bind("127.0.0.1:0")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn keep_headers<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.options.kept_headers = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Compresses messages for peers that offer it (RFC 7692; every browser does), as `compression` says. Default:
    /// nothing is compressed, because compression costs time and memory, and can give secrets away; see
    /// [`Compression`](crate::Compression).
    #[cfg(feature = "deflate")]
    pub fn compression(mut self, compression: crate::Compression) -> Self {
        self.settings.rules.compression = Some(compression);
        self
    }

    /// Speaks TLS, and nothing else, on every connection: `wss://`, and `https://` for the
    /// [`http`](ServerBuilder::http) hook. Listeners that have [their own](ServerBuilder::listen_tls) certificate keep
    /// it. The TLS handshake counts into [`handshake_timeout`](Limits::handshake_timeout). A client that comes without
    /// TLS is told so (400). Streams that are [attached](crate::Server::attach) speak it as well; for
    /// [`websocket`](ServerBuilder::websocket) there is [`Tls::accept`]. Feature `tls`.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: &Tls) -> Self {
        self.settings.tls = Some(tls.clone());
        self
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("limits", &self.options.limits)
            .field("overflow", &self.options.overflow)
            .field("rules", &self.settings.rules)
            .finish_non_exhaustive()
    }
}
