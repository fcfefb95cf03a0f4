//! The schemes of pages and of WebSockets (RFC 9110 4.2, RFC 6455 3): which of them have TLS, and their ports.

/// Whether a scheme has TLS; `None` for any other.
pub(crate) fn is_secure(scheme: &str) -> Option<bool> {
    let is = |known: &str| scheme.eq_ignore_ascii_case(known);
    match (is("https") || is("wss"), is("http") || is("ws")) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// The port where none is written.
pub(crate) fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}
