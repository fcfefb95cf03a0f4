//! The nodes that are there, and what of theirs was missed: numbers in, verdicts out. Times are since this node joined.

use core::time::Duration;
use std::collections::HashMap;

use super::frame::{FrameNumber, Head};
use super::id::NodeId;

/// Nodes that are remembered, those that left among them: a late frame of theirs is still no duplicate.
const MOST: usize = 4096;

pub(crate) struct Roster {
    own: NodeId,
    heartbeat: Duration,
    peers: HashMap<NodeId, KnownPeer>,
    /// When this node last heard itself: only then others are judged, so that they are not taken for gone while nothing
    /// comes through at all.
    judged: Option<Duration>,
    /// What was not taken yet.
    changes: Vec<RosterChange>,
}

struct KnownPeer {
    /// The last number that was heard.
    last: u64,
    heard: Duration,
    is_there: bool,
    connections: u64,
    /// The latest age that was told beside a number that is not the frame's own; `None` if none was.
    age: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RosterChange {
    Joined(NodeId),
    Left(NodeId),
    Missed { node: NodeId, count: u64 },
}

/// Whether a frame is to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fresh,
    /// It came before.
    Stale,
}

impl KnownPeer {
    /// Whether a frame that has no number of its own came before. A heartbeat and the farewell after it may tell one
    /// age; once the node has left, neither of them is new.
    fn has_told(&self, age: Duration) -> bool {
        self.age
            .is_some_and(|last| age < last || age == last && !self.is_there)
    }
}

impl Roster {
    pub fn new(own: NodeId, heartbeat: Duration) -> Self {
        let itself = KnownPeer {
            last: 0,
            heard: Duration::ZERO,
            is_there: true,
            connections: 0,
            age: None,
        };
        Roster {
            own,
            heartbeat,
            peers: HashMap::from([(own, itself)]),
            judged: None,
            changes: Vec::new(),
        }
    }

    /// What has changed since this was asked for the last time.
    pub fn take_changes(&mut self) -> Vec<RosterChange> {
        std::mem::take(&mut self.changes)
    }

    /// A frame came.
    pub fn hear(&mut self, head: &Head, now: Duration) -> Verdict {
        let node = head.node;
        if !self.peers.contains_key(&node) {
            self.make_room();
        }
        // One that joined after this node has sent nothing that this node should not have heard. Of the others
        // nobody can say what was before: this is where they begin.
        let is_younger = head.age < now;
        let known = self.peers.entry(node).or_insert_with(|| KnownPeer {
            last: match head.number {
                _ if is_younger => 0,
                FrameNumber::Own(number) => number.saturating_sub(1),
                FrameNumber::Behind(number) => number,
            },
            heard: now,
            is_there: false,
            connections: 0,
            age: None,
        });
        // What comes again does not say that its node is there.
        let (reached, expected) = match head.number {
            FrameNumber::Own(number) if number <= known.last => return Verdict::Stale,
            FrameNumber::Behind(_) if known.has_told(head.age) => return Verdict::Stale,
            FrameNumber::Own(number) => (number, number - 1),
            FrameNumber::Behind(number) => {
                known.age = Some(head.age);
                (number.max(known.last), number)
            }
        };
        known.heard = now;
        if !known.is_there {
            known.is_there = true;
            self.changes.push(RosterChange::Joined(node));
        }
        let count = expected.saturating_sub(known.last);
        known.last = reached;
        if count > 0 {
            self.changes.push(RosterChange::Missed { node, count });
        }
        Verdict::Fresh
    }

    /// A frame came that was published before this node joined: that its node is there is not said by it.
    pub fn remember(&mut self, head: &Head, now: Duration) -> Verdict {
        let verdict = self.hear(head, now);
        self.changes.clear();
        let known = self.peers.get_mut(&head.node);
        if let Some(known) = known.filter(|_| head.node != self.own) {
            known.is_there = false;
        }
        verdict
    }

    /// A heartbeat of another node, or of this one.
    pub fn beat(&mut self, node: NodeId, connections: u64, now: Duration) {
        if let Some(known) = self.peers.get_mut(&node) {
            known.connections = connections;
        }
        if node == self.own {
            self.judge(now);
        }
    }

    /// A node says that it leaves.
    pub fn leave(&mut self, node: NodeId) {
        if let Some(known) = self.peers.get_mut(&node) {
            known.is_there = false;
            self.changes.push(RosterChange::Left(node));
        }
    }

    /// Nothing was heard for a while, for a reason that is not theirs: each has another round.
    pub fn renew(&mut self, now: Duration) {
        self.judged = None;
        self.peers.values_mut().for_each(|known| known.heard = now);
    }

    /// Those that are there, this node among them, with their connections.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, u64)> {
        let there = self.peers.iter().filter(|(_, known)| known.is_there);
        there.map(|(node, known)| (*node, known.connections))
    }

    /// Called with each heartbeat of this node that came back. They go out twice as often as is promised, and this
    /// looks half a heartbeat early, so that a silent node is gone within two.
    fn judge(&mut self, now: Duration) {
        let stood_still = |before: Duration| now.saturating_sub(before) > self.heartbeat;
        if self.judged.is_none_or(stood_still) {
            self.renew(now);
        }
        self.judged = Some(now);
        let patience = self.heartbeat * 3 / 2;
        for (node, known) in &mut self.peers {
            let is_silent = now.saturating_sub(known.heard) >= patience;
            if known.is_there && is_silent && *node != self.own {
                known.is_there = false;
                self.changes.push(RosterChange::Left(*node));
            }
        }
    }

    /// Forgets the one that was silent for longest, and never this node.
    fn make_room(&mut self) {
        if self.peers.len() < MOST {
            return;
        }
        let others = self.peers.iter().filter(|(node, _)| **node != self.own);
        let oldest = others.min_by_key(|(_, known)| (known.is_there, known.heard));
        let Some(node) = oldest.map(|(node, _)| *node) else {
            return;
        };
        if self.peers.remove(&node).is_some_and(|known| known.is_there) {
            self.changes.push(RosterChange::Left(node));
        }
    }
}

#[cfg(test)]
mod tests;
