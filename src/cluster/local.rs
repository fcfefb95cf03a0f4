//! A backplane in memory: for tests, and for several servers of one program.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Weak};
use std::time::{Duration, Instant};

use super::Incoming;
use super::backplane::{Backplane, BackplaneError, Publisher, Subscriber};
use crate::lock::{BUS, LINE_OF_BUS, Mutex, lock};

/// Frames, and bytes of them, that wait for one node at most; the oldest go first, and are missed.
const FRAMES: usize = 65_536;
const BYTES: usize = 64 << 20;

/// A [`Backplane`] in memory, for tests without Redis and for several servers of one program. Each clone is for one of
/// them.
///
/// ```
/// use wshub::{Cluster, Local, Server};
///
/// let backplane = Local::new();
/// let (one, two) = (Server::bind("127.0.0.1:0")?, Server::bind("127.0.0.1:0")?);
/// let first = Cluster::join(&one, backplane.clone())?;
/// let second = Cluster::join(&two, backplane)?;
/// let _ = first.broadcast("to the clients of both")?;
/// # drop((first, second));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Local(Arc<Bus>);

#[derive(Default)]
struct Bus(Mutex<Vec<Weak<NodeQueue>>, BUS>);

/// What waits for one node.
#[derive(Default)]
struct NodeQueue {
    waiting: Mutex<Waiting, LINE_OF_BUS>,
    more: Condvar,
}

#[derive(Default)]
struct Waiting {
    frames: VecDeque<Arc<[u8]>>,
    bytes: usize,
}

impl Local {
    /// One that nobody has joined.
    pub fn new() -> Self {
        Local::default()
    }
}

impl Backplane for Local {
    fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>) {
        (
            Box::new(BusPublisher(self.0.clone())),
            Box::new(BusPublisher(self.0)),
        )
    }
}

struct BusPublisher(Arc<Bus>);

impl Publisher for BusPublisher {
    fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError> {
        let frames: Vec<Arc<[u8]>> = frames.iter().map(|frame| Arc::from(*frame)).collect();
        let mut lines = lock(&self.0.0);
        lines.retain(|line| line.strong_count() > 0);
        // Under the lock: everybody has them in one order.
        for line in lines.iter().filter_map(Weak::upgrade) {
            line.put(&frames);
        }
        Ok(())
    }
}

impl Subscriber for BusPublisher {
    fn receive(&mut self, incoming: &mut Incoming<'_>) -> Result<(), BackplaneError> {
        let line = Arc::new(NodeQueue::default());
        lock(&self.0.0).push(Arc::downgrade(&line));
        incoming.attached();
        while let Some(patience) = incoming.patience() {
            for frame in line.take(patience) {
                incoming.take(&frame);
            }
        }
        Ok(())
    }
}

impl NodeQueue {
    fn put(&self, frames: &[Arc<[u8]>]) {
        let mut waiting = lock(&self.waiting);
        for frame in frames {
            waiting.bytes += frame.len();
            waiting.frames.push_back(frame.clone());
        }
        while waiting.frames.len() > FRAMES || waiting.bytes > BYTES {
            let Some(lost) = waiting.frames.pop_front() else {
                break;
            };
            waiting.bytes -= lost.len();
        }
        drop(waiting);
        self.more.notify_one();
    }

    /// What waits; if nothing does, what comes first.
    fn take(&self, patience: Duration) -> VecDeque<Arc<[u8]>> {
        let until = Instant::now() + patience;
        let mut waiting = lock(&self.waiting);
        while waiting.frames.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waiting = waiting.wait_timeout(&self.more, left);
        }
        waiting.bytes = 0;
        std::mem::take(&mut waiting.frames)
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}
