//! Streams of the user's own: what is done amid a write, and that nothing else differs.

use super::*;
use crate::tests::{PATIENCE, wait_until};

/// An Outbox over a stream of the user's own that takes `budgets`, then nothing.
fn users(overflow: Overflow, bytes: usize, budgets: &[usize]) -> Rig {
    rig_with(
        &LeaderQueue::new(None),
        Script::of_users(budgets, 0),
        bounds(overflow, bytes),
    )
}

impl Rig {
    /// Has this done amid the stream's next write.
    fn amid_a_write(&self, work: impl FnOnce(&Arc<Outbox>) + Send + 'static) {
        let outbox = self.outbox.clone();
        *lock(&self.script.during) = Some(Box::new(move || work(&outbox)));
    }
}

#[test]
fn m02_a_stream_may_ask_anything_amid_its_write() {
    let rig = users(Overflow::Disconnect, 1000, &[ALL, ALL]);
    let (tell, told) = std::sync::mpsc::channel();
    rig.amid_a_write(move |outbox| {
        let asked = (outbox.buffered_amount(), outbox.is_stalled());
        tell.send(asked).unwrap();
        outbox.trim();
        outbox.flush();
        assert_eq!(
            outbox.deadline(),
            Some(Instant::now() + AGE).min(outbox.deadline())
        );
    });
    rig.send("hello").unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), (7, false));
    assert_eq!(rig.script.texts(), ["hello"]);
    assert_eq!(rig.outbox.buffered_amount(), 0);
}

#[test]
fn m02_what_is_sent_amid_a_write_leaves_behind_it() {
    let rig = users(Overflow::Disconnect, 1000, &[3, ALL, ALL, ALL]);
    rig.amid_a_write(|outbox| {
        outbox.send("b".into()).unwrap();
        outbox.pong(b"p");
        outbox.ping(Default::default).unwrap();
        outbox.send_prepared(&Prepared::new("c")).unwrap();
        outbox.close(None, "").unwrap();
    });
    rig.send("a").unwrap();
    rig.service();
    let opcodes: Vec<u8> = rig.script.frames().iter().map(|frame| frame.0).collect();
    assert_eq!(rig.script.texts(), ["a", "b", "c"]);
    assert_eq!(opcodes, [1, 10, 1, 9, 1, 8]);
}

/// Nobody else writes it: the one that leads is told, be it that it had it before.
#[test]
fn m02_what_is_sent_amid_the_last_write_is_left_to_whoever_leads() {
    let leader_queue = LeaderQueue::new(None);
    let script = Script::of_users(&[], ALL);
    let rig = rig_with(&leader_queue, script, bounds(Overflow::Disconnect, 1000));
    for sent in 1..3 {
        rig.amid_a_write(|outbox| outbox.send("amid".into()).unwrap());
        rig.send("first").unwrap();
        assert!(!leader_queue.take().outboxes.is_empty(), "of {sent}");
        rig.service();
        assert_eq!(rig.script.texts().len(), 2 * sent);
        assert!(!rig.is_watched());
    }
    // The leader may be the one in whose write it is sent.
    rig.script.now_takes(0);
    rig.send("refused").unwrap();
    drop(leader_queue.take());
    rig.script.now_takes(ALL);
    rig.amid_a_write(|outbox| outbox.send("amid".into()).unwrap());
    rig.service();
    assert!(!leader_queue.take().outboxes.is_empty());
    rig.service();
    assert_eq!(rig.script.texts().len(), 6);
}

/// Who waits for everything to have left may find that another thread has the turn, and hears when that is over.
#[test]
fn m02_the_end_of_a_turn_is_news_to_whoever_leads() {
    let leader_queue = LeaderQueue::new(None);
    let script = Script::of_users(&[], ALL);
    let rig = rig_with(&leader_queue, script, bounds(Overflow::Disconnect, 1000));
    let leads = leader_queue.clone();
    rig.amid_a_write(move |outbox| {
        outbox.flush();
        drop(leads.take());
        assert!(!outbox.has_sent_all());
        assert!(outbox.service(Instant::now()).is_some());
    });
    rig.send("sent by another").unwrap();
    assert!(rig.outbox.has_sent_all());
    assert_eq!(leader_queue.take().outboxes.len(), 1);
}

/// Who closes amid a write does not see it leave: the leader has it already, and is told all the same.
#[test]
fn m02_a_close_that_another_thread_writes_is_news_to_whoever_leads() {
    let leader_queue = LeaderQueue::new(None);
    let script = Script::of_users(&[3], ALL);
    let rig = rig_with(&leader_queue, script, bounds(Overflow::Disconnect, 1000));
    rig.send("refused in part").unwrap();
    drop(leader_queue.take());
    // The one that leads writes, and another thread closes.
    rig.amid_a_write(|outbox| outbox.close(None, "").unwrap());
    rig.service();
    assert!(!leader_queue.take().outboxes.is_empty());
    rig.service();
    assert!(rig.outbox.has_sent_all() && rig.outbox.failure().is_none());
    assert!(rig.is_watched(), "for its deadline");
}

