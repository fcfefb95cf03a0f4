//! One connection's logic in simulated time: the Outbox, the turns of the leader, the Receiver and the heartbeat,
//! driven by one thread from a seed. The same seed is the same run, to the last byte.
//!
//! What is real here: every value that decides anything. What is played: the stream, the clock, the leader (its turns
//! are taken by hand, sometimes late) and the reader's loop. Threads, locks and wake-ups are not tested here but in
//! `tests/process/simulation.rs`, where a seed gives the schedule of the peers and the system that of the threads.

mod peer;
mod reader;
mod wire;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::LazyLock;

use peer::{Peer, numbered};
use reader::Reader;
use wire::{Whose, Wire};

use crate::error::SendErrorKind;
use crate::limits::Limits;
use crate::lock::{PLAYED, lock};
use crate::message::{Message, Prepared};
use crate::outbox::broadcast::Collector;
use crate::outbox::leader_queue::{Flusher, LeaderQueue};

use crate::outbox::*;
use crate::overflow::Overflow;
use crate::patience::Patience;
use crate::protocol::Role;
use crate::protocol::close::CloseCode;
use crate::protocol::frame::EncodedHeader;
use crate::protocol::keepalive::{Due, Keepalive, KeepaliveRules};
use crate::protocol::opcode::Opcode;
use crate::protocol::receive::{MessageRef, ReceiveLimits, Received, Receiver};
use crate::seeded::{Random, for_each_seed};
use crate::stats::Counters;
use crate::transport::clock::TimeSource;
use crate::transport::{How, Waker};

const AGE: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(15);
const BYTES: usize = 8 << 10;
const MAX_MESSAGE: usize = 4 << 10;
/// A pong with what the peer's pings hold.
const PONG_BYTES: usize = 2 + 8;
const STEPS: usize = 400;

#[test]
fn connections_in_simulated_time() {
    let time = Duration::from_secs(8);
    for_each_seed("--lib connections_in_simulated_time", 2, time, |seed| {
        World::new(seed).run();
    });
}

