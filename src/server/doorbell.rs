//! How the application thread sleeps until an event is there, and is woken by the first that comes.
//!
//! Not the channel's own blocking receive: before that sleeps it yields its turn a few times, and so takes the messages
//! of a publisher one by one as they come, where they leave in one write when it takes them together.
//!
//! Waking it is what a short echo through the application thread costs beside one on the connection's own thread: half
//! as much again, nearly all of it the system's, for two switches of threads. With more events waiting it is not
//! asleep.

use std::sync::Condvar;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Instant;

use crate::lock::{DOOR, Mutex, lock};

#[derive(Default)]
pub(crate) struct Doorbell {
    /// The waiting thread sleeps, or is about to. Otherwise ringing would be a system call in vain.
    asleep: AtomicBool,
    door: Mutex<(), DOOR>,
    rung: Condvar,
}

impl Doorbell {
    /// Call it when what the waiting thread is to find is there.
    pub fn ring(&self) {
        if self.asleep.load(SeqCst) && self.asleep.swap(false, SeqCst) {
            // The thread that holds the door has said that it sleeps, and does not yet.
            // prevents: the ringer does not wait for the sleeper
            drop(lock(&self.door));
            self.rung.notify_one();
        }
    }

    /// Sleeps until `look` finds something, at most until the deadline. For one thread at a time.
    pub fn wait<T>(
        &self,
        deadline: Option<Instant>,
        mut look: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let mut door = lock(&self.door);
        loop {
            // Set `asleep` before looking. The ringer publishes first, then reads `asleep`; SeqCst guarantees that one
            // side sees the other.
            // prevents: the look comes before the flag
            self.asleep.store(true, SeqCst);
            let found = look();
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if found.is_some() || left.is_some_and(|left| left.is_zero()) {
                self.asleep.store(false, SeqCst);
                return found;
            }
            door = match left {
                None => door.wait(&self.rung),
                Some(left) => door.wait_timeout(&self.rung, left),
            };
        }
    }
}

#[cfg(test)]
mod tests;
