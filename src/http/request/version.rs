//! The version of HTTP that a request is in (RFC 9110 2.5).

/// The HTTP version a request was sent with.
///
/// Another major version is refused with 505 before a [`Request`](super::Request) exists (RFC 9110 15.6.6).
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
    /// HTTP/1.1, or a later minor version, which is treated as 1.1 (RFC 9110 2.5).
    Http11,
}
