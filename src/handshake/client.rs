//! The request with which a client opens a WebSocket: from a URL to the bytes of its head (RFC 6455 3 and 4.1).

use core::fmt;
use core::time::Duration;

use super::proxy::Proxy;
use super::url::{InvalidUrl, Url};
#[cfg(feature = "tls")]
use crate::client::ClientTls;
use crate::compression::config::Compression;
use crate::http::refusal::excerpt;
use crate::http::response::{Headers, InvalidHeader};
use crate::http::token::is_token;
use crate::limits::{Limits, YEAR};

/// What a client asks for: a URL, subprotocols, headers; the way there; and the limits of the connection that comes of
/// it. For [`connect`](crate::connect) and [`Reconnecting`](crate::Reconnecting), or, over a stream of your own, for
/// [`WebSocket::client`](crate::WebSocket::client): then [`host`](Self::host) and [`port`](Self::port) say where it has
/// to lead, and for a `wss` URL it has to be encrypted already.
///
/// Source: RFC 6455 3 and 4.1.
///
/// ```
/// use std::time::Duration;
/// use wshub::ClientRequest;
///
/// let request = ClientRequest::new("ws://localhost:9001/chat?room=7")?
///     .with_subprotocol("chat.v2")?
///     .with_header("Authorization", "Bearer t0ken")?
///     .with_connect_timeout(Duration::from_secs(3));
/// assert_eq!((request.host(), request.port()), ("localhost", 9001));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientRequest {
    url: Url,
    subprotocols: Vec<String>,
    headers: Headers,
    lookup_timeout: Duration,
    connect_timeout: Duration,
    proxy: Option<Proxy>,
    #[cfg(feature = "tls")]
    tls_timeout: Duration,
    #[cfg(feature = "tls")]
    tls: Option<ClientTls>,
    compression: Option<Compression>,
    limits: Limits,
}

