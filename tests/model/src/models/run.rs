//! Broadcasts that wait once for all connections: flushed, joined and left by other threads meanwhile.

use std::check::{choose, is_hurried};
use std::clock;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::thread::{self, JoinHandle};

use super::guide::Guide;
use super::line::{Line, assert_in_order};
use super::outbox::{FRAME, outbox, reading_peer};
use crate::message::Prepared;
use crate::outbox::broadcast::Collector;
use crate::outbox::broadcast::collector::LATEST;
use crate::outbox::{Outbox, OutboxServer};
use crate::overflow::Overflow;
use crate::stats::Counters;

/// Who broadcasts, and how far it is.
struct Hall {
    collector: Arc<Collector>,
    /// Broadcasts that have begun, and that are done.
    begun: AtomicU64,
    done: AtomicU64,
}

struct Seat {
    line: Line,
    outbox: Arc<Outbox>,
    counters: Arc<Counters>,
}

struct Rig {
    hall: Arc<Hall>,
    guide: Guide,
}

impl Hall {
    /// Text `a1`, `a2` and so on to everyone but `except`; how many it was sent to.
    fn broadcast(&self, except: Option<&Arc<Outbox>>) -> usize {
        let number = self.begun.fetch_add(1, SeqCst) + 1;
        let message = Prepared::new(format!("a{number}"));
        let sent = self.collector.broadcast(&message, except).sent;
        self.done.fetch_add(1, SeqCst);
        sent
    }

    /// An application that broadcasts while more waits for it, flushes where the schedule says so, and is busy then;
    /// gives how many that were sent.
    fn application(self: &Arc<Self>, count: u64, except: Option<Arc<Outbox>>) -> JoinHandle<usize> {
        let hall = self.clone();
        thread::spawn(move || {
            let _collecting = hall.collector.collect_here();
            let mut sent = 0;
            for number in 1..=count {
                sent += hall.broadcast(except.as_ref().filter(|_| number == 2));
                if choose(3) == 0 {
                    hall.collector.flush();
                }
            }
            sent
        })
    }
}

impl Rig {
    fn new() -> Self {
        let guide = Guide::start();
        let hall = Hall {
            collector: Collector::new(guide.leader_queue.clone()),
            begun: AtomicU64::new(0),
            done: AtomicU64::new(0),
        };
        Rig {
            hall: Arc::new(hall),
            guide,
        }
    }

    /// A connection that no broadcast reaches yet.
    fn seat(&self, room: usize, bytes: usize, overflow: Overflow) -> Seat {
        let (line, counters) = (Line::new(room), Arc::<Counters>::default());
        let server = OutboxServer {
            leader_queue: self.guide.leader_queue.clone(),
            counters: counters.clone(),
            delivery: self.hall.collector.delivery(),
            owner: None,
        };
        let outbox = outbox(line.clone(), server, bytes, overflow);
        Seat {
            line,
            outbox,
            counters,
        }
    }

    fn member(&self, room: usize, bytes: usize, overflow: Overflow) -> Seat {
        let seat = self.seat(room, bytes, overflow);
        self.hall.collector.join(&seat.outbox);
        seat
    }

    /// Ends every connection and who leads: nothing holds a stream or a member then, and no broadcast waits.
    fn end(self, seats: &[&Seat]) {
        for seat in seats {
            seat.outbox.finish();
            self.hall.collector.leave(&seat.outbox);
        }
        self.hall.collector.flush();
        assert!(self.hall.collector.is_empty());
        self.guide.stop();
        for seat in seats {
            assert_eq!(Arc::strong_count(&seat.outbox), 1, "the run has a hold");
            assert_eq!(Arc::strong_count(&seat.line.0), 1, "a hold on the stream");
        }
    }
}

impl Seat {
    /// Numbers of the broadcasts that arrived.
    fn broadcasts(&self) -> Vec<u64> {
        let texts = self.line.texts();
        assert_in_order(&texts);
        let numbers = texts.iter().filter_map(|text| text.strip_prefix('a'));
        numbers
            .map(|number| number.parse().expect("a number"))
            .collect()
    }

    fn dropped(&self) -> u64 {
        self.counters.dropped.load(Relaxed)
    }

    /// Waits until the peer has so many frames of four bytes, or will never have them.
    fn wait_for(&self, frames: usize) {
        let arrived = self
            .line
            .0
            .wait_written(|bytes| bytes.len() >= frames * FRAME);
        assert!(arrived || is_hurried());
    }
}

