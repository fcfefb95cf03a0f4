//! The Outbox over a scripted stream, with the turns of the leader taken by hand.

mod collect;
mod control;
mod for_each;
mod leader_call;
mod overflow;
mod queue;
mod run;
mod simulation;
mod turn;
mod wait;
mod waiting_reader;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::LazyLock;

use super::broadcast::Collector;
use super::broadcast::collector::{IDLE_LOOKS, LATEST};
use super::leader_queue::{Flusher, LeaderQueue};
use super::*;
use crate::error::{CloseError, Error, SendErrorKind};
use crate::limits::Limits;
use crate::lock::{PLAYED, assert_no_lock, lock};
use crate::message::Prepared;
use crate::overflow::Overflow;
use crate::patience::Patience;
use crate::protocol::close::CloseCode;
use crate::protocol::pace::Pace;
use crate::stats::Counters;
use crate::transport::clock::TimeSource;
use crate::transport::{How, Waker};

const AGE: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const ALL: usize = usize::MAX;
/// A message whose sender has no more to send.
const ALONE: Option<&Arc<Collector>> = None;

/// A stream that takes so many bytes per write, one number per call; 0: none (would block).
struct Script {
    budgets: Mutex<VecDeque<usize>, PLAYED>,
    /// What a call takes once the script has run out.
    rest: Mutex<usize, PLAYED>,
    broken: Mutex<bool, PLAYED>,
    /// A write panics, as for a fault of wshub.
    mined: Mutex<bool, PLAYED>,
    wire: Mutex<Vec<u8>, PLAYED>,
    calls: Mutex<usize, PLAYED>,
    shutdowns: Mutex<Vec<How>, PLAYED>,
    /// It stands for one of the user's own, and does this amid its next write.
    users: bool,
    during: Mutex<Option<Box<dyn FnOnce() + Send>>, PLAYED>,
}

impl Script {
    fn new(budgets: &[usize], rest: usize) -> Arc<Script> {
        Arc::new(Script::of(false, budgets, rest))
    }

    /// One of the user's own.
    fn of_users(budgets: &[usize], rest: usize) -> Arc<Script> {
        Arc::new(Script::of(true, budgets, rest))
    }

    fn of(users: bool, budgets: &[usize], rest: usize) -> Script {
        Script {
            budgets: Mutex::new(budgets.iter().copied().collect()),
            rest: Mutex::new(rest),
            broken: Mutex::new(false),
            mined: Mutex::new(false),
            wire: Mutex::default(),
            calls: Mutex::default(),
            shutdowns: Mutex::default(),
            users,
            during: Mutex::default(),
        }
    }

    /// No code of the user's runs under a lock.
    fn is_asked(&self) {
        if self.users && !std::thread::panicking() {
            assert_no_lock();
        }
    }

    fn now_takes(&self, rest: usize) {
        *lock(&self.rest) = rest;
    }

    fn calls(&self) -> usize {
        *lock(&self.calls)
    }

    fn shutdowns(&self) -> Vec<How> {
        lock(&self.shutdowns).clone()
    }

    fn written(&self) -> usize {
        lock(&self.wire).len()
    }

    /// The frames on the wire as (opcode, payload); panics on anything but whole frames.
    fn frames(&self) -> Vec<(u8, Vec<u8>)> {
        let wire = lock(&self.wire);
        let (mut rest, mut frames) = (&wire[..], Vec::new());
        while !rest.is_empty() {
            assert_eq!(rest[0] & 0xf0, 0x80, "a whole frame begins");
            let (head, len) = match rest[1] {
                126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
                127 => (
                    10,
                    u64::from_be_bytes(rest[2..10].try_into().unwrap()) as usize,
                ),
                len => (2, usize::from(len)),
            };
            frames.push((rest[0] & 0x0f, rest[head..head + len].to_vec()));
            rest = &rest[head + len..];
        }
        frames
    }

    fn texts(&self) -> Vec<String> {
        let texts = self
            .frames()
            .into_iter()
            .filter(|(opcode, _)| *opcode == 1)
            .map(|(_, payload)| String::from_utf8(payload).unwrap());
        texts.collect()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.is_asked();
    }
}

