//! The Outbox over a scripted stream, with the drain helper's turns taken by hand.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

use super::collect::{IDLE_LOOKS, LATEST};
use super::queue::COLLECT;
use super::*;
use crate::error::{CloseError, Error, SendErrorKind};
use crate::message::Prepared;
use crate::patience::Patience;
use crate::protocol::close::CloseCode;
use crate::transport::{How, Waker};

const AGE: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const ALL: usize = usize::MAX;

/// A stream that takes so many bytes per write, one number per call; 0: none (would block).
struct Script {
    budgets: Mutex<VecDeque<usize>>,
    /// What a call takes once the script has run out.
    rest: Mutex<usize>,
    broken: Mutex<bool>,
    wire: Mutex<Vec<u8>>,
    calls: Mutex<usize>,
    shutdowns: Mutex<Vec<How>>,
}

impl Script {
    fn new(budgets: &[usize], rest: usize) -> Arc<Script> {
        Arc::new(Script {
            budgets: Mutex::new(budgets.iter().copied().collect()),
            rest: Mutex::new(rest),
            broken: Mutex::new(false),
            wire: Mutex::default(),
            calls: Mutex::default(),
            shutdowns: Mutex::default(),
        })
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

impl Transport for Script {
    fn read(&self, _: &mut [u8], _: Option<Instant>) -> io::Result<usize> {
        Ok(0)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        *lock(&self.calls) += 1;
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
        if *lock(&self.rest) > 0 || !lock(&self.budgets).is_empty() {
            return Ok(());
        }
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        Err(io::ErrorKind::TimedOut.into())
    }

    fn poll_writable(&self, _: &Waker) -> Option<BorrowedFd<'_>> {
        None
    }

    fn shutdown(&self, how: How) {
        lock(&self.shutdowns).push(how);
    }

    fn peer_addr(&self) -> Option<std::net::SocketAddr> {
        None
    }
}

struct Rig {
    outbox: Arc<Outbox>,
    script: Arc<Script>,
    counters: Arc<Counters>,
    collector: Arc<Collector>,
}

/// A drain helper that has ended.
fn ended_drain() -> Arc<Drain> {
    let (drain, thread) = Drain::start().unwrap();
    drain.stop();
    thread.join().unwrap();
    drain
}

fn bounds(overflow: Overflow, bytes: usize) -> Bounds {
    Bounds {
        bytes,
        age: AGE,
        overflow,
    }
}

fn rig_with(drain: &Arc<Drain>, script: Arc<Script>, bounds: Bounds) -> Rig {
    let (counters, collector) = (Arc::default(), Collector::new(drain.clone()));
    let outbox = Outbox::new(
        script.clone(),
        drain.clone(),
        Arc::clone(&counters),
        Some(collector.clone()),
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
        &Drain::without_helper(),
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

    fn collecting<T>(&self, work: impl FnOnce() -> T) -> T {
        self.collector.set_active_here(true);
        let done = work();
        self.collector.set_active_here(false);
        done
    }

    /// The drain helper's turns until the stream takes nothing more.
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
        self.outbox.lock().queue.watched
    }
}

fn text(len: usize) -> String {
    "x".repeat(len)
}

const EVERY_POLICY: [Overflow; 3] = [
    Overflow::Disconnect,
    Overflow::DropNewest,
    Overflow::DropOldest,
];

#[test]
fn b17_a_message_leaves_at_once_in_one_write() {
    for len in [0, 1, 125, 126, 200, 65_536] {
        let rig = rig(Overflow::Disconnect, 100, &[ALL]);
        rig.send(&text(len)).unwrap();
        assert_eq!(rig.script.calls(), 1);
        assert_eq!(rig.script.texts(), [text(len)]);
        assert_eq!(rig.outbox.buffered_amount(), 0);
        assert!(!rig.is_watched(), "the helper has nothing to do");
        assert_eq!(rig.counters.snapshot().messages_out, 1);
        assert_eq!(rig.counters.snapshot().bytes_out, len as u64);
    }
}

#[test]
fn what_the_socket_refused_is_kept_and_leaves_in_order() {
    let rig = rig(Overflow::Disconnect, 1000, &[4]);
    for text in ["first", "second", "third"] {
        rig.send(text).unwrap();
    }
    assert_eq!(rig.outbox.buffered_amount(), 7 + 8 + 7 - 4);
    assert!(rig.is_watched() && rig.outbox.is_stalled());
    assert_eq!(rig.script.calls(), 1, "nothing overtakes what is kept");
    rig.script.now_takes(1);
    while rig.outbox.is_stalled() {
        let before = rig.outbox.buffered_amount();
        rig.service();
        assert_eq!(rig.outbox.buffered_amount(), before - 1);
    }
    assert_eq!(rig.script.texts(), ["first", "second", "third"]);
    assert!(rig.outbox.service(Instant::now()).is_none());
    assert!(!rig.is_watched());
}

#[test]
fn more_frames_than_one_write_holds_leave_in_order() {
    let rig = rig(Overflow::Disconnect, 1 << 20, &[1]);
    let sent: Vec<String> = (0..500).map(|n| format!("{n}")).collect();
    for (n, text) in sent.iter().enumerate() {
        if n % 2 == 0 {
            rig.send(text).unwrap();
        } else {
            let prepared = Prepared::new(text.as_str());
            rig.outbox.send_prepared(&prepared).unwrap();
        }
    }
    rig.let_all_through();
    assert_eq!(rig.script.texts(), sent);
}

/// Collected, kept and control frames, over a stream that takes every possible number of bytes in
/// its first three writes: whole frames, messages in order, pongs in order, the Close last.
#[test]
fn order_is_kept_for_every_split() {
    let drain = Drain::without_helper();
    let run = |budgets: &[usize], rest: usize| {
        let script = Script::new(budgets, rest);
        let rig = rig_with(&drain, script, bounds(Overflow::Disconnect, 1000));
        rig.collecting(|| {
            rig.send("a").unwrap();
            rig.send("b").unwrap();
            rig.outbox.pong(b"1");
        });
        rig.send("c").unwrap();
        rig.outbox.pong(b"2");
        rig.outbox.pong(b"3");
        rig.outbox.ping().unwrap();
        let prepared = Prepared::new("d");
        rig.collecting(|| rig.outbox.send_prepared(&prepared).unwrap());
        rig.outbox.pong(b"4");
        rig.outbox.close(Some(CloseCode::NORMAL), "").unwrap();
        assert_eq!(rig.send("e"), Err(SendErrorKind::Closed));
        rig.outbox.pong(b"5");
        for _ in 0..100 {
            if rig.outbox.is_stalled() {
                rig.service();
            }
        }
        assert_eq!(rig.outbox.buffered_amount(), 0);
        let frames = rig.script.frames();
        assert_eq!(rig.script.texts(), ["a", "b", "c", "d"]);
        let pongs: Vec<u8> = frames
            .iter()
            .filter(|frame| frame.0 == 10)
            .map(|frame| frame.1[0])
            .collect();
        assert!(pongs.is_sorted(), "{pongs:?}");
        assert_eq!(pongs.last(), Some(&b'4'), "the latest ping is answered");
        assert_eq!(frames.iter().filter(|frame| frame.0 == 9).count(), 1);
        assert_eq!(frames.last().unwrap(), &(8, vec![3, 232]));
        frames.iter().map(|frame| 2 + frame.1.len()).sum::<usize>()
    };
    let total = run(&[], ALL);
    for first in 0..=total {
        for second in 0..=total {
            for third in 0..=total {
                run(&[first, second, third], ALL);
                if third == 0 || third == second {
                    run(&[first, second, third, 0, 1, 0], 1);
                }
            }
        }
    }
}

#[test]
fn b01_disconnect_drops_whole_frames_and_queues_close_1013_behind_the_partial() {
    let rig = rig(Overflow::Disconnect, 100, &[3]);
    rig.send(&text(50)).unwrap();
    rig.send(&text(40)).unwrap();
    assert_eq!(rig.send("too much"), Err(SendErrorKind::SlowConsumer));
    assert_eq!(rig.outbox.ready_state(), ReadyState::Closing);
    assert_eq!(rig.outbox.failure(), Some(Failure::SlowConsumer));
    assert_eq!(
        rig.dropped(),
        2,
        "the one that was whole, and the one too much"
    );
    assert_eq!(rig.send("more"), Err(SendErrorKind::Closed));
    assert_eq!(rig.outbox.ping(), Err(SendErrorKind::Closed));
    rig.let_all_through();
    let frames = rig.script.frames();
    assert_eq!(frames.len(), 2);
    assert_eq!(frames[0], (1, text(50).into_bytes()));
    assert_eq!(
        (frames[1].0, &frames[1].1[..2]),
        (8, &1013_u16.to_be_bytes()[..])
    );
    assert_eq!(rig.script.shutdowns(), [], "the peer may still answer");
    rig.service_at(Instant::now() + CLOSE_TIMEOUT);
    assert_eq!(rig.script.shutdowns(), [How::Reset]);
    assert_eq!(rig.outbox.failure(), Some(Failure::SlowConsumer));
}

#[test]
fn b03_past_the_deadline_a_partial_frame_ends_in_a_reset() {
    let before = Instant::now();
    let rig = rig(Overflow::Disconnect, 100, &[3]);
    rig.send(&text(50)).unwrap();
    rig.send(&text(40)).unwrap();
    rig.send("too much").unwrap_err();
    // The frame's age would end it, but the closing handshake's deadline comes first.
    let (first, last) = (before + CLOSE_TIMEOUT, Instant::now() + CLOSE_TIMEOUT);
    let deadline = rig.service_at(first - Duration::from_millis(1)).flatten();
    assert_eq!(rig.script.shutdowns(), [], "never early");
    assert!(deadline.is_some_and(|at| at >= first && at <= last));
    rig.service_at(last);
    assert_eq!(rig.script.shutdowns(), [How::Reset]);
    assert_eq!(rig.script.written(), 3, "no frame amid another");
    assert_eq!(rig.dropped(), 3);
    rig.outbox.finish();
    assert_eq!(rig.outbox.failure(), Some(Failure::SlowConsumer));
}

/// Its thread may wait for the application and see the reset much later: the helper must not turn
/// in circles meanwhile.
#[test]
fn b05_after_the_reset_nothing_is_due() {
    for later in [Duration::ZERO, CLOSE_TIMEOUT, 10 * CLOSE_TIMEOUT] {
        let rig = rig(Overflow::Disconnect, 100, &[3]);
        rig.send(&text(50)).unwrap();
        rig.send(&text(60)).unwrap_err();
        rig.service_at(Instant::now() + AGE);
        assert_eq!(rig.script.shutdowns(), [How::Reset]);
        let now = Instant::now() + AGE + later;
        assert_eq!(rig.service_at(now), None);
        assert_eq!(rig.script.shutdowns(), [How::Reset]);
    }
}

#[test]
fn b01_drop_newest_gives_the_message_back() {
    let rig = rig(Overflow::DropNewest, 100, &[3]);
    rig.send(&text(50)).unwrap();
    rig.send(&text(40)).unwrap();
    for _ in 0..5 {
        assert_eq!(rig.send("12345678"), Err(SendErrorKind::Full));
    }
    let prepared = Prepared::new("12345678");
    assert_eq!(
        rig.outbox.send_prepared(&prepared),
        Err(SendErrorKind::Full)
    );
    rig.send("1234").unwrap();
    assert_eq!(rig.dropped(), 6);
    assert_eq!(rig.outbox.ready_state(), ReadyState::Open);
    rig.let_all_through();
    assert_eq!(rig.script.texts(), [text(50), text(40), "1234".into()]);
    rig.send("again").unwrap();
    assert_eq!(rig.script.texts().len(), 4);
    assert_eq!(rig.counters.snapshot().messages_out, 4);
}

#[test]
fn b01_drop_oldest_never_cuts_a_partly_written_frame() {
    for begun in 1..=6 {
        let rig = rig(Overflow::DropOldest, 28, &[begun]);
        for n in 0..10 {
            rig.send(&format!("{n:05}")).unwrap();
        }
        rig.let_all_through();
        assert_eq!(rig.script.texts(), ["00000", "00007", "00008", "00009"]);
        assert_eq!(rig.dropped(), 6);
    }
    let rig = rig(Overflow::DropOldest, 28, &[0]);
    for n in 0..10 {
        rig.send(&format!("{n:05}")).unwrap();
    }
    rig.let_all_through();
    assert_eq!(rig.script.texts(), ["00006", "00007", "00008", "00009"]);
    assert_eq!(rig.dropped(), 6);
}

#[test]
fn b01_drop_oldest_keeps_the_newest_message_and_one_that_is_begun_and_no_more() {
    let rig = rig(Overflow::DropOldest, 100, &[3]);
    for _ in 0..5 {
        rig.send(&text(100)).unwrap();
        assert!(rig.outbox.buffered_amount() <= 2 * 102);
    }
    assert_eq!(rig.dropped(), 3);
    rig.let_all_through();
    assert_eq!(rig.script.texts().len(), 2);
}

#[test]
fn an_empty_outbox_takes_any_one_legal_message() {
    for overflow in EVERY_POLICY {
        let rig = rig(overflow, 100, &[]);
        rig.outbox.ping().unwrap();
        rig.send(&text(100_000)).unwrap();
        let second = rig.send(&text(90_000));
        match overflow {
            Overflow::Disconnect => assert_eq!(second, Err(SendErrorKind::SlowConsumer)),
            Overflow::DropNewest => assert_eq!(second, Err(SendErrorKind::Full)),
            Overflow::DropOldest => assert_eq!(second, Ok(())),
        }
        rig.let_all_through();
        let lens: Vec<usize> = rig.script.texts().iter().map(String::len).collect();
        match overflow {
            Overflow::Disconnect => assert_eq!(lens, []),
            Overflow::DropNewest => assert_eq!(lens, [100_000]),
            Overflow::DropOldest => assert_eq!(lens, [90_000]),
        }
        let refused = if overflow == Overflow::Disconnect {
            2
        } else {
            1
        };
        assert_eq!(rig.dropped(), refused);
    }
}

#[test]
fn control_frames_are_exempt_from_the_bound() {
    for overflow in EVERY_POLICY {
        let rig = rig(overflow, 10, &[1]);
        rig.send(&text(8)).unwrap();
        rig.outbox.ping().unwrap();
        rig.outbox.pong(b"pong");
        rig.outbox
            .close(Some(CloseCode::GOING_AWAY), "bye")
            .unwrap();
        assert_eq!(rig.dropped(), 0);
        rig.let_all_through();
        let opcodes: Vec<u8> = rig.script.frames().iter().map(|frame| frame.0).collect();
        assert_eq!(opcodes, [1, 10, 9, 8]);
    }
}

#[test]
fn f15_one_pong_waits_and_the_latest_ping_wins() {
    let rig = rig(Overflow::Disconnect, 1000, &[1]);
    rig.send("m").unwrap();
    for n in 0..1000 {
        rig.outbox.pong(format!("{n:03}").as_bytes());
    }
    assert_eq!(rig.outbox.buffered_amount(), 2 + 5);
    rig.let_all_through();
    let frames = rig.script.frames();
    assert_eq!(frames, [(1, b"m".to_vec()), (10, b"999".to_vec())]);
}

#[test]
fn f15_a_pong_that_is_begun_is_finished_before_the_next() {
    let rig = rig(Overflow::Disconnect, 1000, &[1]);
    rig.send("m").unwrap();
    rig.outbox.pong(b"old");
    lock(&rig.script.budgets).push_back(4);
    rig.service();
    rig.outbox.pong(b"new");
    rig.outbox.pong(b"newest");
    rig.send("n").unwrap();
    rig.let_all_through();
    let frames = rig.script.frames();
    let expected: [(u8, &[u8]); 4] = [(1, b"m"), (10, b"old"), (10, b"newest"), (1, b"n")];
    assert_eq!(
        frames,
        expected.map(|(opcode, bytes)| (opcode, bytes.to_vec()))
    );
}

#[test]
fn f15_a_pong_that_never_leaves_ends_the_connection_whatever_the_policy() {
    for overflow in EVERY_POLICY {
        let before = Instant::now();
        let rig = rig(overflow, 1000, &[]);
        rig.outbox.pong(b"1");
        rig.outbox.flush();
        for _ in 0..10 {
            rig.outbox.pong(b"2");
        }
        rig.service_at(before + AGE - Duration::from_millis(1));
        assert_eq!(rig.script.shutdowns(), []);
        rig.service_at(Instant::now() + AGE);
        assert_eq!(rig.script.shutdowns().len(), 1, "{overflow:?}");
        assert_eq!(rig.outbox.failure(), Some(Failure::SlowConsumer));
    }
}

#[test]
fn b02_a_pong_in_front_hides_no_older_message() {
    // The pong goes first, as far as it goes: a peer that pings and takes a byte at a time keeps one there.
    let rig = rig(Overflow::Disconnect, 1000, &[]);
    rig.send("old").unwrap();
    let sent = Instant::now();
    rig.outbox.pong(b"new");
    lock(&rig.script.budgets).push_back(1);
    rig.service();
    let due = rig.service_at(Instant::now()).flatten().unwrap();
    assert!(due <= sent + AGE);
    rig.service_at(sent + AGE);
    assert_eq!(rig.outbox.failure(), Some(Failure::SlowConsumer));
}

#[test]
fn no_ping_follows_the_close_that_collected_frames_brought_about() {
    let rig = rig(Overflow::Disconnect, 10, &[0, ALL]);
    rig.collecting(|| {
        rig.send(&text(20)).unwrap();
        rig.send(&text(20)).unwrap();
    });
    assert_eq!(rig.outbox.ping(), Err(SendErrorKind::Closed));
    rig.let_all_through();
    let opcodes: Vec<u8> = rig.script.frames().iter().map(|frame| frame.0).collect();
    assert_eq!(opcodes, [8]);
    assert_eq!(rig.dropped(), 2);
}

#[test]
fn f17_collected_pongs_leave_in_one_write() {
    let rig = rig(Overflow::Disconnect, 1000, &[ALL]);
    for _ in 0..1000 {
        rig.outbox.pong(b"pong");
    }
    assert_eq!(rig.script.calls(), 0);
    rig.outbox.flush();
    assert_eq!(rig.script.calls(), 1);
    assert_eq!(rig.script.frames().len(), 1000);
}

#[test]
fn f17_a_flood_of_pongs_never_collects_more_than_a_write() {
    let rig = rig(Overflow::Disconnect, 1000, &[]);
    for _ in 0..10_000 {
        rig.outbox.pong(&[0; 125]);
        assert!(rig.outbox.buffered_amount() < COLLECT + 127);
    }
    assert_eq!(rig.outbox.buffered_amount(), 127, "the latest alone");
}

#[test]
fn pings_of_a_stalled_connection_wait_as_one() {
    let rig = rig(Overflow::Disconnect, 1000, &[1]);
    rig.send("m").unwrap();
    for _ in 0..100 {
        rig.outbox.ping().unwrap();
    }
    rig.let_all_through();
    assert_eq!(rig.script.frames(), [(1, b"m".to_vec()), (9, vec![])]);
    rig.outbox.ping().unwrap();
    assert_eq!(rig.script.frames().len(), 3);
}

#[test]
fn nothing_is_taken_after_a_close() {
    for budget in [0, 1, ALL] {
        let rig = rig(Overflow::DropOldest, 1000, &[budget]);
        rig.outbox.close(Some(CloseCode::NORMAL), "bye").unwrap();
        assert_eq!(rig.outbox.ready_state(), ReadyState::Closing);
        assert_eq!(rig.send("m"), Err(SendErrorKind::Closed));
        let prepared = Prepared::new("m");
        assert_eq!(
            rig.outbox.send_prepared(&prepared),
            Err(SendErrorKind::Closed)
        );
        assert_eq!(rig.outbox.ping(), Err(SendErrorKind::Closed));
        let again = rig.outbox.close(Some(CloseCode::NORMAL), "");
        assert_eq!(again, Err(CloseError::Closed));
        rig.outbox.pong(b"p");
        rig.outbox.flush();
        rig.let_all_through();
        assert_eq!(rig.script.frames(), [(8, b"\x03\xe8bye".to_vec())]);
    }
}

#[test]
fn a_close_goes_behind_a_partly_written_frame_and_collected_ones() {
    let rig = rig(Overflow::Disconnect, 1000, &[2]);
    rig.collecting(|| {
        rig.send("a").unwrap();
        rig.send("b").unwrap();
        rig.outbox.close(Some(CloseCode::NORMAL), "").unwrap();
    });
    assert_eq!(rig.script.written(), 2);
    rig.let_all_through();
    let opcodes: Vec<u8> = rig.script.frames().iter().map(|frame| frame.0).collect();
    assert_eq!(
        (opcodes, rig.script.texts()),
        (vec![1, 1, 8], vec!["a".into(), "b".into()])
    );
}

#[test]
fn an_unanswered_close_ends_the_stream_at_its_deadline() {
    let before = Instant::now();
    let rig = rig(Overflow::DropOldest, 1000, &[ALL]);
    rig.outbox.close(Some(CloseCode::NORMAL), "").unwrap();
    assert!(rig.is_watched(), "the helper sees to the deadline");
    rig.service_at(before + CLOSE_TIMEOUT - Duration::from_millis(1));
    assert_eq!(rig.script.shutdowns(), [], "never early");
    assert_eq!(rig.service_at(Instant::now() + CLOSE_TIMEOUT), None);
    assert_eq!(rig.script.shutdowns(), [How::Both]);
    rig.outbox.finish();
    assert_eq!(rig.outbox.failure(), Some(Failure::CloseTimeout));
}

#[test]
fn b02_a_trickle_does_not_move_the_deadline() {
    let before = Instant::now();
    let rig = rig(Overflow::Disconnect, 1000, &[1]);
    rig.send(&text(500)).unwrap();
    let deadline = rig.service_at(before).unwrap().unwrap();
    assert!(deadline >= before + AGE);
    for _ in 0..100 {
        lock(&rig.script.budgets).push_back(1);
        assert_eq!(rig.service_at(before), Some(Some(deadline)));
    }
    rig.service_at(deadline);
    assert_eq!(rig.script.shutdowns(), [How::Reset]);
    assert_eq!(rig.script.written(), 101);
}

#[test]
fn b02_dropping_policies_let_a_slow_peer_stay() {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let rig = rig(overflow, 1000, &[1]);
        rig.send(&text(50)).unwrap();
        rig.send(&text(50)).unwrap();
        assert_eq!(rig.service_at(Instant::now() + 10 * AGE), Some(None));
        assert_eq!(rig.script.shutdowns(), []);
        rig.let_all_through();
        assert_eq!(rig.script.texts().len(), 2);
    }
}

