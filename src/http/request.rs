//! A request: what its head says, and its body.

mod fields;
mod spans;
mod target;

use core::fmt;
use core::net::SocketAddr;
use std::borrow::Cow;

use super::forwarded::Forwarded;
use super::head::{HeadLimits, HeadScanner, NOT_A_REQUEST_LINE, split_line};
use super::peer::Peer;
use super::percent;
use super::refusal::{Refusal, excerpt};
use super::token::is_token;
use spans::{HeaderSpans, Span};

/// The HTTP version a request was sent with.
///
/// Another major version is refused with 505 before a [`Request`] exists (RFC 9110 15.6.6).
///
/// ```
/// use wshub::{Request, Version};
///
/// let request = Request::parse(b"GET / HTTP/1.0\r\n\r\n")?;
/// assert_eq!(request.version(), Version::Http10);
/// # Ok::<(), wshub::Refusal>(())
/// ```
///
/// The guide: [HTTP](crate::guide::http).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// HTTP/1.0: plain requests only, a WebSocket cannot be opened over it (RFC 9110 7.8).
    Http10,
    /// HTTP/1.1, or a later minor version, which is to be taken for it (RFC 9110 2.5).
    Http11,
}

/// The request that opened a connection, or a plain request on the same port: its head, and its body if it has one.
///
/// Hooks get one, and a connection keeps it. Names and values are as the peer sent them, percent-decoded only where it
/// says so, and nothing is trusted. It holds one copy of the head, and the body of a plain request; its size is that of
/// both.
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
    /// The head as it came, and behind it where its headers are: one allocation that an idle connection holds.
    head: Box<[u8]>,
    /// Where the head ends.
    end: u16,
    method: Span,
    target: Span,
    path: Span,
    query: Option<Span>,
    host: Span,
    version: Version,
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
        check_is_one_head(head)?;
        let (line, rest) = split_line(head.strip_prefix(b"\r\n").unwrap_or(head));
        let (method, raw_target, version) = request_line(line).ok_or(NOT_A_REQUEST_LINE)?;
        // The last line is no header; the array is on the heap, for threads have small stacks.
        let lines = rest.iter().filter(|&&byte| byte == b'\n').count();
        let mut slots = vec![httparse::EMPTY_HEADER; lines.saturating_sub(1)];
        let parsed = httparse::parse_headers(rest, &mut slots).map_err(fields::malformed)?;
        let httparse::Status::Complete((_, parsed)) = parsed else {
            return Err(UNFINISHED);
        };

        let target = target::parse(method, raw_target)?;
        fields::check_single(parsed)?;
        let host_header = fields::host(parsed, version)?;
        // RFC 9112 3.2.2: the authority of the target replaces what Host says.
        let host = target.authority.unwrap_or(host_header);

        let span = |part: &str| Span::of(head, part.as_bytes()).unwrap_or_default();
        let mut kept = Vec::with_capacity(head.len() + HeaderSpans::SIZE * parsed.len());
        kept.extend_from_slice(head);
        for header in parsed.iter() {
            let spans = HeaderSpans {
                name: span(header.name),
                value: Span::of(head, header.value.trim_ascii()).unwrap_or_default(),
            };
            kept.extend_from_slice(&spans.to_bytes());
        }
        Ok(Self {
            head: kept.into_boxed_slice(),
            end: u16::try_from(head.len()).unwrap_or(u16::MAX),
            method: span(method),
            target: span(raw_target),
            path: span(target.path),
            query: target.query.map(span),
            host: span(host),
            version,
            peer: Peer::Unknown,
            extras: None,
        })
    }

    /// The same request with these of its headers alone, and the subprotocols: the others take no memory any more.
    pub(crate) fn with_headers_only(mut self, names: &[String]) -> Self {
        let line = Span {
            start: 0,
            end: self.target.end,
        };
        let mut head = line.bytes(&self.head).to_vec();
        let mut keep = |bytes: &[u8]| {
            let start = head.len();
            head.extend_from_slice(bytes);
            Span::between(start, head.len())
        };
        let host = match self.host.end <= line.end {
            true => Some(self.host),
            false => keep(self.host.bytes(&self.head)),
        };
        let names = names.iter().map(String::as_str);
        let names: Vec<&str> = names.chain(["sec-websocket-protocol"]).collect();
        let is_kept = |name: &str| names.iter().any(|kept| kept.eq_ignore_ascii_case(name));
        let headers = self.headers().filter(|(name, _)| is_kept(name));
        let headers: Option<Vec<HeaderSpans>> = headers
            .map(|(name, value)| {
                Some(HeaderSpans {
                    name: keep(name.as_bytes())?,
                    value: keep(value)?,
                })
            })
            .collect();
        // The host may stand there twice: of one that is too long then all is kept.
        let (Some(host), Some(headers), Ok(end)) = (host, headers, u16::try_from(head.len()))
        else {
            return self;
        };
        head.extend(headers.into_iter().flat_map(HeaderSpans::to_bytes));
        (self.head, self.end, self.host) = (head.into_boxed_slice(), end, host);
        self
    }

    /// The same request with where it comes from, as [`peer`](Self::peer) gives it.
    ///
    /// A server sets it; it is public for tests of hooks.
    #[must_use]
    pub fn with_peer(mut self, peer: Peer) -> Self {
        self.peer = peer;
        self
    }

    /// As [`with_peer`](Self::with_peer), for a peer with an address, or one of which nothing is known.
    #[must_use]
    pub fn with_peer_addr(self, peer_addr: Option<SocketAddr>) -> Self {
        self.with_peer(peer_addr.map_or(Peer::Unknown, Peer::Address))
    }

    /// The body, whole, its framing taken off: what a `Content-Length` counted or the chunks held. Empty where there is
    /// none, and always in the `accept` hook: a request for a WebSocket has no body.
    ///
    /// It is at most [`max_body`](crate::Limits::max_body) long. What it is says the `Content-Type` header; nothing is
    /// decoded, and nothing in it is trusted.
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
        self.method.text(&self.head)
    }

    /// The request target as sent: path and query, or a whole URL from a client that thinks it speaks to a proxy.
    ///
    /// [`path`](Self::path) and [`query_string`](Self::query_string) are the parts of both.
    #[must_use]
    pub fn target(&self) -> &str {
        self.target.text(&self.head)
    }

    /// The path, from its `/` to the query, percent-encoded as sent; `*` for `OPTIONS *`, which a server answers
    /// itself.
    ///
    /// It may hold `..` and encoded slashes, and begin with `//`, which a browser reads as a host: do not use it as it
    /// is as a file name, a link or a `Location`.
    #[must_use]
    pub fn path(&self) -> &str {
        match self.path.text(&self.head) {
            // RFC 9112 3.2.1: an empty path is sent, and meant, as "/".
            "" => "/",
            path => path,
        }
    }

    /// The segments of the path, percent-decoded: one behind each of its slashes, so that `/` has an empty one, and so
    /// does a path that ends with `/`.
    ///
    /// A segment may be `..` and may hold any character, a slash and a NUL among them: do not make a file name of it.
    /// What is no UTF-8 once it is decoded shows as U+FFFD.
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
        self.query.map(|query| query.text(&self.head))
    }

    /// The value of this name in the query, as a browser's `URLSearchParams` reads it: percent-decoded, a `+` is a
    /// space. The first one where several are sent ([`query_all`](Self::query_all) has them all); empty where there is
    /// no `=`. `None` if the name, which is exact, is not in the query.
    ///
    /// What is no UTF-8 once it is decoded shows as U+FFFD. A query is no place for secrets: proxies write it to their
    /// logs.
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
        self.version
    }

    /// The value of a header, its name in any case, without the spaces around it.
    ///
    /// The first one where several are sent. `None` if there is none, or if it is not UTF-8: see
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
        let spans = self.head.get(usize::from(self.end)..).unwrap_or_default();
        let spans = spans.chunks_exact(HeaderSpans::SIZE);
        let spans = spans.filter_map(|spans| spans.try_into().ok());
        spans.map(HeaderSpans::from_bytes).map(|header| {
            let (name, value) = (header.name, header.value);
            (name.text(&self.head), value.bytes(&self.head))
        })
    }

    /// The host, and its port if written, that the client asked for: what a
    /// [trusted proxy](crate::ServerBuilder::trusted_proxies) says, the target's if it names one, else the Host
    /// header (RFC 9112 3.2.2). Empty if an HTTP/1.0 client named none.
    #[must_use]
    pub fn host(&self) -> &str {
        let extras = self.extras.as_ref();
        let forwarded = extras.and_then(|extras| extras.host.as_deref());
        forwarded.unwrap_or_else(|| self.host.text(&self.head))
    }

    /// Whether a trusted proxy says that the client sent it by https or wss, or that it did not.
    pub(crate) fn is_secure(&self) -> Option<bool> {
        self.extras.as_ref()?.secure
    }

    /// The same request with what trusted proxies say of it.
    pub(crate) fn with_forwarded(mut self, forwarded: Forwarded) -> Self {
        let Forwarded {
            client,
            secure,
            host,
        } = forwarded;
        if secure.is_some() || host.is_some() {
            let extras = self.extras.get_or_insert_default();
            (extras.secure, extras.host) = (secure, host);
        }
        self.with_peer(client)
    }

    /// The Origin header: the site whose page opens the WebSocket. `None` for most clients that are not
    /// a browser.
    ///
    /// Only a browser is bound to tell the truth here; other programs send what they like (RFC 6455 10.2).
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.header("origin")
    }

    /// The value of a cookie, its name exact, quotes included if sent. The first one where several are sent.
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

    /// Every cookie as name and value, in the order sent (RFC 6265 4.2.1). What is no `name=value` in UTF-8 is left
    /// out.
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

    /// Where the request comes from, as its transport tells, or a
    /// [trusted proxy](crate::ServerBuilder::trusted_proxies). Behind another one it is the proxy. Its port is 0 where
    /// a proxy tells none.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// The address of the peer; `None` where the transport has none, as in memory. Behind a proxy that is
    /// not trusted it is the proxy's.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer.addr()
    }

    /// The certificates that the client has shown and that were verified against the server's client CA
    /// (`TlsBuilder::client_ca_file`, feature `tls`): the client's own first, then the intermediate ones as it sent
    /// them, each in DER (RFC 5280). Empty where none are asked for.
    ///
    /// That they are here says that the CA vouches for them and that the client holds the key. Whom the first one
    /// names, a parser for X.509 reads; to let known devices in only, compare its bytes, or a hash of them.
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

    /// The elements of a list header over all its lines; empty ones are no elements (RFC 9110 5.6.1.2).
    pub(crate) fn elements(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.values(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|element| !element.is_empty())
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
            .field("version", &self.version)
            .field("headers", &format_args!("{}", names.join(" ")))
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// What the scanner refuses, for a head that did not come through one.
fn check_is_one_head(head: &[u8]) -> Result<(), Refusal> {
    match HeadScanner::new(HeadLimits::WIDEST).scan(head)? {
        Some(length) if length == head.len() => Ok(()),
        _ => Err(UNFINISHED),
    }
}

const UNFINISHED: Refusal =
    Refusal::Malformed("the head does not end with its blank line (RFC 9112 2.1)");

/// Method, target and version of a line that the scanner has checked.
fn request_line(line: &[u8]) -> Option<(&str, &str, Version)> {
    let mut parts = core::str::from_utf8(line).ok()?.split(' ');
    let (method, target) = (parts.next()?, parts.next()?);
    let version = match parts.next()? {
        "HTTP/1.0" => Version::Http10,
        _ => Version::Http11,
    };
    Some((method, target, version))
}
