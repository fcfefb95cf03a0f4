//! Frames on their way: written at once, kept in order, and what is left of them at the end.

use super::*;

#[test]
fn b17_a_message_leaves_at_once_in_one_write() {
    for len in [0, 1, 125, 126, 200, 65_536] {
        let rig = rig(Overflow::Disconnect, 100, &[ALL]);
        rig.send(&text(len)).unwrap();
        assert_eq!(rig.script.calls(), 1);
        assert_eq!(rig.script.texts(), [text(len)]);
        assert_eq!(rig.outbox.buffered_amount(), 0);
        assert!(!rig.is_watched(), "nobody is called");
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
    let leader_queue = LeaderQueue::new(None);
    let run = |budgets: &[usize], rest: usize| {
        let script = Script::new(budgets, rest);
        let rig = rig_with(&leader_queue, script, bounds(Overflow::Disconnect, 1000));
        rig.collecting(|| {
            rig.send("a").unwrap();
            rig.send("b").unwrap();
            rig.outbox.pong(b"1");
        });
        rig.send("c").unwrap();
        rig.outbox.pong(b"2");
        rig.outbox.pong(b"3");
        rig.outbox.ping(Default::default).unwrap();
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
        let _ = rig.outbox.ping(Default::default);
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
    assert_eq!(rig.outbox.ready_state(), ReadyState::Closed);
    assert_eq!(rig.send("m"), Err(SendErrorKind::Closed));
    assert_eq!(
        rig.outbox.ping(Default::default),
        Err(SendErrorKind::Closed)
    );
    assert_eq!(rig.outbox.close(None, ""), Err(CloseError::Closed));
    rig.outbox.pong(b"p");
    rig.outbox.flush();
    rig.outbox.abort();
    assert!(rig.outbox.service(Instant::now()).is_none());
    let left = rig
        .outbox
        .waiter()
        .wait_until_left(Patience::new(Instant::now(), AGE), Failure::SlowConsumer);
    assert!(matches!(left, Err(Error::Closed)));
    assert_eq!(rig.script.shutdowns(), []);
    rig.outbox.finish();
    assert_eq!(rig.outbox.failure(), None, "again");
}

/// A stream that ends before its first fragment writes nothing that would take what is collected along.
#[test]
fn what_was_held_behind_a_stream_overtakes_nothing_that_is_collected() {
    const PONG: usize = 3;
    let rig = rig(Overflow::Disconnect, 1000, &[PONG]);
    rig.outbox.pong(b"1");
    let stream = OutgoingStream::begin(&rig.outbox);
    rig.send("held").unwrap();
    drop(stream);
    rig.outbox.flush();
    rig.let_all_through();
    rig.outbox.flush();
    let frames = [(10, b"1".to_vec()), (1, b"held".to_vec())];
    assert_eq!(rig.script.frames(), frames);
}
