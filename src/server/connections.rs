//! What the open connections of a server share.
//!
//! [`opened`] begins to serve one after its 101, and [`open_connection`] is what each of them holds until its end.
//! [`deliver`] serves one on a thread of its own, [`handler`] gives it to the user's closure, and the
//! [leader](super::leader) has those that hold no thread. [`log_lines`] is what the log says of them.

pub(crate) mod deliver;
mod handler;
pub(crate) mod log_lines;
pub(crate) mod open_connection;
pub(crate) mod opened;

use std::sync::Arc;
use std::time::Instant;

use super::driver::Driver;
use super::inbox::Inbox;
use super::limited_log::LimitedLog;
use super::members::Members;
use super::options::Options;
use super::places::Places;
use super::workers::Workers;
use crate::connection::Connection;
use crate::connection::conversation_rules::ConversationRules;
use crate::connection::opening::Opening;
use crate::connection::read_buffer::ReadBuffer;
use crate::handshake::accept::OwnBounds;
use crate::limits::Limits;
use crate::logging::Line;
use crate::outbox::broadcast::Collector;
use crate::outbox::{Bounds, Outbox, OutboxServer};
use crate::protocol::Role;
use crate::stats::Counters;
use crate::transport::Transport;

pub(crate) struct ConnectionServer {
    options: Arc<Options>,
    /// What goes for connections without bounds of their own.
    bounds: Arc<Bounds>,
    conversations: ConversationRules,
    pub outboxes: Arc<OutboxServer>,
    pub counters: Arc<Counters>,
    limited_log: Arc<LimitedLog>,
    /// Those that are open.
    pub members: Arc<Members>,
    /// The way of what they give to the application.
    pub inbox: Arc<Inbox>,
    /// Of streams whose peers may still read our last bytes.
    pub lingering_places: Arc<Places>,
    pub workers: Arc<Workers>,
}

impl ConnectionServer {
    pub fn new(
        options: Arc<Options>,
        workers: Arc<Workers>,
        limited_log: Arc<LimitedLog>,
        inbox: Arc<Inbox>,
        collector: Arc<Collector>,
        outboxes: OutboxServer,
    ) -> Arc<Self> {
        let (limits, counters) = (&options.limits, outboxes.counters.clone());
        Arc::new(ConnectionServer {
            bounds: Arc::new(Bounds::new(limits, options.overflow)),
            conversations: ConversationRules::new(limits, limits.ping_interval, Instant::now()),
            outboxes: Arc::new(outboxes),
            members: Members::new(collector, counters.clone()),
            lingering_places: Places::new(limits.max_handshakes),
            options,
            counters,
            limited_log,
            inbox,
            workers,
        })
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
        let connection = Connection::new(id, opening, outbox, self.inbox.budget.clone());
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

    /// Has a line written elsewhere.
    pub fn log(&self, line: Option<Line>) {
        self.workers.log_writer.write(line);
    }

    /// The shutdown waits no longer for the application: readers that wait for it are let go.
    pub fn let_readers_go(&self) {
        self.inbox.budget.close(|| self.members.everyone());
    }
}

#[cfg(test)]
mod tests;