/// The heartbeat's own deadline sees to a ping that is not answered.
#[test]
fn b02_dropping_policies_do_not_count_the_age_of_a_ping() {
    let rig = rig(Overflow::DropOldest, 10, &[]);
    rig.send(&text(8)).unwrap();
    rig.outbox.ping().unwrap();
    rig.send(&text(8)).unwrap();
    assert_eq!(rig.dropped(), 1);
    assert_eq!(rig.service_at(Instant::now() + 10 * AGE), Some(None));
    assert_eq!(rig.script.shutdowns(), []);
}

/// Under `Disconnect` the helper's deadline sees to it.
#[test]
fn what_waits_for_too_long_is_dropped_by_the_policy() {
    const SHORT: Duration = Duration::from_millis(1);
    for (overflow, result, second) in [
        (Overflow::DropNewest, Err(SendErrorKind::Full), "waits"),
        (Overflow::DropOldest, Ok(()), "late"),
    ] {
        let bounds = Bounds {
            age: SHORT,
            ..bounds(overflow, 1000)
        };
        let rig = rig_with(&Drain::without_helper(), Script::new(&[3], 0), bounds);
        rig.send("begun").unwrap();
        rig.send("waits").unwrap();
        std::thread::sleep(2 * SHORT);
        assert_eq!(rig.send("late"), result);
        assert_eq!(rig.dropped(), 1);
        rig.let_all_through();
        assert_eq!(rig.script.texts(), ["begun", second]);
    }
}

