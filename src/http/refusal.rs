//! Why a request is not served: the reason, the answer that says so, and the remedy in words.

mod message;

use super::date::Date;
use super::reject::Reject;
use super::response::Response;

/// Why a request was refused.
///
/// Its `Display` is one plain English line that names the remedy, for the log and for the body of the answer. Text of
/// the peer in it is escaped and cut to 64 characters; only what a remedy names is whole, a host of 253 characters at
/// most. [`status`](Self::status) is the HTTP status of the answer,
/// [`reason`](Self::reason) a short key that does not change, for counting.
///
/// Source: RFC 6455 4.2.2, RFC 9110 15, RFC 9112 2 to 6.
///
/// ```
/// use wshub::{Refusal, Request};
///
/// let refusal = Request::parse(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n").unwrap_err();
/// assert_eq!(refusal.status(), Some(400));
/// assert_eq!(refusal.reason(), "malformed");
/// assert!(matches!(refusal, Refusal::Malformed(_)));
/// ```
///
/// The guide: [security](crate::guide::security).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The head did not end within [`max_head`](crate::Limits::max_head). 431.
    HeadTooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// There are more header lines than [`max_headers`](crate::Limits::max_headers). 431.
    TooManyHeaders {
        /// Lines allowed.
        limit: usize,
    },
    /// The request target is longer than [`max_target`](crate::Limits::max_target). 414.
    TargetTooLong {
        /// Bytes allowed.
        limit: usize,
    },
    /// The head breaks the grammar of HTTP; the text says where. 400.
    Malformed(&'static str),
    /// The version is not HTTP/1.1, a later 1.x, or HTTP/1.0. 505.
    HttpVersion,
    /// A TLS client spoke to a port without TLS. No answer: it could not read one.
    TlsOnPlainPort,
    /// A client without TLS spoke to a port with TLS. 400, in clear.
    PlainOnTlsPort,
    /// The TLS handshake failed. No HTTP answer: TLS has alerts of its own.
    TlsHandshake {
        /// Why, and what to do.
        problem: String,
    },
    /// The method is not GET. Without an [`http`](crate::ServerBuilder::http) hook a plain request may be HEAD, too.
    /// 405 with `Allow`.
    Method {
        /// The method, escaped and cut short.
        method: String,
    },
    /// A WebSocket was asked for over HTTP/1.0. 426.
    UpgradeOverHttp10,
    /// `Upgrade: websocket` or `Connection: Upgrade` is missing beside other headers of a WebSocket handshake. 426.
    UpgradeMissing,
    /// A plain request where only WebSockets are served. 426.
    UpgradeRequired,
    /// A request for a WebSocket announces a body. 400.
    BodyOnUpgrade,
    /// The body is longer than [`max_body`](crate::Limits::max_body). 413.
    BodyTooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// The body came more slowly than [`body_timeout`](crate::Limits::body_timeout) and
    /// [`min_rate`](crate::Limits::min_rate) allow. 408.
    BodyTooSlow,
    /// A POST, PUT or PATCH over HTTP/1.0 does not say how long its body is. 411.
    LengthRequired,
    /// `Expect` asks for something else than `100-continue`. 417.
    Expectation,
    /// `Transfer-Encoding` names a coding other than `chunked`. 501.
    TransferCoding,
    /// Sec-WebSocket-Version is not 13. 426 with `Sec-WebSocket-Version: 13`.
    WebSocketVersion {
        /// What was sent, escaped and cut short; `None` if nothing was.
        sent: Option<String>,
    },
    /// Sec-WebSocket-Key is missing or is not 16 bytes in base64. 400.
    Key,
    /// Sec-WebSocket-Protocol holds something that is not a token. 400.
    SubprotocolSyntax,
    /// A page of this origin may not open a WebSocket here. 403.
    Origin {
        /// The origin, whole, as [`origins`](crate::ServerBuilder::origins) takes it.
        origin: String,
        /// The host it was sent to, escaped and cut short.
        host: String,
    },
    /// The Origin is none that a list could hold: only an [`origin_rule`](crate::ServerBuilder::origin_rule) could let
    /// it in. 403.
    OriginSyntax {
        /// What was sent, escaped and cut short.
        origin: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The server does not answer to this name, as a guard against DNS rebinding. 403.
    Host {
        /// The host without its port, whole, as [`hosts`](crate::ServerBuilder::hosts) takes it.
        host: String,
        /// Whether the server listens on loopback, where only names of loopback pass.
        loopback: bool,
    },
    /// The server does not answer to this name, which is none that a list could hold. 403.
    HostSyntax {
        /// The host, escaped and cut short.
        host: String,
    },
    /// Both [`Origin`](Self::Origin) and [`Host`](Self::Host). 403.
    OriginAndHost {
        /// The origin, whole, as [`origins`](crate::ServerBuilder::origins) takes it.
        origin: String,
        /// The host without its port, whole, as [`hosts`](crate::ServerBuilder::hosts) takes it.
        host: String,
    },
    /// A page of this origin may not send this method here. 403.
    CrossSite {
        /// The method, escaped and cut short.
        method: String,
        /// The origin, whole, as [`origins`](crate::ServerBuilder::origins) takes it.
        origin: String,
        /// The host it was sent to, escaped and cut short.
        host: String,
    },
    /// A [trusted proxy](crate::ServerBuilder::trusted_proxies) sends a header of the PROXY protocol that is none. 400.
    ProxyProtocol {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A header of the PROXY protocol comes from a peer that is not a
    /// [trusted proxy](crate::ServerBuilder::trusted_proxies). 400.
    UntrustedProxy {
        /// The peer, as [`trusted_proxies`](crate::ServerBuilder::trusted_proxies) takes it.
        peer: String,
    },
    /// A [trusted proxy](crate::ServerBuilder::trusted_proxies) sends `Forwarded` or `X-Forwarded-For` headers that
    /// cannot be believed. 400.
    Forwarded {
        /// What is wrong with them.
        problem: &'static str,
    },
    /// The counters of the server are not for this peer. 403.
    Metrics {
        /// The peer, as [`metrics_from`](crate::ServerBuilder::metrics_from) takes it.
        peer: String,
    },
    /// The head was not complete in time. 408.
    Timeout,
    /// Not even a first byte came in time. No answer: nothing was asked.
    Silence,
    /// Every place is taken. 503 with `Retry-After: 1`.
    Full,
    /// This unfinished request gave its place to a newer one. 503 with `Retry-After: 1`.
    Evicted,
    /// Too many handshakes wait for the `accept` hook, or this one did for too long. 503 with `Retry-After: 1`.
    HandshakesFull,
    /// As many plain requests are under way as `max_http_requests` allows. 503 with `Retry-After: 1`.
    HttpRequestsFull,
    /// As many plain requests wait for answers that come later as
    /// [`max_waiting_requests`](crate::Limits::max_waiting_requests) allows. 503 with `Retry-After: 1`.
    WaitingRequestsFull,
    /// The application did not answer a plain request within [`answer_timeout`](crate::Limits::answer_timeout). 504.
    AnswerTimeout,
    /// The application dropped the [`Responder`](crate::Responder) of a plain request. 500.
    NoAnswer,
    /// The peer's address has as many connections, or plain requests under way, as `max_per_address` allows.
    TooManyFromAddress,
    /// The server is shutting down. 503.
    ShuttingDown,
    /// The peer left before its handshake was complete. No answer: nobody would read it.
    PeerLeft,
    /// A hook of the application panicked. 500.
    HookPanicked,
    /// The `accept` hook chose a subprotocol that the client did not offer. 500.
    SubprotocolNotOffered {
        /// The subprotocol the hook chose.
        chosen: String,
    },
    /// The `accept` hook refused. Status and body are the hook's.
    HookRejected(Reject),
}

impl Refusal {
    /// The status of the answer; `None` where no answer is written and the connection is closed at once.
    ///
    /// ```
    /// use wshub::Refusal;
    ///
    /// assert_eq!(Refusal::Timeout.status(), Some(408));
    /// assert_eq!(Refusal::TlsOnPlainPort.status(), None);
    /// ```
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status_and_reason().0
    }

    /// A short key for statistics and log filters. Keys stay as they are from version to version.
    ///
    /// ```
    /// assert_eq!(wshub::Refusal::ShuttingDown.reason(), "shutting_down");
    /// ```
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.status_and_reason().1
    }

    fn status_and_reason(&self) -> (Option<u16>, &'static str) {
        match self {
            Self::HeadTooLarge { .. } | Self::TooManyHeaders { .. } => {
                (Some(431), "head_too_large")
            }
            Self::TargetTooLong { .. } => (Some(414), "target_too_long"),
            Self::Malformed(_) => (Some(400), "malformed"),
            Self::HttpVersion => (Some(505), "http_version"),
            Self::TlsOnPlainPort => (None, "tls"),
            Self::PlainOnTlsPort => (Some(400), "plain"),
            Self::TlsHandshake { .. } => (None, "tls_handshake"),
            Self::Method { .. } => (Some(405), "method"),
            Self::UpgradeOverHttp10 => (Some(426), "http10"),
            Self::UpgradeMissing | Self::UpgradeRequired => (Some(426), "upgrade"),
            Self::BodyOnUpgrade => (Some(400), "body"),
            Self::BodyTooLarge { .. } => (Some(413), "body_too_large"),
            Self::BodyTooSlow => (Some(408), "body_too_slow"),
            Self::LengthRequired => (Some(411), "length_required"),
            Self::Expectation => (Some(417), "expectation"),
            Self::TransferCoding => (Some(501), "transfer_coding"),
            Self::WebSocketVersion { .. } => (Some(426), "version"),
            Self::Key => (Some(400), "key"),
            Self::SubprotocolSyntax => (Some(400), "subprotocol"),
            Self::Origin { .. } | Self::OriginSyntax { .. } | Self::OriginAndHost { .. } => {
                (Some(403), "origin")
            }
            Self::CrossSite { .. } => (Some(403), "cross_site"),
            Self::ProxyProtocol { .. } => (Some(400), "proxy_protocol"),
            Self::UntrustedProxy { .. } => (Some(400), "untrusted_proxy"),
            Self::Forwarded { .. } => (Some(400), "forwarded"),
            Self::Metrics { .. } => (Some(403), "metrics"),
            Self::Host { .. } | Self::HostSyntax { .. } => (Some(403), "host"),
            Self::Timeout => (Some(408), "timeout"),
            Self::Silence => (None, "silence"),
            Self::Full => (Some(503), "full"),
            Self::Evicted => (Some(503), "evicted"),
            Self::HandshakesFull => (Some(503), "handshakes_full"),
            Self::HttpRequestsFull => (Some(503), "http_requests_full"),
            Self::WaitingRequestsFull => (Some(503), "waiting_requests_full"),
            Self::AnswerTimeout => (Some(504), "answer_timeout"),
            Self::NoAnswer => (Some(500), "no_answer"),
            Self::TooManyFromAddress => (Some(429), "address"),
            Self::ShuttingDown => (Some(503), "shutting_down"),
            Self::PeerLeft => (None, "peer_left"),
            Self::HookPanicked => (Some(500), "hook_panicked"),
            Self::SubprotocolNotOffered { .. } => (Some(500), "hook_subprotocol"),
            Self::HookRejected(reject) => (Some(reject.status()), "hook"),
        }
    }

    /// The answer as bytes, complete with `Connection: close`; empty where [`status`](Self::status) is `None`.
    /// As [`Response::encode`].
    pub(crate) fn encode(&self, head_only: bool, date: Option<Date>) -> Vec<u8> {
        self.to_response()
            .map(|response| response.encode(head_only, date))
            .unwrap_or_default()
    }

    /// The answer; `None` where nothing is to be sent.
    pub(crate) fn to_response(&self) -> Option<Response> {
        let status = self.status()?;
        if let Self::HookRejected(reject) = self {
            return Some(reject.clone().into());
        }
        let response = Response::text_with_status(status, format!("{self}\n"));
        Some(match status {
            // RFC 9110 10.2.3.
            503 => response.with_trusted_header("Retry-After", "1"),
            _ => response,
        })
    }
}

impl core::error::Error for Refusal {}

/// A refusal on its way to the client that asked.
#[derive(Debug)]
pub(crate) struct RefusedRequest {
    pub(crate) refusal: Refusal,
    /// Whether it was asked with HEAD.
    pub(crate) head_only: bool,
}

impl From<Refusal> for RefusedRequest {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            head_only: false,
        }
    }
}
