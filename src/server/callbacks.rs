//! The application's code for what has ended: callbacks, and destructors that may take their time. Threads of the pool
//! run it, so that a thread that serves many connections does not wait for it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::contain::contain;
use super::places::Places;
use super::workers::Workers;
use crate::lock::{ENDED, Mutex, lock};
use crate::logging::log_line;
use crate::panics::Contained;
use crate::stats::Counters;

/// So many threads run it at the most: a thousand clients that leave at once start no more, and a callback that never
/// returns keeps one of them.
const MOST_AT_ONCE: usize = 8;

pub(crate) type Callback = Box<dyn FnOnce() + Send>;

pub(crate) struct Callbacks {
    workers: Arc<Workers>,
    counters: Arc<Counters>,
    /// What is in the queue counts among the requests that wait. That bounds it: while there are too many, no other
    /// request waits that could leave something here.
    places: Arc<Places>,
    queue: Mutex<CallbackQueue, ENDED>,
}

#[derive(Default)]
struct CallbackQueue {
    waiting: VecDeque<Contained<Callback>>,
    /// Threads that run them, those included that are still to start.
    runners: usize,
    /// The pool stops: none is run any more.
    stopped: bool,
}

impl Callbacks {
    pub fn new(workers: Arc<Workers>, counters: Arc<Counters>, places: Arc<Places>) -> Arc<Self> {
        Arc::new(Callbacks {
            workers,
            counters,
            places,
            queue: Mutex::default(),
        })
    }

    /// Has a thread run it soon, for a request that waits. Where every thread is busy, it waits for one.
    pub fn run_soon(self: &Arc<Self>, callback: impl FnOnce() + Send + 'static) {
        let place = self.places.take_again();
        let callback = move || {
            callback();
            drop(place);
        };
        if self.put(Contained::new(Box::new(callback))) {
            let own = self.clone();
            self.workers.run_when_free(move || own.run_all());
        }
    }

    /// Runs it on this thread, which is that of the request itself.
    pub fn run_here(&self, callback: impl FnOnce()) {
        // A panic is counted there.
        let _ = contain(&self.counters, callback);
    }

    fn run_all(&self) {
        while let Some(callback) = self.next() {
            self.run_here(|| callback.call());
        }
    }

    /// From now on what is put in is dropped, and what waits is dropped on a thread that the shutdown waits for: a
    /// destructor may take its time.
    pub fn stop(&self) {
        let mut queue = lock(&self.queue);
        queue.stopped = true;
        let mut waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        if waiting.is_empty() {
            return;
        }
        let give_up = move || while waiting.pop_front().is_some() {};
        if let Err(refused) = self.workers.start("wshub-callbacks", give_up) {
            log_line!(
                Warn,
                "no thread for destructors of the application: {refused}"
            );
        }
    }

    /// True if a thread more is to run them.
    fn put(&self, callback: Contained<Callback>) -> bool {
        let mut queue = lock(&self.queue);
        if queue.stopped {
            drop(queue);
            drop(callback);
            return false;
        }
        queue.waiting.push_back(callback);
        let starts = queue.runners < MOST_AT_ONCE;
        queue.runners += usize::from(starts);
        starts
    }

    /// `None`: the thread is to end.
    fn next(&self) -> Option<Contained<Callback>> {
        let mut queue = lock(&self.queue);
        let next = queue.waiting.pop_front();
        queue.runners -= usize::from(next.is_none());
        next
    }
}
