//! The application's code for what has ended: callbacks, and destructors that may take their time. Threads of the pool
//! run it, so that a thread that serves many connections does not wait for it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::hooks::contain;
use super::hub::Hub;
use crate::lock::{ENDED, Mutex, lock};
use crate::logging::log_line;
use crate::panics::Contained;

/// So many threads run it at the most: a thousand clients that leave at once start no more, and a callback that never
/// returns keeps one of them.
const MOST_AT_ONCE: usize = 8;

pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// What is in the queue counts among the requests that wait. That bounds it: while there are too many, no other request
/// waits that could leave something here.
#[derive(Default)]
pub(crate) struct Callbacks(Mutex<CallbackQueue, ENDED>);

#[derive(Default)]
struct CallbackQueue {
    waiting: VecDeque<Contained<Callback>>,
    /// Threads that run them, those included that are still to start.
    runners: usize,
    /// The pool stops: none is run any more.
    stopped: bool,
}

/// Has a thread run it soon, for a request that waits. Where every thread is busy, it waits for one.
pub(crate) fn run_soon(hub: &Arc<Hub>, callback: impl FnOnce() + Send + 'static) {
    let place = hub
        .keeper
        .as_ref()
        .map(|keeper| keeper.waiting().take_again());
    let callback = move || {
        callback();
        drop(place);
    };
    if hub.callbacks.put(Contained::new(Box::new(callback))) {
        let own = hub.clone();
        hub.workers.run_when_free(move || run(&own));
    }
}

/// Runs it on this thread, which is that of the request itself.
pub(crate) fn run_here(hub: &Hub, callback: impl FnOnce()) {
    // A panic is counted there.
    let _ = contain(&hub.counters, callback);
}

fn run(hub: &Hub) {
    while let Some(callback) = hub.callbacks.next() {
        run_here(hub, || callback.call());
    }
}

/// Drops what waits and is not run any more, on a thread that the shutdown waits for: a destructor may take its time.
pub(crate) fn stop(hub: &Hub) {
    let mut waiting = hub.callbacks.stop();
    if waiting.is_empty() {
        return;
    }
    let give_up = move || while waiting.pop_front().is_some() {};
    if let Err(refused) = hub.workers.start("wshub-callbacks", give_up) {
        log_line!(
            Warn,
            "no thread for destructors of the application: {refused}"
        );
    }
}

impl Callbacks {
    /// True if a thread more is to run them.
    fn put(&self, callback: Contained<Callback>) -> bool {
        let mut queue = lock(&self.0);
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
        let mut queue = lock(&self.0);
        let next = queue.waiting.pop_front();
        queue.runners -= usize::from(next.is_none());
        next
    }

    /// From now on what is put in is dropped. What waited.
    fn stop(&self) -> VecDeque<Contained<Callback>> {
        let mut queue = lock(&self.0);
        queue.stopped = true;
        std::mem::take(&mut queue.waiting)
    }
}
