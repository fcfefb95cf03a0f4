//! Wakes the thread that sleeps in the poller. A ring that finds no thread asleep makes no system call.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

pub(crate) struct Bell {
    waker: mio::Waker,
    /// Somebody sleeps in the poller, or is about to.
    asleep: AtomicBool,
}

impl Bell {
    pub(super) fn new(waker: mio::Waker) -> Self {
        Bell {
            waker,
            asleep: AtomicBool::new(false),
        }
    }

    /// Wakes the sleeper. To be called behind whatever it is to find.
    pub fn ring(&self) {
        if self.asleep.load(SeqCst) && self.asleep.swap(false, SeqCst) {
            // It fails only where the poller is gone: nobody sleeps then.
            let _ = self.waker.wake();
        }
    }

    /// Sleeps in `sleep`, which is told whether there was nothing to do. `asleep` is set before the look. The
    /// ringer publishes first, then reads `asleep`: one side sees the other.
    pub(super) fn attend<R>(
        &self,
        idle: impl FnOnce() -> bool,
        sleep: impl FnOnce(bool) -> R,
    ) -> R {
        // fault: the leader looks before it says that it sleeps
        self.asleep.store(true, SeqCst);
        let idle = idle();
        if !idle {
            self.asleep.store(false, SeqCst);
        }
        let slept = sleep(idle);
        self.asleep.store(false, SeqCst);
        slept
    }
}
