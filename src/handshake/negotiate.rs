//! Whether a request may be served: the steps of RFC 6455 4.2.

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::rules::{Rules, check_host, check_site};
use super::subprotocol;
use crate::compression::negotiation::Agreed;
use crate::http::body::Framing;
use crate::http::cors::Cors;
use crate::http::excerpt::excerpt;
use crate::http::refusal::Refusal;
use crate::http::request::{Request, Version};
use crate::overflow::Overflow;

/// What is appended to the key before it is hashed (RFC 6455 1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// 16 bytes in base64, with padding.
const KEY_LEN: usize = 24;

/// Base64 that minds its padding but not the four bits which a key of 16 bytes leaves over: clients that draw 22
/// letters at random exist, and other servers take them.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// A WebSocket that may be opened: what its 101 says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upgrade {
    /// The value of Sec-WebSocket-Accept.
    pub(crate) accept_key: [u8; 28],
    /// The subprotocol, where client and server have one in common.
    pub(crate) subprotocol: Option<String>,
}

/// A plain request that may go to the `http` hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlainAdmission {
    /// Where its body ends.
    pub(crate) framing: Framing,
    /// Whether the rules let its origin in, where one matters: it may read the answer.
    pub(crate) is_let_in: bool,
}

/// Whether a plain request may go to the `http` hook, by its framing, its host and, where it changes something or asks
/// what it may, its origin. `ask` is asked about an origin that nothing else lets in.
///
/// A page can have a browser send a form anywhere, and nothing but its Origin tells it from the server's own page.
pub(crate) fn plain(
    request: &Request,
    rules: &Rules,
    ask: impl FnOnce(&str) -> Result<bool, Refusal>,
) -> Result<PlainAdmission, Refusal> {
    let framing = Framing::of(request)?;
    check_host(request, rules)?;
    let admit = |is_let_in| Ok(PlainAdmission { framing, is_let_in });
    let cors = rules.cors.as_ref();
    let asks_what_it_may = cors.is_some() && Cors::is_preflight(request);
    let must_be_let_in = !is_safe(request.method()) || asks_what_it_may;
    if cors.is_some_and(Cors::is_public) || (cors.is_none() && !must_be_let_in) {
        return admit(true);
    }
    match check_site(request, rules, ask) {
        Ok(()) => admit(true),
        // It is answered, and its page may not read that.
        Err(refusal) if refusal.status() == Some(403) && !must_be_let_in => admit(false),
        Err(refusal) => Err(cross_site(request, refusal)),
    }
}

/// Why a plain request that is in order is not served where nothing answers those.
pub(crate) fn unserved(request: &Request) -> Refusal {
    check_method(request, &["GET", "HEAD"])
        .map_or_else(|refused| refused, |()| Refusal::UpgradeRequired)
}

/// RFC 9110 9.2.1: methods that only ask.
fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

/// Names the method that its page wants to send.
fn cross_site(request: &Request, refusal: Refusal) -> Refusal {
    let asked = request.header_bytes("access-control-request-method");
    let method = match request.method() {
        "OPTIONS" => asked.unwrap_or(b"OPTIONS"),
        method => method.as_bytes(),
    };
    match refusal {
        Refusal::Origin { origin, host } => Refusal::CrossSite {
            method: excerpt(method),
            origin,
            host,
        },
        other => other,
    }
}

/// Whether a request may open a WebSocket, and how the server answers it (RFC 6455 4.2.2). `ask` is asked about an
/// origin that nothing else lets in.
pub(crate) fn upgrade(
    request: &Request,
    rules: &Rules,
    ask: impl FnOnce(&str) -> Result<bool, Refusal>,
) -> Result<Upgrade, Refusal> {
    check_method(request, &["GET"])?;
    check_upgrade(request)?;
    match Framing::of(request) {
        Ok(Framing::Empty) => {}
        Ok(_) | Err(Refusal::TransferCoding) => return Err(Refusal::BodyOnUpgrade),
        Err(refusal) => return Err(refusal),
    }
    check_version(request)?;
    let accept_key = request
        .header_bytes("sec-websocket-key")
        .and_then(accept_key)
        .ok_or(Refusal::Key)?;
    check_site(request, rules, ask)?;
    Ok(Upgrade {
        accept_key,
        subprotocol: subprotocol::choose(request, &rules.subprotocols)?,
    })
}

/// The compression, where client and server have it in common. To decline an extension is to say nothing (RFC 6455
/// 9.1), and others are not spoken here.
pub(crate) fn extension(request: &Request, rules: &Rules, overflow: Overflow) -> Option<Agreed> {
    let own = rules.compression.as_ref()?;
    let offers = request.values("sec-websocket-extensions");
    // Later messages must not refer to what is missing.
    match overflow.leaves_gaps() {
        true => own.without_server_context().accept(offers),
        false => own.accept(offers),
    }
}

/// RFC 6455 4.2.2, point 5.4: the base64 of the SHA-1 of the key and a fixed text; `None` unless the key is the base64
/// of 16 bytes.
pub(crate) fn accept_key(key: &[u8]) -> Option<[u8; 28]> {
    // The decoder rounds its need for space up to whole groups, hence 18.
    let mut nonce = [0; 18];
    let decoded = (key.len() == KEY_LEN).then(|| BASE64.decode_slice(key, &mut nonce))?;
    if decoded != Ok(16) {
        return None;
    }
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key);
    hash.update(KEY_SUFFIX);
    let mut accept = [0; 28];
    BASE64
        .encode_slice(hash.digest().bytes(), &mut accept)
        .ok()?;
    Some(accept)
}

/// RFC 9110 9.1: methods are case-sensitive. RFC 6455 4.2.1: the handshake is a GET.
fn check_method(request: &Request, served: &[&str]) -> Result<(), Refusal> {
    match served.contains(&request.method()) {
        true => Ok(()),
        false => Err(Refusal::Method {
            method: excerpt(request.method().as_bytes()),
        }),
    }
}

/// RFC 9110 7.8: Upgrade means nothing in HTTP/1.0. RFC 6455 4.2.1: both headers, as lists and in any case.
fn check_upgrade(request: &Request) -> Result<(), Refusal> {
    if request.version() == Version::Http10 {
        return Err(Refusal::UpgradeOverHttp10);
    }
    match request.lists("upgrade", "websocket") && request.lists("connection", "upgrade") {
        true => Ok(()),
        false => Err(Refusal::UpgradeMissing),
    }
}

/// RFC 6455 4.2.1, 4.4: 13, as it is spelled, and nothing else.
fn check_version(request: &Request) -> Result<(), Refusal> {
    match request.header_bytes("sec-websocket-version") {
        Some(b"13") => Ok(()),
        sent => Err(Refusal::WebSocketVersion {
            sent: sent.map(excerpt),
        }),
    }
}
