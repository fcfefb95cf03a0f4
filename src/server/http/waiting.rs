//! The places of requests that wait for their answers, bounded by
//! [`Limits::max_waiting_requests`](crate::Limits::max_waiting_requests).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::limits::Limits;

pub(crate) struct WaitingPlaces {
    /// Requests that wait for their answers, or whose answers are written without a thread, and what the application is
    /// still to hear of them.
    taken: Arc<AtomicUsize>,
    max: usize,
}

/// A place among the requests that wait. It is kept until the answer has left, and another one while the application
/// is to hear of its end.
pub(crate) struct WaitingPlace(Arc<AtomicUsize>);

impl Drop for WaitingPlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl WaitingPlaces {
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(WaitingPlaces {
            taken: Arc::default(),
            max: limits.max_waiting_requests,
        })
    }

    /// `None`: as many requests wait as may.
    pub fn take(&self) -> Option<WaitingPlace> {
        let add = |taken| (taken < self.max).then_some(taken + 1);
        let added = self.taken.fetch_update(Relaxed, Relaxed, add);
        added.ok().map(|_| WaitingPlace(self.taken.clone()))
    }

    /// A place for what had one until a moment ago, or comes of a request that has one: even if there are too many by
    /// now.
    pub fn take_again(&self) -> WaitingPlace {
        self.taken.fetch_add(1, Relaxed);
        WaitingPlace(self.taken.clone())
    }

    pub fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }
}
