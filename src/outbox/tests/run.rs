//! Broadcasts that wait once for all connections.

use std::sync::mpsc::TryRecvError;

use super::*;

/// Outboxes of one collector, all of which broadcasts reach.
struct Crowd {
    rigs: Vec<Rig>,
}

impl Crowd {
    fn new(count: usize, script: impl Fn() -> Arc<Script>) -> Crowd {
        let leader_queue = LeaderQueue::new(None);
        let collector = Collector::new(leader_queue.clone());
        let rigs: Vec<Rig> = (0..count)
            .map(|_| {
                let mut rig = rig_with(&leader_queue, script(), bounds(Overflow::Disconnect, 1000));
                rig.adopt(&collector);
                collector.join(&rig.outbox);
                rig
            })
            .collect();
        Crowd { rigs }
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
            self.collector().broadcast(&prepared, except).sent
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
    crowd.collector().leave(&late.outbox);
    assert_eq!(crowd.broadcast("before it joined"), 2, "as many as members");
    crowd.collector().join(&late.outbox);
    assert_eq!(crowd.broadcast_except("not to the first", Some(first)), 2);
    crowd.broadcast("to all");
    crowd.collector().flush();
    assert_eq!(first.script.texts(), ["before it joined", "to all"]);
    assert_eq!(second.script.texts().len(), 3);
    assert_eq!(late.script.texts(), ["not to the first", "to all"]);
}

/// It joins while a broadcast to the others waits: what is sent to it next leaves with the rest all the same.
#[test]
fn what_is_sent_behind_a_run_that_was_for_others_leaves_with_it() {
    let crowd = Crowd::new(2, || Script::new(&[], ALL));
    let late = &crowd.rigs[1];
    crowd.collector().leave(&late.outbox);
    assert_eq!(crowd.broadcast("to the others"), 1);
    crowd.collector().join(&late.outbox);
    late.collecting(|| late.send("to it").unwrap());
    crowd.collector().flush();
    assert_eq!(late.script.texts(), ["to it"]);
}

/// Broadcasts among everything else, over a stream that takes every possible number of bytes in its
/// first two writes, and then one at a time or all: nothing is out of order, cut, lost or doubled.
#[test]
fn a_run_keeps_its_order_for_every_split() {
    for_every_split(|budgets, rest| {
        let crowd = Crowd::new(1, || Script::new(budgets, rest));
        let rig = &crowd.rigs[0];
        let mut sent = Vec::new();
        let mut broadcast = |text: &'static str| {
            sent.push(text);
            let prepared = Prepared::new(text);
            let broadcast = || crowd.collector().broadcast(&prepared, None);
            assert_eq!(rig.collecting(broadcast).sent, 1);
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
        rig.outbox.ping(Default::default).unwrap();
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
    });
}

/// It was counted among those that the broadcast went to; the collector did not know better yet.
#[test]
fn a_broadcast_that_joins_the_run_while_a_connection_closes_counts_as_dropped_there() {
    let crowd = Crowd::new(2, || Script::new(&[], ALL));
    let [closing, other] = &crowd.rigs[..] else {
        panic!()
    };
    let mut state = closing.outbox.enter();
    let (link, queue) = state.parts().unwrap();
    assert!(queue.begin_close(link, None, ""));
    assert_eq!(crowd.broadcast("late"), 2);
    state.leave();
    crowd.collector().flush();
    assert_eq!((closing.script.texts().len(), closing.dropped()), (0, 1));
    assert_eq!((other.script.texts().len(), other.dropped()), (1, 0));
}

#[test]
fn while_one_cannot_take_everything_broadcasts_go_to_each_by_itself() {
    let crowd = Crowd::new(3, || Script::new(&[], ALL));
    let [slow, closing, other] = &crowd.rigs[..] else {
        panic!()
    };
    crowd.collector().broadcast(&Prepared::new("x"), None);
    assert_eq!(
        other.script.texts(),
        ["x"],
        "with nothing waiting it is sent"
    );
    let takes = || {
        crowd.broadcast("x");
        let is_in_run = lock(&other.outbox.state).queue.collected.is_empty();
        crowd.collector().flush();
        is_in_run
    };
    assert!(takes());
    crowd.broadcast("of the run");
    slow.script.now_takes(3);
    crowd.collector().flush();
    slow.script.now_takes(0);
    assert!(slow.outbox.is_stalled() && !takes());
    slow.let_all_through();
    assert!(takes());
    assert_eq!(slow.script.texts()[..3], ["x", "x", "of the run"]);
    closing.outbox.close(None, "").unwrap();
    assert!(!takes());
    closing.outbox.finish();
    assert!(!takes());
    crowd.collector().leave(&closing.outbox);
    assert!(takes());
}

/// A handler's connection: it has no part in what the application collects.
#[test]
fn a_connection_without_a_common_collector_troubles_none() {
    let crowd = Crowd::new(1, || Script::new(&[], ALL));
    let rig = rig(Overflow::Disconnect, 1000, &[ALL]);
    rig.deliver_to(Delivery::Handler);
    crowd.collector().join(&rig.outbox);
    rig.outbox.close(None, "").unwrap();
    rig.outbox.finish();
    crowd.collector().leave(&rig.outbox);
    assert_eq!(crowd.broadcast("taken"), 1);
}

/// The application takes its Open after its end, and then nobody would take it from the members.
#[test]
fn a_connection_that_has_left_before_it_joins_is_no_member() {
    let crowd = Crowd::new(2, || Script::new(&[], ALL));
    let gone = &crowd.rigs[1].outbox;
    crowd.collector().leave(gone);
    gone.finish();
    crowd.collector().leave(gone);
    crowd.collector().join(gone);
    assert_eq!(crowd.broadcast("to the other"), 1);
    crowd.collector().flush();
    assert_eq!(Arc::strong_count(gone), 1);
}

/// One of another server: its place is in the run of that.
#[test]
fn a_broadcast_except_to_a_stranger_goes_to_all_and_leaves_the_stranger_alone() {
    let (crowd, others) = (
        Crowd::new(1, || Script::new(&[], ALL)),
        Crowd::new(1, || Script::new(&[], ALL)),
    );
    let stranger = &others.rigs[0];
    others.broadcast("1");
    assert_eq!(
        crowd.broadcast_except("longer than that", Some(stranger)),
        1
    );
    others.broadcast("2");
    others.collector().flush();
    crowd.collector().flush();
    assert_eq!(stranger.script.texts(), ["1", "2"]);
    assert_eq!(crowd.rigs[0].script.texts(), ["longer than that"]);
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

/// The sender broadcasts, the leader flushes, another thread sends to one connection: every stream
/// has the broadcasts in order, and each answer after the broadcast it answers.
#[test]
fn a_run_keeps_its_order_with_threads() {
    const COUNT: usize = 20_000;
    let crowd = Crowd::new(3, || Script::new(&[], ALL));
    // Dropped, also where this thread panics, it ends the flushes.
    let (sending, sends) = std::sync::mpsc::channel::<()>();
    let (tell, told) = std::sync::mpsc::sync_channel(4);
    std::thread::scope(|scope| {
        let crowd = &crowd;
        scope.spawn(move || {
            while sends.try_recv() == Err(TryRecvError::Empty) {
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
        drop((tell, sending));
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
