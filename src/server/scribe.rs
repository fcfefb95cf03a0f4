//! The log of threads that serve many, the accept loop and the leader, and of how connections end: a
//! thread of its own writes these lines, for a logger may block.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar};

use super::crew::Crew;
use crate::lock::{Mutex, SCRIBE, lock};
use crate::logging::{Line, log_line};

/// Lines that wait. More are left out while the logger blocks: 1,024 connections that end at once find
/// room, in about 128 KiB.
const MOST: usize = 1024;

pub(crate) struct Scribe {
    /// Its thread starts with the first line: without a logger there is none.
    crew: Arc<Crew>,
    desk: Mutex<LogQueue, SCRIBE>,
    news: Condvar,
}

#[derive(Default)]
struct LogQueue {
    lines: VecDeque<Line>,
    left_out: u64,
    has_thread: bool,
    stopping: bool,
}

impl Scribe {
    pub fn new(crew: Arc<Crew>) -> Arc<Self> {
        Arc::new(Scribe {
            crew,
            desk: Mutex::default(),
            news: Condvar::new(),
        })
    }

    /// Has a line written. Never blocks, unless the system gives no thread to write it, or the server
    /// has stopped.
    pub fn write(self: &Arc<Self>, line: Option<Line>) {
        let Some(line) = line else { return };
        let mut desk = lock(&self.desk);
        if desk.lines.len() >= MOST {
            desk.left_out += 1;
            return;
        }
        desk.lines.push_back(line);
        let starts = !std::mem::replace(&mut desk.has_thread, true);
        drop(desk);
        self.news.notify_one();
        if starts {
            let scribe = self.clone();
            let work = move || scribe.work();
            if self.crew.start(|_| "wshub-log".to_owned(), work).is_err() {
                self.write_here();
            }
        }
    }

    /// Ends the thread, behind what waits.
    pub fn stop(&self) {
        lock(&self.desk).stopping = true;
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
            let mut desk = lock(&self.desk);
            if desk.lines.is_empty() {
                desk.has_thread = false;
                return;
            }
        }
    }

    /// False when there is nothing to write any more.
    fn wait(&self) -> bool {
        let mut desk = lock(&self.desk);
        while desk.lines.is_empty() {
            if desk.stopping {
                desk.has_thread = false;
                return false;
            }
            desk = desk.wait(&self.news);
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
        let mut desk = lock(&self.desk);
        let line = desk.lines.pop_front()?;
        Some((line, std::mem::take(&mut desk.left_out)))
    }
}

#[cfg(test)]
mod tests;
