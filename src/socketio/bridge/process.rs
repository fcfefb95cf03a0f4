//! This server among the processes of a message queue: its way to the others, and what is counted.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::message::{QueueError, alive, check_len};
use crate::ClusterEvent;
use crate::atomic::AtomicU64;
use crate::cluster::backlog::BacklogBounds;
use crate::cluster::port::{FrameBytes, Port, PortPeers, PortSettings, PortUser, PublishTurn};
use crate::logging::log_line;
use crate::socketio::core::Core;

const SETTINGS: PortSettings = PortSettings {
    peers: PortPeers::Python,
    // What waits while Redis is away.
    bounds: BacklogBounds {
        messages: 65_536,
        bytes: 64 << 20,
        age: Duration::from_secs(60),
    },
    beat: Duration::from_secs(2),
    deaf: Duration::from_secs(4),
};

/// A snapshot of the counters of a [`Bridge`](super::Bridge).
///
/// ```
/// use wshub::Redis;
/// use wshub::socketio::SocketIo;
/// use wshub::socketio::bridge::Bridge;
///
/// let io = SocketIo::new(());
/// let bridge = Bridge::join(&io, &Redis::new("redis://127.0.0.1/")?)?;
/// let stats = bridge.stats();
/// println!("{} of {} messages were lost", stats.unsent, stats.published + stats.unsent);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [beside Flask](crate::guide::flask).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BridgeStats {
    /// Messages of other processes that were taken.
    pub received: u64,
    /// Messages of other processes that were refused: no JSON, pickles, too long, or of an unknown form. The log (warn)
    /// says why.
    pub refused: u64,
    /// Messages that were published.
    pub published: u64,
    /// Messages that were not published, because too many waited, they waited too long, or they were longer than
    /// [`max_message`](super::BridgeBuilder::max_message) or of a form that Python does not know.
    pub unsent: u64,
    /// Messages that wait to be published. 0 while Redis keeps up.
    pub waiting: usize,
}

pub(crate) struct BridgeProcess {
    /// Its name among the others.
    pub host: String,
    pub max_message: usize,
    pub core: Weak<Core>,
    port: Port,
    received: AtomicU64,
    refused: AtomicU64,
    published: AtomicU64,
    /// Messages that were not published, beside those that the port has dropped.
    untellable: AtomicU64,
    /// How many unsent messages the log has told last.
    logged: AtomicU64,
}

impl BridgeProcess {
    pub fn new(host: String, max_message: usize, core: Weak<Core>) -> Self {
        BridgeProcess {
            host,
            max_message,
            core,
            port: Port::new(SETTINGS),
            received: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            published: AtomicU64::new(0),
            untellable: AtomicU64::new(0),
            logged: AtomicU64::new(0),
        }
    }

    /// Has a message published, as soon as Redis is there.
    pub fn publish(&self, message: Vec<u8>) {
        match check_len(&message, self.max_message) {
            // Who leaves tells nobody.
            Ok(()) => _ = self.port.push(message.len(), |_| Arc::new(message)),
            Err(error) => self.cannot_tell(&error.to_string()),
        }
    }

    /// Something that the others do not hear of.
    pub fn cannot_tell(&self, why: &str) {
        self.untellable.fetch_add(1, Relaxed);
        self.log_unsent(why);
    }

    fn unsent(&self) -> u64 {
        self.untellable.load(Relaxed) + self.port.dropped()
    }

    fn log_unsent(&self, why: &str) {
        let unsent = self.unsent();
        let logged = self.logged.fetch_max(unsent, Relaxed);
        // One line each time that the number has doubled.
        if logged.checked_ilog2() < unsent.checked_ilog2() {
            log_line!(
                Warn,
                "bridge: {unsent} messages were not published, the last one: {why}"
            );
        }
    }

    pub fn note_received(&self) {
        self.received.fetch_add(1, Relaxed);
    }

    /// A message of the channel is not taken.
    pub fn refuse(&self, why: &QueueError) {
        let refused = self.refused.fetch_add(1, Relaxed) + 1;
        if refused.is_power_of_two() {
            log_line!(
                Warn,
                "bridge: {refused} messages of the channel were not taken, the last one: {why}"
            );
        }
    }

    pub fn stats(&self) -> BridgeStats {
        BridgeStats {
            received: self.received.load(Relaxed),
            refused: self.refused.load(Relaxed),
            published: self.published.load(Relaxed),
            unsent: self.unsent(),
            waiting: self.port.waiting(),
        }
    }

    /// What waits is published for as long as this.
    pub fn leave(&self, patience: Duration) {
        let left = self.port.leave(patience, |messages| self.lost(messages)) as u64;
        if left > 0 {
            self.untellable.fetch_add(left, Relaxed);
            self.lost(left);
        }
        log_line!(Info, "bridge: left");
    }
}

impl PortUser for BridgeProcess {
    fn port(&self) -> &Port {
        &self.port
    }

    fn signs(&self, turn: &PublishTurn) -> Vec<FrameBytes> {
        let alive = turn.beat.map(|age| Arc::new(alive(&self.host, age)));
        alive.into_iter().collect()
    }

    fn ended(&self, turn: Option<&PublishTurn>, is_published: bool) {
        if let Some(turn) = turn.filter(|_| is_published) {
            let messages = turn.batch.frames.len() as u64;
            self.published.fetch_add(messages, Relaxed);
        }
    }

    fn lost(&self, messages: u64) {
        self.log_unsent("Redis was away for too long");
        self.tell(ClusterEvent::Unsent { messages });
    }

    fn wake(&self) {
        if let Some(core) = self.core.upgrade() {
            core.sessions.wake();
        }
    }

    fn log_link(&self, state: Result<(), &str>) {
        match state {
            Ok(()) => log_line!(Info, "bridge: attached as {}", self.host),
            Err(reason) => log_line!(Warn, "bridge: detached: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests;
