//! A reader that waits because too much waits for its peer: whichever thread makes room, the leader is called, or looks
//! itself. From a seed; the same seed is the same run.

use super::*;
use crate::seeded::{Random, for_each_seed};

const BYTES: usize = 1000;
const STEPS: usize = 200;

#[test]
fn a_reader_that_waits_is_called_when_there_is_room() {
    let test = "--lib a_reader_that_waits_is_called_when_there_is_room";
    for_each_seed(test, 1, Duration::from_secs(1), simulate);
}

fn simulate(seed: u64) {
    let mut random = Random::new(seed);
    let leader_queue = LeaderQueue::new(None);
    let script = match random.chance(50) {
        true => Script::new(&[], 0),
        false => Script::of_users(&[], 0),
    };
    let bounds = Bounds {
        answers: random.below(BYTES),
        ..bounds(
            random.pick(&[Overflow::Disconnect, Overflow::Refuse]),
            BYTES,
        )
    };
    let rig = rig_with(&leader_queue, script, bounds);
    let mut waits = false;
    for _ in 0..STEPS {
        let message = text(random.below(300));
        let takes = random.below(2 * BYTES);
        match random.below(7) {
            0 | 1 => drop(rig.outbox.send(message.into())),
            2 => {
                // The peer has read, and another thread finds the room first.
                lock(&rig.script.budgets).push_back(takes);
                let _ = rig.outbox.send(message.into());
            }
            3 => {
                lock(&rig.script.budgets).push_back(takes);
                let end = Instant::now() + Duration::from_micros(10);
                let _ = rig.outbox.waiter().send_until(message.into(), Some(end));
            }
            4 => {
                lock(&rig.script.budgets).push_back(takes);
                rig.service();
                waits = waits && rig.outbox.awaits_room(0);
            }
            5 => waits = rig.outbox.awaits_room(0),
            _ => {
                if !leader_queue.take().outboxes.is_empty() {
                    rig.service();
                    waits = waits && rig.outbox.awaits_room(0);
                }
            }
        }
        let crowded = rig.outbox.enter().queue.is_crowded(0);
        assert!(
            !waits || crowded || !leader_queue.is_empty(),
            "there is room, and the reader waits on"
        );
    }
}

/// Messages without a payload count by number: those that the application has still to answer, too.
#[test]
fn b01_pending_messages_without_payload_leave_room_for_their_answers() {
    const ROOM: usize = 1 << 20;
    let leader_queue = LeaderQueue::new(None);
    let script = Script::new(&[], 0);
    let rig = rig_with(&leader_queue, script, bounds(Overflow::Disconnect, ROOM));
    let kept = (ROOM >> 6) / 8;
    for _ in 0..kept {
        rig.outbox.send(text(0).into()).unwrap();
    }
    assert!(!rig.outbox.enter().queue.is_crowded(0));
    // As many as there is room for at all.
    let pending = (ROOM >> 6) * LEAST_PENDING;
    assert!(pending < ROOM && rig.outbox.enter().queue.is_crowded(pending));
}
