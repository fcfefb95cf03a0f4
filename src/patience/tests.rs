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
