//! An unbounded channel as crossbeam's: what is checked is the code around it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

struct Channel<T>(Mutex<VecDeque<T>>);

pub struct Sender<T>(Arc<Channel<T>>);

/// Never disconnected: wshub keeps both halves in one value.
pub struct Receiver<T>(Arc<Channel<T>>);

#[derive(Debug)]
pub struct SendError<T>(pub T);

#[derive(Debug)]
pub struct TryRecvError;

pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel(Mutex::default()));
    (Sender(channel.clone()), Receiver(channel))
}

impl<T> Channel<T> {
    fn items(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Sender<T> {
    pub fn send(&self, item: T) -> Result<(), SendError<T>> {
        self.0.items().push_back(item);
        Ok(())
    }
}

impl<T> Receiver<T> {
    pub fn is_empty(&self) -> bool {
        self.0.items().is_empty()
    }

    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.items().pop_front().ok_or(TryRecvError)
    }
}
