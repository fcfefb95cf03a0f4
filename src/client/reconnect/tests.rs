//! The pauses between attempts.

use super::*;

#[test]
fn pauses_double_up_to_the_longest_and_half_of_each_is_chance() {
    let (first, longest) = (Duration::from_secs(1), Duration::from_secs(30));
    let bounds = |failures| {
        let at = |chance| pause(first, longest, failures, chance).as_millis();
        (at(0), at(u32::MAX))
    };
    let seen: Vec<_> = (0..7).map(bounds).collect();
    let wanted = [
        (500, 1_000),
        (1_000, 2_000),
        (2_000, 4_000),
        (4_000, 8_000),
        (8_000, 16_000),
        (15_000, 30_000),
        (15_000, 30_000),
    ];
    assert_eq!(seen, wanted);
    assert_eq!(bounds(u32::MAX), (15_000, 30_000));
    let half = pause(first, longest, 0, u32::MAX / 2).as_millis();
    assert!((749..=750).contains(&half), "{half}");
}
