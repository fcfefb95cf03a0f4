//! From a request to its 101: what the hooks are asked for an upgrade, over the server's connections and over a stream
//! of the user's own alike.

use super::hooks::{HookRequest, Hooks};
use crate::compression::Agreed;
use crate::connection::opening::Opening;
use crate::handshake::accept::{OwnBounds, switching_protocols};
use crate::handshake::data::Data;
use crate::handshake::negotiate;
use crate::handshake::rules::Rules;
use crate::http::{Refusal, Request};
use crate::overflow::Overflow;
use crate::stats::Counters;

/// The answer that opens the WebSocket.
pub(crate) struct UpgradeAnswer {
    pub answer: Vec<u8>,
    pub subprotocol: Option<String>,
    pub extension: Option<Agreed>,
    pub data: Data,
    pub bounds: OwnBounds,
}

impl UpgradeAnswer {
    /// What is kept of it, with the request that it answers.
    pub fn into_opening(self, request: Request) -> Opening {
        Opening {
            request,
            protocol: self.subprotocol.map(|name| Box::new(name.into())),
            extension: self.extension,
            data: self.data,
        }
    }
}

/// Asks the rules, the `origin_rule` hook among them, then the `accept` hook. `overflow`: what goes for a connection
/// that has no policy of its own.
pub(crate) fn negotiate(
    request: HookRequest<'_>,
    rules: &Rules,
    hooks: &Hooks,
    counters: &Counters,
    overflow: Overflow,
) -> Result<UpgradeAnswer, Refusal> {
    let ask = |origin: &str| hooks.origin(origin, request, counters);
    let mut upgrade = negotiate::upgrade(&request, rules, ask)?;
    let accept = hooks.accept(request, counters)?;
    accept.settle(&request, &mut upgrade)?;
    let bounds = accept.bounds();
    let overflow = bounds.overflow.unwrap_or(overflow);
    let extension = negotiate::extension(&request, rules, overflow);
    Ok(UpgradeAnswer {
        answer: switching_protocols(
            &upgrade.accept_key,
            upgrade.subprotocol.as_deref(),
            extension.as_ref().map(Agreed::as_str),
            accept.headers(),
        ),
        subprotocol: upgrade.subprotocol,
        extension,
        bounds,
        data: accept.into_data(),
    })
}