/// Whoever runs first behind a standstill may be a sender.
#[test]
fn b20_what_waited_for_too_long_is_offered_before_anything_is_dropped_for_it() {
    const SHORT: Duration = Duration::from_millis(1);
    for overflow in EVERY_POLICY {
        let bounds = Bounds {
            age: SHORT,
            ..bounds(overflow, 1000)
        };
        let rig = rig_with(&Drain::without_helper(), Script::new(&[3], 0), bounds);
        rig.send("begun").unwrap();
        rig.send("waits").unwrap();
        std::thread::sleep(2 * SHORT);
        rig.script.now_takes(ALL);
        rig.send("late").unwrap();
        rig.let_all_through();
        assert_eq!(rig.script.texts(), ["begun", "waits", "late"]);
        assert_eq!(rig.dropped(), 0);
    }
}

/// What waits, a pong, and the peer's answer to a Close.
#[test]
fn b20_behind_a_standstill_the_peer_has_its_whole_time_again() {
    let rig = rig(Overflow::Disconnect, 1000, &[3]);
    rig.send("begun").unwrap();
    rig.outbox.pong(b"p");
    let later = Instant::now() + 3 * AGE;
    rig.outbox.resumed(later);
    assert_eq!(rig.service_at(later), Some(Some(later + AGE)));
    rig.outbox.close(None, "").unwrap();
    rig.outbox.resumed(later);
    assert_eq!(rig.service_at(later), Some(Some(later + CLOSE_TIMEOUT)));
    rig.service_at(later + CLOSE_TIMEOUT);
    assert_eq!(rig.script.shutdowns(), [How::Reset]);
}

