//! From a request for an upgrade to its 101: what the rules and the hooks are asked for, over the server's connections
//! and over a stream of the user's own alike.

use super::accept::{Accept, OwnBounds, switching_protocols};
use super::data::Data;
use super::negotiate;
use super::rules::Rules;
use crate::compression::negotiation::Agreed;
use crate::http::{Refusal, Request};
use crate::overflow::Overflow;

/// The answer that opens the WebSocket.
pub(crate) struct UpgradeAnswer {
    pub answer: Vec<u8>,
    pub subprotocol: Option<String>,
    pub extension: Option<Agreed>,
    pub data: Data,
    pub bounds: OwnBounds,
}

/// Asks the rules, then `accept`. `ask` is asked about an origin that nothing else lets in. `overflow`: what goes for a
/// connection that has no policy of its own.
pub(crate) fn answer(
    request: &Request,
    rules: &Rules,
    overflow: Overflow,
    ask: impl FnOnce(&str) -> Result<bool, Refusal>,
    accept: impl FnOnce() -> Result<Accept, Refusal>,
) -> Result<UpgradeAnswer, Refusal> {
    let mut upgrade = negotiate::upgrade(request, rules, ask)?;
    let accept = accept()?;
    accept.settle(request, &mut upgrade)?;
    let overflow = accept.bounds.overflow.unwrap_or(overflow);
    let extension = negotiate::extension(request, rules, overflow);
    Ok(UpgradeAnswer {
        answer: switching_protocols(
            &upgrade.accept_key,
            upgrade.subprotocol.as_deref(),
            extension.as_ref().map(Agreed::as_str),
            &accept.headers,
        ),
        subprotocol: upgrade.subprotocol,
        extension,
        bounds: accept.bounds,
        data: accept.data,
    })
}
