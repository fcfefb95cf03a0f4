//! Who is ready, in the order of their turns. Each stands there once, however often it is reported: one that sends
//! without a pause, which each look reports anew, has no more turns than the others.

use std::collections::VecDeque;

use crate::poller::Token;

#[derive(Default)]
pub(super) struct ReadyLine {
    tokens: VecDeque<Token>,
    /// Whether a token stands there, by its number.
    standing: Vec<bool>,
}

impl ReadyLine {
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Goes to the end, unless it stands there.
    pub fn push(&mut self, token: Token) {
        let number = token.number() as usize;
        if self.standing.len() <= number {
            self.standing.resize(number + 1, false);
        }
        let Some(stands) = self.standing.get_mut(number) else {
            return;
        };
        if !std::mem::replace(stands, true) {
            self.tokens.push_back(token);
        }
    }

    /// The first leaves for its turn.
    pub fn pop(&mut self) -> Option<Token> {
        let token = self.tokens.pop_front()?;
        if let Some(stands) = self.standing.get_mut(token.number() as usize) {
            *stands = false;
        }
        Some(token)
    }
}