impl Transport for Script {
    fn read(&self, _: &mut [u8], _: Option<Instant>) -> io::Result<usize> {
        Ok(0)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.is_asked();
        *lock(&self.calls) += 1;
        let during = lock(&self.during).take();
        if let Some(during) = during {
            during();
        }
        if *lock(&self.mined) {
            // Without a word on stderr, which a panic would say.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        if *lock(&self.broken) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let budget = lock(&self.budgets).pop_front();
        let budget = budget.unwrap_or_else(|| *lock(&self.rest));
        let mut wire = lock(&self.wire);
        let offered: Vec<u8> = buffers
            .iter()
            .flat_map(|part| part.iter().copied())
            .collect();
        assert!(!offered.is_empty(), "a write of nothing");
        let taken = offered.len().min(budget);
        wire.extend_from_slice(&offered[..taken]);
        match taken {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            taken => Ok(taken),
        }
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        self.is_asked();
        if *lock(&self.rest) > 0 || !lock(&self.budgets).is_empty() {
            return Ok(());
        }
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        Err(io::ErrorKind::TimedOut.into())
    }

    fn wake_when_writable(&self, _: &Waker) {}

    fn shutdown(&self, how: How) {
        self.is_asked();
        lock(&self.shutdowns).push(how);
    }

    fn peer_addr(&self) -> Option<std::net::SocketAddr> {
        None
    }

    fn never_calls_back(&self) -> bool {
        !self.users
    }
}

struct Rig {
    outbox: Arc<Outbox>,
    script: Arc<Script>,
    counters: Arc<Counters>,
    collector: Arc<Collector>,
}

fn bounds(overflow: Overflow, bytes: usize) -> Bounds {
    Bounds {
        bytes,
        pace: within(AGE),
        overflow,
        at_once: 0,
        answers: 0,
        epoch: *START,
    }
}

/// At a pace that nobody keeps up: the time is absolute.
fn within(patience: Duration) -> Pace {
    Pace {
        patience,
        min_rate: usize::MAX,
    }
}

thread_local! {
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A clock that goes on as [`PASSED`] says.
fn simulated() -> Instant {
    *START + PASSED.get()
}

fn rig_with(leader_queue: &Arc<LeaderQueue>, script: Arc<Script>, bounds: Bounds) -> Rig {
    let (counters, collector) = (Arc::default(), Collector::new(leader_queue.clone()));
    let server = OutboxServer {
        leader_queue: leader_queue.clone(),
        counters: Arc::clone(&counters),
        delivery: collector.delivery(),
        owner: None,
    };
    let outbox = Outbox::new(
        script.clone(),
        Arc::new(server),
        1,
        bounds,
        CLOSE_TIMEOUT,
        None,
    );
    Rig {
        outbox,
        script,
        counters,
        collector,
    }
}

/// An Outbox whose stream takes `budgets`, then nothing.
fn rig(overflow: Overflow, bytes: usize, budgets: &[usize]) -> Rig {
    rig_with(
        &LeaderQueue::new(None),
        Script::new(budgets, 0),
        bounds(overflow, bytes),
    )
}

impl Rig {
    fn send(&self, text: &str) -> Result<(), SendErrorKind> {
        let sent = self.outbox.send(text.into());
        sent.map_err(|error| {
            let kind = error.kind();
            assert_eq!(error.into_message().as_text(), Some(text), "given back");
            kind
        })
    }

    /// Makes it one of those that a common collector flushes.
    fn adopt(&mut self, collector: &Arc<Collector>) {
        self.deliver_to(collector.delivery());
        self.collector = collector.clone();
    }

    fn deliver_to(&self, delivery: Delivery) {
        let mut state = lock(&self.outbox.state);
        let link = state.link.as_mut().unwrap();
        link.server = Arc::new(OutboxServer {
            leader_queue: link.server.leader_queue.clone(),
            counters: self.counters.clone(),
            delivery,
            owner: None,
        });
    }

    fn collecting<T>(&self, work: impl FnOnce() -> T) -> T {
        let _collecting = self.collector.collect_here();
        work()
    }

    /// What the leader does, until the stream takes nothing more.
    fn service(&self) {
        self.service_at(Instant::now());
    }

    fn service_at(&self, now: Instant) -> Option<Option<Instant>> {
        let pending = self.outbox.service(now)?;
        Some(pending.deadline)
    }

    fn let_all_through(&self) {
        self.script.now_takes(ALL);
        self.service();
    }

    fn dropped(&self) -> u64 {
        self.counters.dropped.load(Ordering::Relaxed)
    }

    fn is_watched(&self) -> bool {
        self.outbox.enter().queue.leader_call.is_led
    }
}

fn text(len: usize) -> String {
    "x".repeat(len)
}

const EVERY_POLICY: [Overflow; 4] = [
    Overflow::Disconnect,
    Overflow::DropNewest,
    Overflow::DropOldest,
    Overflow::Refuse,
];

/// Runs it over streams that take every number of bytes in their first two writes, and then all, or one byte at a time.
/// `run` has what each write takes and what the later ones take; it gives how many bytes were written.
fn for_every_split(run: impl Fn(&[usize], usize) -> usize) {
    let total = run(&[], ALL);
    for first in 0..=total {
        for second in 0..=total {
            run(&[first, second], ALL);
            run(&[first, second, 0, 1, 0], 1);
        }
    }
}
