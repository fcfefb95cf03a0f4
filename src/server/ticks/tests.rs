//! The schedule in time that the test chooses.

use super::*;
use crate::server::Server;

const MS: Duration = Duration::from_millis(1);

#[test]
fn each_tick_is_due_its_intervals_after_the_start() {
    let start = Instant::now();
    let mut schedule = Schedule::new(start, 20 * MS);
    assert_eq!(schedule.take(start), None);
    for number in 1..=1_000 {
        let due = schedule.due();
        assert_eq!(due, start + 20 * MS * number as u32);
        assert_eq!(schedule.take(due - Duration::from_nanos(1)), None);
        // However late it is taken, the next one is not.
        let late = Duration::from_micros(number * 19 % 19_000);
        assert_eq!(schedule.take(due + late), Some(Tick::new(number, 0)));
        assert_eq!(schedule.take(due + late), None);
    }
}

#[test]
fn missed_ticks_are_told_and_not_made_up_for() {
    let start = Instant::now();
    let mut schedule = Schedule::new(start, 20 * MS);
    assert_eq!(schedule.take(start + 20 * MS), Some(Tick::new(1, 0)));
    assert_eq!(schedule.take(start + 119 * MS), Some(Tick::new(5, 3)));
    assert_eq!(schedule.take(start + 119 * MS), None);
    assert_eq!(schedule.due(), start + 120 * MS);
    assert_eq!(schedule.take(start + 120 * MS), Some(Tick::new(6, 0)));
}

#[test]
fn intervals_have_bounds() {
    let start = Instant::now();
    assert_eq!(Schedule::new(start, Duration::ZERO).due(), start + MS);
    let mut never = Schedule::new(start, Duration::MAX);
    assert!(never.due() > start + 100 * YEAR / 101);
    assert_eq!(never.take(start + 3600 * 1000 * MS), None);
}

/// A second `Events` yields nothing, and so do its ticks, however late they are taken.
#[test]
fn beside_events_that_are_taken_elsewhere_no_tick_comes() {
    let server = Server::builder().without_listener().unwrap();
    let _in_charge = server.events();
    let long_ago = Instant::now() - 1_000 * MS;
    let mut ticks = Ticks::new(server.events(), MS, long_ago);
    for _ in 0..2 {
        assert!(matches!(ticks.recv(), Err(RecvError::InUse)));
    }
}
