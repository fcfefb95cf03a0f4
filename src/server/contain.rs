//! Where a panic of the application's code ends.

use std::sync::atomic::Ordering::Relaxed;

use crate::http::Refusal;
use crate::lock::assert_no_lock;
use crate::panics;
use crate::stats::Counters;

/// A panic in a hook costs its own request only.
pub(crate) fn contain<T>(counters: &Counters, hook: impl FnOnce() -> T) -> Result<T, Refusal> {
    assert_no_lock();
    panics::catch(hook).map_err(|_| {
        counters.handler_failures.fetch_add(1, Relaxed);
        Refusal::HookPanicked
    })
}
