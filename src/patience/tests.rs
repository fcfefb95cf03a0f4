//! How long a process has to stand still to be given another round.

use super::*;

#[test]
fn b20_a_standstill_is_worth_one_round_and_being_a_little_late_is_worth_none() {
    const ROUND: Duration = Duration::from_secs(60);
    let late = |by| Patience::new(Instant::now().checked_sub(ROUND + by).unwrap(), ROUND);
    assert!(!late(Duration::from_millis(1)).renew(Instant::now()));
    // Whenever it began, before the wait too: a whole round.
    let mut patience = late(2 * STANDSTILL);
    assert!(patience.renew(Instant::now()));
    assert!(patience.deadline() > Instant::now() + ROUND * 5 / 6);
    let mut once = Patience {
        round: None,
        ..late(2 * STANDSTILL)
    };
    assert!(!once.renew(Instant::now()));
}

#[test]
fn what_others_take_is_put_behind_the_deadline() {
    let now = Instant::now();
    let pace = Pace {
        patience: Duration::from_secs(1),
        min_rate: 1000,
    };
    let mut patience = Patience::paced(now, pace);
    patience.put_off(Duration::from_secs(60));
    assert_eq!(patience.deadline(), now + Duration::from_secs(61));
    // Nor is it taken for a standstill, or for a peer's that took its bytes late.
    patience.progressed(100, now + Duration::from_secs(60));
    assert_eq!(patience.deadline(), now + Duration::from_secs(61));
}

/// A shutdown that woke up late gives the other threads as much longer, and ends all the same.
#[test]
fn b20_threads_are_waited_for_while_the_process_runs() {
    const GRACE: Duration = Duration::from_secs(2);
    const STOOD_STILL: Duration = Duration::from_secs(30);
    let waits = |late: Duration| {
        let mut now = Instant::now();
        let mut grace = Grace::until(now + GRACE);
        let (mut waits, mut waited) = (0, Duration::ZERO);
        while let Some(wait) = grace.next_wait(now) {
            now += wait + late;
            waited += wait;
            waits += 1;
        }
        (waits, waited)
    };
    assert_eq!(waits(Duration::ZERO).1, GRACE);
    assert_eq!(waits(STOOD_STILL), waits(Duration::ZERO));
}
