//! A stop of the pool, with threads that are slow, busy or idle.

use super::*;
use crate::tests::PATIENCE;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;

/// The second stop takes it for slow: its job counts as done, and it does not leave yet.
#[test]
fn b22_a_stop_waits_for_a_thread_that_is_slow_and_not_for_one_that_is_busy() {
    let pool = Pool::new(2, 64 << 10, PATIENCE);
    let (release, released) = mpsc::channel::<()>();
    assert!(pool.run(move || _ = released.recv()).is_ok());
    let late = Instant::now() + PATIENCE;
    assert_eq!(pool.stop(|| 1, late), 1);
    let stopping = pool.clone();
    let (left, stopped) = mpsc::channel();
    let stopper = std::thread::spawn(move || left.send(stopping.stop(|| 0, late)));
    let early = stopped.recv_timeout(Duration::from_millis(100));
    assert_eq!(early, Err(mpsc::RecvTimeoutError::Timeout));
    drop(release);
    assert_eq!(stopped.recv_timeout(PATIENCE), Ok(0));
    stopper.join().unwrap().unwrap();
}

#[test]
fn what_finds_no_thread_runs_when_one_is_free() {
    let pool = Pool::new(1, 64 << 10, PATIENCE);
    let (release, released) = mpsc::channel::<()>();
    assert!(pool.run(move || _ = released.recv()).is_ok());
    let (tell, told) = mpsc::channel();
    for number in 0..3 {
        let tell = tell.clone();
        pool.run_when_free(move || tell.send(number).unwrap());
    }
    assert_eq!(told.try_recv(), Err(mpsc::TryRecvError::Empty));
    drop(release);
    for number in 0..3 {
        assert_eq!(told.recv_timeout(PATIENCE), Ok(number));
    }
    assert_eq!(pool.stop(|| 0, Instant::now() + PATIENCE), 0);
}

/// The pool keeps nothing that it does not run: the job may hold what holds the pool.
#[test]
fn what_finds_no_thread_is_dropped_when_the_pool_stops() {
    let pool = Pool::new(1, 64 << 10, PATIENCE);
    let (release, released) = mpsc::channel::<()>();
    assert!(pool.run(move || _ = released.recv()).is_ok());
    let held = Arc::new(AtomicBool::new(false));
    for stops in [true, false] {
        let ran = held.clone();
        pool.run_when_free(move || ran.store(true, Relaxed));
        if stops {
            assert_eq!(pool.stop(|| 1, Instant::now() + PATIENCE), 1);
        }
        assert_eq!(Arc::strong_count(&held), 1);
    }
    drop(release);
    assert_eq!(pool.stop(|| 0, Instant::now() + PATIENCE), 0);
    assert!(!held.load(Relaxed));
}
