use super::*;

const SECOND: Duration = Duration::from_secs(1);
const BOUNDS: RecoveryBounds = RecoveryBounds {
    window: Duration::from_secs(10),
    max_packets: 4,
    max_bytes: 100,
    max_sockets: 2,
};

fn recovery() -> Recovery<&'static str, u32> {
    Recovery::new(BOUNDS)
}

fn rooms(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn to(names: &[&str]) -> Audience {
    Audience {
        rooms: rooms(names),
        except: Vec::new(),
    }
}

#[test]
fn who_comes_back_gets_what_was_meant_for_it_and_was_missed() {
    let mut recovery = recovery();
    let seen = recovery.next_offset();
    recovery.keep("seen", 1, to(&[]), SECOND);
    recovery.depart("p".to_owned(), rooms(&["a", "me"]), 7, SECOND);
    recovery.keep("for all", 1, to(&[]), SECOND);
    recovery.keep("for b", 1, to(&["b"]), SECOND);
    let mut but_a = to(&[]);
    but_a.except = rooms(&["a"]);
    recovery.keep("but a", 1, but_a, SECOND);
    assert!(recovery.return_of("other", seen, SECOND).is_none());
    let (departed, missed) = recovery.return_of("p", seen, SECOND).unwrap();
    assert_eq!((departed.known, departed.rooms), (7, rooms(&["a", "me"])));
    assert_eq!(missed, ["for all"]);
    assert!(recovery.return_of("p", seen, SECOND).is_none(), "once");
    assert!(recovery.order.is_empty());
}

#[test]
fn who_comes_too_late_is_new() {
    let mut recovery = recovery();
    let seen = recovery.next_offset();
    recovery.depart("p".to_owned(), vec![], 7, SECOND);
    recovery.keep("seen", 1, to(&[]), 9 * SECOND);
    assert!(recovery.return_of("p", seen, 12 * SECOND).is_none());
    assert!(recovery.departed.is_empty() && recovery.order.is_empty());
    assert_eq!(recovery.take_forgotten().len(), 1);
}

#[test]
fn who_missed_packets_that_are_gone_is_new() {
    let mut recovery = recovery();
    let seen = recovery.next_offset();
    recovery.keep("seen", 1, to(&[]), SECOND);
    recovery.depart("p".to_owned(), vec![], 7, SECOND);
    for _ in 0..4 {
        recovery.keep("more", 1, to(&[]), SECOND);
    }
    assert!(
        recovery.return_of("p", seen, SECOND).is_none(),
        "one too many"
    );
    assert!(recovery.return_of("p", seen + 1, SECOND).is_some());
}

#[test]
fn packets_bytes_and_sockets_are_bounded() {
    let mut recovery = recovery();
    for _ in 0..10 {
        recovery.keep("x", 40, to(&[]), SECOND);
    }
    assert_eq!((recovery.packets.len(), recovery.bytes), (2, 80));
    recovery.keep("huge", 1_000, to(&[]), SECOND);
    assert_eq!((recovery.packets.len(), recovery.bytes), (0, 0));
    let seen = recovery.next_offset();
    recovery.keep("x", 1, to(&[]), SECOND);
    for name in ["a", "b", "c"] {
        recovery.depart(name.to_owned(), vec![], 1, SECOND);
    }
    assert!(recovery.return_of("a", seen, SECOND).is_none());
    assert!(recovery.return_of("b", seen, SECOND).is_some());
    assert!(recovery.return_of("c", seen, SECOND).is_some());
}
