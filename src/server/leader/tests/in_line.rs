//! Connections that stand in line for the bytes that all share.

use super::*;

/// All that is common is taken, and two connections wait for it, when so much waits for the peer of the first one in
/// line that this is not read from.
#[test]
fn b05_who_awaits_room_leaves_the_credit_to_the_next_in_line() {
    let limits = Limits {
        inbound_total: 1,
        ..Limits::default()
    };
    let server = Server::builder().limits(limits).without_listener().unwrap();
    let hub = &server.hub;
    let mut peers: Vec<_> = (0..3).map(|_| tcp()).collect();
    lead_here(hub, |leader| {
        for (id, (ours, _)) in (1..).zip(&peers) {
            run(hub, opened(hub, id, ours));
        }
        leader.take_mail(&mut drop);
        let mut came = Vec::new();
        for (_, theirs) in &mut peers {
            theirs.write_all(&MESSAGE).unwrap();
            // Its turn: the message of the first takes all, and the others find nothing.
            wait_until("it is seen", || {
                leader.poll(Some(Instant::now()), &mut drop, || true);
                leader.has_ready()
            });
            leader.turn(&mut |item| came.push(item));
        }
        let [InboxItem::Messages(..)] = &came[..] else {
            panic!("{} items", came.len());
        };
        let everyone = hub.connections.members.everyone();
        let second = everyone.iter().find(|it| it.id() == 2).unwrap();
        while !second.outbox().is_crowded(0) {
            second.send(vec![0; 1 << 20]).unwrap();
        }
        came.clear();
        // The turn of the second one, and that of the third, which it wakes.
        for _ in 0..2 {
            leader.poll(Some(Instant::now()), &mut drop, || true);
            while leader.turn(&mut |item| came.push(item)) {}
        }
        assert!(matches!(&came[..],
            [InboxItem::Messages(permit, _)] if permit.connection().id() == 3
        ));
    });
}
