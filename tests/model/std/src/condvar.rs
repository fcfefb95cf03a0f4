//! shuttle's condition variable, with deadlines of the virtual clock.

use ::std::sync::{Arc, LockResult, PoisonError};
use ::std::time::Duration;

use shuttle::sync::MutexGuard;

use crate::clock::{self, Instant};

#[derive(Default)]
pub struct Condvar(Arc<shuttle::sync::Condvar>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub fn new() -> Self {
        Condvar::default()
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }

    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.0.wait(guard)
    }

    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let Some(at) = Instant::now().checked_add(timeout) else {
            return self
                .0
                .wait(guard)
                .map(never)
                .map_err(|poisoned| PoisonError::new(never(poisoned.into_inner())));
        };
        let timer = clock::set(at, self.0.clone());
        let guard = self.0.wait(guard);
        let timed_out = WaitTimeoutResult(clock::clear(timer));
        match guard {
            Ok(guard) => Ok((guard, timed_out)),
            Err(poisoned) => Err(PoisonError::new((poisoned.into_inner(), timed_out))),
        }
    }
}

fn never<T>(guard: MutexGuard<'_, T>) -> (MutexGuard<'_, T>, WaitTimeoutResult) {
    (guard, WaitTimeoutResult(false))
}
