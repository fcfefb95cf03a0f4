//! Frames of a sender that has more to do.

use super::*;

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
    let counted = rig.counters.snapshot().messages_out;
    assert_eq!(counted, COLLECT as u64 / 1024, "the last one, too");
    // A large frame takes what was collected along.
    rig.collecting(|| {
        rig.send("before").unwrap();
        rig.send(&text(COLLECT)).unwrap();
    });
    assert_eq!((rig.script.calls(), rig.outbox.buffered_amount()), (2, 0));
    assert_eq!(rig.script.texts()[COLLECT / 1024], "before");
}

#[test]
fn a_message_to_several_is_counted_when_it_leaves_and_at_the_end() {
    let rig = rig(Overflow::Disconnect, 10, &[ALL]);
    let prepared = Prepared::new("to several");
    let sent = || rig.counters.snapshot().messages_out;
    rig.collecting(|| rig.outbox.send_prepared(&prepared).unwrap());
    assert_eq!(sent(), 0, "it is collected");
    rig.collector.flush();
    assert_eq!(sent(), 1);
    rig.collecting(|| rig.outbox.send_prepared(&prepared).unwrap());
    rig.outbox.finish();
    assert_eq!(
        (sent(), rig.dropped()),
        (2, 1),
        "taken for sending, then dropped"
    );
}

#[test]
fn what_is_collected_is_flushed_after_2_ms() {
    let leader_queue = LeaderQueue::new(None);
    let script = Script::new(&[ALL, ALL], 0);
    let rig = rig_with(&leader_queue, script, bounds(Overflow::Disconnect, 10));
    let before = Instant::now();
    rig.collecting(|| {
        rig.send("a").unwrap();
        rig.send("b").unwrap();
    });
    assert_eq!(leader_queue.take().collectors.len(), 1);
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
    assert_eq!(
        leader_queue.take().collectors.len(),
        1,
        "until it hears of it again"
    );
    let due = rig.collector.service(before).unwrap();
    rig.collector.service(due);
    assert_eq!(rig.script.texts(), ["a", "b", "c"]);
}
