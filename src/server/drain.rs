//! The end before a restart: no more accepts, and connections that close one after the other, so that their clients do
//! not all connect again at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ServerHandle;
use super::hub::Hub;
use super::lifecycle::{Lifecycle, Phase};
use super::members::Members;
use super::shutdown;
use crate::connection::Connection;
use crate::limits::YEAR;
use crate::logging::log_line;
use crate::outbox::ReadyState;

/// How long the drain waits before it looks for connections that opened meanwhile.
const LOOK: Duration = Duration::from_millis(100);

impl ServerHandle {
    /// Starts the shutdown of a server that is restarted, so that its clients do not all connect again at once. Returns
    /// at once. From any thread; a second call changes nothing, and [`shutdown`](ServerHandle::shutdown) ends it early.
    ///
    /// The listeners close. [`health`](crate::ServerBuilder::health) says 503. Handshakes and requests that are under
    /// way are served, and answers say `Connection: close`. Connections get 1012, one after the other, spread evenly
    /// over `time`. When nobody is left, or at the end of `time`, the shutdown begins, with 1012 for those that are
    /// still there; requests that still [wait](crate::Response::later) get 503.
    ///
    /// Choose `time` so that the next process can take the clients that come in each second, and at least as long as a
    /// balancer's health checks need to notice. Kubernetes and systemd kill a process that takes longer to end than
    /// they allow, 30 and 90 seconds by default.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// let server = wshub::Server::builder().health("/healthz").bind("127.0.0.1:9001")?;
    /// let handle = server.handle();
    /// ctrlc::set_handler(move || handle.drain(Duration::from_secs(20)))?; // SIGTERM, too
    /// for event in server.events() {
    ///     println!("{event:?}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drain(&self, time: Duration) {
        if let Some(hub) = self.hub() {
            begin(hub, time);
        }
    }

    /// True once [`drain`](ServerHandle::drain) or a shutdown has begun: for hooks that would begin what takes time.
    pub fn is_draining(&self) -> bool {
        self.hub().is_some_and(|hub| hub.lifecycle.is_draining())
    }
}

fn begin(hub: &Arc<Hub>, time: Duration) {
    if hub.lifecycle.is_of_another_process() || !hub.lifecycle.enter(Phase::Draining) {
        return;
    }
    log_line!(
        Info,
        "draining for {time:?}: no more accepts, 1012 to one connection after the other"
    );
    let own = hub.clone();
    let deadline = Instant::now() + time.min(YEAR);
    let drain = move || {
        close_in_turn(&own.lifecycle, &own.connections.members, deadline);
        own.lifecycle.wait_while_draining(deadline);
        shutdown::begin(&own);
    };
    if let Err(refused) = hub.workers.start("wshub-drain", drain) {
        log_line!(Warn, "no thread for a drain, all close at once: {refused}");
        shutdown::begin(hub);
    }
}

/// Each has the same share of the time, and is told halfway into it: the last, too, has time for its answer.
fn close_in_turn(lifecycle: &Lifecycle, members: &Members, deadline: Instant) {
    let mut line: Vec<Connection> = Vec::new();
    let (mut at, mut share) = (Instant::now(), Duration::ZERO);
    while at.max(Instant::now()) < deadline && lifecycle.wait_while_draining(at) {
        if let Some(connection) = line.pop() {
            // Err: it closes already.
            let _ = connection.close(lifecycle.close_code(), "");
            at += share;
            continue;
        }
        line = those_that_are_open(members);
        let left = deadline.saturating_duration_since(at);
        share = left / u32::try_from(line.len().max(1)).unwrap_or(u32::MAX);
        at += match line.is_empty() {
            true => LOOK,
            false => share / 2,
        };
    }
}

/// The oldest last.
fn those_that_are_open(members: &Members) -> Vec<Connection> {
    let mut open = members.everyone();
    open.retain(|connection| connection.ready_state() == ReadyState::Open);
    open.sort_unstable_by_key(|connection| std::cmp::Reverse(connection.id()));
    open
}
