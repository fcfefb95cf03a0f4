//! The Outbox and the leader: senders, flushes, closes and the end of a connection in every order.

use std::check::{choose, is_hurried};
use std::clock;
use std::io::Read;
use std::kernel;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use super::guide::Guide;
use super::line::{Line, Seen, assert_in_order};
use crate::error::SendErrorKind;
use crate::limits::Limits;
use crate::message::Message;
use crate::outbox::broadcast::Collector;
use crate::outbox::broadcast::collector::LATEST;
use crate::outbox::{Bounds, Failure, Outbox, OutboxServer, Owner, ReadyState};
use crate::overflow::Overflow;
use crate::protocol::close::CloseCode;
use crate::stats::Counters;
use crate::transport::{Transport, duplex};

const AGE: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// A frame of a model: two bytes of header, two of text.
pub(super) const FRAME: usize = 4;

struct Rig<T = Line> {
    line: T,
    outbox: Arc<Outbox>,
    counters: Arc<Counters>,
    collector: Arc<Collector>,
    guide: Guide,
}

impl Rig {
    fn new(room: usize, bytes: usize, overflow: Overflow) -> Self {
        let line = Line::new(room);
        Rig::over(line.clone(), line, bytes, overflow)
    }

    /// Its owner hears of the Outbox.
    fn owned(room: usize, bytes: usize, overflow: Overflow, owner: Arc<dyn Owner>) -> Self {
        let line = Line::new(room);
        Rig::with(line.clone(), line, bytes, overflow, Some(owner))
    }
}

impl<T> Rig<T> {
    /// An Outbox that writes to `stream`; `line` is its peer.
    fn over(stream: impl Transport, line: T, bytes: usize, overflow: Overflow) -> Self {
        Rig::with(stream, line, bytes, overflow, None)
    }

    fn with(
        stream: impl Transport,
        line: T,
        bytes: usize,
        overflow: Overflow,
        owner: Option<Arc<dyn Owner>>,
    ) -> Self {
        let guide = Guide::start();
        let counters = Arc::<Counters>::default();
        let collector = Collector::new(guide.leader_queue.clone());
        let server = OutboxServer {
            leader_queue: guide.leader_queue.clone(),
            counters: counters.clone(),
            delivery: collector.delivery(),
            owner,
        };
        let outbox = outbox(stream, server, bytes, overflow);
        Rig {
            line,
            outbox,
            counters,
            collector,
            guide,
        }
    }

    /// Ends who leads; that nothing of the Outbox holds its stream is the end of the model.
    fn end(self) -> (T, Arc<Counters>) {
        self.outbox.finish();
        self.guide.stop();
        (self.line, self.counters)
    }
}

/// An Outbox that writes to `stream`.
pub(super) fn outbox(
    stream: impl Transport,
    server: OutboxServer,
    bytes: usize,
    overflow: Overflow,
) -> Arc<Outbox> {
    let limits = Limits {
        outbound_per_connection: Some(bytes),
        write_timeout: AGE,
        ..Limits::default()
    };
    let bounds = Bounds::new(&limits, overflow);
    Outbox::new(
        Arc::new(stream),
        Arc::new(server),
        1,
        bounds,
        CLOSE_TIMEOUT,
        None,
    )
}

/// A thread that sends `count` texts; how many were taken.
fn sender(outbox: &Arc<Outbox>, name: &'static str, count: u32) -> JoinHandle<u64> {
    let outbox = outbox.clone();
    thread::spawn(move || {
        let mut taken = 0;
        for number in 1..=count {
            match outbox.send(format!("{name}{number}").into()) {
                Ok(()) => taken += 1,
                Err(error) => assert_eq!(
                    error.into_message(),
                    Message::from(format!("{name}{number}"))
                ),
            }
        }
        taken
    })
}

/// A peer that reads in small bites, so that frames are cut anywhere.
pub(super) fn reading_peer(line: &Line, bites: u64) -> JoinHandle<()> {
    let line = line.clone();
    thread::spawn(move || {
        for _ in 0..bites {
            line.0.make_room(1 + choose(2 * FRAME as u64) as usize);
        }
        line.0.make_room(1 << 10);
    })
}

/// A peer that reads is sent everything, in order, and nobody waits for a deadline for it.
pub fn senders_and_a_peer_that_reads() {
    let rig = Rig::new(choose(6) as usize, 1 << 20, Overflow::Disconnect);
    let threads = [sender(&rig.outbox, "a", 2), sender(&rig.outbox, "b", 2)];
    let peer = reading_peer(&rig.line, 3);
    let taken: u64 = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    assert_eq!(taken, 4);
    peer.join().unwrap();
    rig.line.0.wait_written(|bytes| bytes.len() >= 4 * FRAME);
    assert_eq!(clock::passed(), Duration::ZERO, "a wake-up was lost");
    let (line, counters) = rig.end();
    let texts = line.texts();
    assert_eq!(texts.len(), 4);
    assert_in_order(&texts);
    assert_eq!(counters.messages_out.load(Relaxed), 4);
    assert_eq!(counters.dropped.load(Relaxed), 0);
}