#[test]
fn m02_a_long_message_leaves_in_parts_and_once() {
    let rig = users(
        Overflow::Disconnect,
        10,
        &[ALL, 1, ALL, 100, ALL, ALL, ALL, ALL],
    );
    rig.send(&text(3 * COLLECT)).unwrap();
    for _ in 0..10 {
        rig.service();
    }
    assert_eq!(rig.script.texts(), [text(3 * COLLECT)]);
    assert_eq!((rig.outbox.buffered_amount(), rig.dropped()), (0, 0));
}

#[test]
fn m02_a_pong_amid_the_write_of_an_older_one_is_another() {
    for (budget, expected) in [
        (0, vec!["new"]),
        (2, vec!["old", "new"]),
        (ALL, vec!["old", "new"]),
    ] {
        let rig = users(Overflow::Disconnect, 1000, &[budget]);
        rig.outbox.pong(b"old");
        rig.amid_a_write(|outbox| outbox.pong(b"new"));
        rig.outbox.flush();
        rig.let_all_through();
        let frames = rig.script.frames();
        let pongs: Vec<&[u8]> = frames.iter().map(|(_, payload)| &payload[..]).collect();
        assert_eq!(
            pongs,
            expected.iter().map(|it| it.as_bytes()).collect::<Vec<_>>()
        );
    }
}

/// A peer that pings and a stream that refuses: the same as over a stream of wshub's own.
#[test]
fn f15_pongs_over_a_stream_of_the_users_own_wait_as_one() {
    let rig = users(Overflow::Disconnect, 1000, &[1]);
    rig.send("m").unwrap();
    for n in 0..100 {
        rig.outbox.pong(format!("{n:03}").as_bytes());
        rig.service();
        assert_eq!(rig.outbox.buffered_amount(), 2 + 5);
    }
    rig.let_all_through();
    let frames = rig.script.frames();
    assert_eq!(frames, [(1, b"m".to_vec()), (10, b"099".to_vec())]);
}

#[test]
fn m02_bounds_hold_amid_a_write_and_behind_a_refusal() {
    for overflow in EVERY_POLICY {
        let rig = users(overflow, 20, &[0]);
        rig.amid_a_write(move |outbox| {
            let sent: Vec<bool> = (0..4)
                .map(|_| outbox.send(text(8).into()).is_ok())
                .collect();
            match overflow {
                Overflow::Disconnect => assert_eq!(sent, [true, false, false, false]),
                Overflow::DropNewest | Overflow::Refuse => {
                    assert_eq!(sent, [true, false, false, false]);
                }
                Overflow::DropOldest => assert_eq!(sent, [true; 4]),
            }
        });
        rig.send(&text(8)).unwrap();
        let kept = &rig.outbox.enter().queue.kept;
        assert!(kept.message_bytes() <= 20 || kept.messages() <= 2);
    }
}

/// Collected frames are offered before the bounds apply to them, as over a stream of wshub's own.
#[test]
fn m02_what_was_collected_is_held_to_bounds_when_it_is_refused() {
    for overflow in EVERY_POLICY {
        for whole in [0, 1, 5] {
            // Each frame has 10 bytes; three may wait.
            let own = rig(overflow, 30, &[10 * whole]);
            let users = users(overflow, 30, &[10 * whole]);
            let outcome = |rig: &Rig| {
                rig.collecting(|| (0..9).for_each(|n| rig.send(&format!("{n}.......")).unwrap()));
                rig.collector.flush();
                let failed = rig.outbox.failure();
                rig.let_all_through();
                (failed, rig.dropped(), rig.script.frames())
            };
            assert_eq!(outcome(&own), outcome(&users), "{overflow:?}, {whole}");
        }
    }
}

#[test]
fn m02_given_up_amid_a_write_it_ends_once_the_write_is_over() {
    for budget in [0, 3, ALL] {
        let rig = users(Overflow::Disconnect, 1000, &[budget]);
        let script = rig.script.clone();
        rig.amid_a_write(move |outbox| {
            outbox.abort();
            assert_eq!(script.shutdowns(), [How::Reset], "at once");
            assert!(outbox.send("late".into()).is_err());
        });
        rig.send("hello").unwrap();
        assert_eq!(rig.outbox.failure(), Some(Failure::CloseTimeout));
        assert_eq!(rig.script.shutdowns(), [How::Reset]);
        assert_eq!(rig.dropped(), u64::from(budget < ALL), "of {budget}");
        assert!(rig.service_at(Instant::now()).is_none());
    }
}

