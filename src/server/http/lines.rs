//! The lines of connections that wait for a request without a thread, each bounded for itself.

use std::collections::BTreeMap;

use crate::limits::Limits;
use crate::poller::Token;

/// What those in a line wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeptLine {
    /// Their first requests: their clients have sent nothing yet.
    New,
    /// Their next ones.
    Idle,
}

/// A line, and the number in it: the lowest has waited longest.
#[derive(Clone, Copy)]
pub(crate) struct PlaceInLine {
    pub line: KeptLine,
    pub number: u64,
    /// How many requests were answered when it took it.
    pub answered: u32,
}

pub(crate) struct WaitingLines {
    new: WaitingLine,
    idle: WaitingLine,
    next_number: u64,
}

struct WaitingLine {
    tokens: BTreeMap<u64, Token>,
    most: usize,
}

impl WaitingLines {
    pub fn new(limits: &Limits) -> Self {
        WaitingLines {
            new: WaitingLine::new(limits.max_waiting_requests),
            idle: WaitingLine::new(limits.max_idle_connections),
            next_number: 0,
        }
    }

    /// Puts a connection behind the others; its number.
    pub fn join(&mut self, line: KeptLine, token: Token) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.line(line).tokens.insert(number, token);
        number
    }

    pub fn leave(&mut self, place: PlaceInLine) {
        self.line(place.line).tokens.remove(&place.number);
    }

    /// Takes out the one that has waited longest, where there are more than may wait.
    pub fn take_excess(&mut self, line: KeptLine) -> Option<Token> {
        let line = self.line(line);
        match line.tokens.len() > line.most {
            true => line.take_oldest(),
            false => None,
        }
    }

    /// Takes out the one that has waited longest.
    pub fn take_oldest(&mut self, line: KeptLine) -> Option<Token> {
        self.line(line).take_oldest()
    }

    /// The line that gives its descriptors up first: clients that have sent nothing yet.
    pub fn first_to_go(&self) -> KeptLine {
        match self.new.tokens.is_empty() {
            true => KeptLine::Idle,
            false => KeptLine::New,
        }
    }

    /// Connections that wait for a next request.
    pub fn idle(&self) -> usize {
        self.idle.tokens.len()
    }

    fn line(&mut self, line: KeptLine) -> &mut WaitingLine {
        match line {
            KeptLine::New => &mut self.new,
            KeptLine::Idle => &mut self.idle,
        }
    }
}

impl WaitingLine {
    fn new(most: usize) -> Self {
        WaitingLine {
            tokens: BTreeMap::new(),
            most,
        }
    }

    fn take_oldest(&mut self) -> Option<Token> {
        self.tokens.pop_first().map(|(_, token)| token)
    }
}
