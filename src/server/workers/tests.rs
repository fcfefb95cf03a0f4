//! A stop waits for threads that are about to leave, and leaves those behind that are busy.

use std::sync::mpsc::channel;

use super::*;
use crate::tests::PATIENCE;

#[test]
fn a_stop_leaves_behind_who_is_busy_and_starts_nobody_any_more() {
    let workers = Workers::new(&Limits::default(), 2);
    let (release, released) = channel::<()>();
    let (ran, runs) = channel();
    assert!(workers.run(move || _ = released.recv()).is_ok());
    assert!(workers.run(move || ran.send(()).unwrap()).is_ok());
    runs.recv_timeout(PATIENCE).unwrap();
    let later = Instant::now() + PATIENCE;
    assert_eq!(workers.stop_pool(|| 1, later), 1);
    drop(release);
    assert_eq!(workers.stop_pool(|| 0, later), 0);
    assert!(workers.run(|| {}).is_err());
    assert_eq!(workers.stop_threads(later), 0);
    assert!(workers.start("late", || {}).is_err());
}

#[test]
fn a_thread_that_serves_all_goes_on_after_a_panic() {
    let workers = Workers::new(&Limits::default(), 1);
    let (tell, told) = channel();
    let mut tries = 0;
    let work = move || {
        tries += 1;
        assert!(tries > 1, "as a bug does");
        tell.send(tries).unwrap();
    };
    assert!(workers.start("thread", work).is_ok());
    assert_eq!(told.recv_timeout(PATIENCE), Ok(2));
    workers.stop_threads(Instant::now() + PATIENCE);
}
