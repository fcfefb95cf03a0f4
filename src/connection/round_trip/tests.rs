//! Round trips in time that the test chooses.

use super::*;

const MS: Duration = Duration::from_millis(1);

#[test]
fn an_answer_takes_from_the_ping_to_the_pong() {
    let trip = RoundTrip::default();
    assert_eq!(trip.last(), None);
    let ping = trip.ask(5 * MS);
    assert_eq!(trip.last(), None);
    trip.answered(&ping, 12 * MS);
    assert_eq!(trip.last(), Some(7 * MS));
    // The next one replaces it, however short.
    let ping = trip.ask(20 * MS);
    assert_eq!(trip.last(), Some(7 * MS));
    trip.answered(&ping, 20 * MS);
    assert_eq!(trip.last(), Some(Duration::ZERO));
}

#[test]
fn what_was_not_asked_is_no_answer() {
    let trip = RoundTrip::default();
    for made_up in [&[][..], &[0; 8], b"12345678", &[7; 125]] {
        trip.answered(made_up, MS);
    }
    let first = trip.ask(MS);
    let second = trip.ask(2 * MS);
    trip.answered(&first, 3 * MS);
    assert_eq!(trip.last(), None);
    trip.answered(&second, 4 * MS);
    trip.answered(&second, 9 * MS);
    assert_eq!(trip.last(), Some(2 * MS));
}

/// Also a ping of the very first nanosecond is one.
#[test]
fn a_ping_at_the_beginning_counts() {
    let trip = RoundTrip::default();
    let ping = trip.ask(Duration::ZERO);
    trip.answered(&ping, MS);
    assert!(trip.last().is_some_and(|took| took <= MS));
}
