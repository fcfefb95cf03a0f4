//! Why a client got no WebSocket: what failed, and where.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::handshake::{InvalidAnswer, InvalidUrl};
use crate::http::Refusal;
use crate::http::excerpt::{excerpt, excerpt_of};
use crate::http::status::reason_phrase;
use crate::limits::InvalidLimit;
use crate::tls::{self, TlsError, TlsHandshakeError};

/// Characters of a refusal's body that are shown: room for what wshub itself says, with its remedy.
const BODY_CHARS: usize = 240;

/// Why no WebSocket was opened; see [`connect`](crate::connect) and [`WebSocket::client`](crate::WebSocket::client).
///
/// ```
/// use std::net::TcpListener;
/// use wshub::ClientError;
///
/// let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?; // closed again by now
/// match wshub::connect(format!("ws://{nobody}/").as_str()) {
///     Err(ClientError::Connect(tried)) => {
///         for (address, error) in tried {
///             println!("{address}: {error}");
///         }
///     }
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [client](crate::guide::client).
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The URL cannot open a WebSocket; the text says how to write it.
    Url(InvalidUrl),
    /// A field of its [`Limits`](crate::Limits) has a value with which nothing could work; the text names
    /// it, and what it takes.
    Limits(InvalidLimit),
    /// The request cannot be sent: all its headers together are too long. Remedy: fewer or shorter ones.
    Request(Refusal),
    /// The URL is `wss`, and wshub was built without TLS. Remedy: the feature `tls`.
    TlsFeature,
    /// This machine has no certificate authorities to trust. Remedy: install them (`ca-certificates`), or name one with
    /// `ClientTls::builder().ca_file(…)`. Feature `tls`.
    TlsSetup(TlsError),
    /// The TLS handshake failed; each variant of the error has its remedy. Feature `tls`.
    Tls(TlsHandshakeError),
    /// No address was found for the host of the URL, or of the proxy. With [`TimedOut`](io::ErrorKind::TimedOut) the
    /// resolver did not answer within the [lookup timeout](crate::ClientRequest::with_lookup_timeout). Remedy: check
    /// the name, and this machine's network; then try again later.
    Lookup {
        /// The name that was looked up.
        host: String,
        /// What the resolver said.
        error: io::Error,
    },
    /// No address of the host, or of the proxy, could be connected to: each address that was tried, with its error.
    /// Remedy: check that the server runs and the port is right (refused), or that nothing on the way swallows the
    /// connection (timed out); or allow [more time](crate::ClientRequest::with_connect_timeout).
    Connect(Vec<(SocketAddr, io::Error)>),
    /// The Unix socket of a `ws+unix` URL could not be connected to. Remedy: check that the server runs (refused, not
    /// found), and that this user may write to its file (denied). On other systems than Unix the error is
    /// [`Unsupported`](io::ErrorKind::Unsupported).
    #[non_exhaustive]
    UnixSocket {
        /// The socket: a path, or an abstract name after `@`.
        socket: String,
        /// What the system said.
        error: io::Error,
    },
    /// The proxy did not connect to the server; each variant of the error has its remedy.
    Proxy(ProxyError),
    /// The operating system gave no random bytes, and without them nothing may be sent (RFC 6455 10.3). Remedy:
    /// try again; early after a boot the system may not have any yet.
    Random(io::Error),
    /// The server did not answer in time: [`handshake_timeout`](crate::Limits::handshake_timeout)
    /// passed, or the stream's own timeout. Remedy: try again later, or raise these.
    Timeout,
    /// The server closed the stream before its answer was complete. It may be overloaded, speak another protocol, or
    /// expect TLS. Remedy: check host and port, and `ws://` or `wss://`.
    ServerLeft,
    /// The stream failed.
    Io(io::Error),
    /// The server answered with a status other than 101. Redirects are not followed. Remedy: by the status, see there.
    #[non_exhaustive]
    Status {
        /// The status: 401 asks for credentials, 403 may mean the Origin, 404 the path, 426 the
        /// version, 503 to try again later.
        status: u16,
        /// The `Location` header, as it came: where a redirect (3xx) leads.
        location: Option<String>,
        /// How long the server asks to wait before another try, at most a year of it: the `Retry-After` header, in
        /// seconds or as a date, from the date of the answer on.
        retry_after: Option<Duration>,
        /// The beginning of the body, at most 1,024 bytes of it. It is the server's text: escape it where you show it.
        body: String,
    },
    /// The answer breaks the rules of the opening handshake, so it cannot be trusted. Remedy: check host and port;
    /// otherwise the server is at fault.
    Answer(InvalidAnswer),
    /// The closure of [`Reconnecting::with`](crate::Reconnecting::with) returned this error in place of a request.
    NoRequest(Box<dyn std::error::Error + Send + Sync>),
}