/// One Close whatever the threads do, nothing behind it, and nothing sent is lost without being counted.
pub fn senders_close_and_a_hurried_clock() {
    let rig = Rig::new(choose(10) as usize, 1 << 20, Overflow::Disconnect);
    let threads = [sender(&rig.outbox, "a", 2), sender(&rig.outbox, "b", 2)];
    let closers: Vec<_> = (0..2)
        .map(|_| {
            let outbox = rig.outbox.clone();
            thread::spawn(move || {
                let closed = outbox.close(Some(CloseCode::NORMAL), "").is_ok();
                assert!(outbox.ready_state() >= ReadyState::Closing || !closed);
                let after = outbox.send("zz".into()).map_err(|error| error.kind());
                assert_eq!(after, Err(SendErrorKind::Closed), "sent behind a Close");
                u32::from(closed)
            })
        })
        .collect();
    let peer = (choose(2) == 0).then(|| reading_peer(&rig.line, 2));
    let taken: u64 = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    let closed: u32 = closers
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    assert!(closed <= 1, "two Close frames");
    if let Some(peer) = peer {
        peer.join().unwrap();
        // The Close, or the end of the stream.
        rig.line
            .0
            .wait_written(|bytes| bytes.ends_with(&[0x88, 2, 3, 232]));
    } else {
        rig.line.0.wait_shut();
    }
    // Whoever wrote is about to say so.
    while rig.outbox.buffered_amount() > 0 {
        thread::yield_now();
    }
    let (line, counters) = rig.end();
    let texts = line.texts();
    assert_in_order(&texts);
    assert!(line.closes() <= 1);
    assert_eq!(counters.messages_out.load(Relaxed), taken);
    assert_eq!(
        texts.len() as u64 + counters.dropped.load(Relaxed),
        taken,
        "sent is on the wire or counted"
    );
}

/// A deadline that is set is watched: a peer that takes nothing is given up at the end of the closing handshake's time.
pub fn a_close_behind_a_stalled_peer_ends_in_time() {
    let rig = Rig::new(choose(5) as usize, 1 << 20, Overflow::Disconnect);
    let sender = sender(&rig.outbox, "a", 2);
    let outbox = rig.outbox.clone();
    let closer = thread::spawn(move || outbox.close(Some(CloseCode::NORMAL), "").is_ok());
    sender.join().unwrap();
    assert!(closer.join().unwrap());
    rig.line.0.wait_shut();
    assert_eq!(clock::passed(), CLOSE_TIMEOUT);
    assert_eq!(rig.outbox.failure(), Some(Failure::CloseTimeout));
    rig.end();
}

/// Frames that were collected leave within [`LATEST`], by the leader, while their sender is busy.
pub fn collected_frames_leave_though_nobody_flushes() {
    let rig = Rig::new(1 << 10, 1 << 20, Overflow::Disconnect);
    let (outbox, collector) = (rig.outbox.clone(), rig.collector.clone());
    let application = thread::spawn(move || {
        let _collecting = collector.collect_here();
        for number in 1..=2 {
            outbox.send(format!("a{number}").into()).unwrap();
        }
        // Busy for ever; nobody flushes but the leader.
    });
    application.join().unwrap();
    rig.line.0.wait_written(|bytes| bytes.len() >= 2 * FRAME);
    assert!(clock::passed() <= LATEST * 2, "after {:?}", clock::passed());
    // The next ones, too: the leader has forgotten the collector, or not.
    let (outbox, collector) = (rig.outbox.clone(), rig.collector.clone());
    let before = clock::passed();
    thread::spawn(move || {
        let _collecting = collector.collect_here();
        outbox.send("a3".into()).unwrap();
    });
    rig.line.0.wait_written(|bytes| bytes.len() >= 3 * FRAME);
    assert!(clock::passed() - before <= LATEST * 2);
    assert_eq!(rig.end().0.texts(), ["a1", "a2", "a3"]);
}