impl ClientRequest {
    /// Reads a `ws` or `wss` URL. Without a port it is 80 or 443, without a path `/`. An IPv6 address stands in brackets;
    /// one that is good on one link only has the interface behind it, as in `ws://[fe80::1%25eth0]:9001/` (RFC 6874).
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`], which says what to write instead.
    pub fn new(url: &str) -> Result<Self, InvalidUrl> {
        Ok(Self {
            url: Url::parse(url)?,
            subprotocols: Vec::new(),
            headers: Headers::default(),
            lookup_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            proxy: None,
            #[cfg(feature = "tls")]
            tls_timeout: Duration::from_secs(10),
            #[cfg(feature = "tls")]
            tls: None,
            compression: None,
            limits: Limits::default(),
        })
    }

    /// Offers a subprotocol, after those offered already: the first one is the preferred one (RFC 6455 1.9). The
    /// server may choose one of them or none.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader::Subprotocol`] if the name is not a token.
    pub fn with_subprotocol(mut self, name: &str) -> Result<Self, InvalidHeader> {
        if !is_token(name.as_bytes()) {
            return Err(InvalidHeader::Subprotocol {
                name: excerpt(name.as_bytes()),
            });
        }
        // RFC 6455 4.1: all of them are different.
        if !self.subprotocols.iter().any(|known| known == name) {
            self.subprotocols.push(name.to_owned());
        }
        Ok(self)
    }

    /// Sets a header, `Cookie` or `Authorization` for one. A header of the same name is replaced.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] if the name is not a token, if the value is not printable ASCII, or if wshub writes this
    /// header itself (`Host`, `Upgrade`, `Connection`, `Content-Length`, `Sec-WebSocket-*` and the like).
    ///
    /// ```
    /// use wshub::ClientRequest;
    ///
    /// let request = ClientRequest::new("ws://localhost/")?;
    /// assert!(request.clone().with_header("Cookie", "id=1").is_ok());
    /// assert!(request.with_header("Cookie", "id=1\r\nHost: other").is_err());
    /// # Ok::<(), wshub::InvalidUrl>(())
    /// ```
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, InvalidHeader> {
        if name.eq_ignore_ascii_case("host") {
            return Err(InvalidHeader::Reserved {
                name: excerpt(name.as_bytes()),
            });
        }
        self.headers.set(name, value)?;
        Ok(self)
    }

    /// Sends an Origin header, as a browser does for its page (RFC 6455 4.1, 10.2). Default: none, as programs do.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader::Value`] unless the origin is printable ASCII.
    pub fn with_origin(self, origin: &str) -> Result<Self, InvalidHeader> {
        self.with_header("Origin", origin)
    }

    /// How long to wait for the addresses of the host's name. Default 10 s: the resolver asks again after 5 s, so that
    /// one lost question does no harm.
    #[must_use]
    pub fn with_lookup_timeout(mut self, timeout: Duration) -> Self {
        self.lookup_timeout = timeout.min(YEAR);
        self
    }

    /// How long until a stream leads to the server, all its addresses and the proxy's answer together. Default 10 s: a
    /// lost SYN is sent again after 1, 3 and 7 s.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout.min(YEAR);
        self
    }

    /// Connects through this proxy, which then looks the host's name up, too. Default: none, whatever the environment
    /// says.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// How long the TLS handshake of a `wss` URL may take. Default 10 s, as long as a server gives it, and the opening
    /// handshake that follows. Feature `tls`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls_timeout(mut self, timeout: Duration) -> Self {
        self.tls_timeout = timeout.min(YEAR);
        self
    }

    /// Whom to trust with a `wss` URL, and what to show a server that asks for a certificate. Default: the system's
    /// authorities, and nothing. Feature `tls`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, tls: &ClientTls) -> Self {
        self.tls = Some(tls.clone());
        self
    }

    /// Offers to compress messages (RFC 7692); the server may decline. Default: no offer.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// The limits of the connection: the head of the answer ([`max_head`](Limits::max_head),
    /// [`max_headers`](Limits::max_headers)), messages, times and heartbeat. Those that concern a whole server do not
    /// count here.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self.limits.bound_times();
        self
    }

    /// The host to connect to, as `TcpStream::connect` takes it: an IPv6 address without brackets, and with its zone if
    /// the URL names one (`fe80::1%eth0`).
    #[must_use]
    pub fn host(&self) -> &str {
        &self.url.host
    }

    /// The port to connect to: the URL's, or the scheme's.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.url.port
    }

    /// Whether the URL is `wss`: the stream has to be encrypted.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.url.secure
    }

    /// The compression that is offered.
    pub(crate) fn compression(&self) -> Option<&Compression> {
        self.compression.as_ref()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn lookup_timeout(&self) -> Duration {
        self.lookup_timeout
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls_timeout(&self) -> Duration {
        self.tls_timeout
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(&self) -> Option<&ClientTls> {
        self.tls.as_ref()
    }

    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// The host with its port, as a proxy is asked for it (RFC 9110 9.3.6).
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.url.uri_host, self.url.port)
    }

    /// The host that a certificate is for. A zone says something on this machine alone (RFC 6874 4).
    #[cfg(feature = "tls")]
    pub(crate) fn server_name(&self) -> &str {
        let host = self.url.uri_host.as_str();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The subprotocols that are offered.
    pub(crate) fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The head of the request, with this Sec-WebSocket-Key.
    pub(crate) fn encode(&self, key: &str) -> Vec<u8> {
        let mut head = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n",
            self.url.target,
            self.host_header(),
        )
        .into_bytes();
        if !self.subprotocols.is_empty() {
            let offered = self.subprotocols.join(", ");
            head.extend_from_slice(format!("Sec-WebSocket-Protocol: {offered}\r\n").as_bytes());
        }
        if let Some(compression) = &self.compression {
            let offered = compression.offer();
            head.extend_from_slice(format!("Sec-WebSocket-Extensions: {offered}\r\n").as_bytes());
        }
        self.headers.encode(&mut head);
        head.extend_from_slice(b"\r\n");
        head
    }

    /// RFC 6455 4.1: the host, and its port unless it is the default one.
    fn host_header(&self) -> String {
        match self.url.port == Url::default_port(self.url.secure) {
            true => self.url.uri_host.clone(),
            false => self.authority(),
        }
    }
}

/// Prints where it leads; never a header's value or the query, which may be secret.
impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.url.target.split('?').next().unwrap_or_default();
        f.debug_struct("ClientRequest")
            .field("secure", &self.url.secure)
            .field("host", &self.host_header())
            .field("path", &path)
            .field("subprotocols", &self.subprotocols)
            .field("headers", &self.headers)
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

impl TryFrom<&str> for ClientRequest {
    type Error = InvalidUrl;

    fn try_from(url: &str) -> Result<Self, InvalidUrl> {
        Self::new(url)
    }
}

impl TryFrom<String> for ClientRequest {
    type Error = InvalidUrl;

    fn try_from(url: String) -> Result<Self, InvalidUrl> {
        Self::new(&url)
    }
}

impl TryFrom<&String> for ClientRequest {
    type Error = InvalidUrl;

    fn try_from(url: &String) -> Result<Self, InvalidUrl> {
        Self::new(url)
    }
}
