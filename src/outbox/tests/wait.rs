//! Senders that wait until what they sent has left.

use super::*;

#[test]
fn a_sender_that_waits_is_not_bounded_and_leaves_when_all_is_written() {
    let script = Script::new(&[1, 7, 0, 100], ALL);
    let rig = rig_with(
        &LeaderQueue::new(None),
        script,
        bounds(Overflow::Disconnect, 10),
    );
    for text in [text(50), text(60)] {
        rig.outbox.waiter().send(text.into(), true, ALONE).unwrap();
        assert_eq!(rig.outbox.buffered_amount(), 0);
    }
    assert_eq!(rig.script.texts(), [text(50), text(60)]);
    assert!(!rig.is_watched(), "nobody is called");
}

#[test]
fn a_sender_that_waits_bypasses_the_bound_behind_what_others_sent() {
    let script = Script::new(&[1, 0, 0], ALL);
    let rig = rig_with(
        &LeaderQueue::new(None),
        script,
        bounds(Overflow::Disconnect, 60),
    );
    rig.send(&text(50)).unwrap();
    rig.outbox
        .waiter()
        .send(text(60).into(), true, ALONE)
        .unwrap();
    assert_eq!(rig.script.texts(), [text(50), text(60)]);
}

#[test]
fn others_stay_bounded_while_a_sender_waits() {
    let rig = rig(Overflow::DropNewest, 60, &[1]);
    rig.outbox.enter().queue.leader_call.is_attended = true;
    rig.send(&text(50)).unwrap();
    assert_eq!(rig.send(&text(50)), Err(SendErrorKind::Full));
}

#[test]
fn a_sender_that_waits_gives_the_connection_up_at_its_deadline() {
    const SHORT: Duration = Duration::from_millis(50);
    let bounds = Bounds {
        pace: within(SHORT),
        ..bounds(Overflow::DropOldest, 1000)
    };
    let rig = rig_with(&LeaderQueue::new(None), Script::new(&[3], 0), bounds);
    let before = Instant::now();
    rig.outbox
        .waiter()
        .send("taken".into(), true, ALONE)
        .unwrap();
    assert!(before.elapsed() >= SHORT, "never early");
    assert_eq!(rig.script.shutdowns(), [How::Reset]);
    let next = rig.outbox.waiter().send("next".into(), true, ALONE);
    assert_eq!(next.unwrap_err().kind(), SendErrorKind::Closed);
    assert_eq!(rig.outbox.failure(), Some(Failure::SlowConsumer));
}

/// A handler waits where it is not collected: so what it collected is not dropped.
#[test]
fn what_a_handler_collected_is_not_bounded() {
    for overflow in EVERY_POLICY {
        let leader_queue = LeaderQueue::new(None);
        let (script, collector) = (Script::new(&[], 0), Collector::new(leader_queue.clone()));
        let server = OutboxServer {
            leader_queue,
            counters: Arc::default(),
            delivery: Delivery::Handler,
            owner: None,
        };
        let outbox = Outbox::new(
            script.clone(),
            Arc::new(server),
            1,
            bounds(overflow, 10),
            CLOSE_TIMEOUT,
            None,
        );
        for n in 0..9 {
            let sent = outbox
                .waiter()
                .send(format!("answer {n}").into(), true, Some(&collector));
            sent.unwrap();
        }
        collector.flush();
        script.now_takes(ALL);
        outbox
            .waiter()
            .wait_until_left(Patience::new(Instant::now(), AGE), Failure::SlowConsumer)
            .unwrap();
        assert_eq!(script.texts().len(), 9, "{overflow:?}");
    }
}

#[test]
fn a_close_by_the_thread_that_ends_the_connection_calls_nobody() {
    let rig = rig(Overflow::Disconnect, 1000, &[ALL, ALL]);
    rig.collecting(|| rig.send("collected")).unwrap();
    let closed = rig.outbox.waiter().closed(
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