/// The drain helper had not begun to wait for the deadline, so that it meant to sleep on.
#[test]
fn b20_a_standstill_shows_by_a_deadline_that_nobody_waited_for() {
    let rig = rig(Overflow::Disconnect, 1000, &[]);
    rig.outbox.close(None, "").unwrap();
    let news = [rig.outbox.clone()];
    let overdue = rig.outbox.deadline().unwrap();
    let late = |by| drain::slept_too_long(None, &news, overdue + by);
    assert!(!late(Duration::from_millis(1)));
    assert!(late(Duration::from_secs(1)));
}

#[test]
fn b16_a_broken_stream_takes_nothing_and_wakes_its_reader() {
    for budgets in [&[][..], &[3]] {
        let rig = rig(Overflow::DropOldest, 1000, budgets);
        if !budgets.is_empty() {
            rig.send("partly").unwrap();
        }
        *lock(&rig.script.broken) = true;
        if budgets.is_empty() {
            assert_eq!(rig.send("m"), Err(SendErrorKind::Closed));
        } else {
            assert_eq!(rig.service_at(Instant::now()), None);
        }
        assert_eq!(rig.script.shutdowns().len(), 1);
        let calls = rig.script.calls();
        assert_eq!(rig.send("m"), Err(SendErrorKind::Closed));
        rig.outbox.pong(b"p");
        let _ = rig.outbox.ping();
        assert_eq!(rig.service_at(Instant::now() + 10 * AGE), None);
        assert_eq!(rig.script.shutdowns().len(), 1);
        assert_eq!(rig.script.calls(), calls, "it is not written to again");
        rig.outbox.finish();
        assert_eq!(rig.outbox.failure(), Some(Failure::Lost));
    }
}

