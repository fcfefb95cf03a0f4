//! What a client asks for, the way to where it asks, and the limits of the connection that comes of it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::handshake::request::OpeningRequest;
use crate::handshake::{InvalidUrl, Proxy};
use crate::http::InvalidHeader;
use crate::limits::{Limits, YEAR};
use crate::tls::ClientTls;

/// What a client asks for: URL, subprotocols, headers, the way to the server, and the limits of the connection.
///
/// It is for [`connect`](crate::connect) and [`Reconnecting`](crate::Reconnecting), and, over a stream of your own, for
/// [`WebSocket::client`](crate::WebSocket::client): then [`host`](Self::host) and [`port`](Self::port) say where the
/// stream has to lead, and for a `wss` URL it has to be encrypted already.
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
///
/// The guide: [client](crate::guide::client).
#[derive(Clone)]
pub struct ClientRequest {
    pub(crate) opening: OpeningRequest,
    pub(crate) lookup_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) proxy: Option<Proxy>,
    /// Where to dial, in place of the addresses of the URL's host.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) tls_timeout: Duration,
    /// `None`: this wshub was built without TLS.
    pub(crate) tls: Option<ClientTls>,
    pub(crate) limits: Limits,
}

impl ClientRequest {
    /// Reads a `ws`, `wss` or [`ws+unix`](crate::connect) URL. The port is 80 or 443 by default, the path `/`. An IPv6
    /// address stands in brackets; a link-local one names its interface, as in `ws://[fe80::1%25eth0]:9001/` (RFC
    /// 6874).
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`], which says what to write instead.
    pub fn new(url: &str) -> Result<Self, InvalidUrl> {
        Ok(Self {
            opening: OpeningRequest::new(url)?,
            lookup_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            proxy: None,
            address: None,
            tls_timeout: Duration::from_secs(10),
            tls: ClientTls::DEFAULT,
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
        self.opening.offer_subprotocol(name)?;
        Ok(self)
    }

    /// Sets a header, such as `Cookie` or `Authorization`. A header of the same name is replaced.
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
        self.opening.set_header(name, value)?;
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

    /// How long the name lookup may take. Default 10 s: the resolver asks again after 5 s, so one lost packet does no
    /// harm.
    #[must_use]
    pub fn with_lookup_timeout(mut self, timeout: Duration) -> Self {
        self.lookup_timeout = timeout.min(YEAR);
        self
    }

    /// How long connecting may take: all addresses of the server and the proxy's answer together. Default 10 s: a lost
    /// SYN is sent again after 1, 3 and 7 s.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout.min(YEAR);
        self
    }

    /// Connects through this proxy, which then also looks up the name of the host. Default: none; no environment
    /// variable is read. It is ignored for a Unix socket.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Connects to this address, and looks no name up. `Host`, SNI and the certificate still go by the name in the URL.
    /// Use it for a server behind a tunnel, for a test, or to choose one of several servers with one name. A
    /// [proxy](Self::with_proxy) is asked for this address. Default: the addresses of the URL's host. It is ignored for
    /// a Unix socket.
    ///
    /// ```no_run
    /// use wshub::ClientRequest;
    ///
    /// let request = ClientRequest::new("wss://device.example.com/feed")?
    ///     .with_address("192.168.1.10:9443".parse()?);
    /// let client = wshub::connect(request)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_address(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// How long the TLS handshake of a `wss` URL may take. Default 10 s: a server of wshub gives TLS and the opening
    /// handshake together as long. The time does not grow with the certificates: a chain of 16 KiB needs 1.6 KiB/s.
    /// Feature `tls`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls_timeout(mut self, timeout: Duration) -> Self {
        self.tls_timeout = timeout.min(YEAR);
        self
    }

    /// The authorities to trust for a `wss` URL, and the certificate to show if the server asks for one. Default: the
    /// system's authorities, and no certificate. Feature `tls`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, tls: &ClientTls) -> Self {
        self.tls = Some(tls.clone());
        self
    }

    /// Offers to compress messages (RFC 7692); the server may decline. Default: no offer.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_compression(mut self, compression: crate::Compression) -> Self {
        self.opening.compression = Some(compression);
        self
    }

    /// The limits of the connection: the head of the answer ([`max_head`](Limits::max_head),
    /// [`max_headers`](Limits::max_headers)), messages, times and heartbeat. Limits that concern a whole server are
    /// ignored.
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
        &self.opening.url.host
    }

    /// The port to connect to: the URL's, or the scheme's.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.opening.url.port
    }

    /// Whether the URL is `wss`: the stream has to be encrypted.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.opening.url.secure
    }
}

/// Prints where it leads; never a header's value or the query, which may be secret.
impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ClientRequest");
        self.opening.show(&mut shown);
        shown.field("proxy", &self.proxy).finish_non_exhaustive()
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
