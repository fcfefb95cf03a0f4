//! Runs a model under many schedules, each made from a seed: the same seed is the same schedule.

use ::std::cell::Cell;
use ::std::panic::{AssertUnwindSafe, catch_unwind};
use ::std::time::{Duration, Instant};

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use crate::{clock, kernel};

/// The first thread that a model's main thread starts.
const CLOCK: usize = 1;
/// More than any model needs: threads that go round in circles.
const STEPS: usize = 200_000;
/// The code under test reckons with small stacks, the checks do not.
const STACK: usize = 256 << 10;

/// Which schedules a model bears.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Time passes only where nothing else can happen.
    Calm,
    /// In half of the schedules a deadline may pass at any moment.
    Any,
}

::std::thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
    static HURRIED: Cell<bool> = const { Cell::new(false) };
    static RACES: Cell<bool> = const { Cell::new(false) };
}

/// What a model is about begins here: where the schedule changes its mind only so often, it does so from here on.
pub fn race() {
    RACES.set(true);
}

/// True where a deadline may pass at any moment.
pub fn is_hurried() -> bool {
    HURRIED.get()
}

/// Runs `model` for `time`, or `most` times, from `first` on, but once at least; how many schedules that were, or the seed
/// that failed.
pub fn check(first: u64, most: u64, time: Duration, clock: Time, model: fn()) -> Result<u64, u64> {
    let mut config = Config::new();
    config.stack_size = STACK;
    config.max_steps = MaxSteps::FailAfter(STEPS);
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    let scheduler = Seeded {
        first,
        next: first,
        end: first.saturating_add(most),
        until: Instant::now() + time,
        clock,
        random: Random(0),
        mode: Mode::Walk { stay: 0 },
    };
    let runner = Runner::new(scheduler, config);
    let run = || {
        runner.run(move || {
            clock::reset();
            kernel::reset();
            let clock = shuttle::thread::spawn(clock::run);
            model();
            clock::stop();
            let _ = clock.join();
        })
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(count) => Ok(count as u64),
        Err(_) => Err(SEED.get()),
    }
}

/// How the next thread is chosen.
#[derive(Debug)]
enum Mode {
    /// At random; so many times out of eight the one that runs goes on.
    Walk { stay: u64 },
    /// By priority, which changes at few points (probabilistic concurrency testing: it finds what takes one thread to
    /// stand still for long).
    Priority {
        priorities: Vec<u64>,
        changes: Vec<u64>,
        step: u64,
    },
}

#[derive(Debug)]
struct Seeded {
    first: u64,
    next: u64,
    end: u64,
    until: Instant,
    clock: Time,
    random: Random,
    mode: Mode,
}

impl std::fmt::Debug for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Time::Calm => "calm",
            Time::Any => "any",
        })
    }
}

impl Scheduler for Seeded {
    fn new_execution(&mut self) -> Option<Schedule> {
        let is_over = self.next > self.first && Instant::now() >= self.until;
        if self.next >= self.end || is_over {
            return None;
        }
        let seed = self.next;
        self.next += 1;
        SEED.set(seed);
        HURRIED.set(self.clock == Time::Any && seed % 2 == 1);
        RACES.set(false);
        self.random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        self.mode = match self.random.below(3) {
            0 => Mode::Walk { stay: 0 },
            1 => Mode::Walk { stay: 6 },
            _ => {
                let length = 1 << self.random.below(11);
                Mode::Priority {
                    priorities: Vec::new(),
                    changes: (0..4).map(|_| self.random.below(length)).collect(),
                    step: 0,
                }
            }
        };
        Some(Schedule::new(seed))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let clock = TaskId::from(CLOCK);
        let others: Vec<TaskId> = runnable
            .iter()
            .map(|task| task.id())
            .filter(|id| *id != clock)
            .collect();
        let waits = others.len() < runnable.len();
        let passes = HURRIED.get() && self.random.below(48) == 0 && clock::has_a_near_deadline();
        if others.is_empty() || (waits && passes) {
            return Some(clock);
        }
        let current = current.filter(|current| others.contains(current));
        Some(self.choose(&others, current, is_yielding))
    }

    fn next_u64(&mut self) -> u64 {
        self.random.next()
    }
}

impl Seeded {
    fn choose(&mut self, others: &[TaskId], current: Option<TaskId>, is_yielding: bool) -> TaskId {
        let random = &mut self.random;
        match &mut self.mode {
            Mode::Walk { stay } => match current {
                Some(current) if !is_yielding && random.below(8) < *stay => current,
                _ => others[random.below(others.len() as u64) as usize],
            },
            Mode::Priority {
                priorities,
                changes,
                step,
            } => {
                *step = match RACES.take() {
                    true => 1,
                    false => *step + 1,
                };
                let most = others.iter().map(|id| usize::from(*id)).max().unwrap_or(0);
                while priorities.len() <= most {
                    priorities.push(1 << 32 | random.below(1 << 32));
                }
                if let Some(current) = current.filter(|_| is_yielding || changes.contains(step)) {
                    priorities[usize::from(current)] = (1 << 31) - *step;
                }
                let highest = others.iter().max_by_key(|id| priorities[usize::from(**id)]);
                *highest.expect("somebody can run")
            }
        }
    }
}

/// splitmix64.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A number below `bound` that the schedule's seed gives: what a peer or an application chooses.
pub fn choose(bound: u64) -> u64 {
    use shuttle::rand::{Rng, thread_rng};
    thread_rng().gen_range(0..bound)
}
