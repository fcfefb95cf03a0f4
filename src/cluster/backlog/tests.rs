use core::time::Duration;

use super::*;

const NOW: Duration = Duration::from_secs(1);
const BOUNDS: BacklogBounds = BacklogBounds {
    messages: 4,
    bytes: 100,
    age: Duration::from_secs(10),
};

/// With so many in it, of one byte each.
fn with(count: usize) -> Backlog<u64> {
    let mut backlog = Backlog::new(BOUNDS);
    for _ in 0..count {
        assert_eq!(backlog.push(1, NOW, |number| number), 0);
    }
    backlog
}

fn rest(backlog: &mut Backlog<u64>) -> Vec<u64> {
    backlog.begin(100, 1000).frames
}

#[test]
fn numbers_begin_at_one_and_what_is_published_goes() {
    let mut backlog = with(3);
    let batch = backlog.begin(2, 1000);
    assert_eq!((batch.frames, batch.last), (vec![1, 2], 2));
    backlog.done();
    let batch = backlog.begin(2, 1000);
    assert_eq!((batch.frames, batch.last), (vec![3], 3));
    backlog.done();
    let batch = backlog.begin(2, 1000);
    assert_eq!((batch.frames, batch.last), (vec![], 3));
    assert!(backlog.is_empty());
}

#[test]
fn what_failed_comes_again() {
    let mut backlog = with(3);
    backlog.begin(2, 1000);
    backlog.failed();
    assert_eq!(rest(&mut backlog), [1, 2, 3]);
}

#[test]
fn the_oldest_goes_where_there_are_too_many_or_too_much() {
    let mut backlog = with(4);
    assert_eq!(backlog.push(1, NOW, |number| number), 1);
    assert_eq!(rest(&mut backlog), [2, 3, 4, 5]);
    backlog.failed();
    assert_eq!(backlog.push(98, NOW, |number| number), 2);
    assert_eq!(rest(&mut backlog), [4, 5, 6]);
    backlog.failed();
    assert_eq!(backlog.push(101, NOW, |number| number), 4, "itself, too");
    assert_eq!(backlog.len(), 0);
}

#[test]
fn what_is_under_way_stays() {
    let mut backlog = with(4);
    backlog.begin(2, 1000);
    assert_eq!(backlog.push(1, NOW, |number| number), 1, "the third");
    backlog.done();
    let batch = backlog.begin(2, 1000);
    assert_eq!((batch.frames, batch.last), (vec![4, 5], 5));
}

#[test]
fn what_was_lost_behind_a_batch_is_behind_it() {
    let mut backlog = with(4);
    backlog.begin(2, 1000);
    assert_eq!(backlog.push(1, NOW, |number| number), 1, "the third");
    backlog.failed();
    assert_eq!(backlog.begin(2, 1000).last, 3);
}

#[test]
fn the_oldest_goes_when_it_is_too_old() {
    let mut backlog = with(1);
    let later = NOW + BOUNDS.age;
    backlog.push(1, later, |number| number);
    assert_eq!(backlog.due(), Some(later));
    assert_eq!(backlog.cut(later), 0);
    assert_eq!(backlog.cut(later + Duration::from_millis(1)), 1);
    assert_eq!(rest(&mut backlog), [2]);
}

#[test]
fn a_batch_has_one_frame_at_least_and_no_more_bytes_than_said() {
    let mut backlog = Backlog::new(BOUNDS);
    for bytes in [60, 10, 10, 10] {
        backlog.push(bytes, NOW, |number| number);
    }
    assert_eq!(backlog.begin(100, 25).frames, [1]);
    backlog.done();
    assert_eq!(backlog.begin(100, 25).frames, [2, 3]);
}