#[test]
fn a_finished_outbox_holds_nothing() {
    let rig = rig(Overflow::Disconnect, 1000, &[1]);
    rig.send(&text(50)).unwrap();
    rig.send(&text(60)).unwrap();
    rig.outbox.finish();
    assert_eq!(rig.outbox.failure(), None);
    assert_eq!(Arc::strong_count(&rig.script), 1, "no descriptor");
    assert_eq!(rig.outbox.buffered_amount(), 0);
    assert_eq!(rig.dropped(), 2);
    assert!(rig.outbox.has_ended());
    assert_eq!(rig.send("m"), Err(SendErrorKind::Closed));
    assert_eq!(rig.outbox.ping(), Err(SendErrorKind::Closed));
    assert_eq!(rig.outbox.close(None, ""), Err(CloseError::Closed));
    rig.outbox.pong(b"p");
    rig.outbox.flush();
    rig.outbox.abort();
    assert!(rig.outbox.service(Instant::now()).is_none());
    let drained = rig
        .outbox
        .wait_drained(Patience::new(Instant::now(), AGE), Failure::SlowConsumer);
    assert!(matches!(drained, Err(Error::Closed)));
    assert_eq!(rig.script.shutdowns(), []);
    rig.outbox.finish();
    assert_eq!(rig.outbox.failure(), None, "again");
}

#[test]
fn frames_collect_until_their_sender_is_done() {
    let rig = rig(Overflow::Disconnect, 10, &[ALL]);
    rig.collecting(|| {
        for n in 0..100 {
            rig.send(&format!("{n}")).unwrap();
        }
    });
    assert_eq!((rig.script.calls(), rig.outbox.is_stalled()), (0, false));
    assert_eq!(rig.outbox.buffered_amount(), 10 * 3 + 90 * 4);
    assert!(!rig.collector.is_empty());
    rig.collector.flush();
    assert_eq!(rig.script.calls(), 1);
    assert_eq!(rig.script.texts().len(), 100);
    assert_eq!(rig.outbox.buffered_amount(), 0);
    assert!(rig.collector.is_empty());
}

#[test]
fn collected_frames_leave_at_64_kib() {
    let rig = rig(Overflow::Disconnect, 10, &[ALL, ALL]);
    rig.collecting(|| {
        for n in 1..=COLLECT / 1024 {
            assert_eq!(rig.script.calls(), 0, "frame {n}");
            rig.send(&text(1020)).unwrap();
        }
    });
    assert_eq!((rig.script.calls(), rig.script.written()), (1, COLLECT));
    // A large frame takes what was collected along.
    rig.collecting(|| {
        rig.send("before").unwrap();
        rig.send(&text(COLLECT)).unwrap();
    });
    assert_eq!((rig.script.calls(), rig.outbox.buffered_amount()), (2, 0));
    assert_eq!(rig.script.texts()[COLLECT / 1024], "before");
}

#[test]
fn the_helper_flushes_what_is_collected_for_2_ms() {
    let drain = Drain::without_helper();
    let script = Script::new(&[ALL, ALL], 0);
    let rig = rig_with(&drain, script, bounds(Overflow::Disconnect, 10));
    let before = Instant::now();
    rig.collecting(|| {
        rig.send("a").unwrap();
        rig.send("b").unwrap();
    });
    assert_eq!(drain.take_news().1.len(), 1);
    let due = rig.collector.service(before).unwrap();
    assert!(due >= before + LATEST && due <= Instant::now() + LATEST);
    assert_eq!(rig.script.calls(), 0, "never early");
    let mut next = rig.collector.service(due).unwrap();
    assert_eq!(rig.script.texts(), ["a", "b"]);
    let mut looks = 2;
    while let Some(at) = rig.collector.service(next) {
        assert_eq!(at, next + LATEST, "it looks a while longer");
        looks += 1;
        next = at;
    }
    assert_eq!(looks, IDLE_LOOKS - 1, "and forgets it");
    rig.collecting(|| rig.send("c").unwrap());
    assert_eq!(drain.take_news().1.len(), 1, "until it hears of it again");
    let due = rig.collector.service(before).unwrap();
    rig.collector.service(due);
    assert_eq!(rig.script.texts(), ["a", "b", "c"]);
}

