//! Threads for connections: as many as there are connections, never a queue behind one that is busy.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::address_space;
use crate::lock::{Mutex, POOL, lock};
use crate::logging::log_line;

type Job = Box<dyn FnOnce() + Send>;

pub(crate) struct Pool {
    max_threads: usize,
    stack_size: usize,
    idle_timeout: Duration,
    state: Mutex<State, POOL>,
    /// A job was queued, or the pool stops.
    work: Condvar,
    /// There is a thread less.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Jobs, each of which has an idle thread counted off for it.
    jobs: VecDeque<Job>,
    /// Threads that wait and that no job has counted off.
    idle: usize,
    /// Threads that have not signed off.
    threads: usize,
    handles: HashMap<u64, JoinHandle<()>>,
    /// Threads that are leaving; joining them takes no time.
    leaving: Vec<u64>,
    next_id: u64,
    stopping: bool,
}

/// Why a job was not taken. It was dropped.
pub(crate) enum Refused {
    Full,
    Stopping,
    /// The system gave no thread.
    Spawn(io::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Full => f.write_str("every thread is busy"),
            Refused::Stopping => f.write_str("the server is shutting down"),
            Refused::Spawn(error) => write!(f, "the system gave no thread: {error}"),
        }
    }
}

impl Pool {
    pub fn new(max_threads: usize, stack_size: usize, idle_timeout: Duration) -> Arc<Self> {
        Arc::new(Pool {
            max_threads,
            stack_size,
            idle_timeout,
            state: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
        })
    }

    /// Runs `job` at once: on an idle thread, else on a new one.
    pub fn run(self: &Arc<Self>, job: impl FnOnce() + Send + 'static) -> Result<(), Refused> {
        self.join_leaving();
        let mut state = lock(&self.state);
        if state.stopping {
            return Err(Refused::Stopping);
        }
        if state.idle > 0 {
            // Counted off here, under the lock: a thread that is woken but not running yet is not
            // idle any more, so that a burst of jobs never waits behind one thread.
            // fault: a job counts no thread off
            state.idle -= 1;
            state.jobs.push_back(Box::new(job));
            drop(state);
            // fault: a job wakes nobody
            self.work.notify_one();
            return Ok(());
        }
        if state.threads >= self.max_threads {
            return Err(Refused::Full);
        }
        state.threads += 1;
        state.next_id += 1;
        let id = state.next_id;
        drop(state);
        self.spawn(id, Box::new(job))
    }

    /// Starts a thread that was counted. Without the lock: a thread takes its time to start, and
    /// those that come to say that they are idle would queue up meanwhile and not be found idle.
    fn spawn(self: &Arc<Self>, id: u64, job: Job) -> Result<(), Refused> {
        let pool = self.clone();
        let builder = Builder::new()
            .name(format!("wshub-{id}"))
            .stack_size(self.stack_size);
        let spawned = match address_space::has_room_for_thread(self.stack_size) {
            true => builder.spawn(move || pool.work(id, job)),
            false => Err(io::Error::new(
                io::ErrorKind::OutOfMemory,
                "too little address space is left for its stack (ulimit -v)",
            )),
        };
        let mut state = lock(&self.state);
        match spawned {
            Ok(thread) => {
                state.handles.insert(id, thread);
                Ok(())
            }
            Err(error) => {
                state.threads -= 1;
                self.ended.notify_all();
                Err(Refused::Spawn(error))
            }
        }
    }

    pub fn threads(&self) -> usize {
        lock(&self.state).threads
    }

    /// Sends idle threads home and waits for all but the `busy` ones; returns how many these are.
    ///
    /// Without a deadline: who is not busy runs no user code and waits for nothing, so that it leaves
    /// as soon as the system lets it. (On an overloaded machine half a second was not enough.)
    pub fn stop(&self, busy: impl Fn() -> usize) -> usize {
        let mut state = lock(&self.state);
        state.stopping = true;
        // fault: a stop wakes nobody
        self.work.notify_all();
        // fault: a stop waits for nobody
        while state.threads > busy() {
            state = state.wait(&self.ended);
        }
        let left = state.threads;
        drop(state);
        self.join_leaving();
        left
    }

    /// Joins the threads that have signed off: that takes no time. Without our lock: their
    /// thread-locals' destructors run first, and those may be the user's.
    fn join_leaving(&self) {
        let leaving: Vec<_> = {
            let state = &mut *lock(&self.state);
            let handles = &mut state.handles;
            let mut leaving = Vec::new();
            // A thread may be gone before the one that started it has stored its handle.
            state.leaving.retain(|id| match handles.remove(id) {
                Some(thread) => {
                    leaving.push(thread);
                    false
                }
                None => true,
            });
            leaving
        };
        for thread in leaving {
            let _ = thread.join();
        }
    }

    fn work(&self, id: u64, first: Job) {
        let mut next = Some(first);
        while let Some(job) = next {
            // User code has its own guards further in: a panic that comes here is a bug of wshub,
            // and must not cost the pool a thread it counts on.
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                log_line!(
                    Error,
                    "a connection's thread panicked: this is a bug of wshub"
                );
            }
            next = self.next_job(id);
        }
    }

    /// Waits for a job; past the idle timeout the thread is signed off.
    fn next_job(&self, id: u64) -> Option<Job> {
        let deadline = Instant::now() + self.idle_timeout;
        let mut state = lock(&self.state);
        state.idle += 1;
        loop {
            // fault: a thread leaves past a job
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            // No job waits: none has counted this thread off.
            let left = deadline.saturating_duration_since(Instant::now());
            if state.stopping || left.is_zero() {
                state.idle -= 1;
                state.threads -= 1;
                state.leaving.push(id);
                // fault: a thread leaves and tells nobody
                self.ended.notify_all();
                return None;
            }
            state = state.wait_timeout(&self.work, left);
        }
    }
}

#[cfg(test)]
mod tests;
