//! The open connections: all that a shutdown closes, and among them the ones that the application knows of.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::connection::Connection;
use crate::connection::by_id::ById;
use crate::lock::{Mutex, REGISTRY, lock};
use crate::message::Prepared;
use crate::outbox::broadcast::Collector;
use crate::outbox::{self, Broadcast, Outbox, ReadyState};
use crate::stats::Counters;

pub(crate) struct Members {
    /// Each with whether broadcasts reach it.
    registry: Mutex<HashMap<ById, bool>, REGISTRY>,
    /// Keeps the members that broadcasts reach.
    collector: Arc<Collector>,
    counters: Arc<Counters>,
}

/// A connection is among the members, until this is dropped.
pub(crate) struct Membership {
    members: Arc<Members>,
    connection: Connection,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let own = lock(&self.members.registry).remove_entry(&self.connection.id());
        drop(own);
        self.members.collector.leave(self.connection.outbox());
    }
}

impl Members {
    pub fn new(collector: Arc<Collector>, counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Members {
            registry: Mutex::default(),
            collector,
            counters,
        })
    }

    /// A connection opens.
    pub fn join(self: &Arc<Self>, connection: &Connection) -> Membership {
        lock(&self.registry).insert(ById(connection.clone()), false);
        self.counters.opened.fetch_add(1, Relaxed);
        Membership {
            members: self.clone(),
            connection: connection.clone(),
        }
    }

    /// From now on broadcasts reach the connection.
    pub fn announce(&self, connection: &Connection) {
        self.collector.join(connection.outbox());
        if let Some(announced) = lock(&self.registry).get_mut(&connection.id()) {
            *announced = true;
        }
    }

    pub fn everyone(&self) -> Vec<Connection> {
        self.those(|_| true)
    }

    pub fn for_everyone(&self, work: impl Fn(&Arc<Outbox>)) {
        let everyone = self.everyone();
        outbox::for_each(everyone.iter().map(Connection::outbox), work);
    }

    /// Those that broadcasts reach, the oldest first.
    pub fn announced(&self) -> Vec<Connection> {
        let mut open = self.those(|announced| announced);
        open.retain(|connection| connection.ready_state() != ReadyState::Closed);
        open.sort_unstable_by_key(Connection::id);
        open
    }

    /// One of those.
    pub fn find(&self, id: u64) -> Option<Connection> {
        let registry = lock(&self.registry);
        let member = registry.get_key_value(&id);
        let announced = member.filter(|(_, announced)| **announced);
        let connection = announced.map(|(member, _)| member.0.clone());
        drop(registry);
        connection.filter(|connection| connection.ready_state() != ReadyState::Closed)
    }

    fn those(&self, which: impl Fn(bool) -> bool) -> Vec<Connection> {
        let registry = lock(&self.registry);
        let those = registry.iter().filter(|(_, announced)| which(**announced));
        those.map(|(member, _)| member.0.clone()).collect()
    }

    /// Sends one encoded message to everyone that is announced but `except`.
    pub fn broadcast(&self, message: &Prepared, except: Option<&Connection>) -> Broadcast {
        let except = except.map(Connection::outbox);
        let done = self.collector.broadcast(message, except);
        self.counters
            .sent(done.sent as u64, (done.sent * message.len()) as u64);
        done
    }
}

#[cfg(test)]
mod tests;
