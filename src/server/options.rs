//! What is chosen for a server: whether it can be, how much memory it may take, and what this process carries of it.

use std::error::Error;
use std::io;

use super::capacity;
use super::hooks::Hooks;
use crate::handshake::rules::Rules;
use crate::limits::Limits;
use crate::logging::log_line;
use crate::overflow::Overflow;
use crate::tls::Tls;

#[derive(Default)]
pub(crate) struct Options {
    pub limits: Limits,
    pub overflow: Overflow,
    pub rules: Rules,
    pub hooks: Hooks,
    pub tls: Option<Tls>,
    /// Headers of its request that a connection keeps; `None`: all.
    pub kept_headers: Option<Vec<String>>,
}

impl Options {
    /// Refuses what could never work.
    pub fn check(&self) -> io::Result<()> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        (self.limits.check())
            .map_err(|error| invalid(Box::<dyn Error + Send + Sync>::from(error)))?;
        (self.rules.check()).map_err(|error| invalid(error.to_string().into()))
    }

    /// Lowers what this process does not carry, and says at the start what the server may take. `on_threads`: each
    /// connection holds one.
    pub fn fit_process(&mut self, on_threads: bool) {
        let buffers = self.buffers();
        capacity::bound(&mut self.limits, on_threads, buffers);
        self.limits.bound_times();
        let each = self.memory_per_connection();
        let all = self.memory_budget(each);
        log_line!(
            Info,
            "at most {} connections; peers can make the server hold at most {} MiB, {} KiB for each connection",
            self.limits.max_connections,
            all >> 20,
            each >> 10,
        );
        capacity::warn_of(all, each);
    }

    /// The most memory that peers can make the server hold, so much with each connection.
    fn memory_budget(&self, each: usize) -> usize {
        let connections = self.limits.max_connections.saturating_mul(each);
        let bodies = match self.hooks.answers_plain() {
            true => self.limits.bodies_budget(),
            false => 0,
        };
        let messages = self.limits.inbound_total;
        connections.saturating_add(messages).saturating_add(bodies)
    }

    fn memory_per_connection(&self) -> usize {
        let messages = self.limits.memory_per_connection();
        messages.saturating_add(self.buffers())
    }

    /// What a connection takes beside its thread and its messages.
    fn buffers(&self) -> usize {
        let tls = self.tls.as_ref().map_or(0, Tls::memory_per_connection);
        let compression = self.rules.compression.as_ref();
        tls + compression.map_or(0, |own| own.memory_per_connection())
    }
}
