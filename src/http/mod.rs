//! HTTP (RFC 9110, RFC 9112), sans-I/O: bytes in, bytes out.
//!
//! A server feeds what it read to [`head::HeadScanner`] until that gives the length of the head, and parses the head
//! once with [`Request::parse`]. What it answers is a [`Response`], or a [`Refusal`], which is a response with its
//! reason.

pub(crate) mod authority;
pub(crate) mod body;
pub(crate) mod cors;
pub(crate) mod date;
pub(crate) mod excerpt;
pub(crate) mod forwarded;
pub(crate) mod head;
pub(crate) mod headers;
mod peer;
pub(crate) mod peer_list;
pub(crate) mod percent;
pub(crate) mod proxy_protocol;
pub(crate) mod quoted;
pub(crate) mod refusal;
mod reject;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod scheme;
pub(crate) mod status;
pub(crate) mod token;

pub use cors::Cors;
pub use headers::InvalidHeader;
pub use peer::Peer;
pub use refusal::Refusal;
pub use reject::Reject;
pub use request::{Request, Version};
pub use response::Response;
pub use status::{InvalidStatus, Status};
