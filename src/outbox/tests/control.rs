//! Pings, pongs and Closes.

use super::*;

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
fn no_ping_follows_the_close_that_collected_frames_brought_about() {
    let rig = rig(Overflow::Disconnect, 10, &[0, ALL]);
    rig.collecting(|| {
        rig.send(&text(20)).unwrap();
        rig.send(&text(20)).unwrap();
    });
    assert_eq!(
        rig.outbox.ping(Default::default),
        Err(SendErrorKind::Closed)
    );
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
    // What is not sent is not asked for its payload either: the answer to the one that waits still counts.
    let mut asked = 0;
    for _ in 0..100 {
        let payload = || {
            asked += 1;
            [7; 8]
        };
        rig.outbox.ping(payload).unwrap();
    }
    assert_eq!(asked, 1);
    rig.let_all_through();
    assert_eq!(rig.script.frames(), [(1, b"m".to_vec()), (9, vec![7; 8])]);
    rig.outbox.ping(Default::default).unwrap();
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
        assert_eq!(
            rig.outbox.ping(Default::default),
            Err(SendErrorKind::Closed)
        );
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
