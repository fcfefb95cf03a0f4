//! An answer that is written as its peer takes it, without a thread.

use std::io::{self, IoSlice};

use super::super::places::Place;
use super::writing::LAST;
use crate::transport::Transport;

/// How much of an answer is written before others have their turn.
pub(crate) const TURN: usize = 256 << 10;

/// An answer whose last bytes have not left.
pub(crate) struct UnsentAnswer {
    bytes: Vec<u8>,
    sent: usize,
    pub keeps: bool,
    /// `None` while the last bytes are written, for its client may ask again as soon as it has them.
    pub place: Option<Place>,
}

impl UnsentAnswer {
    pub fn new(bytes: Vec<u8>, keeps: bool, place: Place) -> Self {
        UnsentAnswer {
            bytes,
            sent: 0,
            keeps,
            place: Some(place),
        }
    }

    /// Bytes that have left.
    pub fn sent(&self) -> usize {
        self.sent
    }

    pub fn is_written(&self) -> bool {
        self.left().is_empty()
    }

    /// Writes a part. The place is free before the client has all of it.
    pub fn write(&mut self, transport: &dyn Transport) -> io::Result<usize> {
        let left = self.left();
        let most = match left.len().checked_sub(LAST) {
            None | Some(0) => left.len(),
            Some(before_last) => before_last.min(TURN),
        };
        if most == left.len() {
            self.place = None;
        }
        let part = self.left().get(..most).unwrap_or_default();
        let written = transport.try_write(&[IoSlice::new(part)])?;
        self.sent += written;
        Ok(written)
    }

    fn left(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }
}
