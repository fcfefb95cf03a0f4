//! What a hook refuses a WebSocket with.

use super::excerpt::excerpt;
use super::headers::InvalidHeader;
use super::response::Response;
use super::status::{InvalidStatus, reason_phrase};

/// What the `accept` hook returns to refuse: a status from 300 to 599, headers and a text.
///
/// Clients that are not browsers see all of it. A browser tells its page only that the connection failed (close code
/// 1006). An [`InvalidHeader`] or [`InvalidStatus`] becomes a `Reject` with `?`: 500, with its text in the log.
///
/// Source: RFC 6455 4.2.2, RFC 9110 15.
///
/// ```
/// use wshub::Reject;
///
/// let reject = Reject::forbidden().with_body("members only\n");
/// assert_eq!(reject.status(), 403);
/// ```
///
/// The guide: [security](crate::guide::security).
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

    /// Sets a header, such as `Location` or `Retry-After`. A header of the same name is replaced, except `Set-Cookie`.
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

    /// Says why, for the log only: the client does not see it. The log shows it escaped and cut short. Name what was
    /// tried, never the secret that was sent.
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
