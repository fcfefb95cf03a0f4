//! A request as hooks and the application see it: what its head says, its body, and where it comes from.

mod fields;
mod spans;
mod stored;
mod target;
mod version;

use core::fmt;
use core::net::SocketAddr;
use std::borrow::Cow;

use super::excerpt::excerpt;
use super::peer::Peer;
use super::percent;
use super::refusal::Refusal;
use super::token::{elements, is_token};
use stored::StoredHead;
pub use version::Version;

/// The request that opened a connection, or a plain request on the same port: its head, and its body if it has one.
///
/// Hooks get one, and a connection keeps it. Names and values are as the peer sent them; only some methods decode them,
/// and say so. Do not trust any of it. It holds one copy of the head, and the body of a plain request; that is its
/// size.
///
/// `Debug` prints method, host, path and header names; never a value, a cookie, the query or the body, which may be
/// secret.
///
/// Source: RFC 9112 3 to 5, RFC 6455 4.2.1.
///
/// ```
/// use wshub::Request;
///
/// let head = b"GET /chat?room=tea+%26+cake HTTP/1.1\r\nHost: example.com\r\nCookie: id=abc\r\n\r\n";
/// let request = Request::parse(head)?;
/// assert_eq!(request.path(), "/chat");
/// assert_eq!(request.query("room").as_deref(), Some("tea & cake"));
/// assert_eq!(request.header("host"), Some("example.com"));
/// assert_eq!(request.cookie("id"), Some("abc"));
/// # Ok::<(), wshub::Refusal>(())
/// ```
///
/// The guide: [HTTP](crate::guide::http).
#[derive(Clone)]
pub struct Request {
    head: StoredHead,
    peer: Peer,
    extras: Option<Box<RequestExtras>>,
}

/// What few requests have.
#[derive(Clone, Default)]
struct RequestExtras {
    client_certificates: Box<[Vec<u8>]>,
    body: Box<[u8]>,
    /// What a trusted proxy says of how the client sent it.
    secure: Option<bool>,
    host: Option<String>,
}

impl Request {
    /// Reads a whole head: the request line, the headers and the blank line, nothing after it. One empty line in front
    /// is ignored (RFC 9112 2.2).
    ///
    /// A server does this for you; it is public so that a hook can be tested with a request of your own.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] that names what is wrong: a malformed head, a version that is not HTTP/1.x, a Host that is
    /// missing or invalid, a target of a form that a server does not serve, or more than 65,535 bytes. Its `Display`
    /// says what to send instead.
    ///
    /// ```
    /// use wshub::Request;
    ///
    /// assert_eq!(Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?.path(), "/");
    /// assert!(Request::parse(b"GET / HTTP/1.1\r\n\r\n").is_err()); // no Host
    /// # Ok::<(), wshub::Refusal>(())
    /// ```
    pub fn parse(head: &[u8]) -> Result<Self, Refusal> {
        StoredHead::parse(head).map(Self::of)
    }

    /// As [`parse`](Self::parse), for a head that a scanner has found to be one.
    pub(crate) fn of_scanned(head: &[u8]) -> Result<Self, Refusal> {
        StoredHead::of_scanned(head).map(Self::of)
    }

    fn of(head: StoredHead) -> Self {
        Self {
            head,
            peer: Peer::Unknown,
            extras: None,
        }
    }

    /// The same request with these of its headers alone, and the subprotocols: the others take no memory any more.
    pub(crate) fn with_headers_only(mut self, names: &[String]) -> Self {
        let names = names.iter().map(String::as_str);
        let names: Vec<&str> = names.chain(["sec-websocket-protocol"]).collect();
        self.head.keep_headers(&names);
        self
    }

    /// The same request from another peer: the value of [`peer`](Self::peer).
    ///
    /// A server sets it; it is public for tests of hooks.
    #[must_use]
    pub fn with_peer(mut self, peer: Peer) -> Self {
        self.peer = peer;
        self
    }

