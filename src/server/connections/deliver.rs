//! A connection on a thread of its own that gives what it reads to the application thread.

use std::time::{Duration, Instant};

use super::ConnectionServer;
use super::log_lines::log_open;
use super::open_connection::OpenConnection;
use crate::connection::end::End;
use crate::outbox::ReadyState;
use crate::server::driver::Driver;

/// Delivers to the application what a thread of the connection's own reads.
pub(crate) fn deliver(mut open: OpenConnection, mut driver: Box<Driver>) {
    let connections = open.connections.clone();
    if let Some(item) = open.take_open_item() {
        connections.inbox.put(item);
    }
    log_open(&connections.limited_log, open.connection());
    if let Err(end) = read(&connections, &mut driver, None) {
        finish(open, driver, end);
    }
}

/// Reads until the connection ends, or the peer has sent nothing for `quiet`.
pub(crate) fn read(
    connections: &ConnectionServer,
    driver: &mut Driver,
    quiet: Option<Duration>,
) -> Result<(), End> {
    // What came after the opening handshake. Messages that the leader has held back wait until their answers find room.
    if !driver.holds_messages {
        take_messages(connections, driver)?;
    }
    loop {
        let credit = quiet.map(|quiet| Instant::now() + quiet);
        if !(connections.inbox.budget).wait_to_read(&driver.connection, credit) {
            return Ok(());
        }
        let until = quiet.map(|quiet| driver.transport().now() + quiet);
        if !driver.fill(until)? {
            return Ok(());
        }
        take_messages(connections, driver)?;
    }
}

fn take_messages(connections: &ConnectionServer, driver: &mut Driver) -> Result<(), End> {
    let (messages, parsed) = driver.take_messages(&connections.counters);
    if let Some(messages) = messages {
        connections.inbox.put_messages(&driver.connection, messages);
    }
    parsed
}

/// Does what the end of a connection asks for, on a thread that may wait.
pub(crate) fn finish(mut open: OpenConnection, driver: Box<Driver>, end: End) {
    let connections = open.connections.clone();
    if !matches!(end, End::Lost) && open.connection().ready_state() == ReadyState::Open {
        // The peer's messages before its Close, its fault or the end of its direction are still owed their answers.
        let deadline = Instant::now() + connections.limits().close_timeout;
        let budget = &connections.inbox.budget;
        budget.wait_until_settled(open.connection(), deadline);
    }
    let lingering = open.finish(&driver, end);
    lingering.linger(&connections.lingering_places);
}
