//! Ciphertext on its way: what was read and not decrypted yet, what was encrypted and not written yet.

use std::io;
use std::ops::RangeInclusive;

/// What one read from the stream below takes, at least and at most: an idle connection holds the
/// least, and the most is a message of 64 KiB in its records.
pub(crate) const READ: RangeInclusive<usize> = 512..=66 << 10;

/// What was read from below and not given to rustls: `bytes[start..end]`.
#[derive(Default)]
pub(crate) struct UnreadCiphertext {
    pub bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl UnreadCiphertext {
    pub fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    pub fn take(&mut self, count: usize) {
        self.start += count;
    }

    pub fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Reads, when everything was taken. A read that fills its room makes the next one's larger. The
    /// room stays, however short the reads that follow (the end of a long message is one), until
    /// nothing comes by the deadline, which is soon where the reader holds memory for nothing, too.
    pub fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        let full = self.end == self.bytes.len();
        self.clear();
        if full {
            let room = (2 * self.bytes.len()).clamp(*READ.start(), *READ.end());
            self.bytes.resize(room, 0);
        }
        let read = read(&mut self.bytes);
        match read {
            Ok(read) => self.end = read.min(self.bytes.len()),
            Err(_) => *self = UnreadCiphertext::default(),
        }
        read
    }
}

/// Ciphertext that is written without the lock, since that runs code of a user's.
#[derive(Default)]
pub(crate) struct UnsentCiphertext {
    pub bytes: Vec<u8>,
    /// A thread writes what was here.
    taken: bool,
}

impl UnsentCiphertext {
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.taken
    }

    /// What the stream is to take next. `None`: nothing waits, or another thread writes.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        if self.taken || self.bytes.is_empty() {
            return None;
        }
        self.taken = true;
        Some(std::mem::take(&mut self.bytes))
    }

    /// `rest` was not taken: it leaves before what came meanwhile.
    pub fn put_back(&mut self, mut rest: Vec<u8>) {
        rest.append(&mut self.bytes);
        *self = UnsentCiphertext {
            bytes: rest,
            taken: false,
        };
    }
}
