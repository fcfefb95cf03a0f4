//! The log of threads that serve many, the accept loop and the leader, and of how connections end: a
//! thread of its own writes these lines, for a logger may block.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar};

use super::threads::ServerThreads;
use crate::lock::{LOG_QUEUE, Mutex, lock};
use crate::logging::{Line, log_line};
use crate::panics;

/// Lines that wait. More are left out while the logger blocks: 1,024 connections that end at once find
/// room, in about 128 KiB.
const MOST: usize = 1024;

pub(crate) struct LogWriter {
    /// Its thread starts with the first line: without a logger there is none.
    threads: Arc<ServerThreads>,
    queue: Mutex<LogQueue, LOG_QUEUE>,
    news: Condvar,
}

#[derive(Default)]
struct LogQueue {
    lines: VecDeque<Line>,
    left_out: u64,
    has_thread: bool,
    stopping: bool,
}

impl LogWriter {
    pub fn new(threads: Arc<ServerThreads>) -> Arc<Self> {
        Arc::new(LogWriter {
            threads,
            queue: Mutex::default(),
            news: Condvar::new(),
        })
    }

    /// Has a line written. Never blocks, unless the system gives no thread to write it, or the server has stopped.
    pub fn write(self: &Arc<Self>, line: Option<Line>) {
        let Some(line) = line else { return };
        let mut queue = lock(&self.queue);
        if queue.lines.len() >= MOST {
            queue.left_out += 1;
            return;
        }
        queue.lines.push_back(line);
        let starts = !std::mem::replace(&mut queue.has_thread, true);
        drop(queue);
        self.news.notify_one();
        if starts {
            let log_writer = self.clone();
            // A line that cannot be written is lost, as one whose logger panics.
            let work =
                move || panics::work_on(|| log_writer.work(), |_| log_writer.threads.go_on());
            if self
                .threads
                .start(|_| "wshub-log".to_owned(), work)
                .is_err()
            {
                self.write_here();
            }
        }
    }

    /// Ends the thread, after what waits.
    pub fn stop(&self) {
        lock(&self.queue).stopping = true;
        self.news.notify_one();
    }

    fn work(&self) {
        while self.wait() {
            self.write_all();
        }
    }

    /// In place of its thread.
    fn write_here(&self) {
        loop {
            self.write_all();
            let mut queue = lock(&self.queue);
            if queue.lines.is_empty() {
                queue.has_thread = false;
                return;
            }
        }
    }

    /// False when there is nothing to write any more.
    fn wait(&self) -> bool {
        let mut queue = lock(&self.queue);
        while queue.lines.is_empty() {
            if queue.stopping {
                queue.has_thread = false;
                return false;
            }
            queue = queue.wait(&self.news);
        }
        true
    }

    fn write_all(&self) {
        while let Some((line, left_out)) = self.next() {
            line.write();
            if left_out > 0 {
                log_line!(
                    Warn,
                    "{left_out} lines were left out: the logger takes its time"
                );
            }
        }
    }

    /// The next line, and how many were left out since the last.
    fn next(&self) -> Option<(Line, u64)> {
        let mut queue = lock(&self.queue);
        let line = queue.lines.pop_front()?;
        Some((line, std::mem::take(&mut queue.left_out)))
    }
}

#[cfg(test)]
mod tests;
