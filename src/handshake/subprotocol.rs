//! Which subprotocol is spoken (RFC 6455 1.9).

use super::is_token;
use super::refusal::Refusal;
use super::request::Request;

/// RFC 6455 4.2.2: one of those that the client offers, the server's favourite, or none. One pass over the offers.
pub(crate) fn choose(request: &Request, own: &[String]) -> Result<Option<String>, Refusal> {
    let mut best: Option<usize> = None;
    for offered in request.elements("sec-websocket-protocol") {
        // RFC 6455 4.1: each is a token.
        if !is_token(offered) {
            return Err(Refusal::SubprotocolSyntax);
        }
        let rank = own.iter().position(|own| own.as_bytes() == offered);
        best = rank.into_iter().chain(best).min();
    }
    Ok(best.and_then(|rank| own.get(rank)).cloned())
}
