//! What is chosen for a server as a whole: how much memory it may take, and what this process carries of it.

use super::admission::Admission;
use super::capacity;
use crate::limits::{Limits, TOUCHED_STACK};
use crate::logging::log_line;
use crate::overflow::Overflow;

#[derive(Default)]
pub(crate) struct Options {
    pub limits: Limits,
    pub overflow: Overflow,
    /// Headers of its request that a connection keeps; `None`: all.
    pub kept_headers: Option<Vec<String>>,
}

impl Options {
    /// Lowers what this process does not carry, and says at the start what the server may take. `on_threads`: each
    /// connection holds one. `buffers`: what it takes beside that and its messages. `bodies`: what the bodies of plain
    /// requests take together.
    pub fn fit_process(&mut self, on_threads: bool, buffers: usize, bodies: usize) {
        capacity::bound(&mut self.limits, on_threads, buffers);
        self.limits.bound_times();
        let stack = if on_threads { TOUCHED_STACK } else { 0 };
        let each = self.limits.memory_per_connection();
        let each = each.saturating_add(stack).saturating_add(buffers);
        let all = self.memory_budget(each, bodies);
        log_line!(
            Info,
            "at most {} connections; peers can make the server hold at most {}, {} KiB for each connection",
            self.limits.max_connections,
            capacity::readable(all),
            each >> 10,
        );
        capacity::warn_of(all);
    }

    /// The most memory that peers can make the server hold, so much with each connection. Whoever is no open connection
    /// may hold a thread.
    fn memory_budget(&self, each: usize, bodies: usize) -> usize {
        let connections = self.limits.max_connections.saturating_mul(each);
        let threads = Admission::max_threads(&self.limits);
        let stacks = threads.saturating_mul(TOUCHED_STACK);
        let messages = self.limits.inbound_total;
        [stacks, messages, bodies]
            .into_iter()
            .fold(connections, usize::saturating_add)
    }
}
