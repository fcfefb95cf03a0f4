//! The life of a connection's thread after the opening handshake: to the application thread with
//! what it reads, or into the user's handler.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::admission::slots::Slot;
use super::closing::Concluded;
use super::driver::Driver;
use super::hub::Hub;
use super::inbox::InboxItem;
use super::leader::hand_over::QUIET;
use super::leader::parked::Parked;
use super::lifecycle::{Participant, Presence};
use super::lingering::LingeringClose;
use super::members::Membership;
use super::opening::Opened;
use super::session::{Session, SessionHandler};
use crate::connection::end::End;
use crate::connection::{CloseEvent, Connection};
use crate::error::{Error, SendError, SendErrorKind};
use crate::handshake::subprotocol::NoCommonSubprotocol;
use crate::logging::{Line, line_for_later, log_line};
use crate::outbox::{Failure, ReadyState};
use crate::panics;
use crate::protocol::close::CloseCode;

/// Serves an open connection: to its end, or until the leader has it.
pub(crate) fn run(hub: &Arc<Hub>, stream: Presence, opened: Opened) {
    let Opened {
        driver,
        slot,
        present,
    } = opened;
    let connection = driver.connection.clone();
    let place = OpenConnection {
        hub: hub.clone(),
        slot: Some(slot),
        ended: false,
        membership: hub.members.join(&connection),
        present: present.with(stream),
    };
    close_if_late(hub, &connection);
    match &hub.handler {
        Some(handler) => run_handler(place, handler, driver),
        None if driver.transport().source().is_some() => {
            let parked = Parked::new(*driver, place);
            hub.lead.arrive(Box::new(parked));
            log_open(hub, &connection);
        }
        None => deliver(place, driver),
    }
}

/// A shutdown that has begun has closed only the connections that were members by then: this one is closed here.
fn close_if_late(hub: &Hub, connection: &Connection) {
    if hub.lifecycle.is_ending() {
        connection.outbox().abort();
    } else if hub.lifecycle.is_closing() {
        // prevents: a late connection is not closed
        let _ = connection.close(hub.lifecycle.close_code(), "");
    }
}

/// What an open connection holds. It is given up however the thread leaves, by a panic of a
/// user's transport or logger too: no slot is lost, and every Open gets its Close.
pub(crate) struct OpenConnection {
    hub: Arc<Hub>,
    /// Goes to the application with the Open; the application gives it back after the Close.
    slot: Option<Slot>,
    ended: bool,
    // Dropped in this order, after all that may run the user's code.
    membership: Membership,
    /// The connection, its stream, and that it holds no thread.
    present: Presence,
}

impl OpenConnection {
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    fn connection(&self) -> &Connection {
        self.membership.connection()
    }

    /// From now on it holds no thread, or has one again.
    pub fn set_parked(&mut self, parked: bool) {
        match parked {
            true => self.present.join(Participant::Parked),
            false => self.present.part(Participant::Parked),
        }
    }

    /// The item that tells the application that the connection is open; given once.
    pub fn open(&mut self) -> Option<InboxItem> {
        let slot = self.slot.take()?;
        Some(InboxItem::Open(self.connection().clone(), slot))
    }

    /// Ends the connection, for its peer and for the threads that wait for it.
    pub fn finish(&mut self, driver: &Driver, end: End) -> LingeringClose {
        let closing = driver.closing(&self.hub.options.limits);
        let (end, all_left) = match end {
            End::Failed(_) => {
                let begun = closing.begin(&end);
                (self.report(end), begun && closing.wait_until_left())
            }
            end => {
                let all_left = closing.close(&end);
                (end, all_left)
            }
        };
        self.conclude(driver, end, all_left)
    }

    /// Tells the application why the connection is given up, before its end, which waits for the peer.
    pub fn report(&self, end: End) -> End {
        let End::Failed(error) = end else { return end };
        let hub = self.hub();
        let told = self.connection().outbox().take_alarm().is_none();
        if told || hub.handler.is_some() {
            return End::Failed(error);
        }
        let line = end_line(self.connection(), Some(&error), &CloseEvent::abnormal());
        hub.inbox
            .put(InboxItem::Error(self.connection().id(), error));
        hub.workers.log_writer().write(line);
        End::Reported
    }

    /// As [`finish`](OpenConnection::finish), after the closing handshake. `all_left`: everything has left.
    pub fn conclude(&mut self, driver: &Driver, end: End, all_left: bool) -> LingeringClose {
        let reported = matches!(end, End::Reported);
        let Concluded {
            error,
            close,
            lingering,
        } = driver
            .closing(&self.hub.options.limits)
            .conclude(end, all_left);
        let reading = read_line(driver);
        let line = end_line(self.connection(), error.as_ref(), &close);
        self.end(error, close);
        let log_writer = &self.hub().workers.log_writer();
        log_writer.write(reading);
        log_writer.write(line.filter(|_| !reported));
        lingering
    }

