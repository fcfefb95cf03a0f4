//! Cross-Origin Resource Sharing (WHATWG Fetch 3.2): which pages of other sites may read what the `http` hook answers.

use core::time::Duration;

use super::request::Request;
use super::response::Response;
use super::status::Status;

/// How long a browser may remember the answer to a preflight: as long as Chromium does at most.
const MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// Lets pages of other sites read the answers of the [`http`](crate::ServerBuilder::http) hook; for
/// [`ServerBuilder::cors`](crate::ServerBuilder::cors).
///
/// Without it a browser sends the request of such a page, and keeps the answer from the page. With it the server
/// answers preflights (`OPTIONS` with `Access-Control-Request-Method`), which the hook does not see, with 204, and adds
/// `Access-Control-Allow-Origin` and `Vary: Origin` to what the hook answers, unless the hook has set the first itself.
/// For an origin that is not allowed, a preflight gets 403, with the line to add; other requests get the answer without
/// these headers.
///
/// Source: WHATWG Fetch 3.2.
///
/// ```
/// use wshub::{Cors, Response, Server};
///
/// let server = Server::builder()
///     .origins(["https://app.example.com"])
///     .cors(Cors::new())
///     .http(|_| Response::json("{}"))
///     .bind("127.0.0.1:0")?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [HTTP](crate::guide::http).
#[derive(Clone, Debug, Default)]
pub struct Cors {
    is_public: bool,
    credentials: bool,
}

impl Cors {
    /// For the pages that may open a WebSocket here: those of the server's own host,
    /// [`origins`](crate::ServerBuilder::origins) and [`origin_rule`](crate::ServerBuilder::origin_rule).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For every page, with any method and header, but never with cookies. Use it only for data that is public anyway:
    /// the page may be anybody's, and its browser may be inside your network.
    #[must_use]
    pub fn public() -> Self {
        Self {
            is_public: true,
            ..Self::default()
        }
    }

    /// Pages may also send requests with cookies, and read the answers. It has no effect on [`public`](Self::public).
    /// Default: no.
    #[must_use]
    pub fn with_credentials(mut self) -> Self {
        self.credentials = true;
        self
    }

    /// Whether every page may ask, so that its origin says nothing.
    pub(crate) fn is_public(&self) -> bool {
        self.is_public
    }

    /// Whether a request asks what a page may send, before it does (Fetch 3.2.2).
    pub(crate) fn is_preflight(request: &Request) -> bool {
        request.method() == "OPTIONS"
            && request.header_bytes("origin").is_some()
            && request
                .header_bytes("access-control-request-method")
                .is_some()
    }

    /// The answer to a preflight of an origin that is let in. The hook has the last word about methods and headers.
    pub(crate) fn preflight(&self, request: &Request) -> Response {
        let mut response = Response::from(Status::NO_CONTENT);
        for (asked, granted) in ASKED_AND_GRANTED {
            if let Some(asked) = request.header(asked) {
                response.try_set(granted, asked);
            }
        }
        response.try_set("Access-Control-Max-Age", &MAX_AGE.as_secs().to_string());
        self.grant(request, &mut response);
        response
    }

    /// Lets a page of the request's origin, which is let in, read an answer.
    pub(crate) fn grant(&self, request: &Request, response: &mut Response) {
        if response.header(ALLOW_ORIGIN).is_some() {
            return;
        }
        if self.is_public {
            response.try_set(ALLOW_ORIGIN, "*");
            return;
        }
        response.vary_with("Origin");
        if let Some(origin) = request.origin() {
            response.try_set(ALLOW_ORIGIN, origin);
            if self.credentials {
                response.try_set("Access-Control-Allow-Credentials", "true");
            }
        }
    }

    /// An answer that its page may not read: no cache must take it for one that another page may.
    pub(crate) fn withhold(&self, response: &mut Response) {
        if response.header(ALLOW_ORIGIN).is_none() {
            response.vary_with("Origin");
        }
    }
}

const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";
const ASKED_AND_GRANTED: [(&str, &str); 2] = [
    (
        "Access-Control-Request-Method",
        "Access-Control-Allow-Methods",
    ),
    (
        "Access-Control-Request-Headers",
        "Access-Control-Allow-Headers",
    ),
];

#[cfg(test)]
mod tests;
