//! The headers that a request has to have, or may have once only.

use super::Version;
use crate::http::authority::Authority;
use crate::http::refusal::Refusal;

/// Headers that say one thing, so that two of them are an attack or a mistake (RFC 9112 3.2, RFC 6455 4.2.1).
const SINGLE_HEADERS: [(&str, &str); 4] = [
    ("host", "two Host headers (RFC 9112 3.2); send one"),
    ("origin", "two Origin headers (RFC 6454 7.3); send one"),
    (
        "sec-websocket-key",
        "two Sec-WebSocket-Key headers (RFC 6455 11.3.1); send one",
    ),
    (
        "sec-websocket-version",
        "two Sec-WebSocket-Version headers (RFC 6455 11.3.5); send one",
    ),
];

pub(crate) fn check_single(headers: &[httparse::Header<'_>]) -> Result<(), Refusal> {
    for (name, complaint) in SINGLE_HEADERS {
        if headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name))
            .count()
            > 1
        {
            return Err(Refusal::Malformed(complaint));
        }
    }
    Ok(())
}

/// RFC 9112 3.2: 400 for an HTTP/1.1 request without a Host, or with one that is invalid.
pub(crate) fn host<'a>(
    headers: &[httparse::Header<'a>],
    version: Version,
) -> Result<&'a str, Refusal> {
    let sent = headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("host"));
    let Some(header) = sent else {
        return match version {
            Version::Http10 => Ok(""),
            Version::Http11 => Err(Refusal::Malformed(
                "no Host header (RFC 9112 3.2); send `Host: name:port`",
            )),
        };
    };
    core::str::from_utf8(header.value.trim_ascii())
        .ok()
        .filter(|host| Authority::parse(host).is_some())
        .ok_or(Refusal::Malformed(
            "the Host header is not `name`, `name:port` or `[ipv6]:port` (RFC 9112 3.2)",
        ))
}

pub(crate) fn malformed(error: httparse::Error) -> Refusal {
    Refusal::Malformed(match error {
        // RFC 9112 5.1: a server MUST answer 400 to a space between name and colon.
        httparse::Error::HeaderName => {
            "a header name is not a token before its colon (RFC 9112 5.1); write `Name: value`"
        }
        _ => "a header cannot be read (RFC 9112 5)",
    })
}
