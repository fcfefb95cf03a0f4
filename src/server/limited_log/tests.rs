//! How many lines the log gets of a flood of refusals.

use super::*;

#[test]
fn a_flood_of_one_reason_is_counted_and_others_still_show() {
    let (log, now) = (LimitedLog::default(), Instant::now());
    let turns: Vec<_> = (0..10).map(|_| log.turn("origin", now)).collect();
    assert_eq!(turns[..4], [Some(0), Some(0), Some(0), None]);
    assert_eq!(log.turn("host", now), Some(0));
    assert_eq!(log.turn("origin", now + WINDOW), Some(7));
}
