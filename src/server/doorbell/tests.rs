//! A sleeper is woken by whoever rings, however close the two come.

use super::*;
use crate::tests::PATIENCE;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::Duration;

#[test]
fn whoever_rings_is_heard() {
    let (bell, there) = (Doorbell::default(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    there.fetch_add(1, SeqCst);
                    bell.ring();
                }
            });
        }
        let (mut taken, end) = (0, Instant::now() + PATIENCE);
        while taken < 4_000 {
            let look = || Some(there.swap(0, SeqCst)).filter(|&found| found > 0);
            taken += bell.wait(Some(end), look).expect("a ring");
            // It looks again at its deadline, and would find what nobody was woken for.
            assert!(Instant::now() < end, "a ring was lost");
        }
    });
}

#[test]
fn nothing_comes_until_the_deadline_and_what_is_there_comes_behind_it() {
    let bell = Doorbell::default();
    let deadline = Instant::now() + Duration::from_millis(5);
    assert_eq!(bell.wait(Some(deadline), || None::<()>), None);
    assert!(Instant::now() >= deadline);
    assert_eq!(bell.wait(Some(deadline), || Some(1)), Some(1));
}