#[test]
fn m02_ended_amid_a_write_it_lets_the_stream_go() {
    let rig = users(Overflow::Disconnect, 1000, &[3]);
    rig.amid_a_write(|outbox| outbox.finish());
    rig.send("hello").unwrap();
    assert_eq!(rig.dropped(), 1);
    assert_eq!(Arc::strong_count(&rig.script), 1, "the stream is let go");
}

#[test]
fn b16_a_stream_of_the_users_own_that_fails_ends_its_connection() {
    let rig = users(Overflow::Disconnect, 1000, &[]);
    *lock(&rig.script.broken) = true;
    // It was taken, and counts as dropped.
    rig.send("hello").unwrap();
    assert_eq!(
        (rig.script.shutdowns(), rig.dropped()),
        (vec![How::Reset], 1)
    );
    assert_eq!(rig.send("more"), Err(SendErrorKind::Closed));
    assert_eq!(rig.outbox.failure(), Some(Failure::Lost));
}

/// A handler sends while another thread writes: it waits for that, and then for its own.
#[test]
fn m02_a_sender_that_waits_waits_for_anothers_write() {
    let rig = users(Overflow::Disconnect, 1000, &[ALL, ALL]);
    let (waits, waiting) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let outbox = rig.outbox.clone();
        rig.amid_a_write(move |writing| {
            let sending = std::thread::spawn(move || outbox.waiter().send("b".into(), true, ALONE));
            waits.send(sending).unwrap();
            wait_until("it waits", || writing.enter().queue.turn.waiting > 0);
        });
        scope.spawn(|| rig.send("a").unwrap());
        let sending = waiting.recv_timeout(PATIENCE).unwrap();
        sending.join().unwrap().unwrap();
    });
    assert_eq!(rig.script.texts(), ["a", "b"]);
}

/// Everything among everything else, over a stream that takes every number of bytes in its first writes.
#[test]
fn m02_the_order_holds_for_every_split_and_whoever_comes_between() {
    for_every_split(|budgets, rest| {
        let rig = rig_with(
            &LeaderQueue::new(None),
            Script::of_users(budgets, rest),
            bounds(Overflow::Disconnect, 1000),
        );
        rig.amid_a_write(|outbox| outbox.send("c".into()).unwrap());
        rig.collecting(|| rig.send("a")).unwrap();
        rig.outbox.pong(b"1");
        rig.send("b").unwrap();
        rig.outbox.ping(Default::default).unwrap();
        rig.collecting(|| rig.send("d")).unwrap();
        rig.collector.flush();
        rig.outbox.close(Some(CloseCode::NORMAL), "").unwrap();
        for _ in 0..100 {
            if rig.outbox.buffered_amount() > 0 {
                rig.service();
            }
        }
        assert_eq!(rig.script.texts(), ["a", "b", "c", "d"]);
        assert_eq!(rig.script.frames().last().unwrap(), &(8, vec![3, 232]));
        assert_eq!((rig.outbox.buffered_amount(), rig.dropped()), (0, 0));
        rig.script.written()
    });
}

/// An application may hand its events to another thread, and send on this one.
#[test]
fn who_ends_to_collect_on_another_thread_has_ended_it_here() {
    let rig = users(Overflow::Disconnect, 1000, &[]);
    let collecting = rig.collector.collect_here();
    assert!(rig.collector.is_active_here());
    std::thread::scope(|scope| drop(scope.spawn(|| drop(collecting))));
    assert!(!rig.collector.is_active_here());
}

/// Two threads wait for what they sent, and one is done first: the other one still hears when the turn is free.
#[test]
fn m02_a_sender_that_waits_for_the_turn_hears_of_its_end_whatever_others_do() {
    for others in [
        (|outbox: &Arc<Outbox>| outbox.close(None, "").unwrap()) as fn(&Arc<Outbox>),
        |outbox| {
            let soon = Instant::now() + Duration::from_millis(5);
            let long = "no room for it".repeat(100);
            assert!(outbox.waiter().send_until(long.into(), Some(soon)).is_err());
        },
    ] {
        let rig = users(Overflow::Disconnect, 1000, &[ALL, ALL, ALL, ALL]);
        let (give, given) = std::sync::mpsc::channel();
        rig.amid_a_write(move |outbox| {
            let waits = outbox.clone();
            let waiting = std::thread::spawn(move || {
                let began = Instant::now();
                waits.waiter().send("behind".into(), true, ALONE).unwrap();
                began.elapsed()
            });
            wait_until("it waits", || outbox.enter().queue.turn.waiting > 0);
            others(outbox);
            give.send(waiting).unwrap();
        });
        rig.send("first").unwrap();
        let waited = given.recv_timeout(PATIENCE).unwrap().join().unwrap();
        assert!(waited < AGE / 2, "{waited:?}");
    }
}