/// Broadcasts, one of them not to all, while another thread sends to a member, its reader answers pings, and who leads
/// flushes: each peer has what is for it once and in order, and an answer after what it answers.
pub fn broadcasts_come_once_and_in_order() {
    const COUNT: u64 = 3;
    let rig = Rig::new();
    let small = choose(10) as usize;
    let first = rig.member(small, 1 << 20, Overflow::Disconnect);
    let second = rig.member(1 << 10, 1 << 20, Overflow::Disconnect);
    let application = rig.hall.application(COUNT, Some(second.outbox.clone()));
    let (hall, outbox) = (rig.hall.clone(), first.outbox.clone());
    let answers = thread::spawn(move || {
        let answer = |number| {
            let seen = hall.done.load(SeqCst);
            let taken = outbox.send(format!("b{number}").into()).is_ok();
            (seen, taken)
        };
        [answer(1), answer(2)]
    });
    let outbox = first.outbox.clone();
    let reader = thread::spawn(move || outbox.buffered_amount());
    reading_peer(&first.line, 2).join().unwrap();
    application.join().unwrap();
    reader.join().unwrap();
    let answers = answers.join().unwrap();
    let taken = answers.iter().filter(|(_, taken)| *taken).count();
    assert!(taken == 2 || is_hurried());
    first.wait_for(COUNT as usize + 2);
    second.wait_for(COUNT as usize - 1);
    let passed = clock::passed();
    assert!(passed <= LATEST * 2 || is_hurried(), "after {passed:?}");
    let gave_up = first.outbox.failure().is_some();
    rig.end(&[&first, &second]);
    let texts = first.line.texts();
    for (number, (seen, _)) in (1..).zip(answers) {
        let at = texts.iter().position(|text| *text == format!("b{number}"));
        let before = at.map(|at| texts[..at].iter().filter(|text| text.starts_with('a')));
        let before = before.map(|before| before.count() as u64);
        assert!(before.is_none_or(|before| before >= seen), "{texts:?}");
    }
    // A clock in a hurry gives a peer up; then it has had the first of them, and no other.
    let all: Vec<u64> = (1..=COUNT).collect();
    let got = first.broadcasts();
    assert_eq!(got, all[..got.len()]);
    let arrived = texts.len() as u64 + first.dropped();
    assert!(arrived == COUNT + taken as u64 || gave_up, "{texts:?}");
    assert_eq!(second.broadcasts(), [1, 3]);
}

/// One joins and one ends amid broadcasts: who stays has all, who came has what was sent from then on, and what was
/// sent to who went has arrived or is counted.
pub fn members_come_and_go_amid_broadcasts() {
    const COUNT: u64 = 3;
    let rig = Rig::new();
    let member = || rig.member(1 << 10, 1 << 20, Overflow::Disconnect);
    let (stays, goes) = (member(), member());
    let comes = rig.seat(1 << 10, 1 << 20, Overflow::Disconnect);
    let application = rig.hall.application(COUNT, None);
    let (hall, outbox) = (rig.hall.clone(), goes.outbox.clone());
    let leaver = thread::spawn(move || {
        let seen = hall.done.load(SeqCst);
        outbox.finish();
        hall.collector.leave(&outbox);
        seen
    });
    let (hall, outbox) = (rig.hall.clone(), comes.outbox.clone());
    let joiner = thread::spawn(move || {
        hall.collector.join(&outbox);
        hall.begun.load(SeqCst)
    });
    let seen = leaver.join().unwrap();
    let before = joiner.join().unwrap();
    let sent = application.join().unwrap() as u64;
    stays.wait_for(COUNT as usize);
    let last = |bytes: &[u8]| bytes.ends_with(format!("a{COUNT}").as_bytes());
    assert!(before == COUNT || comes.line.0.wait_written(last));
    let passed = clock::passed();
    assert!(passed <= LATEST * 2 || is_hurried(), "after {passed:?}");
    rig.end(&[&stays, &goes, &comes]);
    assert_eq!(stays.broadcasts(), [1, 2, 3]);
    let got = goes.broadcasts();
    assert_eq!(got, [1, 2, 3][..got.len()]);
    let accounted = got.len() as u64 + goes.dropped();
    assert!((seen..=COUNT).contains(&accounted), "{got:?}");
    let got = comes.broadcasts();
    let missed = (before + 1..=COUNT).find(|number| !got.contains(number));
    assert_eq!(missed, None, "{got:?}");
    let all = COUNT + accounted + got.len() as u64 + comes.dropped();
    assert_eq!(all, sent);
}

/// Broadcasts to a peer that takes little, under every policy: what it does not get is counted, and a peer beside it
/// that reads gets all.
pub fn broadcasts_behind_a_stalled_peer() {
    const COUNT: u64 = 5;
    let policy = [
        Overflow::Disconnect,
        Overflow::DropNewest,
        Overflow::DropOldest,
    ][choose(3) as usize];
    let rig = Rig::new();
    let slow = rig.member(choose(10) as usize, 2 * FRAME, policy);
    let reads = rig.member(1 << 10, 1 << 20, policy);
    let application = rig.hall.application(COUNT, None);
    let peer = (choose(2) == 0).then(|| reading_peer(&slow.line, 2));
    application.join().unwrap();
    if let Some(peer) = peer {
        peer.join().unwrap();
    }
    reads.wait_for(COUNT as usize);
    let gave_up = slow.outbox.failure().is_some();
    rig.end(&[&slow, &reads]);
    assert_eq!(reads.broadcasts(), [1, 2, 3, 4, 5]);
    let accounted = slow.broadcasts().len() as u64 + slow.dropped();
    assert!(accounted == COUNT || gave_up, "{accounted} of {COUNT}");
    assert!(accounted <= COUNT);
}
