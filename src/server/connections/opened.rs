//! A connection after its 101: who serves it from then on.

use std::sync::Arc;

use super::deliver::deliver;
use super::handler;
use super::log_lines::log_open;
use super::open_connection::OpenConnection;
use crate::connection::Connection;
use crate::server::ServerHandle;
use crate::server::admission::slots::Slot;
use crate::server::driver::Driver;
use crate::server::hub::Hub;
use crate::server::leader::parked::Parked;
use crate::server::lifecycle::{Lifecycle, Presence};

/// A connection after its 101.
pub(crate) struct Opened {
    pub driver: Box<Driver>,
    pub slot: Slot,
    /// It may give events.
    pub present: Presence,
}

impl Opened {
    /// Serves it: to its end, or until the leader has it.
    pub fn serve(self, hub: &Arc<Hub>, stream: Presence) {
        let Opened {
            driver,
            slot,
            present,
        } = self;
        let connection = driver.connection.clone();
        let (connections, present) = (hub.connections.clone(), present.with(stream));
        let open = OpenConnection::new(connections, &connection, slot, present);
        close_if_late(&hub.lifecycle, &connection);
        match &hub.handler {
            Some(handler) => handler::run(open, handler, driver, ServerHandle::new(hub)),
            None if driver.transport().source().is_some() => {
                let parked = Box::new(Parked::new(*driver, open));
                hub.lead.mailbox.arrive(parked);
                log_open(&hub.limited_log, &connection);
            }
            None => deliver(open, driver),
        }
    }
}

/// A shutdown that has begun has closed only the connections that were members by then: this one is closed here.
fn close_if_late(lifecycle: &Lifecycle, connection: &Connection) {
    if lifecycle.is_ending() {
        connection.outbox().abort();
    } else if lifecycle.is_closing() {
        // prevents: a late connection is not closed
        let _ = connection.close(lifecycle.close_code(), "");
    }
}
