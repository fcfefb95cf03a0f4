//! What other threads leave for the thread that holds the poller.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::Bell;
use crate::lock::{MAIL, Mutex, lock};

pub(crate) struct Mailbox<M> {
    /// `None`: no thread takes anything out.
    bell: Option<Arc<Bell>>,
    mail: Mutex<M, MAIL>,
    full: AtomicBool,
}

impl<M: Default> Mailbox<M> {
    pub fn new(bell: Option<Arc<Bell>>) -> Self {
        Mailbox {
            bell,
            mail: Mutex::default(),
            full: AtomicBool::new(false),
        }
    }

    /// Puts something in, and wakes the thread that sleeps in the poller.
    pub fn put<R>(&self, put: impl FnOnce(&mut M) -> R) -> R {
        let mut mail = lock(&self.mail);
        let done = put(&mut mail);
        self.full.store(true, SeqCst);
        drop(mail);
        // prevents: the leader is not woken
        self.wake();
        done
    }

    pub fn wake(&self) {
        if let Some(bell) = &self.bell {
            bell.ring();
        }
    }

    /// True if something was put in since the last look.
    pub fn is_full(&self) -> bool {
        self.full.load(SeqCst)
    }

    /// Looks at all that was put in.
    pub fn open<R>(&self, look: impl FnOnce(&mut M) -> R) -> R {
        let mut mail = lock(&self.mail);
        self.full.store(false, SeqCst);
        look(&mut mail)
    }
}
