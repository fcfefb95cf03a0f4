//! How the message under assembly, or the next one, is handed out in parts.

/// Compressed bytes that are inflated at once for a part: they become a thousand times as many at most.
pub const PIECE: usize = 1 << 10;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    /// The longest message, in bytes.
    pub max: u64,
    /// How much of it was handed out.
    pub given: u64,
    /// It was said that it has begun.
    pub begun: bool,
    /// The most bytes of the next message, while the rest of this one is thrown away.
    pub skips_to: Option<u64>,
}

impl Parts {
    pub fn new(max: u64) -> Parts {
        Parts {
            max,
            given: 0,
            begun: false,
            skips_to: None,
        }
    }

    /// So many bytes come out now; false if the message is too long.
    pub fn give(&mut self, len: usize) -> bool {
        self.begun = true;
        self.given = self.given.saturating_add(len as u64);
        self.given <= self.max
    }
}