/// An application that collects and flushes, another sender, a peer in bites: all is sent, in order.
pub fn flush_races_senders_and_who_leads() {
    let rig = Rig::new(choose(10) as usize, 1 << 20, Overflow::Disconnect);
    let (outbox, collector) = (rig.outbox.clone(), rig.collector.clone());
    let application = thread::spawn(move || {
        let mut taken = 0;
        let mut collecting = Some(collector.collect_here());
        for number in 1..=3 {
            taken += u64::from(outbox.send(format!("a{number}").into()).is_ok());
            if number == 2 {
                drop(collecting.take());
                collector.flush();
            }
        }
        taken
    });
    let other = sender(&rig.outbox, "b", 2);
    let outbox = rig.outbox.clone();
    let reader = thread::spawn(move || {
        outbox.pong(b"x");
        outbox.flush();
    });
    let peer = reading_peer(&rig.line, 2);
    peer.join().unwrap();
    reader.join().unwrap();
    let taken = application.join().unwrap() + other.join().unwrap();
    // A clock in a hurry may give the peer up; then what was lost is counted.
    assert!(taken == 5 || is_hurried());
    let arrived = rig
        .line
        .0
        .wait_written(|bytes| bytes.len() >= 5 * FRAME + 3);
    assert!(arrived || is_hurried());
    let (line, counters) = rig.end();
    let texts = line.texts();
    assert_in_order(&texts);
    assert_eq!(
        texts.len() as u64 + counters.dropped.load(Relaxed),
        taken,
        "sent is on the wire or counted"
    );
}

/// Hears once that the peer is too slow.
struct Told {
    too_slow: AtomicBool,
    waiter: Thread,
}

impl Owner for Told {
    fn hear_too_slow(&self, _: u64, _: &dyn Transport) {
        assert!(!self.too_slow.swap(true, SeqCst));
        self.waiter.unpark();
    }

    fn hear_room(&self, _: u64) {}
}

/// Every policy, over a bound of two frames, against a peer that reads or not: all that was taken is sent or counted.
pub fn overflow_races_who_leads() {
    let policy = [
        Overflow::Disconnect,
        Overflow::DropNewest,
        Overflow::DropOldest,
    ][choose(3) as usize];
    let told = Arc::new(Told {
        too_slow: AtomicBool::new(false),
        waiter: thread::current(),
    });
    let rig = Rig::owned(choose(6) as usize, 2 * FRAME, policy, told.clone());
    let threads = [sender(&rig.outbox, "a", 3), sender(&rig.outbox, "b", 2)];
    let peer = (choose(2) == 0).then(|| reading_peer(&rig.line, 3));
    let taken: u64 = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    if let Some(peer) = peer {
        peer.join().unwrap();
    }
    let gave_up = rig.outbox.failure().is_some();
    if rig.outbox.failure() == Some(Failure::SlowConsumer) {
        // It is told now, whatever the peer does.
        while !told.too_slow.load(SeqCst) {
            thread::park();
        }
    }
    if gave_up {
        assert_eq!(
            rig.outbox.send("zz".into()).unwrap_err().kind(),
            SendErrorKind::Closed
        );
        assert!(rig.outbox.ready_state() >= ReadyState::Closing);
    }
    let (line, counters) = rig.end();
    let texts = line.texts();
    assert_in_order(&texts);
    assert!(line.closes() <= 1);
    assert_eq!(counters.messages_out.load(Relaxed), taken);
    // What was refused to its sender is counted as dropped, too, unless the connection was closed.
    let dropped = counters.dropped.load(Relaxed);
    let lost = taken - texts.len() as u64;
    assert!(dropped >= lost, "{dropped} dropped, {lost} lost");
    assert!(
        dropped <= lost + (5 - taken),
        "{dropped} dropped, {lost} lost, {taken} taken"
    );
}

/// The connection ends while others send, close and flush: no wait, nothing uncounted, no hold on the stream.
pub fn finish_races_everything() {
    let rig = Rig::new(choose(10) as usize, 1 << 20, Overflow::Disconnect);
    let sender = sender(&rig.outbox, "a", 2);
    let outbox = rig.outbox.clone();
    let closer = thread::spawn(move || _ = outbox.close(Some(CloseCode::NORMAL), ""));
    let (outbox, collector) = (rig.outbox.clone(), rig.collector.clone());
    let application = thread::spawn(move || {
        let _collecting = collector.collect_here();
        let taken = u64::from(outbox.send("b1".into()).is_ok());
        collector.flush();
        taken
    });
    let outbox = rig.outbox.clone();
    let ender = thread::spawn(move || {
        outbox.finish();
        assert_eq!(outbox.ready_state(), ReadyState::Closed);
        assert_eq!(
            outbox.send("zz".into()).unwrap_err().kind(),
            SendErrorKind::Closed
        );
        assert_eq!(outbox.buffered_amount(), 0);
    });
    let taken = sender.join().unwrap() + application.join().unwrap();
    closer.join().unwrap();
    ender.join().unwrap();
    if !is_hurried() {
        kernel::settle();
        let holders = Arc::strong_count(&rig.line.0);
        assert_eq!(holders, 1, "who leads or a handle holds the stream");
    }
    let (line, counters) = rig.end();
    let texts = line.texts();
    assert_in_order(&texts);
    assert_eq!(texts.len() as u64 + counters.dropped.load(Relaxed), taken);
    assert_eq!(counters.messages_out.load(Relaxed), taken);
}

