//! Frames that wait to be published: bounded in number, bytes and age; the oldest go first, and are counted.

use core::time::Duration;
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BacklogBounds {
    pub messages: usize,
    pub bytes: usize,
    pub age: Duration,
}

/// `T` is a frame, cheap to clone.
pub(crate) struct Backlog<T> {
    bounds: BacklogBounds,
    waiting: VecDeque<BacklogEntry<T>>,
    bytes: usize,
    /// So many of the first are being published: they stay until that has gone well.
    under_way: usize,
    /// The number of the last that was put in.
    last: u64,
}

struct BacklogEntry<T> {
    frame: T,
    bytes: usize,
    since: Duration,
}

/// What is published at once.
pub(crate) struct Publication<T> {
    pub frames: Vec<T>,
    /// The number of the last of them, or of the last before them where there are none.
    pub last: u64,
}

impl<T: Clone> Backlog<T> {
    pub fn new(bounds: BacklogBounds) -> Self {
        Backlog {
            bounds,
            waiting: VecDeque::new(),
            bytes: 0,
            under_way: 0,
            last: 0,
        }
    }

    /// Puts in the frame that `number` makes of its number; returns how many were lost for it.
    pub fn push(&mut self, bytes: usize, now: Duration, number: impl FnOnce(u64) -> T) -> u64 {
        self.last += 1;
        self.bytes += bytes;
        self.waiting.push_back(BacklogEntry {
            frame: number(self.last),
            bytes,
            since: now,
        });
        self.cut(now)
    }

    /// Lets go of what is too much or too old; returns how many that were.
    pub fn cut(&mut self, now: Duration) -> u64 {
        let mut lost = 0;
        while self.is_beyond(now) {
            // After those under way, which are at the front.
            let Some(entry) = self.waiting.remove(self.under_way) else {
                break;
            };
            self.bytes -= entry.bytes;
            lost += 1;
        }
        lost
    }

    fn is_beyond(&self, now: Duration) -> bool {
        let too_old = |entry: &BacklogEntry<T>| now.saturating_sub(entry.since) > self.bounds.age;
        self.waiting.len() > self.bounds.messages
            || self.bytes > self.bounds.bytes
            || self.waiting.get(self.under_way).is_some_and(too_old)
    }

    /// When the oldest is too old, at the earliest.
    pub fn due(&self) -> Option<Duration> {
        let oldest = self.waiting.get(self.under_way)?;
        Some(oldest.since.saturating_add(self.bounds.age))
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The first of them, to be published: as many and as large as said, and one at least.
    pub fn begin(&mut self, messages: usize, bytes: usize) -> Publication<T> {
        let mut left = bytes;
        let mut frames = Vec::new();
        for entry in self.waiting.iter().take(messages) {
            if !frames.is_empty() && entry.bytes > left {
                break;
            }
            left = left.saturating_sub(entry.bytes);
            frames.push(entry.frame.clone());
        }
        self.under_way = frames.len();
        let behind = self.waiting.len() - self.under_way;
        Publication {
            frames,
            last: self.last - behind as u64,
        }
    }

    /// Those under way were published.
    pub fn done(&mut self) {
        let published = self.waiting.drain(..self.under_way);
        self.bytes -= published.map(|entry| entry.bytes).sum::<usize>();
        self.under_way = 0;
    }

    /// Those under way were not, or nobody knows: they wait again.
    pub fn failed(&mut self) {
        self.under_way = 0;
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests;
