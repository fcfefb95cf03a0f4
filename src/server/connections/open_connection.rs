//! What an open connection holds, until its end is told.

use std::sync::Arc;

use super::ConnectionServer;
use super::log_lines::{end_line, read_line};
use crate::connection::end::End;
use crate::connection::{CloseEvent, Connection};
use crate::error::Error;
use crate::server::admission::slots::Slot;
use crate::server::closing::{Concluded, LingeringClose};
use crate::server::driver::Driver;
use crate::server::inbox::InboxItem;
use crate::server::lifecycle::{Participant, Presence};
use crate::server::members::Membership;

/// It is given up however the thread leaves, by a panic of a user's transport or logger too: no slot is lost, and every
/// Open gets its Close.
pub(crate) struct OpenConnection {
    /// What it shares with the others.
    pub connections: Arc<ConnectionServer>,
    /// Goes to the application with the Open; the application gives it back after the Close.
    slot: Option<Slot>,
    ended: bool,
    // Dropped in this order, after all that may run the user's code.
    membership: Membership,
    /// The connection, its stream, and that it holds no thread.
    present: Presence,
}

impl OpenConnection {
    pub fn new(
        connections: Arc<ConnectionServer>,
        connection: &Connection,
        slot: Slot,
        present: Presence,
    ) -> Self {
        OpenConnection {
            slot: Some(slot),
            ended: false,
            membership: connections.members.join(connection),
            present,
            connections,
        }
    }

    pub fn connection(&self) -> &Connection {
        &self.membership.connection
    }

    /// From now on it holds no thread, or has one again.
    pub fn set_parked(&mut self, parked: bool) {
        match parked {
            true => self.present.join(Participant::Parked),
            false => self.present.part(Participant::Parked),
        }
    }

    /// The item that tells the application that the connection is open; given once.
    pub fn take_open_item(&mut self) -> Option<InboxItem> {
        let slot = self.slot.take()?;
        Some(InboxItem::Open(self.connection().clone(), slot))
    }

    /// Ends the connection, for its peer and for the threads that wait for it.
    pub fn finish(&mut self, driver: &Driver, end: End) -> LingeringClose {
        let closing = driver.closing(self.connections.limits());
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
        let told = self.connection().outbox().take_alarm().is_none();
        // A handler hears of it by itself: its connection keeps the slot.
        if told || self.slot.is_some() {
            return End::Failed(error);
        }
        let line = end_line(self.connection(), Some(&error), &CloseEvent::abnormal());
        self.connections
            .inbox
            .put(InboxItem::Error(self.connection().id(), error));
        self.connections.log(line);
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
            .closing(self.connections.limits())
            .conclude(end, all_left);
        let reading = read_line(driver);
        let line = end_line(self.connection(), error.as_ref(), &close);
        self.end(error, close);
        self.connections.log(reading);
        self.connections.log(line.filter(|_| !reported));
        lingering
    }

    /// Tells the application of the end.
    pub fn end(&mut self, error: Option<Error>, close: CloseEvent) {
        self.ended = true;
        match self.slot.take() {
            // The application never got its Open.
            Some(slot) => drop(slot),
            None => {
                let end = Box::new((error, close));
                self.connections
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
        self.connections.inbox.budget.leave_line(self.connection());
    }
}
