//! The open connections: all that a shutdown closes, and among them the ones that the application knows of.

use std::collections::HashSet;
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
    registry: Mutex<Registry, REGISTRY>,
    /// Keeps the members that broadcasts reach, and what the application thread sends while more events wait.
    pub collector: Arc<Collector>,
    counters: Arc<Counters>,
}

/// Two tables: a mark beside each handle would double their size.
#[derive(Default)]
struct Registry {
    /// Broadcasts do not reach these.
    unannounced: HashSet<ById>,
    announced: HashSet<ById>,
}

impl Registry {
    fn remove(&mut self, id: u64) -> Option<ById> {
        let announced = self.announced.take(&id);
        announced.or_else(|| self.unannounced.take(&id))
    }
}

/// A connection is among the members, until this is dropped.
pub(crate) struct Membership {
    members: Arc<Members>,
    pub connection: Connection,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let own = lock(&self.members.registry).remove(self.connection.id());
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
        let own = ById(connection.clone());
        lock(&self.registry).unannounced.insert(own);
        self.counters.opened.fetch_add(1, Relaxed);
        Membership {
            members: self.clone(),
            connection: connection.clone(),
        }
    }

    /// From now on broadcasts reach the connection.
    pub fn announce(&self, connection: &Connection) {
        self.collector.join(connection.outbox());
        let mut registry = lock(&self.registry);
        if let Some(own) = registry.unannounced.take(&connection.id()) {
            registry.announced.insert(own);
        }
    }

    pub fn everyone(&self) -> Vec<Connection> {
        let registry = lock(&self.registry);
        let everyone = registry.announced.iter().chain(&registry.unannounced);
        everyone.map(|member| member.0.clone()).collect()
    }

    pub fn for_everyone(&self, work: impl Fn(&Arc<Outbox>)) {
        let everyone = self.everyone();
        outbox::for_each(everyone.iter().map(Connection::outbox), work);
    }

    /// The connections that broadcasts reach, the oldest first.
    pub fn announced(&self) -> Vec<Connection> {
        let registry = lock(&self.registry);
        let announced = registry.announced.iter();
        let mut open: Vec<_> = announced.map(|member| member.0.clone()).collect();
        drop(registry);
        open.retain(|connection| connection.ready_state() != ReadyState::Closed);
        open.sort_unstable_by_key(Connection::id);
        open
    }

    /// The connection of this id, if broadcasts reach it.
    pub fn find(&self, id: u64) -> Option<Connection> {
        let registry = lock(&self.registry);
        let member = registry.announced.get(&id);
        let connection = member.map(|member| member.0.clone());
        drop(registry);
        connection.filter(|connection| connection.ready_state() != ReadyState::Closed)
    }

    /// Sends one encoded message to every connection that broadcasts reach, but not to `except`.
    pub fn broadcast(&self, message: &Prepared, except: Option<&Connection>) -> Broadcast {
        let except = except.map(Connection::outbox);
        let done = self.collector.broadcast(message, except);
        let (sent, each) = (done.sent as u64, message.len() as u64);
        self.counters.sent(sent, sent * each);
        done
    }
}

#[cfg(test)]
mod tests;
