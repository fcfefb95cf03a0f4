//! From bytes to a request, over the server's connections and over a stream of the user's own alike.

use std::io;

use crate::connection::read_buffer::ReadBuffer;
use crate::http::head::HeadScanner;
use crate::http::{Refusal, Request};
use crate::limits::Limits;

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

/// Lets `fill` read until the head is complete, of which a part may be in the buffer; what came after it, the peer's
/// first frames or its next request, stays there.
pub(crate) fn read(
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
