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

/// The same of those that are kept for nodes that join later and want them.
const PAST_FRAMES: usize = 10_000;
const PAST_BYTES: usize = 16 << 20;

/// A [`Backplane`] in memory, for tests without Redis and for several servers of one program. Give each server a clone.
/// The last 10,000 messages, at most 16 MiB, are kept for the [history](crate::ClusterBuilder::history) of nodes that
/// join later.
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
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone, Default)]
pub struct Local(Arc<Mutex<Bus, BUS>>);

#[derive(Default)]
struct Bus {
    queues: Vec<Weak<NodeQueue>>,
    past: BoundedFrames,
}

/// What waits for one node.
#[derive(Default)]
struct NodeQueue {
    waiting: Mutex<WaitingForNode, LINE_OF_BUS>,
    more: Condvar,
}

#[derive(Default)]
struct WaitingForNode {
    kept: BoundedFrames,
    /// A node publishes nothing more: each is to look whether that is itself, and it is over.
    is_called: bool,
}

#[derive(Default)]
struct BoundedFrames {
    frames: VecDeque<Arc<[u8]>>,
    bytes: usize,
}

impl Local {
    /// A new backplane, without nodes.
    pub fn new() -> Self {
        Local::default()
    }
}

impl Backplane for Local {
    fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>) {
        (
            Box::new(BusPublisher(self.clone())),
            Box::new(BusSubscriber(self)),
        )
    }
}

struct BusPublisher(Local);

impl Publisher for BusPublisher {
    fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError> {
        let frames: Vec<Arc<[u8]>> = frames.iter().map(|frame| Arc::from(*frame)).collect();
        let mut bus = lock(&self.0.0);
        bus.queues.retain(|queue| queue.strong_count() > 0);
        // Under the lock: everybody has them in one order.
        for queue in bus.queues.iter().filter_map(Weak::upgrade) {
            queue.put(&frames);
        }
        bus.past.put(&frames, PAST_FRAMES, PAST_BYTES);
        Ok(())
    }
}

impl Drop for BusPublisher {
    fn drop(&mut self) {
        let bus = lock(&self.0.0);
        let queues = bus.queues.iter().filter_map(Weak::upgrade);
        queues.for_each(|queue| queue.call());
    }
}

struct BusSubscriber(Local);

impl Subscriber for BusSubscriber {
    fn receive(&mut self, incoming: &mut Incoming<'_>) -> Result<(), BackplaneError> {
        let queue = Arc::new(NodeQueue::default());
        let mut bus = lock(&self.0.0);
        bus.queues.push(Arc::downgrade(&queue));
        let past = match incoming.wants_past() {
            true => bus.past.frames.clone(),
            false => VecDeque::new(),
        };
        drop(bus);
        past.iter().for_each(|frame| incoming.past(frame));
        incoming.attached();
        while let Some(patience) = incoming.patience() {
            incoming.take_all(queue.take(patience).iter().map(|frame| &**frame));
        }
        Ok(())
    }
}

impl NodeQueue {
    fn put(&self, frames: &[Arc<[u8]>]) {
        lock(&self.waiting).kept.put(frames, FRAMES, BYTES);
        self.more.notify_one();
    }

    fn call(&self) {
        lock(&self.waiting).is_called = true;
        self.more.notify_one();
    }

    /// What waits; if nothing does, what comes first, or nothing where the node is called.
    fn take(&self, patience: Duration) -> VecDeque<Arc<[u8]>> {
        let until = Instant::now() + patience;
        let mut waiting = lock(&self.waiting);
        while waiting.kept.frames.is_empty() && !std::mem::take(&mut waiting.is_called) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waiting = waiting.wait_timeout(&self.more, left);
        }
        std::mem::take(&mut waiting.kept).frames
    }
}

impl BoundedFrames {
    /// The oldest make room.
    fn put(&mut self, frames: &[Arc<[u8]>], most: usize, most_bytes: usize) {
        for frame in frames {
            self.bytes += frame.len();
            self.frames.push_back(frame.clone());
        }
        while self.frames.len() > most || self.bytes > most_bytes {
            let Some(lost) = self.frames.pop_front() else {
                break;
            };
            self.bytes -= lost.len();
        }
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
