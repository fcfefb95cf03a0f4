//! What a refusal says to the client and to the log: one line, with the remedy.

use core::fmt;

use super::Refusal;
use crate::http::head::WIDEST_HEAD;
use crate::http::reject::Reject;
use crate::http::status::reason_phrase;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeadTooLarge { limit } => write!(
                f,
                "the request head is longer than {limit} bytes; send fewer cookies{}",
                match *limit < WIDEST_HEAD {
                    true => ", or raise max_head",
                    false => "",
                }
            ),
            Self::TooManyHeaders { limit } => write!(
                f,
                "there are more than {limit} header lines; send fewer, or raise max_headers"
            ),
            Self::TargetTooLong { limit } => write!(
                f,
                "the request target is longer than {limit} bytes; shorten it, or raise max_target"
            ),
            Self::Malformed(problem) => write!(f, "malformed request: {problem}"),
            Self::HttpVersion => f.write_str("only HTTP/1.1 and HTTP/1.0 are spoken here"),
            Self::TlsOnPlainPort => {
                f.write_str("a TLS client came to a port without TLS; use ws:// in place of wss://")
            }
            Self::PlainOnTlsPort => f.write_str(
                "a client without TLS came to a port with TLS; use wss:// in place of ws://, \
                 https:// in place of http://",
            ),
            Self::TlsHandshake { problem } => write!(f, "the TLS handshake failed: {problem}"),
            Self::Method { method } => write!(f, "method \"{method}\" is not served; use GET"),
            Self::UpgradeOverHttp10 => {
                f.write_str("a WebSocket cannot be opened over HTTP/1.0; use HTTP/1.1")
            }
            Self::UpgradeMissing => f.write_str(
                "no `Upgrade: websocket` and `Connection: Upgrade`; send both, and let proxies in \
                 between pass them on",
            ),
            Self::UpgradeRequired => {
                f.write_str("this is a WebSocket server; connect with a WebSocket client")
            }
            Self::BodyOnUpgrade => f.write_str(
                "a WebSocket request has no body; leave Content-Length and \
                 Transfer-Encoding out",
            ),
            Self::BodyTooLarge { limit } => write!(
                f,
                "the body is longer than {limit} bytes; send less at once, or raise max_body"
            ),
            Self::BodyTooSlow => f.write_str(
                "the body did not come in time; send it faster, or raise body_timeout or lower \
                 min_rate",
            ),
            Self::LengthRequired => {
                f.write_str("the request does not say how long its body is; send Content-Length")
            }
            Self::Expectation => f.write_str(
                "only `Expect: 100-continue` is understood; leave other expectations out",
            ),
            Self::TransferCoding => f.write_str(
                "only the transfer coding chunked is understood; send the body without another one",
            ),
            Self::WebSocketVersion { sent: Some(sent) } => {
                write!(
                    f,
                    "Sec-WebSocket-Version is \"{sent}\", only 13 is spoken here; send \
                 `Sec-WebSocket-Version: 13`"
                )
            }
            Self::WebSocketVersion { sent: None } => {
                f.write_str("no Sec-WebSocket-Version header; send `Sec-WebSocket-Version: 13`")
            }
            Self::Key => f.write_str(
                "Sec-WebSocket-Key is missing or not 16 bytes in base64; send 24 characters",
            ),
            Self::SubprotocolSyntax => {
                f.write_str("Sec-WebSocket-Protocol is not a list of tokens separated by commas")
            }
            Self::Origin { origin, host } => write!(
                f,
                "a page of origin \"{origin}\" may not open a WebSocket on \"{host}\"; to \
                 allow it, add .origins([\"{origin}\"]) to the server's builder"
            ),
            Self::OriginSyntax { origin, problem } => write!(
                f,
                "malformed origin \"{origin}\": {problem}; send scheme://host or scheme://host:port, or \
                 no Origin at all"
            ),
            Self::Host { host, loopback } => write!(
                f,
                "host \"{host}\" is not a name of this server{}; to allow it, add \
                 .hosts([\"{host}\"]) to the server's builder",
                if *loopback {
                    ", which listens on loopback"
                } else {
                    ""
                }
            ),
            Self::HostSyntax { host } => write!(
                f,
                "host \"{host}\" is no name that DNS could have; send the name or the address \
                 of the server"
            ),
            Self::OriginAndHost { origin, host } => write!(
                f,
                "a page of origin \"{origin}\" may not open a WebSocket on \"{host}\", which is \
                 not a name of this server; to allow both, add \
                 .origins([\"{origin}\"]).hosts([\"{host}\"]) to the server's builder"
            ),
            Self::CrossSite {
                method,
                origin,
                host,
            } => write!(
                f,
                "a page of origin \"{origin}\" may not send {method} to \"{host}\"; to allow it, \
                 add .origins([\"{origin}\"]) to the server's builder"
            ),
            Self::ProxyProtocol { problem } => write!(
                f,
                "the trusted proxy sends a malformed PROXY protocol header: {problem}"
            ),
            Self::UntrustedProxy { peer } => write!(
                f,
                "a PROXY protocol header came from \"{peer}\", which is not a trusted proxy; if it \
                 is one of yours, add .trusted_proxies([\"{peer}\"]) to the server's builder"
            ),
            Self::Forwarded { problem } => write!(
                f,
                "the trusted proxy sends headers that cannot be believed: {problem}"
            ),
            Self::Silence => f.write_str("nothing was sent in time"),
            Self::Timeout => {
                f.write_str("the request was not complete in time; send its head at once")
            }
            Self::Evicted => f.write_str(
                "this request gave way to newer ones; be quicker, or raise max_handshakes",
            ),
            Self::HandshakesFull => f.write_str(
                "too many handshakes wait for the accept hook; try again later, make the hook \
                 quicker, or raise max_handshakes",
            ),
            Self::HttpRequestsFull => f.write_str(
                "too many plain requests are under way; try again later, or raise \
                 max_http_requests",
            ),
            Self::WaitingRequestsFull => f.write_str(
                "too many plain requests wait for their answers; try again later, or raise \
                 max_waiting_requests",
            ),
            Self::Metrics { peer } => write!(
                f,
                "the counters are not for {peer}, or not through a proxy that is not trusted; add \
                 .metrics_from([\"{peer}\"]), or add the proxy to trusted_proxies"
            ),
            Self::AnswerTimeout => f.write_str(
                "the application did not answer in time; have its Responder send earlier, or raise \
                 answer_timeout",
            ),
            Self::NoAnswer => f.write_str(
                "the application dropped the Responder of this request without an answer",
            ),
            Self::Full => f.write_str(
                "the server is full; try again later, or raise max_connections, and the descriptors \
                 that the server may open (ulimit -n)",
            ),
            Self::TooManyFromAddress => f.write_str(
                "too many connections or requests from this address; end one, or raise max_per_address",
            ),
            Self::ShuttingDown => f.write_str("the server is shutting down; try again later"),
            Self::PeerLeft => f.write_str("the peer left before its handshake was complete"),
            Self::HookPanicked => {
                f.write_str("a hook of the application panicked; see the server's log")
            }
            Self::SubprotocolNotOffered { chosen } => write!(
                f,
                "the accept hook chose subprotocol \"{chosen}\", which the client did not offer; \
                 choose one of request.subprotocols()"
            ),
            Self::HookRejected(reject) => write_rejection(f, reject),
        }
    }
}

fn write_rejection(f: &mut fmt::Formatter<'_>, reject: &Reject) -> fmt::Result {
    let status = reject.status();
    write!(
        f,
        "the accept hook answered {status} {}",
        reason_phrase(status)
    )?;
    reject
        .cause()
        .map_or(Ok(()), |cause| write!(f, ": {cause}"))
}
