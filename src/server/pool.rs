//! Threads for connections: a connection never waits in a queue behind a thread that is busy.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar};
use std::time::{Duration, Instant};

use super::threads::{NotStarted, ServerThreads};
use crate::address_space;
use crate::lock::{Mutex, POOL, lock};
use crate::logging::log_line;
use crate::panics;

type Job = Box<dyn FnOnce() + Send>;

pub(crate) struct Pool {
    threads: Arc<ServerThreads>,
    stack_size: usize,
    idle_timeout: Duration,
    state: Mutex<PoolState, POOL>,
    /// Threads that wait for a job, also those for which one is queued. Changes under the lock.
    idle: AtomicUsize,
    /// A job was queued, or the pool stops.
    work: Condvar,
}

#[derive(Default)]
struct PoolState {
    /// Never more than there are idle threads.
    jobs: VecDeque<Job>,
    /// Jobs for which there was no thread: each runs when one is free.
    postponed: VecDeque<Job>,
    stopping: bool,
}

/// A thread that waits for a job. To be dropped before the lock.
struct IdleThread<'a>(&'a AtomicUsize);

impl<'a> IdleThread<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        IdleThread(count)
    }
}

impl Drop for IdleThread<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Pool {
    pub fn new(max_threads: usize, stack_size: usize, idle_timeout: Duration) -> Arc<Self> {
        Arc::new(Pool {
            threads: ServerThreads::new(max_threads, stack_size),
            stack_size,
            idle_timeout,
            state: Mutex::default(),
            idle: AtomicUsize::new(0),
            work: Condvar::new(),
        })
    }

    /// Runs `job` at once: on an idle thread, else on a new one.
    pub fn run(self: &Arc<Self>, job: impl FnOnce() + Send + 'static) -> Result<(), NotStarted> {
        // A job takes memory on an idle thread, too, and leaves a connection behind.
        let others = self.threads();
        if !address_space::has_room_for_thread(0, others) {
            return Err(NotStarted::NoRoom);
        }
        let mut state = lock(&self.state);
        if state.stopping {
            return Err(NotStarted::Stopping);
        }
        // A thread that is woken but not running yet has its job in the queue: a burst of jobs never waits behind one
        // thread.
        // prevents: a job counts no thread off
        if self.idle.load(Relaxed) > state.jobs.len() {
            state.jobs.push_back(Box::new(job));
            drop(state);
            // prevents: a job wakes nobody
            self.work.notify_one();
            return Ok(());
        }
        drop(state);
        if !self.threads.keeps_stack()
            && !address_space::has_room_for_thread(self.stack_size, others)
        {
            return Err(NotStarted::NoRoom);
        }
        let pool = self.clone();
        let work = move || pool.work(Box::new(job));
        self.threads.start(|id| format!("wshub-{id}"), work)
    }

    /// Runs `job` at once where there is a thread for it, else when one is free; not when the pool stops.
    pub fn run_when_free(self: &Arc<Self>, job: impl FnOnce() + Clone + Send + 'static) {
        if self.run(job.clone()).is_ok() {
            return;
        }
        let mut state = lock(&self.state);
        if !state.stopping {
            state.postponed.push_back(Box::new(job));
            drop(state);
            // One may be free by now.
            self.work.notify_one();
        }
    }

    pub fn threads(&self) -> usize {
        self.threads.count()
    }

    /// Ends idle threads and waits for all but the `busy` ones, at most until the deadline; returns how many are still
    /// there.
    pub fn stop(&self, busy: impl Fn() -> usize, deadline: Instant) -> usize {
        let postponed = {
            let mut state = lock(&self.state);
            state.stopping = true;
            std::mem::take(&mut state.postponed)
        };
        drop(postponed);
        // prevents: a stop wakes nobody
        self.work.notify_all();
        self.threads.wait(busy, deadline)
    }

    fn work(&self, first: Job) {
        let mut next = Some(first);
        while let Some(job) = next {
            // User code has guards of its own further in. A panic that comes here is a bug of wshub, and must not cost
            // the pool a thread.
            if panics::catch(job).is_err() {
                log_line!(
                    Error,
                    "a connection's thread panicked: this is a bug of wshub"
                );
            }
            next = self.next_job();
        }
    }

    /// Waits for a job; past the idle timeout the thread leaves.
    fn next_job(&self) -> Option<Job> {
        let deadline = Instant::now() + self.idle_timeout;
        let mut state = lock(&self.state);
        let _idle = IdleThread::begin(&self.idle);
        loop {
            // prevents: a thread leaves past a job
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if let Some(job) = state.postponed.pop_front() {
                return Some(job);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.stopping || left.is_zero() {
                return None;
            }
            state = state.wait_timeout(&self.work, left);
        }
    }
}

#[cfg(test)]
mod tests;
