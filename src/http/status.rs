//! The status of an answer (RFC 9110 15).

use core::fmt;

/// The status of a [`Response`](crate::Response): 200 to 599.
///
/// The ones in common use are constants, so that they need no `Result`.
///
/// Source: RFC 9110 15.
///
/// ```
/// use wshub::{Response, Status};
///
/// let created = Response::json(r#"{"id":7}"#).with_status(Status::CREATED);
/// assert_eq!(created.status(), 201);
/// assert_eq!(Status::CREATED.to_string(), "201 Created");
/// // Any other one is checked.
/// let teapot = Status::new(418)?;
/// assert_eq!(teapot.code(), 418);
/// assert!(Status::new(101).is_err());
/// # Ok::<(), wshub::InvalidStatus>(())
/// ```
///
/// The guide: [HTTP](crate::guide::http).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u16);

impl Status {
    /// 200.
    pub const OK: Self = Self(200);
    /// 201.
    pub const CREATED: Self = Self(201);
    /// 202.
    pub const ACCEPTED: Self = Self(202);
    /// 204.
    pub const NO_CONTENT: Self = Self(204);
    /// 206.
    pub const PARTIAL_CONTENT: Self = Self(206);
    /// 301.
    pub const MOVED_PERMANENTLY: Self = Self(301);
    /// 302.
    pub const FOUND: Self = Self(302);
    /// 303.
    pub const SEE_OTHER: Self = Self(303);
    /// 304.
    pub const NOT_MODIFIED: Self = Self(304);
    /// 307.
    pub const TEMPORARY_REDIRECT: Self = Self(307);
    /// 308.
    pub const PERMANENT_REDIRECT: Self = Self(308);
    /// 400.
    pub const BAD_REQUEST: Self = Self(400);
    /// 401.
    pub const UNAUTHORIZED: Self = Self(401);
    /// 403.
    pub const FORBIDDEN: Self = Self(403);
    /// 404.
    pub const NOT_FOUND: Self = Self(404);
    /// 405.
    pub const METHOD_NOT_ALLOWED: Self = Self(405);
    /// 406.
    pub const NOT_ACCEPTABLE: Self = Self(406);
    /// 408.
    pub const REQUEST_TIMEOUT: Self = Self(408);
    /// 409.
    pub const CONFLICT: Self = Self(409);
    /// 410.
    pub const GONE: Self = Self(410);
    /// 411.
    pub const LENGTH_REQUIRED: Self = Self(411);
    /// 412.
    pub const PRECONDITION_FAILED: Self = Self(412);
    /// 413.
    pub const CONTENT_TOO_LARGE: Self = Self(413);
    /// 415.
    pub const UNSUPPORTED_MEDIA_TYPE: Self = Self(415);
    /// 416.
    pub const RANGE_NOT_SATISFIABLE: Self = Self(416);
    /// 422.
    pub const UNPROCESSABLE_CONTENT: Self = Self(422);
    /// 429.
    pub const TOO_MANY_REQUESTS: Self = Self(429);
    /// 500.
    pub const INTERNAL_SERVER_ERROR: Self = Self(500);
    /// 501.
    pub const NOT_IMPLEMENTED: Self = Self(501);
    /// 502.
    pub const BAD_GATEWAY: Self = Self(502);
    /// 503.
    pub const SERVICE_UNAVAILABLE: Self = Self(503);
    /// 504.
    pub const GATEWAY_TIMEOUT: Self = Self(504);

    /// The status of this number.
    ///
    /// # Errors
    ///
    /// [`InvalidStatus`] unless it is from 200 to 599: what is below is no answer yet, and the server's own to send.
    pub const fn new(code: u16) -> Result<Self, InvalidStatus> {
        match code {
            200..=599 => Ok(Self(code)),
            _ => Err(InvalidStatus::new(code, 200)),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Status {
    type Error = InvalidStatus;

    fn try_from(code: u16) -> Result<Self, InvalidStatus> {
        Self::new(code)
    }
}

impl From<Status> for u16 {
    fn from(status: Status) -> Self {
        status.code()
    }
}

/// Its number, and its name where it has a common one: `404 Not Found`.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match reason_phrase(self.0) {
            "" => write!(f, "{}", self.0),
            phrase => write!(f, "{} {phrase}", self.0),
        }
    }
}

/// A status that cannot be answered here.
///
/// A [`Response`](crate::Response) takes 200 to 599, a [`Reject`](crate::Reject) 300 to 599: 101 is what the server
/// itself sends when a hook accepts, and a 2xx does not refuse anything.
///
/// ```
/// use wshub::{Reject, Response};
///
/// assert!(Response::new(101).is_err());
/// assert!(Reject::new(200).is_err());
/// assert!(Reject::new(403).is_ok());
/// ```
///
/// The guide: [HTTP](crate::guide::http).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidStatus {
    status: u16,
    lowest: u16,
}

impl InvalidStatus {
    /// Where the lowest one that is possible is this.
    pub(crate) const fn new(status: u16, lowest: u16) -> Self {
        Self { status, lowest }
    }
}

impl fmt::Display for InvalidStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "status {} is not possible here; use one from {} to 599",
            self.status, self.lowest
        )
    }
}

impl core::error::Error for InvalidStatus {}

/// The reason phrase of a status; empty for one without a common name (RFC 9112 4 allows that).
pub(crate) fn reason_phrase(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
