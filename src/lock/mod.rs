//! wshub's locks: mutexes that each thread takes in one [`order`].
//!
//! No lock is held where a user's code runs, nor across anything that waits. So a poisoned one still guards whole data,
//! and is taken over. Debug builds check all of this with every lock that is taken ([`held`]).

mod held;
mod order;

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) use order::*;

use held::Held;

/// A mutex with its place in the order.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T, const PLACE: u8>(std::sync::Mutex<T>);

impl<T, const PLACE: u8> Mutex<T, PLACE> {
    pub const fn new(value: T) -> Self {
        Mutex(std::sync::Mutex::new(value))
    }
}

pub(crate) fn lock<T, const PLACE: u8>(mutex: &Mutex<T, PLACE>) -> Guard<'_, T> {
    let held = Held::new(PLACE);
    Guard {
        guard: mutex.0.lock().unwrap_or_else(PoisonError::into_inner),
        held,
    }
}

/// A lock that is held.
pub(crate) struct Guard<'a, T> {
    guard: MutexGuard<'a, T>,
    held: Held,
}

impl<T> Guard<'_, T> {
    /// Lets go of the lock until there is a notice; for others than the one waited for, too.
    pub fn wait(self, condvar: &Condvar) -> Self {
        self.held.assert_only_lock();
        let guard = condvar.wait(self.guard);
        Guard {
            guard: guard.unwrap_or_else(PoisonError::into_inner),
            ..self
        }
    }

    /// As [`wait`](Guard::wait), at most for `timeout`.
    pub fn wait_timeout(self, condvar: &Condvar, timeout: Duration) -> Self {
        self.held.assert_only_lock();
        let waited = condvar.wait_timeout(self.guard, timeout);
        Guard {
            guard: waited.unwrap_or_else(PoisonError::into_inner).0,
            ..self
        }
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// A user's code runs next: debug builds panic if this thread holds a lock.
pub(crate) fn assert_no_lock() {
    held::assert_none();
}

#[cfg(test)]
mod tests;
