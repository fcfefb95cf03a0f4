//! The life of a connection's thread after the opening handshake: to the application thread with
//! what it reads, or into the user's handler.

use std::error::Error as StdError;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Instant;

use log::Level;

use super::driver::{Driver, End, Incoming};
use super::hub::Hub;
use super::inbox::{Batch, Item};
use super::session::{Handler, Session};
use crate::connection::{Connection, ReadyState};
use crate::error::{Error, SendError, SendErrorKind};
use crate::event::CloseEvent;
use crate::handshake::subprotocol::NoneSpoken;
use crate::logging::{is_on, log_line};
use crate::outbox::Failure;
use crate::protocol::close::CloseCode;

/// Runs an open connection to its end.
pub(crate) fn run(hub: &Hub, mut driver: Box<Driver>) {
    let connection = driver.connection.clone();
    let mut place = Place {
        hub,
        connection: &connection,
        ended: false,
    };
    match &hub.handler {
        None => deliver_to_application(&mut place, &mut driver),
        Some(handler) => run_handler(&mut place, handler, &mut driver),
    }
}

/// A connection's place among the others. It is given up however the thread leaves, by a panic of a
/// user's transport or logger too: no slot is lost, and every Open gets its Close.
struct Place<'a> {
    hub: &'a Hub,
    connection: &'a Connection,
    ended: bool,
}

impl Place<'_> {
    /// Reports the end to whoever waits for it.
    fn end(&mut self, error: Option<Error>, close: CloseEvent) {
        self.ended = true;
        if self.hub.handler.is_some() {
            self.hub.give_slot_back(self.connection.peer_addr());
        } else {
            let end = Item::End(self.connection.clone(), Box::new((error, close)));
            self.hub.inbox.put(end);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.outbox().finish();
            self.end(None, CloseEvent::abnormal());
        }
        self.hub.leave(self.connection);
    }
}

fn deliver_to_application(place: &mut Place<'_>, driver: &mut Driver) {
    let hub = place.hub;
    hub.inbox.put(Item::Open(place.connection.clone()));
    log_open(place);
    let end = read_to_end(hub, driver);
    if !matches!(end, End::Lost) && place.connection.ready_state() == ReadyState::Open {
        // The peer's messages before its Close, its fault or the end of its direction are still owed
        // their answers.
        hub.inbox
            .wait_until_taken(place.connection, Instant::now() + hub.limits.close_timeout);
    }
    part(place, driver, end);
}

fn log_open(place: &Place<'_>) {
    let connection = place.connection;
    let (id, request) = (connection.id(), connection.request());
    log_line!(Info, "connection {id} open: {}", Peer(connection));
    if connection.protocol().is_none() && request.subprotocols().next().is_some() {
        let text = || format!("connection {id}: {}", NoneSpoken(request));
        place.hub.refusals.log("none_spoken", text);
    }
}

fn read_to_end(hub: &Hub, driver: &mut Driver) -> End {
    loop {
        let mut batch = Batch::default();
        let mut left = driver.buffered();
        let parsed = driver.parse(|incoming| {
            // Headers are not counted off: room for a little too much.
            left = left.saturating_sub(incoming.len());
            match incoming {
                Incoming::Text(text) => batch.push_text(text, left),
                Incoming::Binary(bytes) => batch.push_binary(bytes, left),
            }
            ControlFlow::Continue(())
        });
        driver.flush_pongs();
        let bytes = batch.payload_bytes() as u64;
        if let Some(messages) = batch.finish() {
            driver.counters().received(messages.left() as u64, bytes);
            hub.inbox.put_messages(&driver.connection, messages);
        }
        if let Err(end) = parsed.map(drop).and_then(|()| driver.fill()) {
            return end;
        }
    }
}

fn run_handler(place: &mut Place<'_>, handler: &Handler, driver: &mut Driver) {
    let hub = place.hub;
    hub.announce(&driver.connection);
    log_open(place);
    let mut ended = None;
    let session = Session::new(driver, hub, &mut ended);
    // The panic is reported, and what it may have left half done ends with the connection.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        handler(session).map_err(|error| (error.to_string(), says_closed(&*error)))
    }));
    let (failure, told_closed) = match outcome {
        Ok(Ok(())) => (None, false),
        Ok(Err((failure, told_closed))) => (Some(failure), told_closed),
        Err(_) => (Some("the handler panicked".to_owned()), false),
    };
    // What a handler says of a connection that is gone, or going, is no failure of the handler.
    let gone = told_closed || ended.is_some() || driver.connection.outbox().failure().is_some();
    if failure.is_some() && !gone {
        hub.counters
            .handler_failures
            .fetch_add(1, Ordering::Relaxed);
    }
    match ended {
        Some(close) => {
            place.end(None, close);
            log_failure(place.connection, failure.as_deref(), gone);
            driver.linger();
        }
        None => {
            let code = match failure {
                Some(_) => CloseCode::INTERNAL_ERROR,
                None => CloseCode::NORMAL,
            };
            let _ = driver.connection.outbox().close(Some(code), "");
            log_failure(place.connection, failure.as_deref(), gone);
            let end = driver.run_out();
            part(place, driver, end);
        }
    }
}

fn log_failure(connection: &Connection, failure: Option<&str>, gone: bool) {
    let id = connection.id();
    match failure.map(|failure| shortened(failure).escape_debug()) {
        Some(failure) if gone => log_line!(Debug, "connection {id}: {failure}"),
        Some(failure) => log_line!(Warn, "connection {id}: {failure}"),
        None => {}
    }
}

/// The handler hands on what a send told it: a Close is under way.
fn says_closed(error: &(dyn StdError + Send + Sync + 'static)) -> bool {
    let sending = error.downcast_ref::<SendError>();
    sending.is_some_and(|error| error.kind() == SendErrorKind::Closed)
}

/// Ends the connection, for its peer and for whoever waits for it.
fn part(place: &mut Place<'_>, driver: &mut Driver, end: End) {
    let (error, close) = driver.finish(end);
    let line = end_line(place.connection, error.as_ref(), &close);
    place.end(error, close);
    log_end(driver, line);
    driver.linger();
}

/// What the log says of an end: made before the end is handed on, written behind that.
pub(super) fn end_line(
    connection: &Connection,
    error: Option<&Error>,
    close: &CloseEvent,
) -> Option<String> {
    let id = connection.id();
    is_on(Level::Info).then(|| match error {
        Some(error) => format!("connection {id} given up: {error}"),
        None if connection.outbox().failure() == Some(Failure::Terminated) => {
            format!("connection {id} terminated")
        }
        None => {
            let reason = shortened(&close.reason);
            format!("connection {id} closed: {} {reason:?}", close.code)
        }
    })
}

pub(super) fn log_end(driver: &Driver, line: Option<String>) {
    if let Some(error) = &driver.read_error {
        log_line!(
            Debug,
            "connection {}: reading: {error}",
            driver.connection.id()
        );
    }
    if let Some(line) = line {
        log_line!(Info, "{line}");
    }
}

fn shortened(text: &str) -> &str {
    text.char_indices()
        .nth(64)
        .map_or(text, |(at, _)| text.split_at(at).0)
}

/// Who is there, for the log: address and path, never query, cookies or credentials.
struct Peer<'a>(&'a Connection);

impl std::fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(address) = self.0.peer_addr() {
            write!(f, "{address} ")?;
        }
        write!(f, "{}", shortened(self.0.request().path()).escape_debug())?;
        self.0
            .protocol()
            .map_or(Ok(()), |protocol| write!(f, ", subprotocol {protocol}"))
    }
}
