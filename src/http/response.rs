//! What is answered: plain responses, and the refusals of hooks.

use core::any::Any;
use core::fmt;

use super::date::Date;
use super::refusal::excerpt;
use super::status::{InvalidStatus, Status, reason_phrase};
use super::token::is_token;

/// Headers that say where a message ends or what the connection becomes: the server writes them itself.
const FRAMING_HEADERS: [&str; 8] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
];
const WEBSOCKET_PREFIX: &str = "sec-websocket-";

/// A header that cannot be sent, with the reason.
///
/// Checked where the header is set, so that text of a peer that an application passes on can never start a second
/// header or a second response (CWE-113, RFC 9110 5.5).
///
/// ```
/// use wshub::{InvalidHeader, Response};
///
/// let error = Response::ok().with_header("X-Name", "a\r\nSet-Cookie: b=c").unwrap_err();
/// assert!(matches!(error, InvalidHeader::Value { .. }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidHeader {
    /// The name is not a token: letters, digits and ``!#$%&'*+-.^_`|~``.
    Name {
        /// The name, escaped and cut short.
        name: String,
    },
    /// The value holds something else than printable ASCII, space and tab. Percent-encode it, or leave it out.
    Value {
        /// The name of the header; the value may be secret and is not kept.
        name: String,
    },
    /// wshub writes this header itself: it frames the message or is part of the handshake.
    Reserved {
        /// The name, escaped and cut short.
        name: String,
    },
    /// A subprotocol's name is not a token.
    Subprotocol {
        /// The name, escaped and cut short.
        name: String,
    },
}

impl fmt::Display for InvalidHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "header name \"{name}\" is not a token (RFC 9110 5.6.2); use letters, \
                 digits and `-`"
            ),
            Self::Value { name } => write!(
                f,
                "the value of header \"{name}\" holds a control or non-ASCII character \
                 (RFC 9110 5.5); percent-encode it"
            ),
            Self::Reserved { name } => write!(
                f,
                "header \"{name}\" frames the message or belongs to the handshake; leave it \
                 out, wshub writes it"
            ),
            Self::Subprotocol { name } => write!(
                f,
                "subprotocol \"{name}\" is not a token (RFC 6455 4.1); use letters, digits, \
                 `-` and `.`"
            ),
        }
    }
}

impl core::error::Error for InvalidHeader {}

/// An answer to a plain HTTP request, what the `http` hook returns.
///
/// Every answer says how long its body is; HEAD gets the same headers and no body. `Date` is set unless you set one, or
/// the system's clock is not. The connection is kept for further requests, within
/// [`keep_alive`](crate::Limits::keep_alive).
///
/// Source: RFC 9110 6 and 15, RFC 9112 4.
///
/// ```
/// use wshub::{Request, Response};
///
/// fn page(request: &Request) -> Response {
///     match request.path() {
///         "/" => Response::html("<!doctype html><title>hello</title>"),
///         _ => Response::not_found(),
///     }
/// }
///
/// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
/// assert_eq!(page(&request).status(), 200);
/// # Ok::<(), wshub::Refusal>(())
/// ```
#[derive(Clone)]
pub struct Response {
    status: u16,
    headers: Headers,
    body: Vec<u8>,
    pending: Option<Box<dyn PendingBody>>,
}

/// What stands for a body, or for all of an answer, that is not here yet. Who writes the answer knows what it is.
pub(crate) trait PendingBody: Any + Send + Sync {
    /// Another one that stands for the same.
    fn again(&self) -> Box<dyn PendingBody>;

    fn as_any(&self) -> &dyn Any;
}

impl Clone for Box<dyn PendingBody> {
    fn clone(&self) -> Self {
        (**self).again()
    }
}

/// How an answer is put on the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    /// It was asked for with HEAD, which wants no body (RFC 9110 9.3.2).
    pub(crate) head_only: bool,
    /// When it was made, where that is known.
    pub(crate) date: Option<Date>,
    /// For how many seconds the connection waits for another request; `None`: it closes.
    pub(crate) keep_alive: Option<u64>,
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// So many bytes.
    Known(u64),
    /// Its last chunk says.
    Chunked,
    /// As long as the connection, for who knows no chunks.
    ToTheEnd,
}

impl Response {
    /// An empty answer with this status.
    ///
    /// # Errors
    ///
    /// [`InvalidStatus`] unless the status is from 200 to 599. With a constant there is none to handle: see
    /// [`with_status`](Self::with_status).
    ///
    /// ```
    /// let created = wshub::Response::new(201)?;
    /// assert_eq!(created.status(), 201);
    /// # Ok::<(), wshub::InvalidStatus>(())
    /// ```
    pub fn new(status: u16) -> Result<Self, InvalidStatus> {
        Status::new(status).map(Self::from)
    }

