//! Compressors and decompressors that belong to no connection: a thread that needs one for a message takes it, and
//! gives it back.
//!
//! Allocated and freed for each message instead, they leave holes that others' small allocations keep from being used
//! again: with glibc that came to more resident memory than one for each connection.

use crate::lock::{Mutex, SPARES, lock};

/// How many are kept. More exist only while more threads are inside a message at the same time.
pub(crate) const MOST: usize = 4;

pub(crate) struct Spares<T>(Mutex<Vec<T>, SPARES>);

impl<T> Spares<T> {
    pub const fn new() -> Self {
        Spares(Mutex::new(Vec::new()))
    }

    /// One that fits, if there is one.
    pub fn take(&self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let mut spares = lock(&self.0);
        let found = spares.iter().position(fits);
        let (kept, other) = match found {
            Some(at) => (Some(spares.swap_remove(at)), None),
            // Those of servers that are gone make room.
            None if spares.len() == MOST => (None, spares.pop()),
            None => (None, None),
        };
        drop(spares);
        drop(other);
        kept
    }

    pub fn give_back(&self, spare: T) {
        let mut spares = lock(&self.0);
        if spares.len() < MOST {
            spares.push(spare);
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        lock(&self.0).len()
    }
}
