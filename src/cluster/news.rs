//! Events that wait for the application: bounded, and what finds no room is counted and told.

use std::collections::{BTreeMap, VecDeque};

use super::event::ClusterEvent;
use super::id::NodeId;

/// Events that wait at most; an application that takes them at all is not that far behind.
const EVENTS: usize = 4096;
/// Bytes of messages that wait at most.
const BYTES: usize = 16 << 20;

/// Reasons that are told of one time without the backplane: a Redis that restarts has some of them after each other.
const REASONS: usize = 8;

/// One of the two directions of the backplane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackplaneDirection {
    Out,
    In,
}

#[derive(Default)]
pub(crate) struct News {
    queue: VecDeque<ClusterEvent>,
    bytes: usize,
    /// What found no room, and what came after it: told as soon as half of the room is free. As many nodes as wait in
    /// the queue, at most.
    missing: BTreeMap<NodeId, u64>,
    unsent: u64,
    untaken: u64,
    link: BackplaneLink,
}

#[derive(Default)]
struct BackplaneLink {
    is_out: bool,
    is_in: bool,
    /// The application was told last that it works.
    is_up: bool,
    /// Why it is not attached: each reason is told once.
    reasons: Vec<String>,
}

impl News {
    pub fn push(&mut self, event: ClusterEvent) {
        // What was counted came before. It takes room only where much is free: otherwise, of an application that is
        // slower for long, each place that it frees would go to what was counted, and none to a message.
        if self.queue.len() <= EVENTS / 2 && self.bytes <= BYTES / 2 {
            self.tell_counted();
        }
        if self.has_counted() {
            return self.count(event);
        }
        if self.joins_the_last(&event) {
            return;
        }
        let bytes = bytes_of(&event);
        if self.queue.len() < EVENTS && self.bytes + bytes <= BYTES {
            self.bytes += bytes;
            self.queue.push_back(event);
            return;
        }
        self.count(event);
    }

    fn has_counted(&self) -> bool {
        !self.missing.is_empty() || self.unsent > 0 || self.untaken > 0
    }

    fn tell_counted(&mut self) {
        while self.queue.len() < EVENTS {
            match self.take_counted() {
                Some(counted) if self.joins_the_last(&counted) => {}
                Some(counted) => self.queue.push_back(counted),
                None => break,
            }
        }
    }

    fn count(&mut self, event: ClusterEvent) {
        match event {
            ClusterEvent::Gap { node, missing } => self.miss(node, missing),
            ClusterEvent::Message { node, .. } => self.miss(node, 1),
            ClusterEvent::Unsent { messages } => self.unsent += messages,
            ClusterEvent::Untaken { events } => self.untaken += events,
            _ => self.untaken += 1,
        }
    }

    pub fn take(&mut self) -> Option<ClusterEvent> {
        if let Some(event) = self.queue.pop_front() {
            self.bytes -= bytes_of(&event);
            return Some(event);
        }
        self.take_counted()
    }

    fn take_counted(&mut self) -> Option<ClusterEvent> {
        if let Some((node, missing)) = self.missing.pop_first() {
            return Some(ClusterEvent::Gap { node, missing });
        }
        match (
            std::mem::take(&mut self.unsent),
            std::mem::take(&mut self.untaken),
        ) {
            (0, 0) => None,
            (0, events) => Some(ClusterEvent::Untaken { events }),
            (messages, untaken) => {
                self.untaken = untaken;
                Some(ClusterEvent::Unsent { messages })
            }
        }
    }

    /// One direction works now, or fails for a reason. True if that is new for the application.
    pub fn set(&mut self, way: BackplaneDirection, state: Result<(), &str>) -> bool {
        match (way, state) {
            (BackplaneDirection::Out, _) => self.link.is_out = state.is_ok(),
            (BackplaneDirection::In, Ok(())) => self.link.is_in = true,
            // Whether the other way works then shows when something goes out on it again.
            (BackplaneDirection::In, Err(_)) => {
                (self.link.is_in, self.link.is_out) = (false, false)
            }
        }
        let is_new = match state {
            Ok(()) => self.link.is_out && self.link.is_in && !self.link.is_up,
            Err(reason) => self.link.is_new(reason),
        };
        if !is_new {
            return false;
        }
        self.link.is_up = state.is_ok();
        if state.is_ok() {
            self.link.reasons.clear();
        }
        self.push(match state {
            Ok(()) => ClusterEvent::Attached,
            Err(reason) => ClusterEvent::Detached {
                reason: reason.to_owned(),
            },
        });
        true
    }

    pub fn is_attached(&self) -> bool {
        self.link.is_up
    }

    fn joins_the_last(&mut self, event: &ClusterEvent) -> bool {
        match (self.queue.back_mut(), event) {
            (
                Some(ClusterEvent::Gap { node, missing }),
                ClusterEvent::Gap {
                    node: same,
                    missing: more,
                },
            ) if node == same => *missing += more,
            (Some(ClusterEvent::Unsent { messages }), ClusterEvent::Unsent { messages: more }) => {
                *messages += more
            }
            _ => return false,
        }
        true
    }

    fn miss(&mut self, node: NodeId, count: u64) {
        match self.missing.len() < EVENTS || self.missing.contains_key(&node) {
            true => *self.missing.entry(node).or_default() += count,
            false => self.untaken += count,
        }
    }
}

impl BackplaneLink {
    fn is_new(&mut self, reason: &str) -> bool {
        let is_new = self.reasons.len() < REASONS && self.reasons.iter().all(|it| it != reason);
        if is_new {
            self.reasons.push(reason.to_owned());
        }
        is_new
    }
}

fn bytes_of(event: &ClusterEvent) -> usize {
    match event {
        ClusterEvent::Message { message, .. } => message.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
