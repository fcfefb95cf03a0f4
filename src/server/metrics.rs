//! The page of counters for a monitoring system, and which peers get it.

use crate::handshake::rules::Rules;
use crate::http::body::Framing;
use crate::http::{Peer, Refusal, Request, Response};
use crate::stats::Stats;
use crate::stats::exposition::TextFormat;

/// Headers by which a proxy shows.
const PROXIED: [&str; 3] = ["forwarded", "x-forwarded-for", "via"];

/// The answer to a request for the counters, which are at `path`; `None`: it is another request. One with a body is
/// another one, for no code here reads that body.
pub(crate) fn answer(
    path: Option<&str>,
    stats: impl FnOnce() -> Stats,
    rules: &Rules,
    request: &Request,
    framing: Framing,
) -> Option<Result<Response, Refusal>> {
    let is_asked = path == Some(request.path())
        && matches!(request.method(), "GET" | "HEAD")
        && matches!(framing, Framing::Empty);
    is_asked.then(|| match may_see(rules, request) {
        true => Ok(page(&stats(), request)),
        false => Err(Refusal::Metrics {
            peer: request.peer().to_entry(),
        }),
    })
}

/// What comes from this machine may be a stranger's through a proxy that is not trusted, which hides its address.
fn may_see(rules: &Rules, request: &Request) -> bool {
    let peer = request.peer();
    let is_local = match peer.ip() {
        Some(ip) => ip.to_canonical().is_loopback(),
        None => peer == Peer::Unix,
    };
    let is_proxied = || {
        PROXIED
            .iter()
            .any(|name| request.header_bytes(name).is_some())
    };
    rules.metrics_from.contains(peer) || rules.proxies.contains(peer) || (is_local && !is_proxied())
}

fn page(stats: &Stats, request: &Request) -> Response {
    let accepted = request
        .elements("accept")
        .any(|range| range.starts_with(b"application/openmetrics-text"));
    let format = match accepted {
        true => TextFormat::OpenMetrics,
        false => TextFormat::Prometheus,
    };
    Response::text(stats.exposed(format))
        .with_trusted_header("Content-Type", format.content_type())
        .with_trusted_header("Cache-Control", "no-store")
        .with_trusted_header("Vary", "Accept")
}
