//! What the log says of a connection: that it is open, what its handler failed with, how it ended.

use std::fmt;

use crate::connection::{CloseEvent, Connection};
use crate::error::Error;
use crate::handshake::subprotocol::NoCommonSubprotocol;
use crate::logging::{Line, line_for_later, log_line};
use crate::outbox::Failure;
use crate::server::driver::Driver;
use crate::server::limited_log::LimitedLog;

/// Says that it is open, and what it is.
pub(crate) fn log_open(limited_log: &LimitedLog, connection: &Connection) {
    let (id, request) = (connection.id(), connection.request());
    log_line!(Info, "connection {id} open: {}", ClientLine(connection));
    if connection.protocol().is_none() && request.subprotocols().next().is_some() {
        let text = || format!("connection {id}: {}", NoCommonSubprotocol(request));
        limited_log.log("none_spoken", text);
    }
}

/// What the handler of a connection failed with. `gone`: the connection was closed by then.
pub(crate) fn log_failure(connection: &Connection, failure: Option<&str>, gone: bool) {
    let id = connection.id();
    match failure.map(|failure| shortened(failure).escape_debug()) {
        Some(failure) if gone => log_line!(Debug, "connection {id}: {failure}"),
        Some(failure) => log_line!(Warn, "connection {id}: {failure}"),
        None => {}
    }
}

/// What the log says of an end. The line is made before the end is handed on, and written after it.
pub(crate) fn end_line(
    connection: &Connection,
    error: Option<&Error>,
    close: &CloseEvent,
) -> Option<Line> {
    let id = connection.id();
    match error {
        Some(error) => line_for_later!(Info, "connection {id} given up: {error}"),
        None if connection.outbox().failure() == Some(Failure::Terminated) => {
            line_for_later!(Info, "connection {id} terminated")
        }
        None => {
            let reason = shortened(&close.reason);
            line_for_later!(Info, "connection {id} closed: {} {reason:?}", close.code)
        }
    }
}

/// What it says of a read that failed.
pub(crate) fn read_line(driver: &Driver) -> Option<Line> {
    let (id, error) = (driver.connection.id(), driver.read_error.as_ref()?);
    line_for_later!(Debug, "connection {id}: reading: {error}")
}

fn shortened(text: &str) -> &str {
    text.char_indices()
        .nth(64)
        .map_or(text, |(at, _)| text.split_at(at).0)
}

/// The client, for the log: address and path, never query, cookies or credentials.
struct ClientLine<'a>(&'a Connection);

impl fmt::Display for ClientLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = self.0.request();
        let path = shortened(request.path()).escape_debug();
        write!(f, "{} {path}", request.peer())?;
        self.0
            .protocol()
            .map_or(Ok(()), |protocol| write!(f, ", subprotocol {protocol}"))
    }
}
