//! What tests beside the code wait with.

use std::time::{Duration, Instant};

/// Longer than anything here may take: a test that meets it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what no event announces.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::yield_now();
    }
}
