//! The pool's hand-over: a job runs at once or is refused, and a stop leaves no thread behind.

use std::check::is_hurried;
use std::clock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::server::pool::Pool;
use crate::server::threads::NotStarted;

const IDLE: Duration = Duration::from_secs(10);

/// Stops the pool; again while a clock in a hurry lets no thread leave in time.
fn stop(pool: &Pool) -> usize {
    loop {
        let left = pool.stop(|| 0, Instant::now() + IDLE);
        if left == 0 || !is_hurried() {
            return left;
        }
        thread::yield_now();
    }
}

/// Lets threads wait for each other.
#[derive(Default)]
struct Gate {
    arrived: Mutex<usize>,
    changed: Condvar,
}

impl Gate {
    fn arrive(&self) {
        *self.arrived.lock().unwrap() += 1;
        self.changed.notify_all();
    }

    fn wait_for(&self, count: usize) {
        let mut arrived = self.arrived.lock().unwrap();
        while *arrived < count {
            arrived = self.changed.wait(arrived).unwrap();
        }
    }
}

/// Two threads give jobs, all of which wait for one another: none is queued after a living one, whichever threads were
/// idle.
pub fn no_job_waits_behind_another() {
    let pool = Pool::new(8, 0, IDLE);
    let (first, all) = (Arc::<Gate>::default(), Arc::<Gate>::default());
    for _ in 0..2 {
        let first = first.clone();
        assert!(pool.run(move || first.arrive()).is_ok());
    }
    let givers: Vec<_> = (0..2)
        .map(|_| {
            let (pool, all) = (pool.clone(), all.clone());
            thread::spawn(move || {
                for _ in 0..2 {
                    let all = all.clone();
                    let taken = pool.run(move || {
                        all.arrive();
                        all.wait_for(4);
                    });
                    assert!(taken.is_ok());
                }
            })
        })
        .collect();
    for giver in givers {
        giver.join().unwrap();
    }
    all.wait_for(4);
    first.wait_for(2);
    assert_eq!(
        clock::passed(),
        Duration::ZERO,
        "a job waited for a thread's time to run out"
    );
    assert_eq!(stop(&pool), 0);
    assert_eq!(
        clock::passed(),
        Duration::ZERO,
        "the stop waited for a thread's time to run out"
    );
}

/// Threads whose idle time runs out as jobs come: every job runs, no thread is counted twice.
pub fn idle_threads_leave_as_jobs_come() {
    let pool = Pool::new(4, 0, IDLE);
    let done = Arc::<Gate>::default();
    let givers: Vec<_> = (0..2)
        .map(|_| {
            let (pool, done) = (pool.clone(), done.clone());
            thread::spawn(move || {
                for _ in 0..2 {
                    let done = done.clone();
                    assert!(pool.run(move || done.arrive()).is_ok());
                }
            })
        })
        .collect();
    for giver in givers {
        giver.join().unwrap();
    }
    done.wait_for(4);
    assert!(pool.threads() <= 4);
    assert_eq!(stop(&pool), 0);
    assert_eq!(pool.threads(), 0);
}

/// A stop while jobs come: each ran or was refused, afterwards no thread is left, and none is unjoined.
pub fn stop_joins_everyone() {
    let pool = Pool::new(2, 0, IDLE);
    let ran = Arc::new(AtomicUsize::new(0));
    let giver = thread::spawn({
        let (pool, ran) = (pool.clone(), ran.clone());
        move || {
            let mut taken = 0;
            for _ in 0..3 {
                let ran = ran.clone();
                match pool.run(move || _ = ran.fetch_add(1, SeqCst)) {
                    Ok(()) => taken += 1,
                    Err(NotStarted::Full | NotStarted::Stopping) => {}
                    Err(refused) => panic!("{refused}"),
                }
            }
            taken
        }
    });
    let stopper = thread::spawn({
        let pool = pool.clone();
        move || stop(&pool)
    });
    let left = stopper.join().unwrap();
    let taken = giver.join().unwrap();
    assert_eq!(left, 0);
    // A job that came in between was given a thread before the stop: it runs to its end.
    assert_eq!(stop(&pool), 0);
    assert_eq!(ran.load(SeqCst), taken);
    assert_eq!(Arc::strong_count(&pool), 1, "a thread holds the pool");
}