    /// As [`with_peer`](Self::with_peer), for a peer with an address, or an unknown one.
    #[must_use]
    pub fn with_peer_addr(self, peer_addr: Option<SocketAddr>) -> Self {
        self.with_peer(peer_addr.map_or(Peer::Unknown, Peer::Address))
    }

    /// The whole body, without its framing: what `Content-Length` counted, or the content of the chunks. Empty if there
    /// is none, and always in the `accept` hook: a request for a WebSocket has no body.
    ///
    /// It has at most [`max_body`](crate::Limits::max_body) bytes. The `Content-Type` header says what it is. Nothing
    /// is decoded; do not trust it.
    ///
    /// ```
    /// use wshub::{Request, Response};
    ///
    /// fn echo(request: &Request) -> Response {
    ///     match (request.method(), core::str::from_utf8(request.body())) {
    ///         ("POST", Ok(text)) => Response::text(text),
    ///         _ => Response::not_found(),
    ///     }
    /// }
    ///
    /// let head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n";
    /// let request = Request::parse(head)?.with_body("hello");
    /// assert_eq!(echo(&request).body(), b"hello");
    /// # Ok::<(), wshub::Refusal>(())
    /// ```
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.extras.as_ref().map_or(&[], |extras| &extras.body)
    }

    /// The same request with a body, as [`body`](Self::body) gives it.
    ///
    /// A server sets it; it is public for tests of hooks.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into().into_boxed_slice();
        if !(body.is_empty() && self.extras.is_none()) {
            self.extras.get_or_insert_default().body = body;
        }
        self
    }

    /// The method, case as sent: `"GET"` for a WebSocket, any for a plain request.
    #[must_use]
    pub fn method(&self) -> &str {
        self.head.text(self.head.method)
    }

    /// The request target as sent: path and query, or a whole URL from a client that thinks it speaks to a proxy.
    ///
    /// [`path`](Self::path) and [`query_string`](Self::query_string) are the parts of both.
    #[must_use]
    pub fn target(&self) -> &str {
        self.head.text(self.head.target)
    }

    /// The path, from its `/` to the query, percent-encoded as sent; `*` for `OPTIONS *`, which a server answers
    /// itself.
    ///
    /// It may hold `..` and encoded slashes, and begin with `//`, which a browser reads as a host: do not use it as it
    /// is as a file name, a link or a `Location`.
    #[must_use]
    pub fn path(&self) -> &str {
        match self.head.text(self.head.path) {
            // RFC 9112 3.2.1: an empty path is sent, and meant, as "/".
            "" => "/",
            path => path,
        }
    }

    /// The segments of the path, percent-decoded: one after each slash. So `/` has one empty segment, and a path that
    /// ends with `/` has an empty last one.
    ///
    /// A segment may be `..` and may hold any character, even a slash or a NUL: do not make a file name of it. Bytes
    /// that are not UTF-8 after decoding become U+FFFD.
    ///
    /// ```
    /// use wshub::Request;
    ///
    /// let request = Request::parse(b"GET /rooms/tea%20%26%20cake HTTP/1.1\r\nHost: a\r\n\r\n")?;
    /// assert_eq!(request.path_segments().collect::<Vec<_>>(), ["rooms", "tea & cake"]);
    /// assert_eq!(request.path(), "/rooms/tea%20%26%20cake");
    /// # Ok::<(), wshub::Refusal>(())
    /// ```
    pub fn path_segments(&self) -> impl Iterator<Item = Cow<'_, str>> {
        percent::segments(self.path())
    }

    /// What follows the `?`, percent-encoded as sent; `None` without a `?`.
    #[must_use]
    pub fn query_string(&self) -> Option<&str> {
        self.head.query()
    }

    /// The value of this name in the query, as a browser's `URLSearchParams` reads it: percent-decoded, a `+` is a
    /// space. The first one if several are sent ([`query_all`](Self::query_all) has all of them); empty if there is no
    /// `=`. `None` if the query does not have the name, which must match exactly.
    ///
    /// Bytes that are not UTF-8 after decoding become U+FFFD. A query is no place for secrets: proxies write it to
    /// their logs.
    ///
    /// ```
    /// use wshub::Request;
    ///
    /// let request = Request::parse(b"GET /?topic=a%2Fb&topic=c+d&all HTTP/1.1\r\nHost: a\r\n\r\n")?;
    /// assert_eq!(request.query("topic").as_deref(), Some("a/b"));
    /// assert_eq!(request.query("all").as_deref(), Some(""));
    /// assert_eq!(request.query("none"), None);
    /// assert_eq!(request.query_all("topic").collect::<Vec<_>>(), ["a/b", "c d"]);
    /// # Ok::<(), wshub::Refusal>(())
    /// ```
    #[must_use]
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        self.query_all(name).next()
    }

    /// Every value of this name in the query, in the order sent; see [`query`](Self::query).
    pub fn query_all(&self, name: &str) -> impl Iterator<Item = Cow<'_, str>> {
        self.query_pairs()
            .filter_map(move |(sent, value)| (sent == name).then_some(value))
    }

    /// Every name of the query with its value, in the order sent; see [`query`](Self::query).
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        percent::pairs(self.query_string().unwrap_or_default())
    }

    /// The HTTP version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// The value of a header, its name in any case, without the spaces around it.
    ///
    /// The first one if several are sent. `None` if there is none, or if it is not UTF-8: see
    /// [`headers`](Self::headers) for those.
    ///
    /// ```
    /// use wshub::Request;
    ///
    /// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nX-Token:  t1 \r\n\r\n")?;
    /// assert_eq!(request.header("x-token"), Some("t1"));
    /// assert_eq!(request.header("authorization"), None);
    /// # Ok::<(), wshub::Refusal>(())
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_bytes(name)
            .and_then(|value| core::str::from_utf8(value).ok())
    }

    /// Every header in the order sent, with its name as sent and its value as bytes.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.head.headers()
    }

    /// The host, and its port if written, that the client asked for: what a
    /// [trusted proxy](crate::ServerBuilder::trusted_proxies) says, the target's if it names one, else the Host
    /// header (RFC 9112 3.2.2). Empty if an HTTP/1.0 client named none.
    #[must_use]
    pub fn host(&self) -> &str {
        let extras = self.extras.as_ref();
        let forwarded = extras.and_then(|extras| extras.host.as_deref());
        forwarded.unwrap_or_else(|| self.head.text(self.head.host))
    }

    /// Whether a trusted proxy says that the client sent it by https or wss, or that it did not.
    pub(crate) fn is_secure(&self) -> Option<bool> {
        self.extras.as_ref()?.secure
    }

    /// The same request with what trusted proxies say of how the client sent it.
    pub(crate) fn with_forwarded(mut self, secure: Option<bool>, host: Option<String>) -> Self {
        if secure.is_some() || host.is_some() {
            let extras = self.extras.get_or_insert_default();
            (extras.secure, extras.host) = (secure, host);
        }
        self
    }

    /// The Origin header: the site whose page opens the WebSocket. `None` for most clients that are not a browser.
    ///
    /// Only a browser is bound to tell the truth here; other programs send what they like (RFC 6455 10.2).
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.header("origin")
    }

    /// The value of a cookie, with its quotes if they were sent. The name must match exactly. The first one if several
    /// are sent.
    ///
    /// ```
    /// use wshub::Request;
    ///
    /// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: id=1; theme=dark\r\n\r\n")?;
    /// assert_eq!(request.cookie("theme"), Some("dark"));
    /// assert_eq!(request.cookie("Theme"), None);
    /// # Ok::<(), wshub::Refusal>(())
    /// ```
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies()
            .find_map(|(sent, value)| (sent == name).then_some(value))
    }

    /// Every cookie as name and value, in the order sent (RFC 6265 4.2.1). Parts that are not `name=value` in UTF-8 are
    /// left out.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values("cookie")
            .flat_map(|line| line.split(|&byte| byte == b';'))
            .filter_map(|pair| {
                core::str::from_utf8(pair.trim_ascii())
                    .ok()?
                    .split_once('=')
            })
    }

    /// The subprotocols that the client offers, in its order of preference; empty without any (RFC 6455 11.3.4).
    ///
    /// ```
    /// use wshub::Request;
    ///
    /// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Protocol: chat, v2\r\n\r\n")?;
    /// assert!(request.subprotocols().eq(["chat", "v2"]));
    /// # Ok::<(), wshub::Refusal>(())
    /// ```
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.elements("sec-websocket-protocol")
            .filter(|element| is_token(element))
            .filter_map(|element| core::str::from_utf8(element).ok())
    }

    /// Where the request comes from: the other end of the transport, or the client that a [trusted
    /// proxy](crate::ServerBuilder::trusted_proxies) names. Behind another proxy it is the proxy. The port is 0 if the
    /// proxy does not tell it.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// The address of the [`peer`](Self::peer); `None` if the transport has none, as in memory.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer.addr()
    }

    /// The certificates that the client has shown and that were verified against the server's client CA
    /// (`TlsBuilder::client_ca_file`, feature `tls`): the client's own first, then the intermediate ones as it sent
    /// them, each in DER (RFC 5280). Empty if the server does not ask for any.
    ///
    /// The CA has signed them, and the client has shown that it holds the key. A parser for X.509 reads the name in the
    /// first one. To let in known devices only, compare its bytes, or a hash of them.
    #[must_use]
    pub fn client_certificates(&self) -> &[Vec<u8>] {
        let extras = self.extras.as_ref();
        extras.map_or(&[], |extras| &extras.client_certificates)
    }

    /// The same request with certificates of its client, as [`client_certificates`](Self::client_certificates) gives
    /// them.
    ///
    /// A server sets them; it is public for tests of hooks.
    #[must_use]
    pub fn with_client_certificates(mut self, certificates: impl Into<Box<[Vec<u8>]>>) -> Self {
        let certificates = certificates.into();
        if self.extras.is_some() || !certificates.is_empty() {
            self.extras.get_or_insert_default().client_certificates = certificates;
        }
        self
    }

    /// Whether it is about the server, and nothing on it: `OPTIONS *` (RFC 9110 9.3.7).
    pub(crate) fn is_about_server(&self) -> bool {
        self.path() == "*"
    }

    /// Whether the client wants a WebSocket, so that a plain answer would be the wrong one. HEAD never does.
    pub(crate) fn wants_upgrade(&self) -> bool {
        self.method() != "HEAD"
            && (self.lists("upgrade", "websocket")
                || self.header_bytes("sec-websocket-key").is_some()
                || self.header_bytes("sec-websocket-version").is_some())
    }

    /// The first value of a header, UTF-8 or not.
    pub(crate) fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// Whether a list header holds an element, in any case and on any of its lines (RFC 9110 5.3, 7.8).
    pub(crate) fn lists(&self, name: &str, element: &str) -> bool {
        self.elements(name)
            .any(|sent| sent.eq_ignore_ascii_case(element.as_bytes()))
    }

    /// The elements of a list header over all its lines.
    pub(crate) fn elements(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.values(name).flat_map(elements)
    }

    /// Every value of a header, one for each of its lines.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.headers()
            .filter(move |(sent, _)| sent.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self
            .headers()
            .map(|(name, _)| excerpt(name.as_bytes()))
            .collect();
        f.debug_struct("Request")
            .field(
                "method",
                &format_args!("{}", excerpt(self.method().as_bytes())),
            )
            .field("host", &format_args!("{}", excerpt(self.host().as_bytes())))
            .field("path", &format_args!("{}", excerpt(self.path().as_bytes())))
            .field("version", &self.version())
            .field("headers", &format_args!("{}", names.join(" ")))
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