#[test]
fn bounds_count_only_what_the_socket_refused() {
    let rig = rig(Overflow::Disconnect, 10, &[ALL, 0]);
    let ten = || {
        rig.collecting(|| {
            for _ in 0..10 {
                rig.send(&text(8)).unwrap();
            }
        });
    };
    ten();
    rig.collector.flush();
    assert_eq!((rig.outbox.failure(), rig.dropped()), (None, 0));
    ten();
    rig.collector.flush();
    assert_eq!(rig.outbox.failure(), Some(Failure::SlowConsumer));
    assert_eq!(
        rig.dropped(),
        10,
        "taken for sending, then dropped: counted"
    );
}

#[test]
fn collected_frames_that_were_refused_follow_the_policy() {
    for (overflow, expected) in [
        (Overflow::DropNewest, ["0", "1", "2"]),
        (Overflow::DropOldest, ["0", "8", "9"]),
    ] {
        let rig = rig(overflow, 9, &[2]);
        rig.collecting(|| (0..10).for_each(|n| rig.send(&format!("{n}")).unwrap()));
        rig.collector.flush();
        assert_eq!(rig.dropped(), 7);
        rig.let_all_through();
        assert_eq!(rig.script.texts(), expected);
    }
}

#[test]
fn a_collected_pong_does_not_follow_the_close_of_a_slow_consumer() {
    let rig = rig(Overflow::Disconnect, 10, &[0, ALL]);
    rig.collecting(|| {
        rig.send(&text(8)).unwrap();
        rig.send(&text(8)).unwrap();
        rig.outbox.pong(b"p");
    });
    rig.collector.flush();
    rig.let_all_through();
    let opcodes: Vec<u8> = rig.script.frames().iter().map(|frame| frame.0).collect();
    assert_eq!(opcodes, [8]);
}

#[test]
fn a_sender_that_waits_is_not_bounded_and_leaves_when_all_is_written() {
    let script = Script::new(&[1, 7, 0, 100], ALL);
    let rig = rig_with(
        &Drain::without_helper(),
        script,
        bounds(Overflow::Disconnect, 10),
    );
    for text in [text(50), text(60)] {
        rig.outbox.send_blocking(text.into(), true).unwrap();
        assert_eq!(rig.outbox.buffered_amount(), 0);
    }
    assert_eq!(rig.script.texts(), [text(50), text(60)]);
    assert!(!rig.is_watched(), "it needs no helper");
}

#[test]
fn a_sender_that_waits_bypasses_the_bound_behind_what_others_sent() {
    let script = Script::new(&[1, 0, 0], ALL);
    let rig = rig_with(
        &Drain::without_helper(),
        script,
        bounds(Overflow::Disconnect, 60),
    );
    rig.send(&text(50)).unwrap();
    rig.outbox.send_blocking(text(60).into(), true).unwrap();
    assert_eq!(rig.script.texts(), [text(50), text(60)]);
}

#[test]
fn others_stay_bounded_while_a_sender_waits() {
    let rig = rig(Overflow::DropNewest, 60, &[1]);
    rig.outbox.lock().queue.attended = true;
    rig.send(&text(50)).unwrap();
    assert_eq!(rig.send(&text(50)), Err(SendErrorKind::Full));
}

#[test]
fn a_sender_that_waits_gives_the_connection_up_at_its_deadline() {
    const SHORT: Duration = Duration::from_millis(50);
    let bounds = Bounds {
        age: SHORT,
        ..bounds(Overflow::DropOldest, 1000)
    };
    let rig = rig_with(&Drain::without_helper(), Script::new(&[3], 0), bounds);
    let before = Instant::now();
    rig.outbox.send_blocking("taken".into(), true).unwrap();
    assert!(before.elapsed() >= SHORT, "never early");
    assert_eq!(rig.script.shutdowns(), [How::Reset]);
    let next = rig.outbox.send_blocking("next".into(), true);
    assert_eq!(next.unwrap_err().kind(), SendErrorKind::Closed);
    assert_eq!(rig.outbox.failure(), Some(Failure::SlowConsumer));
}

/// A handler waits where it is not collected: so what it collected is not dropped.
#[test]
fn what_a_handler_collected_is_not_bounded() {
    for overflow in EVERY_POLICY {
        let drain = Drain::without_helper();
        let (script, collector) = (Script::new(&[], 0), Collector::new(drain.clone()));
        let outbox = Outbox::new(
            script.clone(),
            drain,
            Arc::default(),
            None,
            bounds(overflow, 10),
            CLOSE_TIMEOUT,
            None,
        );
        for n in 0..9 {
            let sent = outbox.send_collected(format!("answer {n}").into(), true, &collector);
            sent.unwrap();
        }
        collector.flush();
        script.now_takes(ALL);
        outbox
            .wait_drained(Patience::new(Instant::now(), AGE), Failure::SlowConsumer)
            .unwrap();
        assert_eq!(script.texts().len(), 9, "{overflow:?}");
    }
}

/// Outboxes of one collector, all of which broadcasts reach.
struct Crowd {
    rigs: Vec<Rig>,
    members: Arc<[Arc<Outbox>]>,
}

impl Crowd {
    fn new(count: usize, script: impl Fn() -> Arc<Script>) -> Crowd {
        let drain = Drain::without_helper();
        let collector = Collector::new(drain.clone());
        let rigs: Vec<Rig> = (0..count)
            .map(|_| {
                let mut rig = rig_with(&drain, script(), bounds(Overflow::Disconnect, 1000));
                lock(&rig.outbox.state).link.as_mut().unwrap().collector = Some(collector.clone());
                rig.collector = collector.clone();
                rig.outbox.join_run();
                rig
            })
            .collect();
        let members = rigs.iter().map(|rig| rig.outbox.clone()).collect();
        Crowd { rigs, members }
    }

    fn collector(&self) -> &Arc<Collector> {
        &self.rigs[0].collector
    }

    /// A broadcast while more events wait: as the hub does it.
    fn broadcast(&self, text: &str) -> usize {
        self.broadcast_except(text, None)
    }

    fn broadcast_except(&self, text: &str, except: Option<&Rig>) -> usize {
        let prepared = Prepared::new(text);
        self.rigs[0].collecting(|| {
            let except = except.map(|rig| &rig.outbox);
            let members = || self.members.clone();
            self.collector()
                .broadcast(&prepared, members, except)
                .unwrap()
        })
    }
}

