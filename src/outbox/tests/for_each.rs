//! A panic over one connection, in every thread that serves several.

use super::*;

/// Three connections, of which the second panics when it is written to.
struct Row {
    rigs: Vec<Rig>,
    outboxes: Vec<Arc<Outbox>>,
}

impl Row {
    fn new() -> Row {
        let leader_queue = LeaderQueue::new(None);
        let rig = || {
            rig_with(
                &leader_queue,
                Script::new(&[], ALL),
                bounds(Overflow::Disconnect, 100),
            )
        };
        let mut rigs: Vec<Rig> = std::iter::repeat_with(rig).take(3).collect();
        let collector = rigs[0].collector.clone();
        for rig in &mut rigs {
            rig.adopt(&collector);
            collector.join(&rig.outbox);
        }
        *lock(&rigs[1].script.mined) = true;
        let outboxes = rigs.iter().map(|rig| rig.outbox.clone()).collect();
        Row { rigs, outboxes }
    }

    fn assert_one_paid(&self, text: &str) {
        for (number, rig) in self.rigs.iter().enumerate() {
            let pays = number == 1;
            let got = if pays { vec![] } else { vec![text.to_owned()] };
            assert_eq!(rig.script.texts(), got, "of {number}");
            assert_eq!(rig.outbox.failure().is_some(), pays, "of {number}");
            assert_eq!(rig.script.shutdowns().is_empty(), !pays, "of {number}");
        }
    }
}

#[test]
fn b12_a_panic_amid_a_broadcast_costs_one_connection() {
    let row = Row::new();
    let message = Prepared::new("to all");
    let done = Broadcast::to(row.outboxes.iter(), |it| it.send_uncounted(&message));
    assert_eq!((done.sent, done.dropped), (2, 0));
    row.assert_one_paid("to all");
}

#[test]
fn b12_a_panic_amid_a_flush_costs_one_connection() {
    let row = Row::new();
    for rig in &row.rigs {
        rig.collecting(|| rig.send("to each")).unwrap();
    }
    row.rigs[0].collector.flush();
    row.assert_one_paid("to each");
}

#[test]
fn b12_a_panic_amid_a_run_costs_one_connection() {
    let row = Row::new();
    let message = Prepared::new("to all");
    row.rigs[0].collecting(|| {
        let done = row.rigs[0].collector.broadcast(&message, None);
        assert_eq!((done.sent, done.dropped), (3, 0));
    });
    row.rigs[0].collector.flush();
    row.assert_one_paid("to all");
}
