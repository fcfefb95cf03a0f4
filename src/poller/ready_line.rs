//! Those that are ready, in the order of their turns. Each is in the line once, however often it is reported: a peer
//! that sends without a pause is reported at every look, and has no more turns than the others.

use std::collections::VecDeque;

use super::Token;

#[derive(Default)]
pub(crate) struct ReadyLine {
    tokens: VecDeque<Token>,
    /// Whether a token is in the line.
    standing: Vec<bool>,
}

impl ReadyLine {
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Adds it at the end, unless it is in the line already.
    #[inline]
    pub fn push(&mut self, token: Token) {
        let number = token.number() as usize;
        if self.standing.len() <= number {
            self.standing.resize(number + 1, false);
        }
        let stands = self.standing.get_mut(number);
        if stands.is_some_and(|stands| !std::mem::replace(stands, true)) {
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
