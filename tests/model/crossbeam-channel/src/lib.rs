//! A bounded channel as crossbeam's: what is checked is the code around it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

struct Channel<T> {
    items: Mutex<VecDeque<T>>,
    came: Condvar,
    bound: usize,
}

pub struct Sender<T>(Arc<Channel<T>>);

/// Never disconnected: wshub keeps both halves in one value.
pub struct Receiver<T>(Arc<Channel<T>>);

#[derive(Debug)]
pub struct TrySendError<T>(pub T);

#[derive(Debug)]
pub struct TryRecvError;

#[derive(Debug)]
pub struct RecvError;

#[derive(Debug)]
pub struct RecvTimeoutError;

pub fn bounded<T>(bound: usize) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel {
        items: Mutex::default(),
        came: Condvar::new(),
        bound,
    });
    (Sender(channel.clone()), Receiver(channel))
}

impl<T> Sender<T> {
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        let mut items = self.0.items.lock().unwrap_or_else(PoisonError::into_inner);
        if items.len() >= self.0.bound {
            return Err(TrySendError(item));
        }
        items.push_back(item);
        drop(items);
        self.0.came.notify_one();
        Ok(())
    }
}

impl<T> Receiver<T> {
    pub fn is_empty(&self) -> bool {
        let items = self.0.items.lock();
        items.unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut items = self.0.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.pop_front().ok_or(TryRecvError)
    }

    pub fn recv(&self) -> Result<T, RecvError> {
        self.wait(None).ok_or(RecvError)
    }

    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.wait(Some(deadline)).ok_or(RecvTimeoutError)
    }

    fn wait(&self, deadline: Option<Instant>) -> Option<T> {
        let channel = &*self.0;
        let mut items = channel.items.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(item) = items.pop_front() {
                return Some(item);
            }
            items = match deadline {
                None => channel
                    .came
                    .wait(items)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    let waited = channel.came.wait_timeout(items, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}