    /// An empty 200.
    #[must_use]
    pub fn ok() -> Self {
        Self::empty(200)
    }

    /// A 200 with a page: `text/html; charset=utf-8`, and `X-Content-Type-Options: nosniff`, so that a browser takes
    /// the type as it is said.
    #[must_use]
    pub fn html(page: impl Into<String>) -> Self {
        Self::typed(200, "text/html; charset=utf-8", page.into())
    }

    /// A 200 with text: `text/plain; charset=utf-8`, and `X-Content-Type-Options: nosniff`, so that no browser takes
    /// text for a page.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::text_with_status(200, text.into())
    }

    /// A 200 with JSON that is encoded already: `application/json`, and `X-Content-Type-Options: nosniff`. Whether it
    /// is JSON is not looked at.
    ///
    /// ```
    /// let stats = wshub::Response::json(r#"{"users":3}"#);
    /// assert_eq!(stats.header("content-type"), Some("application/json"));
    /// ```
    #[must_use]
    pub fn json(json: impl Into<String>) -> Self {
        Self::typed(200, "application/json", json.into())
    }

    /// A 400 with a text that says what is wrong with the request.
    ///
    /// ```
    /// use wshub::{Request, Response};
    ///
    /// fn set(request: &Request) -> Response {
    ///     match core::str::from_utf8(request.body()).map(str::parse::<u32>) {
    ///         Ok(Ok(seconds)) => Response::text(format!("{seconds} s\n")),
    ///         _ => Response::bad_request("send a whole number of seconds\n"),
    ///     }
    /// }
    ///
    /// let head = b"PUT /interval HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n";
    /// let request = Request::parse(head)?.with_body("soon");
    /// assert_eq!(set(&request).status(), 400);
    /// # Ok::<(), wshub::Refusal>(())
    /// ```
    #[must_use]
    pub fn bad_request(text: impl Into<String>) -> Self {
        Self::text_with_status(400, text.into())
    }

    /// A 404 that says so in a line of text.
    #[must_use]
    pub fn not_found() -> Self {
        Self::text_with_status(404, "there is nothing at this path\n".to_owned())
    }

    /// Sets the status; headers and body stay as they are.
    ///
    /// ```
    /// use wshub::{Response, Status};
    ///
    /// let busy = Response::text("try again later\n").with_status(Status::SERVICE_UNAVAILABLE);
    /// assert_eq!(busy.status(), 503);
    /// ```
    #[must_use]
    pub fn with_status(mut self, status: Status) -> Self {
        self.status = status.code();
        self
    }

    /// Sets a header. A header of the same name is replaced, except that each `Set-Cookie` is one more.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] if the name is not a token, if the value is not printable ASCII, or if the server writes this
    /// header itself (`Content-Length`, `Transfer-Encoding`, `Connection`, `Upgrade`, `Sec-WebSocket-*` and the like).
    ///
    /// ```
    /// use wshub::Response;
    ///
    /// let response = Response::ok().with_header("Cache-Control", "no-store")?;
    /// assert_eq!(response.header("cache-control"), Some("no-store"));
    /// # Ok::<(), wshub::InvalidHeader>(())
    /// ```
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, InvalidHeader> {
        self.headers.set(name, value)?;
        Ok(self)
    }

    /// Sets the body. Its type is what a `Content-Type` header says; set one if there is none yet.
    ///
    /// ```
    /// use wshub::Response;
    ///
    /// let image = Response::ok().with_header("Content-Type", "image/png")?.with_body(vec![0x89, b'P']);
    /// assert_eq!(image.body().len(), 2);
    /// # Ok::<(), wshub::InvalidHeader>(())
    /// ```
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.pending = None;
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of a header that was set, its name in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The answer as bytes, after which the connection closes.
    pub(crate) fn encode(&self, head_only: bool, date: Option<Date>) -> Vec<u8> {
        self.encode_for(Wire {
            head_only,
            date,
            keep_alive: None,
        })
    }

    /// The answer as bytes.
    pub(crate) fn encode_for(&self, wire: Wire) -> Vec<u8> {
        let mut bytes = self.encode_head(wire, Length::Known(self.body.len() as u64));
        if !wire.head_only && self.has_content() {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }

    /// The head of an answer whose body is as long as is said.
    pub(crate) fn encode_head(&self, wire: Wire, length: Length) -> Vec<u8> {
        let mut bytes = status_line(self.status);
        match wire.keep_alive {
            // Some clients take a connection up again right when it closes, unless they know when that is.
            Some(seconds) => {
                push_header(&mut bytes, "Connection", "keep-alive");
                push_header(&mut bytes, "Keep-Alive", &format!("timeout={seconds}"));
            }
            // RFC 9110 7.8: who sends Upgrade also names it in Connection.
            None if self.status == 426 => push_header(&mut bytes, "Connection", "close, Upgrade"),
            None => push_header(&mut bytes, "Connection", "close"),
        }
        // RFC 9110 6.6.1: a server that has a clock says when it answers.
        if let Some(date) = wire.date.filter(|_| self.headers.get("date").is_none()) {
            push_header(&mut bytes, "Date", &date.to_string());
        }
        for &(name, value) in required_headers(self.status) {
            if self.headers.get(name).is_none() {
                push_header(&mut bytes, name, value);
            }
        }
        self.headers.encode(&mut bytes);
        // RFC 9110 8.6: no Content-Length with 204; with 304 it would be that of another answer.
        match (self.status, length) {
            (204 | 304, _) | (_, Length::ToTheEnd) => {}
            (205, _) => push_header(&mut bytes, "Content-Length", "0"),
            (_, Length::Known(length)) => {
                push_header(&mut bytes, "Content-Length", &length.to_string());
            }
            (_, Length::Chunked) => push_header(&mut bytes, "Transfer-Encoding", "chunked"),
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    /// RFC 9110 15.3.5, 15.3.6, 15.4.5: these statuses have no content.
    pub(crate) fn has_content(&self) -> bool {
        !matches!(self.status, 204 | 205 | 304)
    }

    /// The same, with something in place of a body.
    pub(crate) fn with_pending(mut self, pending: Box<dyn PendingBody>) -> Self {
        self.pending = Some(pending);
        self
    }

    /// What stands in place of its body, if it is of this kind.
    pub(crate) fn pending<T: Any>(&self) -> Option<&T> {
        self.pending.as_ref()?.as_any().downcast_ref()
    }

    /// Sets a header of which a part is the peer's; one that cannot be sent is left out.
    pub(crate) fn try_set(&mut self, name: &str, value: &str) {
        let _ = self.headers.set(name, value);
    }

    /// Says to caches that a header of the request was looked at (RFC 9110 12.5.5).
    pub(crate) fn vary_with(&mut self, header: &'static str) {
        let known = self.headers.get("vary").unwrap_or_default();
        let mut names = known.split(',').map(str::trim);
        if names.any(|name| name == "*" || name.eq_ignore_ascii_case(header)) {
            return;
        }
        let all = match known {
            "" => header.to_owned(),
            known => format!("{known}, {header}"),
        };
        self.headers.replace("Vary", &all);
    }

    /// An answer in plain text.
    pub(crate) fn text_with_status(status: u16, text: String) -> Self {
        Self::typed(status, "text/plain; charset=utf-8", text)
    }

    /// Adds a header that this crate itself spells.
    pub(crate) fn with_trusted_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.replace(name, value);
        self
    }

    fn typed(status: u16, content_type: &'static str, body: String) -> Self {
        Self::empty(status)
            .with_trusted_header("Content-Type", content_type)
            .with_trusted_header("X-Content-Type-Options", "nosniff")
            .with_body(body)
    }

    fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Headers::default(),
            body: Vec::new(),
            pending: None,
        }
    }
}

