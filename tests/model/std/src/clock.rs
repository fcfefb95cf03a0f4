//! Virtual time. It stands still while any thread can run and goes on to the nearest deadline when none can, so a wake-up
//! that is lost shows: as time that passed, or as a deadlock where there is no deadline. In a hurried execution a
//! deadline may pass at any moment, as on a machine that is slow.

use ::std::cell::RefCell;
use ::std::ops::{Add, AddAssign, Sub};
use ::std::sync::Arc;
use ::std::time::Duration;

use shuttle::sync::Condvar;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

/// Far enough from zero for whoever counts back.
const START: Duration = Duration::from_secs(1 << 20);

impl Instant {
    pub fn now() -> Self {
        CLOCK.with_borrow(|clock| clock.now)
    }

    pub fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(*self)
    }

    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Instant)
    }

    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        self.0.checked_sub(duration).map(Instant)
    }

    pub fn duration_since(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }

    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        Instant(self.0 + duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        self.0 += duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    fn sub(self, duration: Duration) -> Instant {
        Instant(self.0 - duration)
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

struct Clock {
    now: Instant,
    timers: Vec<Timer>,
    next_id: u64,
    stopped: bool,
    /// The timer that is looked after now: its owner has been woken so often and did not see to it.
    stuck: usize,
}

struct Timer {
    id: u64,
    at: Instant,
    fired: bool,
    condvar: Arc<Condvar>,
}

impl Clock {
    fn new() -> Self {
        Clock {
            now: Instant(START),
            timers: Vec::new(),
            next_id: 0,
            stopped: false,
            stuck: 0,
        }
    }
}

::std::thread_local! {
    static CLOCK: RefCell<Clock> = RefCell::new(Clock::new());
}

/// Time that has passed in this execution.
pub fn passed() -> Duration {
    Instant::now() - Instant(START)
}

pub(crate) fn reset() {
    CLOCK.set(Clock::new());
}

pub(crate) fn stop() {
    CLOCK.with_borrow_mut(|clock| clock.stopped = true);
}

/// A deadline that a thread may have been too slow for; beyond an hour it is for ever.
pub(crate) fn has_a_near_deadline() -> bool {
    const FOR_EVER: Duration = Duration::from_secs(3600);
    CLOCK.with_borrow(|clock| {
        let mut pending = clock.timers.iter().filter(|timer| !timer.fired);
        pending.any(|timer| timer.at - clock.now < FOR_EVER)
    })
}

/// Wakes `condvar` at `at`, until [`clear`].
pub(crate) fn set(at: Instant, condvar: Arc<Condvar>) -> u64 {
    CLOCK.with_borrow_mut(|clock| {
        clock.next_id += 1;
        clock.timers.push(Timer {
            id: clock.next_id,
            at,
            fired: false,
            condvar,
        });
        clock.next_id
    })
}

/// True if the time had come.
pub(crate) fn clear(id: u64) -> bool {
    CLOCK.with_borrow_mut(|clock| {
        clock.stuck = 0;
        let index = clock.timers.iter().position(|timer| timer.id == id);
        index.is_some_and(|index| clock.timers.swap_remove(index).at <= clock.now)
    })
}

/// The thread that the scheduler picks when no other can run.
pub(crate) fn run() {
    // How often those whose time has come are woken again, should they have been about to sleep.
    const PATIENCE: usize = 3;
    loop {
        let due = CLOCK.with_borrow_mut(|clock| {
            if clock.stopped {
                return None;
            }
            let next = clock.timers.iter().filter(|timer| !timer.fired);
            if let Some(at) = next.map(|timer| timer.at).min() {
                clock.now = clock.now.max(at);
            } else {
                clock.stuck += 1;
                assert!(
                    clock.stuck <= PATIENCE,
                    "deadlock: every thread waits, and none of them for a deadline"
                );
            }
            let now = clock.now;
            let due = clock.timers.iter_mut().filter(|timer| timer.at <= now);
            let due = due.map(|timer| {
                timer.fired = true;
                timer.condvar.clone()
            });
            Some(due.collect::<Vec<_>>())
        });
        let Some(due) = due else { return };
        for condvar in due {
            condvar.notify_all();
        }
        shuttle::thread::yield_now();
    }
}
