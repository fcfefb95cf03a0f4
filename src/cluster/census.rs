//! How many members the rooms have on the other nodes, as these have told.

use std::collections::HashMap;

use super::id::NodeId;
use super::report::RoomReport;

#[derive(Default)]
pub(crate) struct Census {
    by_node: HashMap<NodeId, ReportedCounts>,
    /// This node has attached, and not asked what it does not know.
    is_new: bool,
}

/// What one node has told.
#[derive(Default)]
struct ReportedCounts {
    /// The number of its last report; `None` where one before it is missing.
    number: Option<u64>,
    rooms: HashMap<String, u32>,
    /// What it told before it began anew, and has not told again yet: it holds until everything has come.
    before: HashMap<String, u32>,
}

impl Census {
    /// This node has attached: what others told before has not come.
    pub fn begin(&mut self) {
        self.is_new = true;
    }

    /// What it lacks was asked for.
    pub fn asked(&mut self) {
        self.is_new = false;
    }

    /// Whether something is to be asked for, until it has come.
    pub fn lacks(&self) -> bool {
        self.is_new || self.by_node.values().any(|told| told.number.is_none())
    }

    pub fn hear(&mut self, node: NodeId, report: &RoomReport<'_>) {
        let told = self.by_node.entry(node).or_default();
        // Its last one may come again, where the backplane is read from an earlier place. One that was not known to be
        // published is not told again: the next is whole.
        let follows = told
            .number
            .is_some_and(|last| report.number <= last.saturating_add(1));
        if report.is_whole {
            told.before = std::mem::take(&mut told.rooms);
        } else if !follows {
            told.number = None;
            return;
        }
        told.number = Some(report.number);
        for (room, members) in report.counts.iter() {
            told.before.remove(room);
            match members {
                0 => _ = told.rooms.remove(room),
                _ => _ = told.rooms.insert(room.to_owned(), members),
            }
        }
        if report.is_last() {
            told.before = HashMap::new();
        }
    }

    /// The node is gone, and its members with it.
    pub fn leave(&mut self, node: NodeId) {
        self.by_node.remove(&node);
    }

    pub fn members(&self, room: &str) -> usize {
        let counts = self
            .by_node
            .values()
            .filter_map(|told| told.rooms.get(room).or_else(|| told.before.get(room)));
        counts.map(|count| *count as usize).sum()
    }
}

#[cfg(test)]
mod tests;