/// An empty answer.
impl From<Status> for Response {
    fn from(status: Status) -> Self {
        Self::empty(status.code())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body_len", &self.body.len())
            .field("pending", &self.pending.is_some())
            .finish()
    }
}

/// What the `accept` hook returns to refuse: a status from 300 to 599, headers and a text.
///
/// A browser shows none of it to the page, which sees only that the connection failed (close code 1006); other
/// clients do. An [`InvalidHeader`] or [`InvalidStatus`] becomes a `Reject` with `?`: 500, with its text in the log.
///
/// Source: RFC 6455 4.2.2, RFC 9110 15.
///
/// ```
/// use wshub::Reject;
///
/// let reject = Reject::forbidden().with_body("members only\n");
/// assert_eq!(reject.status(), 403);
/// ```
#[derive(Clone, Debug)]
pub struct Reject {
    response: Response,
    cause: Option<String>,
}

impl Reject {
    /// Refuses with this status, and its name as the text.
    ///
    /// # Errors
    ///
    /// [`InvalidStatus`] unless the status is from 300 to 599: 101 and 2xx do not refuse.
    ///
    /// ```
    /// use wshub::Reject;
    ///
    /// let moved = Reject::new(307)?;
    /// assert_eq!(moved.status(), 307);
    /// # Ok::<(), wshub::InvalidStatus>(())
    /// ```
    pub fn new(status: u16) -> Result<Self, InvalidStatus> {
        match status {
            300..=599 => Ok(Self::plain(status)),
            _ => Err(InvalidStatus::new(status, 300)),
        }
    }

