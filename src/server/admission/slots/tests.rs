//! How many slots there are, whose they are, and that none is lost.

use std::net::Ipv4Addr;

use super::*;

fn slots(max_per_address: Option<usize>) -> Slots {
    Slots::new(3, max_per_address)
}

fn peer(last: u8) -> Peer {
    Peer::Address(([10, 0, 0, last], 4711).into())
}

#[test]
fn no_more_are_taken_than_there_are_and_each_comes_back_by_drop() {
    let slots = slots(None);
    let mut taken: Vec<_> = (0..3).flat_map(|_| slots.take(Peer::Unknown)).collect();
    assert!(matches!(slots.take(peer(1)), Err(Refusal::Full)));
    taken.pop();
    assert_eq!(slots.taken(), 2);
    taken.push(slots.take(peer(1)).unwrap());
    drop(taken);
    assert_eq!(slots.taken(), 0);
}

/// A listener for both gives an IPv4 client the address ::ffff:10.0.0.1.
#[test]
fn a_client_of_ipv4_has_one_count_by_whatever_listener_it_comes() {
    let slots = slots(Some(1));
    let mapped = Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped();
    let _first = slots.take(peer(1)).unwrap();
    let again = slots.take(Peer::Address((mapped, 4711).into()));
    assert!(matches!(again, Err(Refusal::TooManyFromAddress)));
}

#[test]
fn who_is_refused_is_not_remembered() {
    let slots = slots(Some(0));
    for last in 1..=3 {
        assert!(slots.take(peer(last)).is_err());
    }
    assert!(lock(&slots.uncounted.taken).per_address.is_empty());
}

#[test]
fn each_address_has_its_own_count_and_who_has_none_is_not_counted_so() {
    let slots = slots(Some(1));
    let first = slots.take(peer(1)).unwrap();
    let again = slots.take(peer(1));
    assert!(matches!(again, Err(Refusal::TooManyFromAddress)));
    assert!(matches!(
        slots.has_room_for(peer(1)),
        Err(Refusal::TooManyFromAddress)
    ));
    assert!(slots.has_room_for(peer(2)).is_ok());
    let _others = [peer(2), Peer::Unix].map(|peer| slots.take(peer).unwrap());
    drop(first);
    drop(slots.take(peer(1)).unwrap());
    assert_eq!(slots.taken(), 2);
    let addresses = lock(&slots.uncounted.taken).per_address.len();
    assert_eq!(addresses, 1, "who has left is forgotten");
}