/// A handler's send returns when the socket has taken its frame or the connection is given up, beside other senders.
pub fn a_sender_that_waits() {
    let rig = Rig::new(choose(6) as usize, 1 << 20, Overflow::Disconnect);
    let outbox = rig.outbox.clone();
    let handler = thread::spawn(move || {
        let mut taken = 0;
        for number in 1..=2 {
            taken += u64::from(
                outbox
                    .waiter()
                    .send(format!("a{number}").into(), true, None::<&Arc<Collector>>)
                    .is_ok(),
            );
        }
        taken
    });
    let other = sender(&rig.outbox, "b", 2);
    let peer = (choose(3) > 0).then(|| reading_peer(&rig.line, 3));
    let reads = peer.is_some();
    let taken = handler.join().unwrap() + other.join().unwrap();
    if let Some(peer) = peer {
        peer.join().unwrap();
    }
    if reads && !is_hurried() {
        assert_eq!(taken, 4);
        // What the other sender left is the leader's again.
        assert!(rig.line.0.wait_written(|bytes| bytes.len() >= 4 * FRAME));
        assert_eq!(clock::passed(), Duration::ZERO, "a wake-up was lost");
    } else if !reads {
        rig.line.0.wait_shut();
        assert!(
            is_hurried() || clock::passed() <= AGE,
            "after {:?}",
            clock::passed()
        );
    }
    let (line, counters) = rig.end();
    let texts = line.texts();
    assert_in_order(&texts);
    assert_eq!(texts.len() as u64 + counters.dropped.load(Relaxed), taken);
}

/// A thread that reads waits while much waits for its peer, and goes on as soon as that has left, or the connection
/// ends.
pub fn a_reader_that_waits_for_room() {
    let rig = Rig::new(choose(6) as usize, 1 << 20, Overflow::Refuse);
    let sender = sender(&rig.outbox, "a", 2);
    let outbox = rig.outbox.clone();
    let reader = thread::spawn(move || assert!(outbox.waiter().wait_for_room(|| 0, None)));
    match choose(2) {
        0 => reading_peer(&rig.line, 3).join().unwrap(),
        _ => rig.outbox.terminate(),
    }
    sender.join().unwrap();
    reader.join().unwrap();
    assert_eq!(clock::passed(), Duration::ZERO, "a wake-up was lost");
    rig.end();
}

/// Pings of a peer that does not read: one answer waits, the latest, and the deadline it has is kept.
pub fn pongs_of_a_stalled_peer() {
    let rig = Rig::new(choose(4) as usize, 1 << 20, Overflow::DropNewest);
    let sender = sender(&rig.outbox, "a", 1);
    let outbox = rig.outbox.clone();
    let reader = thread::spawn(move || {
        for payload in [b"1", b"2"] {
            outbox.pong(payload);
            outbox.flush();
        }
    });
    assert!(sender.join().unwrap() == 1 || is_hurried());
    reader.join().unwrap();
    if choose(2) == 0 {
        rig.line.0.make_room(1 << 10);
        let answered = |bytes: &[u8]| bytes.ends_with(b"2") || bytes.ends_with(b"a1");
        assert!(rig.line.0.wait_written(answered) || is_hurried());
    } else {
        // A pong alone has a deadline under this policy (F15).
        rig.line.0.wait_shut();
        assert!(
            is_hurried() || clock::passed() <= AGE,
            "after {:?}",
            clock::passed()
        );
        assert_eq!(rig.outbox.failure(), Some(Failure::SlowConsumer));
    }
    rig.end();
}

/// A stream in memory, which wakes the leader by itself, is drained as the others are.
pub fn a_stream_without_a_descriptor() {
    // Two of them fill what the stream holds.
    const LONG: usize = 40 << 10;
    let (ours, mut peer) = duplex();
    let rig = Rig::over(ours, (), 1 << 20, Overflow::Disconnect);
    let senders = ["a", "b"].map(|name| {
        let outbox = rig.outbox.clone();
        thread::spawn(move || {
            for _ in 0..2 {
                outbox.send(name.repeat(LONG).into()).unwrap();
            }
        })
    });
    let reader = thread::spawn(move || {
        let mut bytes = vec![0; 4 * (LONG + 4)];
        peer.read_exact(&mut bytes).unwrap();
        assert!(
            bytes
                .chunks(LONG + 4)
                .all(|frame| frame.starts_with(&[0x81, 126]))
        );
        peer
    });
    for sender in senders {
        sender.join().unwrap();
    }
    let peer = reader.join().unwrap();
    assert_eq!(clock::passed(), Duration::ZERO, "a wake-up was lost");
    rig.end();
    drop(peer);
}
