//! What is answered to a plain request, and how it is put on the wire.

use core::any::Any;
use core::fmt;

use super::date::Date;
use super::headers::{Headers, InvalidHeader, push_header};
use super::status::{InvalidStatus, Status, reason_phrase};

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
///
/// The guide: [HTTP](crate::guide::http).
#[derive(Clone)]
pub struct Response {
    status: u16,
    headers: Headers,
    body: Vec<u8>,
    pending: Option<Box<dyn PendingBody>>,
}

/// What stands for a body, or for all of an answer, that is not here yet. The code that writes the answer knows
/// what it is.
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
pub(crate) struct WireFormat {
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
    /// It ends with the connection, for a client that knows no chunks (HTTP/1.0).
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

    /// A 200 with a page: `text/html; charset=utf-8`, and `X-Content-Type-Options: nosniff`, so that a browser does not
    /// guess another type.
    #[must_use]
    pub fn html(page: impl Into<String>) -> Self {
        Self::typed(200, "text/html; charset=utf-8", page.into())
    }

    /// A 200 with text: `text/plain; charset=utf-8`, and `X-Content-Type-Options: nosniff`, so that no browser shows it
    /// as a page.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::text_with_status(200, text.into())
    }

    /// A 200 with JSON that is encoded already: `application/json`, and `X-Content-Type-Options: nosniff`. It is not
    /// checked.
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

    /// Sets a header. A header of the same name is replaced; `Set-Cookie` is added each time.
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

    /// Sets the body. Set its `Content-Type`, too, if there is none yet.
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
        self.encode_for(WireFormat {
            head_only,
            date,
            keep_alive: None,
        })
    }

    /// The answer as bytes.
    pub(crate) fn encode_for(&self, wire: WireFormat) -> Vec<u8> {
        let mut bytes = self.encode_head(wire, Length::Known(self.body.len() as u64));
        if !wire.head_only && self.has_content() {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }

    /// The head of an answer whose body is as long as is said.
    pub(crate) fn encode_head(&self, wire: WireFormat, length: Length) -> Vec<u8> {
        let mut bytes = status_line(self.status);
        let connection = match (wire.keep_alive, self.status) {
            // RFC 9110 7.8: a sender of Upgrade also names it in Connection.
            (Some(_), 426) => "keep-alive, Upgrade",
            (None, 426) => "close, Upgrade",
            (Some(_), _) => "keep-alive",
            (None, _) => "close",
        };
        push_header(&mut bytes, "Connection", connection);
        if let Some(seconds) = wire.keep_alive {
            // Some clients take a connection up again right when it closes, unless they know when that is.
            push_header(&mut bytes, "Keep-Alive", &format!("timeout={seconds}"));
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
