//! A connection on a thread of its own that gives what it reads to the application thread.

use std::time::{Duration, Instant};

use super::ConnectionServer;
use super::log_lines::log_open;
use super::open::OpenConnection;
use crate::connection::end::End;
use crate::outbox::ReadyState;
use crate::server::driver::Driver;
use crate::server::leader::hand_over::QUIET;
use crate::server::leader::parked::Parked;

/// Delivers to the application what a thread of the connection's own reads.
pub(crate) fn deliver(mut open: OpenConnection, mut driver: Box<Driver>) {
    let server = open.server().clone();
    if let Some(item) = open.open() {
        server.inbox.put(item);
    }
    log_open(&server.limited_log, open.connection());
    if let Err(end) = read(&server, &mut driver, None) {
        finish(open, driver, end);
    }
}

/// Delivers what a connection sends while it has a thread because it sends much; then the leader takes it again.
pub(crate) fn deliver_while_busy(open: OpenConnection, mut driver: Box<Driver>) {
    let server = open.server().clone();
    match read(&server, &mut driver, Some(QUIET)) {
        Ok(()) => server.lead.arrive(Box::new(Parked::new(*driver, open))),
        Err(end) => finish(open, driver, end),
    }
}

/// Reads until the connection ends, or the peer has sent nothing for `quiet`.
fn read(
    server: &ConnectionServer,
    driver: &mut Driver,
    quiet: Option<Duration>,
) -> Result<(), End> {
    // What came after the opening handshake. Messages that the leader has held back wait until their answers find room.
    if !driver.holds_messages {
        take_messages(server, driver)?;
    }
    loop {
        let credit = quiet.map(|quiet| Instant::now() + quiet);
        if !(server.inbox.budget()).wait_to_read(&driver.connection, credit) {
            return Ok(());
        }
        let until = quiet.map(|quiet| driver.transport().now() + quiet);
        if !driver.fill(until)? {
            return Ok(());
        }
        take_messages(server, driver)?;
    }
}

fn take_messages(server: &ConnectionServer, driver: &mut Driver) -> Result<(), End> {
    let (messages, parsed) = driver.take_messages(&server.counters);
    if let Some(messages) = messages {
        server.inbox.put_messages(&driver.connection, messages);
    }
    parsed
}

/// Does what the end of a connection asks for, on a thread that may wait.
fn finish(mut open: OpenConnection, driver: Box<Driver>, end: End) {
    let server = open.server().clone();
    if !matches!(end, End::Lost) && open.connection().ready_state() == ReadyState::Open {
        // The peer's messages before its Close, its fault or the end of its direction are still owed their answers.
        let deadline = Instant::now() + server.limits().close_timeout;
        let budget = server.inbox.budget();
        budget.wait_until_settled(open.connection(), deadline);
    }
    let lingering = open.finish(&driver, end);
    open.linger(lingering);
}
