//! The leader's part for connections that have a thread: it is called, writes when there is room, and keeps deadlines.

use std::io::{self, IoSlice, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

use super::leader;
use crate::error::SendErrorKind;
use crate::limits::Limits;
use crate::outbox::{Bounds, Delivery, Failure, Outbox, OutboxServer};
use crate::overflow::Overflow;
use crate::server::leader::Leader;
use crate::stats::Counters;
use crate::testing::{Duplex, duplex};
use crate::tests::PATIENCE;
use crate::transport::{Transport, forward};

struct Rig {
    outbox: Arc<Outbox>,
    counters: Arc<Counters>,
    peer: Duplex,
}

/// An Outbox that calls `leader`, over a stream that takes 64 KiB, and a message of which it takes a part.
fn stalled(leader: &Leader, write_timeout: Duration) -> Rig {
    let (ours, peer) = duplex();
    stalled_over(ours, peer, leader, write_timeout)
}

fn stalled_over(
    ours: impl Transport,
    mut peer: Duplex,
    leader: &Leader,
    write_timeout: Duration,
) -> Rig {
    let limits = Limits {
        write_timeout,
        ..Limits::default()
    };
    let counters = Arc::new(Counters::default());
    let server = OutboxServer {
        leader_queue: leader.leader_queue.clone(),
        counters: counters.clone(),
        delivery: Delivery::Handler,
        owner: None,
    };
    let outbox = Outbox::new(
        Arc::new(ours) as Arc<dyn Transport>,
        Arc::new(server),
        1,
        Bounds::new(&limits, Overflow::Disconnect),
        PATIENCE,
        None,
    );
    peer.set_timeout(Some(PATIENCE));
    outbox.send(vec![7; 100 << 10].into()).unwrap();
    assert!(outbox.is_stalled());
    Rig {
        outbox,
        counters,
        peer,
    }
}

/// Looks until `done`.
fn lead_until(leader: &mut Leader, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "it never comes");
        // What is waited for may come before it sleeps, and nothing wakes it after that.
        let soon = Instant::now() + Duration::from_millis(10);
        leader.poll(Some(soon), &mut |_| panic!("nobody is led"), || true);
    }
}

#[test]
fn what_a_stream_refused_leaves_when_it_has_room() {
    let mut leader = leader();
    let mut rig = stalled(&leader, PATIENCE);
    let reader = std::thread::spawn(move || {
        let mut bytes = vec![0; (100 << 10) + 10];
        rig.peer.read_exact(&mut bytes).map(|()| rig.peer)
    });
    lead_until(&mut leader, || !rig.outbox.is_stalled());
    drop(reader.join().unwrap().unwrap());
}

#[test]
fn the_first_deadline_is_kept_whoever_else_has_a_later_one() {
    let mut leader = leader();
    let rigs = [60_000, 20, 60_000].map(|ms| stalled(&leader, Duration::from_millis(ms)));
    lead_until(&mut leader, || {
        rigs[1].outbox.failure() == Some(Failure::SlowConsumer)
    });
    assert_eq!(rigs[0].outbox.failure(), None);
    assert_eq!(rigs[1].counters.dropped.load(Relaxed), 1);
}

#[test]
fn b20_a_standstill_shows_by_a_deadline_that_nobody_waited_for() {
    let mut leader = leader();
    let rig = stalled(&leader, Duration::from_secs(10));
    let deadline = rig.outbox.deadline().unwrap();
    leader.take_leader_queue(deadline + Duration::from_secs(5));
    assert_eq!(rig.outbox.failure(), None, "it has one more round");
    assert!(rig.outbox.deadline().unwrap() >= deadline + Duration::from_secs(15));
}

#[test]
fn what_still_waits_when_nobody_leads_any_more_is_counted_and_its_stream_ended() {
    let mut leader = leader();
    let heard = stalled(&leader, PATIENCE);
    leader.take_leader_queue(Instant::now());
    let unheard = stalled(&leader, PATIENCE);
    let waiting = leader.leader_queue.stop();
    waiting.iter().for_each(|outbox| outbox.abort());
    leader.abort_stalled();
    for rig in [&heard, &unheard] {
        assert_eq!(rig.counters.dropped.load(Relaxed), 1);
        let error = rig.outbox.send("more".into()).unwrap_err();
        assert_eq!(error.kind(), SendErrorKind::Closed);
    }
}

#[test]
fn one_that_ends_is_led_no_longer() {
    let mut leader = leader();
    let rig = stalled(&leader, PATIENCE);
    leader.take_leader_queue(Instant::now());
    assert!(rig.outbox.token().is_some());
    rig.outbox.finish();
    leader.take_leader_queue(Instant::now());
    assert!(rig.outbox.token().is_none());
    assert_eq!(leader.connections.poller.all().count(), 0);
}

/// Panics in its writes from some time on; what wshub does not guard against, as it does against a user's.
struct Mined {
    stream: Duplex,
    armed: Arc<AtomicBool>,
}

impl Transport for Mined {
    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.armed.load(SeqCst) {
            // Without a word on stderr, which a panic would say.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        self.stream.try_write(buffers)
    }

    forward!(this => &this.stream; read, wait_writable, wake_when_writable, shutdown, peer_addr);

    fn never_calls_back(&self) -> bool {
        true
    }
}

#[test]
fn b13_a_panic_over_one_that_stalls_costs_that_one_only() {
    let mut leader = leader();
    let armed = Arc::new(AtomicBool::new(false));
    let (stream, peer) = duplex();
    let mined = Mined {
        stream,
        armed: armed.clone(),
    };
    let first = stalled(&leader, PATIENCE);
    let broken = stalled_over(mined, peer, &leader, PATIENCE);
    let last = stalled(&leader, PATIENCE);
    armed.store(true, SeqCst);
    let readers = [first.peer, last.peer].map(|mut peer| {
        std::thread::spawn(move || {
            let mut bytes = vec![0; (100 << 10) + 10];
            peer.read_exact(&mut bytes).map(|()| peer)
        })
    });
    lead_until(&mut leader, || {
        !first.outbox.is_stalled() && !last.outbox.is_stalled()
    });
    assert_eq!(broken.outbox.failure(), Some(Failure::CloseTimeout));
    assert_eq!(broken.counters.dropped.load(Relaxed), 1);
    assert!(broken.outbox.token().is_none(), "it is led no longer");
    for reader in readers {
        drop(reader.join().unwrap().unwrap());
    }
}
