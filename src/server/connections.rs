//! The open connections of a server: what they share, and how one is served from its 101 on.
//!
//! [`open`] is what each of them holds until its end. [`deliver`] serves one on a thread of its own, [`handler`] gives
//! it to the user's closure, and the [leader](super::leader) has those that hold no thread. [`log_lines`] is what the
//! log says of them.

pub(crate) mod deliver;
mod handler;
pub(crate) mod log_lines;
pub(crate) mod open;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::ServerHandle;
use super::admission::slots::Slot;
use super::driver::Driver;
use super::hub::Hub;
use super::inbox::Inbox;
use super::leader::lead::Lead;
use super::leader::parked::Parked;
use super::lifecycle::{Lifecycle, Presence};
use super::limited_log::LimitedLog;
use super::members::Members;
use super::options::Options;
use super::places::Places;
use super::session::{ReadingClosures, SessionHandler};
use super::threads::NotStarted;
use super::workers::Workers;
use crate::connection::Connection;
use crate::connection::conversation_rules::ConversationRules;
use crate::connection::credit::Budget;
use crate::connection::opening::Opening;
use crate::connection::read_buffer::ReadBuffer;
use crate::handshake::accept::OwnBounds;
use crate::limits::Limits;
use crate::logging::Line;
use crate::outbox::broadcast::Collector;
use crate::outbox::{Bounds, Delivery, Outbox, OutboxServer, Owner};
use crate::protocol::Role;
use crate::stats::Counters;
use crate::transport::Transport;
use open::OpenConnection;

/// What the open connections of a server share.
pub(crate) struct ConnectionServer {
    options: Arc<Options>,
    /// Runs each connection on its own thread; without it events go to the application thread.
    handler: Option<SessionHandler>,
    /// What goes for connections without bounds of their own.
    bounds: Arc<Bounds>,
    conversations: ConversationRules,
    outboxes: Arc<OutboxServer>,
    counters: Arc<Counters>,
    limited_log: Arc<LimitedLog>,
    members: Arc<Members>,
    inbox: Arc<Inbox>,
    /// Connections that hold no thread, and the thread that leads them.
    lead: Lead,
    /// Of streams whose peers may still read our last bytes.
    lingering_places: Arc<Places>,
    workers: Arc<Workers>,
}

impl ConnectionServer {
    pub fn new(
        options: Arc<Options>,
        handler: Option<SessionHandler>,
        workers: Arc<Workers>,
        counters: Arc<Counters>,
        limited_log: Arc<LimitedLog>,
    ) -> io::Result<Arc<Self>> {
        let limits = &options.limits;
        let lead = Lead::new(workers.log_writer().clone(), limits)?;
        let budget = budget(limits, &lead);
        let inbox = Arc::new(Inbox::new(budget, lead.bell().clone(), counters.clone()));
        let collector = Collector::new(lead.leader_queue().clone());
        let (delivery, owner): (_, Arc<dyn Owner>) = match &handler {
            None => (collector.delivery(), inbox.clone()),
            Some(_) => (Delivery::Handler, Arc::new(ReadingClosures)),
        };
        let outboxes = OutboxServer {
            leader_queue: lead.leader_queue().clone(),
            counters: counters.clone(),
            delivery,
            owner: Some(owner),
        };
        Ok(Arc::new(ConnectionServer {
            bounds: Arc::new(Bounds::new(limits, options.overflow)),
            conversations: ConversationRules::new(limits, limits.ping_interval, Instant::now()),
            outboxes: Arc::new(outboxes),
            members: Members::new(collector, counters.clone()),
            lingering_places: Places::new(limits.max_handshakes),
            options,
            handler,
            counters,
            limited_log,
            inbox,
            lead,
            workers,
        }))
    }

    /// A connection after its opening handshake, as a value that a thread drives. `buffer`: what came with the
    /// handshake.
    pub fn driver(
        &self,
        id: u64,
        transport: &Arc<dyn Transport>,
        opening: Opening,
        bounds: OwnBounds,
        buffer: ReadBuffer,
    ) -> Box<Driver> {
        let limits = &*self.limits().with_max_message(bounds.max_message);
        let own_bounds = (bounds.overflow, bounds.max_message) != (None, None);
        let own_bounds = own_bounds.then(|| {
            let overflow = bounds.overflow.unwrap_or(self.options.overflow);
            Arc::new(Bounds::new(limits, overflow))
        });
        let extension = opening.extension.as_ref();
        let outbox = Outbox::new(
            transport.clone(),
            self.outboxes.clone(),
            id,
            own_bounds.unwrap_or_else(|| self.bounds.clone()),
            limits.close_timeout,
            extension.and_then(|agreed| agreed.packing(Role::Server.own_compression(agreed))),
        );
        let connection = Connection::new(id, opening, outbox, self.inbox.budget().clone());
        Box::new(Driver::new(
            connection,
            transport.clone(),
            limits,
            self.conversations.clone(),
            buffer,
        ))
    }

    pub fn limits(&self) -> &Limits {
        &self.options.limits
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Those that are open.
    pub fn members(&self) -> &Arc<Members> {
        &self.members
    }

    /// The way of what they give to the application.
    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    pub fn lead(&self) -> &Lead {
        &self.lead
    }

    /// Events go to the application thread; otherwise a handler has each connection.
    pub fn gives_events(&self) -> bool {
        self.handler.is_none()
    }

    /// Runs `job` at once, on a thread of the pool.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), NotStarted> {
        self.workers.run(job)
    }

    /// Has a line written elsewhere.
    pub fn log(&self, line: Option<Line>) {
        self.workers.log_writer().write(line);
    }

    /// What the thread runs that leads while the application is away.
    pub fn stand_in(&self) {
        self.lead.stand_in(&self.inbox);
    }

    /// The shutdown waits no longer for the application: readers that wait for it are let go.
    pub fn let_readers_go(&self) {
        self.inbox.budget().close(|| self.members.everyone());
    }
}

/// The bytes that may wait for the application. Weak: a handle that outlives its connection keeps nothing of the
/// server's open.
fn budget(limits: &Limits, lead: &Lead) -> Arc<Budget> {
    let mailbox = Arc::downgrade(lead.mailbox());
    Budget::new(limits, move |token| {
        if let Some(mailbox) = mailbox.upgrade() {
            mailbox.put(|mail| mail.resumed.push(token));
        }
    })
}

/// A connection after its 101.
pub(crate) struct Opened {
    pub driver: Box<Driver>,
    pub slot: Slot,
    /// It may give events.
    pub present: Presence,
}

/// Serves an open connection: to its end, or until the leader has it.
pub(crate) fn run(hub: &Arc<Hub>, stream: Presence, opened: Opened) {
    let Opened {
        driver,
        slot,
        present,
    } = opened;
    let server = &hub.connections;
    let connection = driver.connection.clone();
    let present = present.with(stream);
    let open = OpenConnection::new(server.clone(), &connection, slot, present);
    close_if_late(&hub.lifecycle, &connection);
    match &server.handler {
        Some(handler) => handler::run(open, handler, driver, ServerHandle::new(hub)),
        None if driver.transport().source().is_some() => {
            server.lead.arrive(Box::new(Parked::new(*driver, open)));
            log_lines::log_open(&server.limited_log, &connection);
        }
        None => deliver::deliver(open, driver),
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

#[cfg(test)]
mod tests;
