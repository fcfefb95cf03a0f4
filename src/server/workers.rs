//! The threads of a server: those of the pool, which serve one stream each, and those that serve all of them.

use std::sync::Arc;
use std::time::Instant;

use super::log_writer::LogWriter;
use super::pool::Pool;
use super::threads::{NotStarted, ServerThreads, USUAL_STACK};
use crate::limits::Limits;
use crate::logging::line_for_later;
use crate::panics;

pub(crate) struct Workers {
    pool: Arc<Pool>,
    /// Those that serve all.
    threads: Arc<ServerThreads>,
    /// Writes the lines of threads that serve many.
    pub log_writer: Arc<LogWriter>,
}

impl Workers {
    pub fn new(limits: &Limits, max_threads: usize) -> Self {
        let threads = ServerThreads::new(usize::MAX, USUAL_STACK);
        Workers {
            pool: Pool::new(max_threads, limits.stack_size, limits.idle_thread_timeout),
            log_writer: LogWriter::new(threads.clone()),
            threads,
        }
    }

    /// Threads of the pool.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// Runs `job` at once, on a thread of the pool.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), NotStarted> {
        self.pool.run(job)
    }

    /// Runs `job` on a thread of the pool: at once where there is one, else when one is free.
    pub fn run_when_free(&self, job: impl FnOnce() + Clone + Send + 'static) {
        self.pool.run_when_free(job);
    }

    /// Starts a thread that serves all: after a panic it goes on from where it was, unless the shutdown waits for its
    /// end.
    pub fn start(
        &self,
        name: &'static str,
        work: impl FnMut() + Send + 'static,
    ) -> Result<(), NotStarted> {
        let (log_writer, threads) = (self.log_writer.clone(), self.threads.clone());
        let report = move |message: &str| {
            log_writer.write(line_for_later!(
                Error,
                "the thread {name} panicked: this is a bug of wshub: {message}"
            ));
            threads.go_on()
        };
        let work = move || panics::work_on(work, report);
        self.threads.start(|_| name.to_owned(), work)
    }

    /// Waits for the threads of the pool, but not for the `busy` ones, which the user's code keeps; returns how many
    /// are left.
    pub fn stop_pool(&self, busy: impl Fn() -> usize, deadline: Instant) -> usize {
        self.pool.stop(busy, deadline)
    }

    /// Waits for the others, which were told that they end; returns how many are left.
    pub fn stop_threads(&self, deadline: Instant) -> usize {
        self.log_writer.stop();
        self.threads.wait(|| 0, deadline)
    }
}

#[cfg(test)]
mod tests;