/// Why a proxy did not connect to the server; see [`Proxy`](crate::Proxy).
///
/// ```
/// use wshub::{ClientError, ProxyError};
///
/// fn remedy(error: &ClientError) -> &'static str {
///     match error {
///         ClientError::Proxy(ProxyError::Status { status: 407, .. }) => "give the proxy a name and a password",
///         ClientError::Proxy(ProxyError::Timeout) => "the proxy does not answer: is it the right one?",
///         _ => "see the error's text",
///     }
/// }
/// ```
///
/// The guide: [client](crate::guide::client).
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyError {
    /// It refused.
    #[non_exhaustive]
    Status {
        /// The status: 407 asks for (other) [credentials](crate::Proxy::with_credentials), 403 means that it allows no
        /// connection to this host or port, 502 and 504 that it cannot reach them.
        status: u16,
        /// The beginning of the body, at most 1,024 bytes of it. It is the proxy's text: escape it where you show it.
        body: String,
    },
    /// Its answer is no HTTP, or breaks its rules. Remedy: check its host and port.
    Answer(InvalidAnswer),
    /// It did not answer within the [connect timeout](crate::ClientRequest::with_connect_timeout). It may be waiting
    /// for the server. Remedy: try again later, or allow more.
    Timeout,
    /// It closed the stream before its answer was complete.
    Left,
    /// The stream to it failed.
    Io(io::Error),
}

/// Why no answer came to a request.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    Invalid(InvalidAnswer),
    Timeout,
    Left,
    Io(io::Error),
}

/// Methods, not `From`: a compiler that lists what a public error comes from would show this type.
impl NoAnswer {
    pub fn of_server(self) -> ClientError {
        match self {
            NoAnswer::Invalid(error) => ClientError::Answer(error),
            NoAnswer::Timeout => ClientError::Timeout,
            NoAnswer::Left => ClientError::ServerLeft,
            NoAnswer::Io(error) => {
                tls::behind_handshake(error).map_or_else(ClientError::Io, ClientError::Tls)
            }
        }
    }

    pub fn of_proxy(self) -> ProxyError {
        match self {
            NoAnswer::Invalid(error) => ProxyError::Answer(error),
            NoAnswer::Timeout => ProxyError::Timeout,
            NoAnswer::Left => ProxyError::Left,
            NoAnswer::Io(error) => ProxyError::Io(error),
        }
    }
}

impl ClientError {
    /// What a server makes that answers with this status and nothing else: for a test of your own code, as
    /// [`ClientEvent::disconnected`](crate::ClientEvent::disconnected).
    pub fn answered(status: u16) -> Self {
        ClientError::Status {
            status,
            location: None,
            retry_after: None,
            body: String::new(),
        }
    }

    /// How long the server asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            ClientError::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the same request may open a WebSocket another time.
    pub(crate) fn may_pass(&self) -> bool {
        !matches!(
            self,
            ClientError::Url(_)
                | ClientError::Limits(_)
                | ClientError::Request(_)
                | ClientError::TlsFeature
        )
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Url(error) => error.fmt(f),
            ClientError::Limits(error) => error.fmt(f),
            ClientError::Request(refusal) => write!(f, "the request cannot be sent: {refusal}"),
            ClientError::TlsFeature => f.write_str(
                "wss:// needs TLS, and wshub was built without it; turn its feature `tls` on, or \
                 use ws://",
            ),
            ClientError::TlsSetup(error) => error.fmt(f),
            ClientError::Tls(error) => error.fmt(f),
            ClientError::Lookup { host, error } => {
                let host = excerpt(host.as_bytes());
                write!(
                    f,
                    "no address found for \"{host}\": {error}; check the name and the network"
                )
            }
            ClientError::Connect(failures) => write_failures(f, failures),
            ClientError::UnixSocket { socket, error } => {
                let socket = excerpt(socket.as_bytes());
                write!(
                    f,
                    "cannot connect to the Unix socket \"{socket}\": {error}; check that the server runs, and that this \
                     user may write to the file"
                )
            }
            ClientError::Proxy(error) => error.fmt(f),
            ClientError::Random(error) => {
                write!(
                    f,
                    "the operating system gave no random bytes: {error}; try again"
                )
            }
            ClientError::Timeout => f.write_str(
                "the server did not answer the opening handshake in time; try again later, or raise \
                 Limits::handshake_timeout",
            ),
            ClientError::ServerLeft => f.write_str(
                "the server closed the connection before its answer was complete; check that host \
                 and port are those of a WebSocket server, and ws:// or wss://",
            ),
            ClientError::Io(error) => write!(f, "the opening handshake failed: {error}"),
            ClientError::Status {
                status,
                location,
                body,
                ..
            } => write_status(f, *status, location.as_deref(), body),
            ClientError::Answer(error) => error.fmt(f),
            ClientError::NoRequest(error) => write!(f, "there is no request to send: {error}"),
        }
    }
}

