//! What holds of every server, whatever its peers do: the order of events, and that nothing is held at the end.

use std::collections::HashMap;

use wshub::{Event, Stats};

/// Each connection's events: one Open, messages, at most one Error, one Close, nothing after.
#[derive(Default)]
pub struct Order {
    stages: HashMap<u64, Stage>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Open,
    Failed,
    Closed,
}

impl Order {
    /// Takes the next event; says what is wrong with it.
    pub fn see(&mut self, event: &Event) -> Result<(), String> {
        let id = event.connection().id();
        let stage = self.stages.get(&id).copied();
        let next = match (event, stage) {
            (Event::Open(_), None) => Stage::Open,
            (Event::Message(..), Some(Stage::Open)) => Stage::Open,
            (Event::Error(..), Some(Stage::Open)) => Stage::Failed,
            (Event::Close(..), Some(Stage::Open)) => Stage::Closed,
            (Event::Close(_, close), Some(Stage::Failed)) if close.code == 1006 => Stage::Closed,
            _ => return Err(format!("{event:?} after {stage:?}")),
        };
        self.stages.insert(id, next);
        Ok(())
    }

    /// How many connections closed, of how many that opened.
    pub fn closed(&self) -> (usize, usize) {
        let closed = self
            .stages
            .values()
            .filter(|&&stage| stage == Stage::Closed);
        (closed.count(), self.stages.len())
    }
}

/// What a server holds now: nothing, when it has ended.
pub fn held_now(stats: &Stats) -> [usize; 6] {
    [
        stats.connections,
        stats.handshakes,
        stats.threads,
        stats.stalled,
        stats.waiting_for_application,
        stats.inbound_bytes,
    ]
}
