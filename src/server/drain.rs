//! The end before a restart: no more accepts, and connections that close one after the other, so that their clients do
//! not all connect again at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::hub::Hub;
use super::lifecycle::Phase;
use super::shutdown;
use crate::connection::Connection;
use crate::limits::YEAR;
use crate::logging::log_line;
use crate::outbox::ReadyState;

/// How long the drain waits before it looks for connections that opened meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// Starts the drain. Returns at once.
pub(crate) fn begin(hub: &Arc<Hub>, time: Duration) {
    if hub.lifecycle.is_of_another_process() || !hub.lifecycle.enter(Phase::Draining) {
        return;
    }
    if let Some(bell) = &hub.accept_bell {
        bell.ring();
    }
    log_line!(
        Info,
        "draining for {time:?}: no more accepts, 1012 to one connection after the other"
    );
    let own = hub.clone();
    let deadline = Instant::now() + time.min(YEAR);
    let drain = move || {
        close_in_turn(&own, deadline);
        own.lifecycle.wait_while_draining(deadline);
        shutdown::begin(&own);
    };
    if let Err(refused) = hub.workers.start("wshub-drain", drain) {
        log_line!(Warn, "no thread for a drain, all close at once: {refused}");
        shutdown::begin(hub);
    }
}

/// Each has the same share of the time, and is told halfway into it: the last, too, has time for its answer.
fn close_in_turn(hub: &Hub, deadline: Instant) {
    let mut line: Vec<Connection> = Vec::new();
    let (mut at, mut share) = (Instant::now(), Duration::ZERO);
    while at.max(Instant::now()) < deadline && hub.lifecycle.wait_while_draining(at) {
        if let Some(connection) = line.pop() {
            // Err: it closes already.
            let _ = connection.close(hub.lifecycle.close_code(), "");
            at += share;
            continue;
        }
        line = those_that_are_open(hub);
        let left = deadline.saturating_duration_since(at);
        share = left / u32::try_from(line.len().max(1)).unwrap_or(u32::MAX);
        at += match line.is_empty() {
            true => LOOK,
            false => share / 2,
        };
    }
}

/// The oldest last.
fn those_that_are_open(hub: &Hub) -> Vec<Connection> {
    let mut open = hub.members.everyone();
    open.retain(|connection| connection.ready_state() == ReadyState::Open);
    open.sort_unstable_by_key(|connection| std::cmp::Reverse(connection.id()));
    open
}