    /// 401. The answer carries `WWW-Authenticate: Bearer` unless you set another (RFC 9110 15.5.2 wants one).
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::plain(401)
    }

    /// 403.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::plain(403)
    }

    /// 404.
    #[must_use]
    pub fn not_found() -> Self {
        Self::plain(404)
    }

    /// 429.
    #[must_use]
    pub fn too_many_requests() -> Self {
        Self::plain(429)
    }

    /// 503.
    #[must_use]
    pub fn service_unavailable() -> Self {
        Self::plain(503)
    }

    /// Sets a header, `Location` or `Retry-After` for one. A header of the same name is replaced, except `Set-Cookie`.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`], as for [`Response::with_header`].
    ///
    /// ```
    /// use wshub::Reject;
    ///
    /// let later = Reject::service_unavailable().with_header("Retry-After", "30")?;
    /// assert_eq!(later.status(), 503);
    /// # Ok::<(), wshub::InvalidHeader>(())
    /// ```
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, InvalidHeader> {
        self.response = self.response.with_header(name, value)?;
        Ok(self)
    }

    /// Sets the text, sent as `text/plain; charset=utf-8` unless you set another `Content-Type`.
    #[must_use]
    pub fn with_body(mut self, text: impl Into<String>) -> Self {
        self.response = self.response.with_body(text.into());
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status()
    }

    /// Says why, for the log only: the client does not see it. Escaped and cut short there; name what was tried, never
    /// the secret that was sent.
    ///
    /// ```
    /// use wshub::{Refusal, Reject};
    ///
    /// let reject = Reject::unauthorized().with_cause("wrong cookie");
    /// assert!(Refusal::HookRejected(reject).to_string().ends_with(": wrong cookie"));
    /// ```
    #[must_use]
    pub fn with_cause(mut self, cause: impl AsRef<str>) -> Self {
        self.cause = Some(excerpt(cause.as_ref().as_bytes()));
        self
    }

    /// Why the hook refused, or the error of the hook that became this; for the log.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    fn plain(status: u16) -> Self {
        let text = format!("{status} {}\n", reason_phrase(status));
        Self {
            response: Response::text_with_status(status, text),
            cause: None,
        }
    }

    fn internal(cause: String) -> Self {
        Self {
            cause: Some(cause),
            ..Self::plain(500)
        }
    }
}

impl From<Reject> for Response {
    fn from(reject: Reject) -> Self {
        reject.response
    }
}

impl From<InvalidHeader> for Reject {
    fn from(error: InvalidHeader) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<InvalidStatus> for Reject {
    fn from(error: InvalidStatus) -> Self {
        Self::internal(error.to_string())
    }
}

/// Headers that were checked. `Debug` prints their names only: a value may be a cookie.
#[derive(Clone, Default)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        check_header(name, value)?;
        self.replace(name, value);
        Ok(())
    }

    fn replace(&mut self, name: &str, value: &str) {
        // RFC 6265 3: cookies cannot share a line, nor replace each other.
        if !name.eq_ignore_ascii_case("set-cookie") {
            self.0
                .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        }
        self.0.push((name.to_owned(), value.to_owned()));
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        for (name, value) in &self.0 {
            push_header(bytes, name, value);
        }
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// Headers without which an answer of this status breaks a MUST.
fn required_headers(status: u16) -> &'static [(&'static str, &'static str)] {
    match status {
        // RFC 9110 15.5.2; not Basic, for which a browser would ask its user.
        401 => &[("WWW-Authenticate", "Bearer")],
        // RFC 9110 15.5.6.
        405 => &[("Allow", "GET, HEAD")],
        // RFC 9110 15.5.22, RFC 6455 4.4.
        426 => &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
        _ => &[],
    }
}

pub(crate) fn status_line(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} {}\r\n", reason_phrase(status)).into_bytes()
}

pub(crate) fn push_header(bytes: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
}

fn check_header(name: &str, value: &str) -> Result<(), InvalidHeader> {
    let lower = name.to_ascii_lowercase();
    // RFC 9110 5.1: a name is a token.
    if !is_token(name.as_bytes()) {
        return Err(InvalidHeader::Name {
            name: excerpt(name.as_bytes()),
        });
    }
    if FRAMING_HEADERS.contains(&lower.as_str()) || lower.starts_with(WEBSOCKET_PREFIX) {
        return Err(InvalidHeader::Reserved {
            name: excerpt(name.as_bytes()),
        });
    }
    // RFC 9110 5.5: no CR, LF, NUL or other control character, and ASCII from those who send.
    match value
        .bytes()
        .all(|byte| matches!(byte, b'\t' | 0x20..=0x7e))
    {
        true => Ok(()),
        false => Err(InvalidHeader::Value {
            name: excerpt(name.as_bytes()),
        }),
    }
}
