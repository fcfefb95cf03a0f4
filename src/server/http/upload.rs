//! The body of a plain request on its way in, on the request's own thread.

use std::io;

use super::connection::HttpConnection;
use crate::http::body::{BodyDecoder, Framing};
use crate::http::{Refusal, Request};
use crate::limits::Limits;
use crate::patience::Patience;
use crate::transport;

/// What a client that waits for a word gets before it sends its body (RFC 9110 15.2.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// RFC 9112 8: what is cut short is no request.
const CUT_SHORT: Refusal = Refusal::Malformed(
    "the stream ended before the body did (RFC 9112 8); send as much as Content-Length or the \
     chunks say",
);

/// Reads the whole body; what comes after it stays in the connection's buffer.
pub(crate) fn read(
    limits: &Limits,
    connection: &mut HttpConnection,
    request: &Request,
    framing: Framing,
) -> Result<Vec<u8>, Refusal> {
    let mut decoder = BodyDecoder::new(framing, limits.body())?;
    let is_waited_for = framing.is_waited_for(request)?;
    let mut patience = Patience::paced(connection.transport.now(), limits.upload());
    if is_waited_for && connection.buffer.is_empty() {
        let transport = &*connection.transport;
        let wait = |written| transport::wait_for_room(transport, &mut patience, written);
        transport::write_all_waiting(transport, CONTINUE, wait).map_err(|error| why(&error))?;
    }
    loop {
        let before = decoder.body().len();
        let taken = decoder.decode(connection.buffer.filled())?;
        connection.buffer.discard(taken);
        // What stands around chunks is no progress.
        patience.progressed(decoder.body().len() - before, connection.transport.now());
        if decoder.is_complete() {
            connection.buffer.trim();
            return Ok(decoder.into_body());
        }
        match fill(connection, &mut patience) {
            Ok(0) => return Err(CUT_SHORT),
            Ok(_) => {}
            Err(error) => return Err(why(&error)),
        }
    }
}

fn fill(connection: &mut HttpConnection, patience: &mut Patience) -> io::Result<usize> {
    let HttpConnection {
        transport, buffer, ..
    } = connection;
    loop {
        let deadline = Some(patience.deadline());
        match buffer.fill(|room| transport::read(&**transport, room, deadline)) {
            Err(error)
                if error.kind() == io::ErrorKind::TimedOut && patience.renew(transport.now()) => {}
            done => return done,
        }
    }
}

fn why(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::TimedOut => Refusal::BodyTooSlow,
        _ => Refusal::PeerLeft,
    }
}
