//! What the leader does with an Outbox, and the deadlines that run there.

use super::*;

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

/// Its thread may wait for the application and see the reset much later: the leader must not turn in circles meanwhile.
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
fn an_unanswered_close_ends_the_stream_at_its_deadline() {
    let before = Instant::now();
    let rig = rig(Overflow::DropOldest, 1000, &[ALL]);
    rig.outbox.close(Some(CloseCode::NORMAL), "").unwrap();
    assert!(rig.is_watched(), "somebody keeps the deadline");
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

/// What became of a message of `len` bytes, and of a Close after it where one is asked for, whose peer takes `rate`
/// bytes every second: the seconds that passed, and how the connection was given up.
fn read_at(rate: usize, len: usize, close: bool) -> (u64, Option<Failure>) {
    PASSED.set(Duration::ZERO);
    let limits = Limits::default();
    let bounds = Bounds {
        epoch: simulated(),
        ..Bounds::new(&limits, Overflow::Disconnect)
    };
    let rig = rig_with(&LeaderQueue::new(None), Script::new(&[1], 0), bounds);
    rig.outbox.enter().queue = Queue::new(
        bounds,
        limits.close_timeout,
        TimeSource::simulated(simulated),
    );
    rig.send(&text(len)).unwrap();
    if close {
        rig.outbox.close(None, "").unwrap();
    }
    for second in 1.. {
        PASSED.set(Duration::from_secs(second));
        lock(&rig.script.budgets).push_back(rate);
        rig.service_at(simulated());
        let failure = rig.outbox.failure();
        if failure.is_some() || rig.outbox.buffered_amount() == 0 {
            return (second, failure);
        }
    }
    unreachable!("a second is always followed by the next")
}

#[test]
fn m09_a_steady_reader_gets_a_message_of_any_length_and_a_trickler_is_given_up() {
    for (rate, len, close, outcome) in [
        (100 << 10, 2 << 20, false, (21, None)),
        (100 << 10, 2 << 20, true, (21, None)),
        (5 << 10, 1 << 20, false, (205, None)),
        // Four thirds of ten seconds, and of the five that a Close has.
        (1 << 10, 1 << 20, false, (14, Some(Failure::SlowConsumer))),
        (1 << 10, 1 << 20, true, (7, Some(Failure::CloseTimeout))),
        (1, 1 << 20, false, (11, Some(Failure::SlowConsumer))),
    ] {
        let done = read_at(rate, len, close);
        assert_eq!(done, outcome, "{rate} bytes per second, Close {close}");
    }
}

/// A pong after a long message has no deadline of its own while that leaves.
#[test]
fn m09_dropping_policies_count_no_age_of_a_pong_whose_peer_reads() {
    PASSED.set(Duration::ZERO);
    let limits = Limits::default();
    let bounds = Bounds {
        epoch: simulated(),
        ..Bounds::new(&limits, Overflow::DropOldest)
    };
    let rig = rig_with(&LeaderQueue::new(None), Script::new(&[1], 0), bounds);
    rig.outbox.enter().queue = Queue::new(
        bounds,
        limits.close_timeout,
        TimeSource::simulated(simulated),
    );
    rig.send(&text(2 << 20)).unwrap();
    rig.outbox.pong(b"behind it");
    for second in 1..=30 {
        PASSED.set(Duration::from_secs(second));
        lock(&rig.script.budgets).push_back(100 << 10);
        rig.service_at(simulated());
    }
    assert_eq!(rig.outbox.failure(), None);
    assert_eq!(rig.script.frames().len(), 2);
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
    rig.outbox.ping(Default::default).unwrap();
    rig.send(&text(8)).unwrap();
    assert_eq!(rig.dropped(), 1);
    assert_eq!(rig.service_at(Instant::now() + 10 * AGE), Some(None));
    assert_eq!(rig.script.shutdowns(), []);
}

/// What waits, a pong, and the peer's answer to a Close.
#[test]
fn b20_behind_a_standstill_the_peer_has_its_whole_time_again() {
    let rig = rig(Overflow::Disconnect, 1000, &[3]);
    rig.outbox.enter().queue.time = TimeSource::simulated(simulated);
    rig.send("begun").unwrap();
    rig.outbox.pong(b"p");
    PASSED.set(3 * AGE);
    let later = simulated();
    rig.outbox.resumed(later);
    assert_eq!(rig.service_at(later), Some(Some(later + AGE)));
    rig.outbox.close(None, "").unwrap();
    rig.outbox.resumed(later);
    assert_eq!(rig.service_at(later), Some(Some(later + CLOSE_TIMEOUT)));
    rig.service_at(later + CLOSE_TIMEOUT);
    assert_eq!(rig.script.shutdowns(), [How::Reset]);
}

#[test]
fn a_close_behind_what_was_called_for_leaves_it_to_whoever_leads_to_let_go() {
    let rig = rig(Overflow::Disconnect, 1000, &[3]);
    rig.send("kept").unwrap();
    assert!(rig.is_watched());
    let closed = rig.outbox.waiter().closed(
        None,
        "",
        Patience::new(Instant::now(), Duration::ZERO),
        Failure::CloseTimeout,
    );
    assert!(matches!(closed, Err(Error::SlowConsumer)));
    assert!(
        rig.is_watched(),
        "finish calls the leader, who holds the stream"
    );
    assert_eq!(rig.script.shutdowns(), [How::Reset]);
}

/// A handler's thread may outlive the shutdown, and send.
#[test]
fn once_nobody_leads_what_the_socket_refuses_is_counted_and_nothing_stays() {
    let leader_queue = LeaderQueue::new(None);
    assert!(leader_queue.stop().is_empty());
    let weak = Arc::downgrade(&leader_queue);
    let rig = rig_with(
        &leader_queue,
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
        &leader_queue,
        Script::new(&[], ALL),
        bounds(Overflow::DropOldest, 1000),
    );
    well.collecting(|| well.send("taken")).unwrap();
    well.collector.flush();
    assert_eq!(well.script.texts(), ["taken"]);
    drop((leader_queue, rig, well));
    assert!(weak.upgrade().is_none(), "nobody holds it");
}
