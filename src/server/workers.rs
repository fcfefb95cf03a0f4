//! The threads of a server: those of the pool, which serve one stream each, and those that serve all of them.

use std::sync::Arc;
use std::time::Instant;

use super::crew::{Crew, NotStarted, USUAL_STACK};
use super::log_writer::LogWriter;
use super::pool::Pool;
use crate::limits::Limits;

pub(crate) struct Workers {
    pool: Arc<Pool>,
    /// The accept loop, the stand-in, the writer of the log.
    crew: Arc<Crew>,
    log_writer: Arc<LogWriter>,
}

impl Workers {
    pub fn new(limits: &Limits, max_threads: usize) -> Self {
        let crew = Crew::new(usize::MAX, USUAL_STACK);
        Workers {
            pool: Pool::new(max_threads, limits.stack_size, limits.idle_thread_timeout),
            log_writer: LogWriter::new(crew.clone()),
            crew,
        }
    }

    /// Writes the lines of threads that serve many.
    pub fn log_writer(&self) -> &Arc<LogWriter> {
        &self.log_writer
    }

    /// Threads of the pool.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// Runs `job` at once, on a thread of the pool.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), NotStarted> {
        self.pool.run(job)
    }

    /// Starts a thread that serves all.
    pub fn start(
        &self,
        name: &'static str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), NotStarted> {
        self.crew.start(|_| name.to_owned(), work)
    }

    /// Waits for the threads of the pool, but not for the `busy` ones, which the user's code keeps; returns how many
    /// are left.
    pub fn stop_pool(&self, busy: impl Fn() -> usize, deadline: Instant) -> usize {
        self.pool.stop(busy, deadline)
    }

    /// Waits for the others, which were told that they end; returns how many are left.
    pub fn stop_crew(&self, deadline: Instant) -> usize {
        self.log_writer.stop();
        self.crew.wait(|| 0, deadline)
    }
}

#[cfg(test)]
mod tests;