thread_local! {
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Ahead of the real time, so that no real clock finds a simulated deadline passed.
static START: LazyLock<Instant> = LazyLock::new(|| Instant::now() + Duration::from_secs(1 << 20));

fn now() -> Instant {
    *START + NOW.get()
}

struct World {
    random: Random,
    overflow: Overflow,
    wire: Arc<Wire>,
    leader_queue: Arc<LeaderQueue>,
    /// Leaked, so that the guard lies beside it.
    collector: &'static Arc<Collector>,
    collecting: Option<Collecting<'static>>,
    counters: Arc<Counters>,
    outbox: Arc<Outbox>,
    /// What the helper waits for.
    helper: Option<Pending>,
    /// The helper knows of the collector.
    collector_watched: bool,
    peer: Peer,
    reader: Reader,
    /// Messages that were taken for sending, by number.
    taken: Vec<u64>,
    /// Messages that were refused because the peer is slow.
    refused: u64,
    sent: u64,
    /// When the Close went out, or was queued, and how much had been written by then.
    closing_since: Option<(Duration, usize)>,
    /// The reader has seen the end.
    ended: bool,
}

impl World {
    fn new(seed: u64) -> World {
        NOW.set(Duration::ZERO);
        let mut random = Random::new(seed);
        let overflow = random.pick(&[
            Overflow::Disconnect,
            Overflow::DropNewest,
            Overflow::DropOldest,
        ]);
        // One that nobody meets, or one that some do.
        let min_rate = random.pick(&[usize::MAX, 1_000]);
        let whose = random.pick(&[Whose::Ours, Whose::Users]);
        let wire = Arc::new(Wire(Mutex::default(), whose));
        let leader_queue = LeaderQueue::new(None);
        let collector: &Arc<_> = Box::leak(Box::new(Collector::new(leader_queue.clone())));
        let counters = Arc::<Counters>::default();
        let limits = Limits {
            outbound_per_connection: Some(BYTES),
            write_timeout: AGE,
            min_rate,
            ..Limits::default()
        };
        let bounds = Bounds::new(&limits, overflow);
        let server = OutboxServer {
            leader_queue: leader_queue.clone(),
            counters: counters.clone(),
            delivery: collector.delivery(),
            owner: None,
        };
        let outbox = Outbox::new(
            wire.clone(),
            Arc::new(server),
            1,
            bounds,
            CLOSE_TIMEOUT,
            None,
        );
        let mut queue = Queue::new(bounds, CLOSE_TIMEOUT, TimeSource::simulated(now));
        queue.turn = outbox.enter().queue.turn;
        outbox.enter().queue = queue;
        collector.join(&outbox);
        let assembly = limits.assembly();
        let limits = ReceiveLimits {
            max_message: MAX_MESSAGE,
            max_fragments: 64,
            accept_non_minimal_lengths: false,
        };
        let wide = ReceiveLimits {
            max_message: 1 << 20,
            ..limits
        };
        World {
            random,
            overflow,
            wire,
            leader_queue,
            collector,
            collecting: None,
            counters,
            outbox,
            helper: None,
            collector_watched: false,
            peer: Peer {
                receiver: Receiver::new(Role::Client, wide),
                buffer: Vec::new(),
                read: 0,
                got: Vec::new(),
                pongs: Vec::new(),
                closed: false,
            },
            reader: Reader::new(limits, assembly),
            taken: Vec::new(),
            refused: 0,
            sent: 0,
            closing_since: None,
            ended: false,
        }
    }

    fn run(mut self) {
        for _ in 0..STEPS {
            self.step();
            self.check();
            if self.ended {
                break;
            }
        }
        self.collecting = None;
        self.finish();
    }

    fn step(&mut self) {
        match self.random.below(1000) {
            0..250 => self.send(),
            250..300 => self.collect(),
            300..320 => drop(self.outbox.ping(Default::default)),
            320..323 => drop(self.outbox.close(Some(CloseCode::NORMAL), "enough")),
            323..500 => self.peer_makes_room(),
            500..680 => self.reader.peer_sends(&mut self.random),
            680..850 => self.ended |= self.reader.bytes_arrive(&mut self.random, &self.outbox),
            850..960 => self.time_passes(),
            960..962 => self.stream_breaks(),
            962..963 => self.ended = true,
            _ => self.helper_is_told(),
        }
    }

    // ---- the application ----

    fn send(&mut self) {
        self.sent += 1;
        let len = self.random.pick(&[8, 8, 100, 126, 1000, 4000, 20_000]);
        let message = Message::Binary(numbered(self.sent, len));
        let sent = match self.random.below(3) {
            0 => self.outbox.send_prepared(&Prepared::new(message)),
            1 => match self.collector.broadcast(&Prepared::new(message), None) {
                Broadcast { sent: 1, .. } => Ok(()),
                Broadcast { dropped: 1, .. } => Err(SendErrorKind::Full),
                _ => Err(SendErrorKind::Closed),
            },
            _ => self.outbox.send(message.clone()).map_err(|error| {
                let kind = error.kind();
                assert!(error.into_message() == message, "the message comes back");
                kind
            }),
        };
        match sent {
            Ok(()) => self.taken.push(self.sent),
            Err(SendErrorKind::Closed) => assert!(
                self.outbox.ready_state() != ReadyState::Open || self.outbox.failure().is_some()
            ),
            Err(_) => self.refused += 1,
        }
    }

    fn collect(&mut self) {
        let begin = self.random.chance(50);
        self.collecting = None;
        self.collecting = begin.then(|| self.collector.collect_here());
        if !begin {
            self.collector.flush();
        }
    }

    // ---- the peer ----

    fn peer_makes_room(&mut self) {
        lock(&self.wire.0).room += self.random.pick(&[1, 2, 7, 100, 1500, 20_000]);
        if self.random.chance(80) {
            self.helper_is_woken();
        }
    }

    fn stream_breaks(&mut self) {
        lock(&self.wire.0).broken = true;
        self.helper_is_woken();
    }

    /// The reader's deadlines; `None` once it has given the connection up.
    fn reader_is_due(&mut self) -> Option<Duration> {
        let due = self.reader.is_due(&self.outbox);
        self.ended |= due.is_none();
        due
    }

    // ---- time, and the helper ----

    /// To the next deadline or some way there, now and then beyond: threads wake late.
    fn time_passes(&mut self) {
        let Some(reader) = self.reader_is_due() else {
            return;
        };
        let helper = self.helper.as_ref().and_then(|pending| pending.deadline);
        let helper = helper.map(|at| at.saturating_duration_since(*START));
        let next = helper.map_or(reader, |helper| helper.min(reader));
        let left = next.saturating_sub(NOW.get());
        let passed = match self.random.below(10) {
            0..5 => left,
            5..9 => left * self.random.below(100) as u32 / 100,
            _ => left + Duration::from_millis(self.random.below(5000) as u64),
        };
        NOW.set(NOW.get() + passed);
        if helper.is_some_and(|at| at <= NOW.get()) {
            self.service();
        }
        self.reader_is_due();
    }

    fn helper_is_told(&mut self) {
        let called = self.leader_queue.take();
        let (outboxes, collectors) = (called.outboxes, called.collectors);
        self.collector_watched |= !collectors.is_empty();
        if !outboxes.is_empty() {
            self.service();
        }
        if self.collector_watched {
            self.collector_watched = self.collector.service(now()).is_some();
        }
    }

    fn helper_is_woken(&mut self) {
        self.helper_is_told();
        if self
            .helper
            .as_ref()
            .is_some_and(|pending| pending.wants_write)
        {
            self.service();
        }
    }

    fn service(&mut self) {
        self.helper = self.outbox.service(now());
        let (room, written) = self.wire.room_and_written();
        let queue = &self.outbox.enter().queue;
        if let Some(pending) = &self.helper {
            assert!(
                pending.deadline.is_none_or(|at| at > now()),
                "the helper would spin"
            );
            assert!(!pending.wants_write || room == 0, "room was left unused");
        }
        // What leaves gives the rest time.
        let worth = |bytes| queue.bounds.pace.worth(bytes);
        let closing = self
            .closing_since
            .map(|(since, before)| since + CLOSE_TIMEOUT + worth(written - before));
        assert!(
            queue.cut || closing.is_none_or(|until| until > NOW.get()),
            "a Close waits for its answer too long"
        );
        if self.overflow == Overflow::Disconnect {
            // Messages within the bound go before a whole one, and each pong.
            let before = BYTES + self.reader.pings as usize * PONG_BYTES;
            assert!(
                !queue.kept.is_older(now(), AGE + worth(before)),
                "a message waits too long"
            );
        }
    }

    // ---- what always holds ----

    fn check(&mut self) {
        {
            let line = lock(&self.wire.0);
            self.peer.read(&line.written);
        }
        if self.outbox.ready_state() == ReadyState::Closing {
            let (_, written) = self.wire.room_and_written();
            self.closing_since.get_or_insert((NOW.get(), written));
        }
        let state = self.outbox.enter();
        let queue = &state.queue;
        let collected =
            frame::frames(queue.collected.bytes()).filter(|frame| !frame::is_control(frame));
        let waiting = (queue.kept.messages() + collected.count()) as u64;
        self.check_account(waiting);
        // One message may always wait, and where the oldest go, the newest after one that is partly written, too.
        let most = if self.overflow == Overflow::DropOldest {
            2
        } else {
            1
        };
        assert!(queue.kept.message_bytes() <= BYTES || queue.kept.messages() <= most);
        assert!(queue.collected.bytes().len() < COLLECT);
        // Nothing that waits is forgotten: the helper has it, or has word of it.
        let told = !self.leader_queue.is_empty();
        let helper = self.helper.as_ref();
        if !queue.kept.is_empty() && !queue.cut {
            assert!(told || helper.is_some_and(|pending| pending.wants_write));
        }
        if let Some(deadline) = queue.deadline() {
            let known = helper.and_then(|pending| pending.deadline);
            assert!(told || known.is_some_and(|known| known <= deadline));
        }
    }

    /// No message is lost without a counter.
    fn check_account(&self, waiting: u64) {
        let dropped = self.counters.dropped.load(Ordering::Relaxed);
        let here = self.taken.len() as u64 + self.refused;
        assert_eq!(here, self.peer.got.len() as u64 + waiting + dropped);
    }

    /// The end of the connection, as its driver brings it about.
    fn finish(&mut self) {
        {
            let mut line = lock(&self.wire.0);
            for _ in 0..self.random.below(4) {
                let after = Duration::from_millis(self.random.below(3000) as u64);
                line.coming.push((after, self.random.below(10_000)));
            }
        }
        let before = NOW.get();
        let left = self
            .outbox
            .waiter()
            .wait_until_left(Patience::new(now(), CLOSE_TIMEOUT), Failure::CloseTimeout);
        assert!(NOW.get() - before <= CLOSE_TIMEOUT, "past its deadline");
        if left.is_ok() && self.outbox.failure().is_none() {
            assert_eq!(self.outbox.enter().queue.kept.messages(), 0);
        }
        self.outbox.finish();
        self.check_ended();
        {
            let line = lock(&self.wire.0);
            self.peer.read(&line.written);
        }
        let taken = |number| self.taken.binary_search(number).is_ok();
        assert!(self.peer.got.iter().all(taken), "it was refused, and sent");
        self.check_account(0);
    }

    /// An Outbox that has ended holds nothing and does nothing.
    fn check_ended(&mut self) {
        assert!(self.outbox.service(now()).is_none());
        assert_eq!(self.outbox.ready_state(), ReadyState::Closed);
        assert_eq!(self.outbox.buffered_amount(), 0);
        let error = self.outbox.send("late".into()).unwrap_err();
        assert_eq!(error.kind(), SendErrorKind::Closed);
        assert_eq!(
            self.outbox.ping(Default::default),
            Err(SendErrorKind::Closed)
        );
        assert!(self.outbox.close(None, "").is_err());
        self.collector.flush();
        self.helper = None;
        drop(self.leader_queue.take());
        assert_eq!(Arc::strong_count(&self.wire), 1, "the stream is let go");
    }
}
