//! A stop of the pool, with threads that are slow, busy or idle.

use super::*;
use std::sync::mpsc;

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

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