#[test]
fn a_run_leaves_in_one_write_per_connection() {
    let crowd = Crowd::new(3, || Script::new(&[], ALL));
    for text in ["a", "b", "c"] {
        assert_eq!(crowd.broadcast(text), 3);
    }
    assert!(!crowd.collector().is_empty());
    for rig in &crowd.rigs {
        assert_eq!((rig.script.calls(), rig.outbox.buffered_amount()), (0, 9));
    }
    crowd.collector().flush();
    assert!(crowd.collector().is_empty());
    for rig in &crowd.rigs {
        assert_eq!(rig.script.texts(), ["a", "b", "c"]);
        assert_eq!((rig.script.calls(), rig.outbox.buffered_amount()), (1, 0));
    }
    crowd.broadcast("d");
    crowd.collector().flush();
    assert_eq!(crowd.rigs[2].script.texts(), ["a", "b", "c", "d"]);
}

#[test]
fn a_run_goes_to_those_it_was_sent_to() {
    let crowd = Crowd::new(3, || Script::new(&[], ALL));
    let [first, second, late] = &crowd.rigs[..] else {
        panic!()
    };
    late.outbox.leave_run(crowd.collector());
    assert_eq!(crowd.broadcast("before it joined"), 3, "as many as members");
    late.outbox.join_run();
    assert_eq!(crowd.broadcast_except("not to the first", Some(first)), 2);
    crowd.broadcast("to all");
    crowd.collector().flush();
    assert_eq!(first.script.texts(), ["before it joined", "to all"]);
    assert_eq!(second.script.texts().len(), 3);
    assert_eq!(late.script.texts(), ["not to the first", "to all"]);
}

/// It joins the run while a broadcast to the others is under way, and takes that over as anyone does
/// who locks it: what is sent to it next leaves with the rest all the same.
#[test]
fn what_is_sent_behind_a_run_that_was_for_others_leaves_with_it() {
    let crowd = Crowd::new(2, || Script::new(&[], ALL));
    let late = &crowd.rigs[1];
    let others = || [crowd.rigs[0].outbox.clone()].into();
    late.collecting(|| {
        let prepared = Prepared::new("to the others");
        crowd.collector().broadcast(&prepared, others, None);
        late.send("to it").unwrap();
    });
    crowd.collector().flush();
    assert_eq!(late.script.texts().last().unwrap(), "to it");
}

/// Broadcasts among everything else, over a stream that takes every possible number of bytes in its
/// first two writes, and then one at a time or all: nothing is out of order, cut, lost or doubled.
#[test]
fn a_run_keeps_its_order_for_every_split() {
    let run = |budgets: &[usize], rest: usize| {
        let crowd = Crowd::new(1, || Script::new(budgets, rest));
        let rig = &crowd.rigs[0];
        let mut sent = Vec::new();
        let mut broadcast = |text: &'static str| {
            sent.push(text);
            let prepared = Prepared::new(text);
            let members = || crowd.members.clone();
            rig.collecting(|| {
                if crowd
                    .collector()
                    .broadcast(&prepared, members, None)
                    .is_none()
                {
                    rig.outbox.send_uncounted(&prepared).unwrap();
                }
            });
        };
        broadcast("a");
        rig.outbox.pong(b"1");
        broadcast("b");
        rig.collecting(|| rig.send("c")).unwrap();
        broadcast("d");
        rig.collector.flush();
        broadcast("e");
        rig.send("f").unwrap();
        broadcast("g");
        rig.outbox.ping().unwrap();
        broadcast("h");
        rig.outbox.close(Some(CloseCode::NORMAL), "").unwrap();
        rig.collector.flush();
        for _ in 0..100 {
            if rig.outbox.is_stalled() {
                rig.service();
            }
        }
        assert_eq!(rig.outbox.buffered_amount(), 0);
        assert!(rig.collector.is_empty());
        assert_eq!(rig.script.texts(), ["a", "b", "c", "d", "e", "f", "g", "h"]);
        assert_eq!(rig.script.frames().last().unwrap(), &(8, vec![3, 232]));
        assert_eq!(rig.dropped(), 0);
        rig.script.written()
    };
    let total = run(&[], ALL);
    for first in 0..=total {
        for second in 0..=total {
            run(&[first, second], ALL);
            run(&[first, second, 0, 1, 0], 1);
        }
    }
}

/// It was counted among those that the broadcast went to; the collector did not know better yet.
#[test]
fn a_broadcast_that_joins_the_run_while_a_connection_closes_counts_as_dropped_there() {
    let crowd = Crowd::new(2, || Script::new(&[], ALL));
    let [closing, other] = &crowd.rigs[..] else {
        panic!()
    };
    let mut state = closing.outbox.lock();
    let (link, queue) = state.parts().unwrap();
    assert!(queue.put_close(link, None, ""));
    assert_eq!(crowd.broadcast("late"), 2);
    closing.outbox.watch(state);
    crowd.collector().flush();
    assert_eq!((closing.script.texts().len(), closing.dropped()), (0, 1));
    assert_eq!((other.script.texts().len(), other.dropped()), (1, 0));
}

#[test]
fn while_one_cannot_take_everything_broadcasts_go_to_each_by_itself() {
    let crowd = Crowd::new(2, || Script::new(&[], ALL));
    let prepared = Prepared::new("x");
    let takes = || crowd.rigs[0].collecting(|| crowd.collector().takes_broadcasts(&prepared));
    assert!(takes());
    assert!(
        !crowd.collector().takes_broadcasts(&prepared),
        "with nothing waiting it is sent"
    );
    let [slow, closing] = &crowd.rigs[..] else {
        panic!()
    };
    crowd.broadcast("of the run");
    slow.script.now_takes(3);
    crowd.collector().flush();
    slow.script.now_takes(0);
    assert!(slow.outbox.is_stalled() && !takes());
    slow.let_all_through();
    assert!(takes());
    assert_eq!(slow.script.texts(), ["of the run"]);
    closing.outbox.close(None, "").unwrap();
    assert!(!takes());
    closing.outbox.finish();
    assert!(!takes());
    closing.outbox.leave_run(crowd.collector());
    assert!(takes());
}

/// A handler's connection: it has no part in what the application collects.
#[test]
fn a_connection_without_a_common_collector_troubles_none() {
    let crowd = Crowd::new(1, || Script::new(&[], ALL));
    let rig = rig(Overflow::Disconnect, 1000, &[ALL]);
    lock(&rig.outbox.state).link.as_mut().unwrap().collector = None;
    rig.outbox.join_run();
    rig.outbox.close(None, "").unwrap();
    rig.outbox.finish();
    rig.outbox.leave_run(crowd.collector());
    assert_eq!(crowd.broadcast("taken"), 1);
}

