//! Wakes the thread that sleeps in the poller. A ring that finds no thread asleep makes no system call.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};

pub(crate) struct Bell {
    waker: mio::Waker,
    /// A thread sleeps in the poller, or is about to.
    asleep: AtomicBool,
}

impl Bell {
    pub(crate) fn new(waker: mio::Waker) -> Self {
        Bell {
            waker,
            asleep: AtomicBool::new(false),
        }
    }

    /// Wakes the sleeper. Call it after publishing what the sleeper is to find.
    pub fn ring(&self) {
        if self.asleep.load(SeqCst) && self.asleep.swap(false, SeqCst) {
            // It fails only if the poller is gone: then no thread sleeps.
            let _ = self.waker.wake();
        }
    }

    /// Calls `sleep`, and tells it whether there was nothing to do. Sets `asleep` before looking. The ringer publishes
    /// first, then reads `asleep`: one side sees the other. One that still sees it set afterwards rings in vain.
    pub(crate) fn attend<R>(
        &self,
        idle: impl FnOnce() -> bool,
        sleep: impl FnOnce(bool) -> R,
    ) -> R {
        // prevents: the leader looks before it says that it sleeps
        self.asleep.store(true, SeqCst);
        let idle = idle();
        if !idle {
            self.asleep.store(false, Relaxed);
        }
        let slept = sleep(idle);
        self.asleep.store(false, Relaxed);
        slept
    }
}
