//! Whether a request may be served: the steps of RFC 6455 4.2.

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::rules::{Rules, check_host, check_site};
use super::subprotocol;
use crate::compression::negotiation::Agreed;
use crate::http::refusal::{Refusal, excerpt};
use crate::http::request::{Request, Version};
use crate::http::token::is_token;

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
    /// The compression, where client and server have it in common.
    pub(crate) extension: Option<Agreed>,
}

/// Whether a plain request may go to the `http` hook: its method, its framing and its host.
pub(crate) fn plain(request: &Request, rules: &Rules) -> Result<(), Refusal> {
    check_method(request, &["GET", "HEAD"])?;
    body(request)?;
    check_host(request, rules)
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
    if body(request)? == Body::Some {
        return Err(Refusal::BodyOnUpgrade);
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
        extension: choose_extension(request, rules),
    })
}

/// To decline an extension is to say nothing (RFC 6455 9.1), and others than compression are not spoken here.
fn choose_extension(request: &Request, rules: &Rules) -> Option<Agreed> {
    let own = rules.compression.as_ref()?;
    own.accept(request.values("sec-websocket-extensions"))
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

/// Whether a request announces a body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    None,
    Some,
}

/// RFC 9112 6.3: a length that is no number, a length beside a coding, or a coding that does not say where the body
/// ends, is an error and may be an attack.
fn body(request: &Request) -> Result<Body, Refusal> {
    let coded = request.header_bytes("transfer-encoding").is_some();
    let mut lengths = request.values("content-length");
    match (coded, lengths.next(), lengths.next()) {
        (false, None, _) => Ok(Body::None),
        // RFC 9112 6.1: a coding in HTTP/1.0 is faulty framing.
        (true, None, _) if request.version() == Version::Http10 => Err(Refusal::Malformed(
            "Transfer-Encoding in an HTTP/1.0 request (RFC 9112 6.1)",
        )),
        (true, None, _) if !ends_chunked(request) => Err(Refusal::Malformed(
            "the last coding of Transfer-Encoding is not chunked (RFC 9112 6.3); send \
             `Transfer-Encoding: chunked`, or Content-Length",
        )),
        (true, None, _) => Ok(Body::Some),
        (true, Some(_), _) => Err(Refusal::Malformed(
            "both Transfer-Encoding and Content-Length (RFC 9112 6.3)",
        )),
        (false, Some(_), Some(_)) => Err(Refusal::Malformed(
            "two Content-Length headers (RFC 9112 6.3)",
        )),
        (false, Some(length), None) => body_of_length(length),
    }
}

/// Whether the body is chunked, once and last (RFC 9112 6.1). No coding that is known has parameters.
fn ends_chunked(request: &Request) -> bool {
    let mut codings = request.elements("transfer-encoding");
    codings.any(|coding| coding.eq_ignore_ascii_case(b"chunked"))
        && codings.next().is_none()
        && request.elements("transfer-encoding").all(is_token)
}

fn body_of_length(length: &[u8]) -> Result<Body, Refusal> {
    if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::Malformed(
            "Content-Length is not a number (RFC 9112 6.3)",
        ));
    }
    match length.iter().all(|&digit| digit == b'0') {
        true => Ok(Body::None),
        false => Ok(Body::Some),
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
