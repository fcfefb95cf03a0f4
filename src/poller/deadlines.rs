//! What is due when. Each token has one entry, which is checked when its time comes: a deadline that moves later costs
//! nothing until then.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::Token;

pub(crate) struct Deadlines {
    /// Times are nanoseconds from here, which last for 584 years: an `Instant` takes twice as much.
    epoch: Instant,
    heap: BinaryHeap<Reverse<(u64, Token)>>,
    /// The entry of each token that counts, or `NONE`; others in the heap are void.
    at: Vec<u64>,
}

const NONE: u64 = u64::MAX;

impl Deadlines {
    pub fn new() -> Self {
        Deadlines {
            epoch: Instant::now(),
            heap: BinaryHeap::new(),
            at: Vec::new(),
        }
    }

    fn nanos(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.epoch).as_nanos();
        u64::try_from(since).unwrap_or(NONE).min(NONE - 1)
    }

    /// An entry with an earlier time is enough: it is checked then.
    pub fn set(&mut self, token: Token, at: Instant) {
        let (at, index) = (self.nanos(at), token.number() as usize);
        if self.at.len() <= index {
            self.at.resize(index + 1, NONE);
        }
        if let Some(entry) = self.at.get_mut(index) {
            if at < *entry {
                *entry = at;
                self.heap.push(Reverse((at, token)));
                self.drop_void_entries();
            }
        }
    }

    /// Keeps the heap within twice the number of tokens, however many come and go.
    fn drop_void_entries(&mut self) {
        const FEW: usize = 64;
        if self.heap.len() > 2 * self.at.len() + FEW {
            let valid = &self.at;
            self.heap
                .retain(|Reverse((at, token))| valid.get(token.number() as usize) == Some(at));
        }
    }

    pub fn forget(&mut self, token: Token) {
        if let Some(entry) = self.at.get_mut(token.number() as usize) {
            *entry = NONE;
        }
    }

    pub fn first(&self) -> Option<Instant> {
        let Reverse((at, _)) = self.heap.peek()?;
        self.epoch.checked_add(Duration::from_nanos(*at))
    }

    pub fn next_due(&mut self, now: Instant) -> Option<Token> {
        let now = self.nanos(now);
        while let Some(&Reverse((at, token))) = self.heap.peek() {
            if at > now {
                return None;
            }
            self.heap.pop();
            let entry = self.at.get_mut(token.number() as usize);
            if let Some(entry) = entry.filter(|entry| **entry == at) {
                *entry = NONE;
                return Some(token);
            }
        }
        None
    }
}