#[test]
fn what_a_run_held_for_a_connection_that_ended_counts_as_dropped() {
    let crowd = Crowd::new(2, || Script::new(&[], ALL));
    crowd.broadcast("a");
    crowd.broadcast("b");
    crowd.rigs[0].outbox.finish();
    assert_eq!(
        (crowd.rigs[0].dropped(), crowd.rigs[0].script.calls()),
        (2, 0)
    );
    crowd.collector().flush();
    assert_eq!(crowd.rigs[1].script.texts(), ["a", "b"]);
}

#[test]
fn a_long_run_leaves_by_itself() {
    let crowd = Crowd::new(2, || Script::new(&[], ALL));
    let text = text(10_000);
    for _ in 0..7 {
        crowd.broadcast(&text);
    }
    assert!(crowd.collector().is_empty());
    assert_eq!(crowd.rigs[1].script.texts().len(), 7);
    assert_eq!(crowd.rigs[1].script.calls(), 1);
}

/// The sender broadcasts, the helper flushes, another thread sends to one connection: every stream
/// has the broadcasts in order, and each answer behind the broadcast it answers.
#[test]
fn a_run_keeps_its_order_with_threads() {
    const COUNT: usize = 20_000;
    let crowd = Crowd::new(3, || Script::new(&[], ALL));
    let done = std::sync::atomic::AtomicBool::new(false);
    let (tell, told) = std::sync::mpsc::sync_channel(4);
    std::thread::scope(|scope| {
        let (crowd, done) = (&crowd, &done);
        scope.spawn(move || {
            while !done.load(Ordering::SeqCst) {
                crowd.collector().flush();
            }
        });
        scope.spawn(move || {
            for n in told {
                crowd.rigs[1].send(&format!("{n} answered")).unwrap();
            }
        });
        for n in 0..COUNT {
            crowd.broadcast(&n.to_string());
            if n % 10 == 0 {
                tell.send(n).unwrap();
            }
        }
        drop(tell);
        done.store(true, Ordering::SeqCst);
    });
    crowd.collector().flush();
    for rig in &crowd.rigs {
        let mut next = 0;
        for text in rig.script.texts() {
            match text.split_once(' ') {
                None => {
                    assert_eq!(text, next.to_string());
                    next += 1;
                }
                Some((answered, _)) => assert!(answered.parse::<usize>().unwrap() < next),
            }
        }
        assert_eq!(next, COUNT);
    }
}

#[test]
fn a_close_by_the_thread_that_ends_the_connection_does_not_wake_the_helper() {
    let rig = rig(Overflow::Disconnect, 1000, &[ALL, ALL]);
    rig.collecting(|| rig.send("collected")).unwrap();
    let closed = rig.outbox.close_blocking(
        None,
        "",
        Patience::new(Instant::now(), AGE),
        Failure::CloseTimeout,
    );
    assert!(closed.is_ok() && !rig.is_watched());
    assert_eq!(rig.script.texts(), ["collected"]);
    assert_eq!(rig.script.frames().last().unwrap().0, 8);
    assert_eq!(rig.outbox.ready_state(), ReadyState::Closing);
}

#[test]
fn a_close_behind_what_the_helper_drains_leaves_it_to_the_helper_to_let_go() {
    let rig = rig(Overflow::Disconnect, 1000, &[3]);
    rig.send("kept").unwrap();
    assert!(rig.is_watched());
    let closed = rig.outbox.close_blocking(
        None,
        "",
        Patience::new(Instant::now(), Duration::ZERO),
        Failure::CloseTimeout,
    );
    assert!(matches!(closed, Err(Error::SlowConsumer)));
    assert!(
        rig.is_watched(),
        "finish wakes the helper, which holds the stream"
    );
    assert_eq!(rig.script.shutdowns(), [How::Reset]);
}

/// A handler's thread may outlive the shutdown, and send.
#[test]
fn once_the_helper_has_ended_what_the_socket_refuses_is_counted_and_nothing_stays() {
    let drain = ended_drain();
    let weak = Arc::downgrade(&drain);
    let rig = rig_with(
        &drain,
        Script::new(&[3], 0),
        bounds(Overflow::DropOldest, 1000),
    );
    rig.send("refused in part").unwrap();
    assert_eq!(
        (rig.script.shutdowns(), rig.dropped()),
        (vec![How::Reset], 1)
    );
    assert_eq!(rig.send("more"), Err(SendErrorKind::Closed));
    let well = rig_with(
        &drain,
        Script::new(&[], ALL),
        bounds(Overflow::DropOldest, 1000),
    );
    well.collecting(|| well.send("taken")).unwrap();
    well.collector.flush();
    assert_eq!(well.script.texts(), ["taken"]);
    drop((drain, rig, well));
    assert!(weak.upgrade().is_none(), "its descriptor is closed");
}

#[test]
fn what_still_waits_when_the_helper_ends_is_counted_and_its_stream_ended() {
    let (drain, helper) = Drain::start().unwrap();
    let rig = rig_with(
        &drain,
        Script::new(&[3], 0),
        bounds(Overflow::DropOldest, 1000),
    );
    rig.send("refused in part").unwrap();
    drain.stop();
    helper.join().unwrap();
    assert_eq!(
        (rig.script.shutdowns(), rig.dropped()),
        (vec![How::Reset], 1)
    );
}

#[test]
fn the_helper_sleeps_no_longer_than_to_the_first_deadline() {
    let (drain, helper) = Drain::start().unwrap();
    let aged = |age| {
        let bounds = Bounds {
            age,
            ..bounds(Overflow::Disconnect, 1000)
        };
        let rig = rig_with(&drain, Script::new(&[3], 0), bounds);
        rig.send("begun").unwrap();
        rig
    };
    let rigs = [
        aged(100 * AGE),
        aged(Duration::from_millis(50)),
        aged(100 * AGE),
    ];
    let start = Instant::now();
    while rigs[1].script.shutdowns().is_empty() {
        assert!(start.elapsed() < 6 * AGE, "nobody gives it up");
        std::thread::yield_now();
    }
    assert_eq!(rigs[1].script.shutdowns(), [How::Reset]);
    assert_eq!(rigs[0].script.shutdowns(), []);
    drain.stop();
    helper.join().unwrap();
}
