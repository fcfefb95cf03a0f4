//! Nodes with backlogs over a backplane that carries and says it did not, does not carry, forgets, and tells readers
//! again what they had: each frame comes once and in order, or is told as missing.

use core::time::Duration;
use std::collections::HashMap;

use super::super::*;
use crate::cluster::backlog::{Backlog, BacklogBounds};
use crate::seeded::{Random, for_each_seed};

struct Simulated {
    id: NodeId,
    joined: u64,
    backlog: Backlog<Head>,
    sent: u64,
    roster: Roster,
    /// Where in the backplane it reads.
    position: usize,
    heard: HashMap<NodeId, Heard>,
}

#[derive(Default)]
struct Heard {
    /// The first number that is expected.
    begin: Option<u64>,
    last: u64,
    count: u64,
    missing: u64,
}

impl Simulated {
    fn new(id: u128, now: u64, position: usize) -> Simulated {
        let bounds = BacklogBounds {
            messages: 20,
            bytes: 200,
            age: Duration::from_millis(500),
        };
        Simulated {
            id: NodeId::new(id),
            joined: now,
            backlog: Backlog::new(bounds),
            sent: 0,
            roster: Roster::new(NodeId::new(id), Duration::from_millis(100)),
            position,
            heard: HashMap::new(),
        }
    }

    fn age(&self, now: u64) -> Duration {
        Duration::from_millis(now - self.joined)
    }

    fn send(&mut self, bytes: usize, now: u64) {
        let (node, age) = (self.id, self.age(now));
        self.backlog.push(bytes, age, |number| Head {
            node,
            number: FrameNumber::Own(number),
            age,
        });
        self.sent += 1;
    }

    /// As the publishing thread does; what the backplane does with it is up to the seed.
    fn publish(&mut self, bus: &mut Vec<Head>, now: u64, random: &mut Random, fails: bool) {
        let age = self.age(now);
        self.backlog.cut(age);
        let batch = self.backlog.begin(1 + random.below(8), 100);
        let mut frames = batch.frames;
        frames.push(Head {
            node: self.id,
            number: FrameNumber::Behind(batch.last),
            age,
        });
        match fails && random.chance(30) {
            true => {
                // None of it, some or all arrived: nobody knows.
                let carried = random.below(frames.len() + 1);
                bus.extend(&frames[..carried]);
                self.backlog.failed();
            }
            false => {
                bus.extend(frames);
                self.backlog.done();
            }
        }
    }

    fn read(&mut self, bus: &[Head], now: u64, random: &mut Random, fails: bool) {
        if fails && random.chance(5) {
            // Trimmed, or not listening.
            self.position = (self.position + random.below(10)).min(bus.len());
        }
        if fails && random.chance(5) {
            self.position = self.position.saturating_sub(random.below(10));
        }
        let count = match fails {
            true => random.below(20),
            false => bus.len(),
        };
        let age = self.age(now);
        for head in bus.iter().skip(self.position).take(count) {
            self.position += 1;
            let verdict = self.roster.hear(head, age);
            let mut missing = 0;
            for change in self.roster.take_changes() {
                if let RosterChange::Missed { node, count } = change {
                    assert_eq!(node, head.node);
                    missing += count;
                }
            }
            self.heard
                .entry(head.node)
                .or_default()
                .note(head, verdict, missing);
        }
    }
}

impl Heard {
    fn note(&mut self, head: &Head, verdict: Verdict, missing: u64) {
        let (FrameNumber::Own(number) | FrameNumber::Behind(number)) = head.number;
        self.missing += missing;
        let is_message = matches!(head.number, FrameNumber::Own(_));
        let first = number + u64::from(!is_message) - missing;
        self.begin.get_or_insert(first);
        if is_message && verdict == Verdict::Fresh {
            assert!(number > self.last, "{number} behind {}", self.last);
            self.last = number;
            self.count += 1;
        }
    }
}

fn simulate(seed: u64) {
    let mut random = Random::new(seed);
    let mut bus = Vec::new();
    let mut nodes: Vec<Simulated> = Vec::new();
    let mut now = 0;
    for _ in 0..400 {
        now += 1 + random.below(10) as u64;
        if nodes.len() < 4 && random.chance(5) {
            nodes.push(Simulated::new(nodes.len() as u128, now, bus.len()));
        }
        if nodes.is_empty() {
            continue;
        }
        let at = random.below(nodes.len());
        let node = &mut nodes[at];
        match random.below(3) {
            0 => (0..random.below(6)).for_each(|_| node.send(random.below(40), now)),
            1 => node.publish(&mut bus, now, &mut random, true),
            _ => node.read(&bus, now, &mut random, true),
        }
    }
    // All is well again: what waits goes out, and everybody reads to the end.
    for node in &mut nodes {
        while !node.backlog.is_empty() {
            node.publish(&mut bus, now, &mut random, false);
        }
        node.publish(&mut bus, now, &mut random, false);
    }
    for node in &mut nodes {
        node.read(&bus, now + 1, &mut random, false);
    }
    for reader in &nodes {
        for writer in &nodes {
            let heard = &reader.heard[&writer.id];
            let begin = heard.begin.unwrap();
            let expected = writer.sent + 1 - begin;
            assert_eq!(
                heard.count + heard.missing,
                expected,
                "{:?} of {:?} from {begin} on",
                reader.id,
                writer.id
            );
            // Of those who joined later, and of itself, nothing is left out.
            if writer.joined > reader.joined || writer.id == reader.id {
                assert_eq!(begin, 1);
            }
        }
    }
}

#[test]
fn what_was_sent_came_once_in_order_or_was_told_as_missing() {
    for_each_seed(
        "--lib cluster::roster::tests::simulation",
        2,
        Duration::from_secs(2),
        simulate,
    );
}