    fn end(&mut self, error: Option<Error>, close: CloseEvent) {
        self.ended = true;
        match self.slot.take() {
            // The application never got its Open.
            Some(slot) => drop(slot),
            None => {
                let end = Box::new((error, close));
                self.hub
                    .inbox
                    .put(InboxItem::End(self.connection().clone(), end));
            }
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        if !self.ended {
            self.connection().outbox().finish();
            self.end(None, CloseEvent::abnormal());
        }
        self.hub.inbox.budget().leave_line(self.connection());
    }
}

/// Delivers to the application what a thread of the connection's own reads.
pub(crate) fn deliver(mut place: OpenConnection, mut driver: Box<Driver>) {
    let hub = place.hub().clone();
    if let Some(open) = place.open() {
        hub.inbox.put(open);
    }
    log_open(&hub, place.connection());
    if let Err(end) = read(&hub, &mut driver, None) {
        part(place, driver, end);
    }
}

/// Delivers what a connection sends while it has a thread because it sends much; then the leader takes it again.
pub(crate) fn deliver_while_busy(place: OpenConnection, mut driver: Box<Driver>) {
    let hub = place.hub().clone();
    match read(&hub, &mut driver, Some(QUIET)) {
        Ok(()) => hub.lead.arrive(Box::new(Parked::new(*driver, place))),
        Err(end) => part(place, driver, end),
    }
}

fn log_open(hub: &Hub, connection: &Connection) {
    let (id, request) = (connection.id(), connection.request());
    log_line!(Info, "connection {id} open: {}", ClientLine(connection));
    if connection.protocol().is_none() && request.subprotocols().next().is_some() {
        let text = || format!("connection {id}: {}", NoCommonSubprotocol(request));
        hub.limited_log.log("none_spoken", text);
    }
}

/// Reads until the connection ends, or the peer has sent nothing for `quiet`.
fn read(hub: &Hub, driver: &mut Driver, quiet: Option<Duration>) -> Result<(), End> {
    // What came after the opening handshake. Messages that the leader has held back wait until their answers find room.
    if !driver.holds_messages {
        take_messages(hub, driver)?;
    }
    loop {
        let credit = quiet.map(|quiet| Instant::now() + quiet);
        if !(hub.inbox.budget()).wait_to_read(&driver.connection, credit) {
            return Ok(());
        }
        let until = quiet.map(|quiet| driver.transport().now() + quiet);
        if !driver.fill(until)? {
            return Ok(());
        }
        take_messages(hub, driver)?;
    }
}

fn take_messages(hub: &Hub, driver: &mut Driver) -> Result<(), End> {
    let (messages, parsed) = driver.take_messages(&hub.counters);
    if let Some(messages) = messages {
        hub.inbox.put_messages(&driver.connection, messages);
    }
    parsed
}

/// Does what the end of a connection asks for, on a thread that may wait.
pub(crate) fn part(mut place: OpenConnection, driver: Box<Driver>, end: End) {
    let hub = place.hub().clone();
    if !matches!(end, End::Lost) && place.connection().ready_state() == ReadyState::Open {
        // The peer's messages before its Close, its fault or the end of its direction are still owed their answers.
        let deadline = Instant::now() + hub.options.limits.close_timeout;
        let budget = hub.inbox.budget();
        budget.wait_until_settled(place.connection(), deadline);
    }
    place.finish(&driver, end).linger(&hub.lingering_places);
}

fn run_handler(mut place: OpenConnection, handler: &SessionHandler, mut driver: Box<Driver>) {
    let hub = &place.hub().clone();
    let driver = &mut *driver;
    hub.members.announce(&driver.connection);
    log_open(hub, place.connection());
    let mut ended = None;
    let session = Session::new(driver, hub, &mut ended);
    // The panic is reported, and what it may have left half done ends with the connection.
    let outcome = panics::catch(|| {
        handler(session).map_err(|error| (error.to_string(), says_closed(&*error)))
    });
    let (failure, saw_closed) = match outcome {
        Ok(Ok(())) => (None, false),
        Ok(Err((failure, saw_closed))) => (Some(failure), saw_closed),
        Err(_) => (Some("the handler panicked".to_owned()), false),
    };
    // An error that a handler returns for a connection that is closed or closing is no failure of the handler.
    let gone = saw_closed || ended.is_some() || driver.connection.outbox().failure().is_some();
    if failure.is_some() && !gone {
        hub.counters
            .handler_failures
            .fetch_add(1, Ordering::Relaxed);
    }
    match ended {
        Some(ended) => {
            let (close, lingering) = ended.part(&driver.closing(&hub.options.limits));
            place.end(None, close);
            log_failure(place.connection(), failure.as_deref(), gone);
            lingering.linger(&hub.lingering_places);
        }
        None => {
            let code = match failure {
                Some(_) => CloseCode::INTERNAL_ERROR,
                None => CloseCode::NORMAL,
            };
            let _ = driver.connection.outbox().close(Some(code), "");
            log_failure(place.connection(), failure.as_deref(), gone);
            let end = driver.run_out();
            let lingering = place.finish(driver, end);
            lingering.linger(&hub.lingering_places);
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

/// True for the error of a `send` on a connection that closes, which the handler passed on.
fn says_closed(error: &(dyn StdError + Send + Sync + 'static)) -> bool {
    let sending = error.downcast_ref::<SendError>();
    sending.is_some_and(|error| error.kind() == SendErrorKind::Closed)
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

impl std::fmt::Display for ClientLine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let request = self.0.request();
        let path = shortened(request.path()).escape_debug();
        write!(f, "{} {path}", request.peer())?;
        self.0
            .protocol()
            .map_or(Ok(()), |protocol| write!(f, ", subprotocol {protocol}"))
    }
}
