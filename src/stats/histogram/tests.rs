use std::time::Duration;

use super::*;

#[test]
fn what_takes_as_long_as_a_bound_is_below_it() {
    let durations = Durations::default();
    for micros in [0, 100, 101, 10_000_000, 10_000_001] {
        durations.record(Duration::from_micros(micros));
    }
    durations.record(Duration::from_nanos(100_001));
    let seen = durations.snapshot();
    let buckets: Vec<_> = seen.buckets().map(|(_, count)| count).collect();
    assert_eq!(buckets, [2, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5]);
    assert_eq!(seen.count(), 6);
    let micros: u64 = [0, 100, 101, 10_000_000, 10_000_001, 100].iter().sum();
    assert_eq!(seen.sum(), Duration::from_nanos(micros * 1_000 + 1));
    assert_eq!(seen.mean(), Some(seen.sum() / 6));
}

#[test]
fn without_a_count_there_is_no_mean() {
    assert_eq!(Histogram::default().mean(), None);
}
