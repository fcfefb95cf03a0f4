use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn each_acknowledgement_is_taken_once_by_whom_it_was_asked_from() {
    let mut acks = Acks::default();
    let id = acks.next_id();
    acks.add(1, id, SECOND, "a", 10).unwrap();
    assert_eq!(acks.take(2, id), None, "another socket's");
    assert_eq!(acks.take(1, id), Some("a"));
    assert_eq!(acks.take(1, id), None, "again");
    assert_eq!(acks.deadline(), None);
}

#[test]
fn deadlines_come_in_order() {
    let mut acks = Acks::default();
    acks.add(1, 7, 3 * SECOND, "late", 10).unwrap();
    acks.add(2, 8, SECOND, "soon", 10).unwrap();
    assert_eq!(acks.deadline(), Some(SECOND));
    assert_eq!(acks.take_overdue(SECOND / 2), None);
    assert_eq!(acks.take_overdue(4 * SECOND), Some((8, "soon")));
    assert_eq!(acks.take_overdue(4 * SECOND), Some((7, "late")));
    assert_eq!(acks.take_overdue(4 * SECOND), None);
}

#[test]
fn who_is_gone_leaves_none_behind() {
    let mut acks = Acks::default();
    acks.add(1, 1, SECOND, "a", 10).unwrap();
    acks.add(2, 1, SECOND, "b", 10).unwrap();
    acks.add(1, 2, SECOND, "c", 10).unwrap();
    assert_eq!(acks.remove(1), [(1, "a"), (2, "c")]);
    assert_eq!(acks.remove(1), []);
    assert_eq!((acks.waiting.len(), acks.deadlines.len()), (1, 1));
}

#[test]
fn one_socket_awaits_so_many() {
    let mut acks = Acks::default();
    acks.add(1, 1, SECOND, "a", 1).unwrap();
    assert_eq!(acks.add(1, 2, SECOND, "b", 1), Err(TooManyAcks));
    assert!(acks.add(2, 2, SECOND, "b", 1).is_ok());
}
