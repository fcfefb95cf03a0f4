//! The steps of the opening handshake that the server's connections and a stream of the user's own
//! have in common: from bytes to a request, from a request to its 101.

use std::io;

use super::hooks::{HookRequest, Hooks};
use crate::compression::Agreed;
use crate::connection::opening::Opening;
use crate::connection::read_buffer::ReadBuffer;
use crate::handshake::accept::{OwnBounds, switching_protocols};
use crate::handshake::data::Data;
use crate::handshake::negotiate;
use crate::handshake::rules::Rules;
use crate::http::head::HeadScanner;
use crate::http::{Refusal, Request};
use crate::limits::Limits;
use crate::overflow::Overflow;
use crate::stats::Counters;

/// RFC 9112 8: a peer that sends a part of a request and ends its stream may still read an answer.
pub(crate) const CUT_SHORT: Refusal = Refusal::Malformed(
    "the stream ended before the head did (RFC 9112 8); end it with a blank line",
);

/// Why there is no request.
pub(crate) enum NoRequest {
    /// The peer sent its last before the head was complete.
    Ended,
    Failed(io::Error),
    Refused(Refusal),
}

impl From<Refusal> for NoRequest {
    fn from(refusal: Refusal) -> Self {
        NoRequest::Refused(refusal)
    }
}

/// Lets `fill` read until the head is complete, of which a part may be in the buffer; what came behind it, the peer's
/// first frames or its next request, stays there.
pub(crate) fn read_request(
    limits: &Limits,
    buffer: &mut ReadBuffer,
    mut fill: impl FnMut(&mut ReadBuffer) -> io::Result<usize>,
) -> Result<Request, NoRequest> {
    let mut scanner = HeadScanner::new(limits.head());
    let mut scanned = 0;
    loop {
        if buffer.len() == scanned {
            match fill(buffer) {
                Ok(0) => return Err(NoRequest::Ended),
                Ok(_) => {}
                Err(error) => return Err(NoRequest::Failed(error)),
            }
        }
        scanned = buffer.len();
        if let Some(head) = scanner.scan(buffer.filled())? {
            let request = Request::of_scanned(buffer.filled().get(..head).unwrap_or_default())?;
            buffer.discard(head);
            // The connection that follows finds the head's memory free, and may have no use for a buffer of its own.
            buffer.shed();
            return Ok(request);
        }
    }
}

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