fn write_failures(f: &mut fmt::Formatter<'_>, failures: &[(SocketAddr, io::Error)]) -> fmt::Result {
    f.write_str("cannot connect")?;
    for (i, (addr, error)) in failures.iter().enumerate() {
        let mark = if i == 0 { ": " } else { ", " };
        write!(f, "{mark}{addr}: {error}")?;
    }
    f.write_str("; check that the server runs, host and port, and firewalls on the way")
}

/// The server's text is shown escaped and cut short.
fn write_status(
    f: &mut fmt::Formatter<'_>,
    status: u16,
    location: Option<&str>,
    body: &str,
) -> fmt::Result {
    write!(f, "the server answered {status} {}", reason_phrase(status))?;
    if let Some(location) = location {
        let location = excerpt(location.as_bytes());
        write!(
            f,
            "; redirects are not followed, connect to \"{location}\" if you trust it"
        )?;
    }
    let body = says_more(status, body);
    write_body(f, body)?;
    match status_remedy(status) {
        // A server that refuses says itself which rule it was.
        Some(remedy) if status != 403 || body.is_empty() => write!(f, "; {remedy}"),
        _ => Ok(()),
    }
}

fn status_remedy(status: u16) -> Option<&'static str> {
    match status {
        200 => Some("it serves a page there, no WebSocket: check host, port and path"),
        401 => Some("it wants credentials, such as a token in an Authorization header"),
        403 => {
            Some("its rules refuse this client: check credentials, and the Origin if you send one")
        }
        404 => Some("check the path"),
        429 | 503 => Some("try again later"),
        _ => None,
    }
}

/// What the body says beyond the status: wshub's own, as others', is the status line once more by default.
fn says_more(status: u16, body: &str) -> &str {
    let body = body.trim();
    match body == format!("{status} {}", reason_phrase(status)) {
        true => "",
        false => body,
    }
}

fn write_body(f: &mut fmt::Formatter<'_>, body: &str) -> fmt::Result {
    match body {
        "" => Ok(()),
        body => write!(f, ": {}", excerpt_of(body.as_bytes(), BODY_CHARS)),
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyError::Status { status, body } => {
                write!(f, "the proxy answered {status} {}", reason_phrase(*status))?;
                if *status == 407 {
                    f.write_str("; give it (other) credentials with Proxy::with_credentials")?;
                }
                write_body(f, says_more(*status, body))
            }
            ProxyError::Answer(error) => write!(f, "the proxy: {error}"),
            ProxyError::Timeout => f.write_str(
                "the proxy did not answer in time; try again later, or give it more time with \
                 with_connect_timeout",
            ),
            ProxyError::Left => f.write_str(
                "the proxy closed the connection before its answer was complete; check that its \
                 host and port are those of an HTTP proxy",
            ),
            ProxyError::Io(error) => write!(f, "the proxy failed: {error}"),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Url(error) => Some(error),
            ClientError::Limits(error) => Some(error),
            ClientError::Request(refusal) => Some(refusal),
            ClientError::TlsSetup(error) => Some(error),
            ClientError::Tls(error) => Some(error),
            ClientError::Random(error)
            | ClientError::Io(error)
            | ClientError::Lookup { error, .. }
            | ClientError::UnixSocket { error, .. } => Some(error),
            ClientError::Connect(failures) => failures.last().map(|(_, error)| error as _),
            ClientError::Proxy(error) => Some(error),
            ClientError::Answer(error) => Some(error),
            ClientError::TlsFeature
            | ClientError::Timeout
            | ClientError::ServerLeft
            | ClientError::Status { .. } => None,
            ClientError::NoRequest(error) => Some(&**error),
        }
    }
}

impl std::error::Error for ProxyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ProxyError::Answer(error) => Some(error),
            ProxyError::Io(error) => Some(error),
            ProxyError::Status { .. } | ProxyError::Timeout | ProxyError::Left => None,
        }
    }
}

impl From<InvalidUrl> for ClientError {
    fn from(error: InvalidUrl) -> Self {
        ClientError::Url(error)
    }
}

impl From<InvalidLimit> for ClientError {
    fn from(error: InvalidLimit) -> Self {
        ClientError::Limits(error)
    }
}

impl From<InvalidAnswer> for ClientError {
    fn from(error: InvalidAnswer) -> Self {
        ClientError::Answer(error)
    }
}

impl From<ProxyError> for ClientError {
    fn from(error: ProxyError) -> Self {
        ClientError::Proxy(error)
    }
}

impl From<Infallible> for ClientError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
