//! Who is due when. One entry each, judged when it comes up: a deadline that moves on costs nothing until then.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use super::Token;

#[derive(Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, Token)>>,
    /// The entry of each token that counts; others in the heap are void.
    at: Vec<Option<Instant>>,
}

impl Deadlines {
    /// An entry that comes up earlier serves: it is judged then.
    pub fn set(&mut self, token: Token, at: Instant) {
        let index = token.number() as usize;
        if self.at.len() <= index {
            self.at.resize(index + 1, None);
        }
        if let Some(entry) = self.at.get_mut(index) {
            if entry.is_none_or(|earlier| at < earlier) {
                *entry = Some(at);
                self.heap.push(Reverse((at, token)));
                self.drop_void_entries();
            }
        }
    }

    /// Keeps the heap within twice the tokens there are, whoever comes and goes.
    fn drop_void_entries(&mut self) {
        const FEW: usize = 64;
        if self.heap.len() > 2 * self.at.len() + FEW {
            let valid = &self.at;
            self.heap.retain(|Reverse((at, token))| {
                valid.get(token.number() as usize).copied().flatten() == Some(*at)
            });
        }
    }

    pub fn forget(&mut self, token: Token) {
        if let Some(entry) = self.at.get_mut(token.number() as usize) {
            *entry = None;
        }
    }

    pub fn first(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    pub fn next_due(&mut self, now: Instant) -> Option<Token> {
        while let Some(&Reverse((at, token))) = self.heap.peek() {
            if at > now {
                return None;
            }
            self.heap.pop();
            let entry = self.at.get_mut(token.number() as usize);
            if entry.is_some_and(|entry| entry.take_if(|it| *it == at).is_some()) {
                return Some(token);
            }
        }
        None
    }
}
