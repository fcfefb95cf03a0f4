//! What goes when a peer does not read, under every policy.

use super::*;

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
    assert_eq!(
        rig.outbox.ping(Default::default),
        Err(SendErrorKind::Closed)
    );
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
        rig.outbox.ping(Default::default).unwrap();
        rig.send(&text(100_000)).unwrap();
        let second = rig.send(&text(90_000));
        match overflow {
            Overflow::Disconnect => assert_eq!(second, Err(SendErrorKind::SlowConsumer)),
            Overflow::DropNewest | Overflow::Refuse => {
                assert_eq!(second, Err(SendErrorKind::Full));
            }
            Overflow::DropOldest => assert_eq!(second, Ok(())),
        }
        rig.let_all_through();
        let lens: Vec<usize> = rig.script.texts().iter().map(String::len).collect();
        match overflow {
            Overflow::Disconnect => assert!(lens.is_empty()),
            Overflow::DropNewest | Overflow::Refuse => assert_eq!(lens, [100_000]),
            Overflow::DropOldest => assert_eq!(lens, [90_000]),
        }
        let dropped = match overflow {
            Overflow::Disconnect => 2,
            Overflow::DropNewest | Overflow::DropOldest => 1,
            Overflow::Refuse => 0,
        };
        assert_eq!(rig.dropped(), dropped);
    }
}

#[test]
fn control_frames_are_exempt_from_the_bound() {
    for overflow in EVERY_POLICY {
        let rig = rig(overflow, 10, &[1]);
        rig.send(&text(8)).unwrap();
        rig.outbox.ping(Default::default).unwrap();
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

/// The stream took the first bytes of one message; the rest and another message have waited for longer than they may.
fn where_much_waited_for_too_long(overflow: Overflow) -> Rig {
    const SHORT: Duration = Duration::from_secs(1);
    let bounds = Bounds {
        pace: within(SHORT),
        ..bounds(overflow, 1000)
    };
    let rig = rig_with(&LeaderQueue::new(None), Script::new(&[3], 0), bounds);
    PASSED.set(Duration::ZERO);
    rig.outbox.enter().queue.time = TimeSource::simulated(simulated);
    rig.send("begun").unwrap();
    rig.send("waits").unwrap();
    PASSED.set(2 * SHORT);
    rig
}

/// Under `Disconnect` the deadline decides.
#[test]
fn what_waits_for_too_long_is_dropped_by_the_policy() {
    for (overflow, result, second) in [
        (Overflow::DropNewest, Err(SendErrorKind::Full), "waits"),
        (Overflow::DropOldest, Ok(()), "late"),
    ] {
        let rig = where_much_waited_for_too_long(overflow);
        assert_eq!(rig.send("late"), result);
        assert_eq!(rig.dropped(), 1);
        rig.let_all_through();
        assert_eq!(rig.script.texts(), ["begun", second]);
    }
}

/// After a standstill of the process the first thread that runs may be a sender.
#[test]
fn b20_what_waited_for_too_long_is_offered_before_anything_is_dropped_for_it() {
    for overflow in EVERY_POLICY {
        let rig = where_much_waited_for_too_long(overflow);
        rig.script.now_takes(ALL);
        rig.send("late").unwrap();
        rig.let_all_through();
        assert_eq!(rig.script.texts(), ["begun", "waits", "late"]);
        assert_eq!(rig.dropped(), 0);
    }
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

/// A peer that does not read may have asked for the second one while the application was about to send the first: then
/// nothing waited for it.
#[test]
fn b01_two_of_the_longest_messages_may_wait_in_their_frames() {
    let limits = Limits::default();
    let bounds = Bounds::new(&limits, Overflow::Disconnect);
    let rig = rig_with(&LeaderQueue::new(None), Script::new(&[3], 0), bounds);
    let longest = text(limits.max_message);
    rig.send(&longest).unwrap();
    rig.send(&longest).unwrap();
    assert_eq!(rig.dropped(), 0);
}
