//! Places of which there are so many, each given back by drop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub(crate) struct Places {
    max: usize,
    taken: AtomicUsize,
}

pub(crate) struct Place(Arc<Places>);

impl Places {
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Places {
            max,
            taken: AtomicUsize::new(0),
        })
    }

    /// `None`: all are taken.
    pub fn take(self: &Arc<Self>) -> Option<Place> {
        let free = |taken| (taken < self.max).then_some(taken + 1);
        let taken = self.taken.fetch_update(Relaxed, Relaxed, free);
        taken.is_ok().then(|| Place(self.clone()))
    }

    /// True if there is one to take.
    pub fn has_free(&self) -> bool {
        self.taken() < self.max
    }

    /// One for what had its place until a moment ago, or comes of what has one: even if there are too many by now.
    pub fn take_again(self: &Arc<Self>) -> Place {
        self.taken.fetch_add(1, Relaxed);
        Place(self.clone())
    }

    pub fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Relaxed);
    }
}
