use super::*;
use crate::cluster::report::{AT_ONCE, RoomCounts};

const NODE: NodeId = NodeId::new(7);

/// What it says of room `a`, and nothing waits after it.
fn hear(census: &mut Census, number: u64, is_whole: bool, members: u8) {
    hear_counts(census, number, is_whole, &counts(b'a', members));
}

fn counts(room: u8, members: u8) -> [u8; 7] {
    [0, 0, 0, members, 0, 1, room]
}

fn hear_counts(census: &mut Census, number: u64, is_whole: bool, counts: &[u8]) {
    let report = RoomReport {
        number,
        is_whole,
        lacks: false,
        counts: RoomCounts::read(counts).unwrap(),
    };
    census.hear(NODE, &report);
}

#[test]
fn reports_that_follow_each_other_are_taken() {
    let mut census = Census::default();
    hear(&mut census, 5, true, 1);
    assert_eq!((census.members("a"), census.lacks()), (1, false));
    hear(&mut census, 6, false, 3);
    // The last number may come again.
    hear(&mut census, 6, false, 2);
    assert_eq!((census.members("a"), census.lacks()), (2, false));
    hear(&mut census, 7, false, 0);
    assert_eq!(census.members("a"), 0);
    assert_eq!(census.members("b"), 0);
}

#[test]
fn what_is_missing_is_asked_for_until_it_comes() {
    let mut census = Census::default();
    census.begin();
    assert!(census.lacks());
    census.asked();
    assert!(!census.lacks());
    // It began before this node.
    hear(&mut census, 5, false, 1);
    assert_eq!((census.members("a"), census.lacks()), (0, true));
    hear(&mut census, 6, false, 1);
    assert!(census.lacks());
    hear(&mut census, 7, true, 2);
    assert_eq!((census.members("a"), census.lacks()), (2, false));
    // One is missing: what was told before is the best that is known.
    hear(&mut census, 9, false, 4);
    assert_eq!((census.members("a"), census.lacks()), (2, true));
    census.leave(NODE);
    assert_eq!((census.members("a"), census.lacks()), (0, false));
}

#[test]
fn what_is_told_anew_holds_as_before_until_all_of_it_has_come() {
    let mut census = Census::default();
    let members = |census: &Census| ["a", "b", "c"].map(|room| census.members(room));
    let all = [counts(b'a', 1), counts(b'b', 2), counts(b'c', 3)].concat();
    hear_counts(&mut census, 1, true, &all);
    assert_eq!(members(&census), [1, 2, 3]);
    // More than one report has room for: there is no room `c` any more, and that is known at the end.
    let mut first = counts(b'a', 4).repeat(AT_ONCE / 7 + 1);
    first.extend(counts(b'd', 1));
    hear_counts(&mut census, 2, true, &first);
    assert_eq!(members(&census), [4, 2, 3]);
    hear_counts(&mut census, 3, false, &counts(b'b', 0));
    assert_eq!(members(&census), [4, 0, 0]);
    assert_eq!(census.members("d"), 1);
}

#[test]
fn any_number_of_a_report_is_taken() {
    let mut census = Census::default();
    hear(&mut census, u64::MAX, true, 1);
    hear(&mut census, u64::MAX, false, 2);
    assert_eq!(census.members("a"), 2);
}
