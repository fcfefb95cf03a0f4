//! Simulations from a seed: numbers that follow from it, and a run over many seeds that says how to repeat a failure.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Numbers that follow from a seed (xorshift64*): the same on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        // Never 0, no two alike, and neighbours go apart.
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | u64::from(seed == 0));
        for _ in 0..8 {
            random.number();
        }
        random
    }

    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// From 0 to less than `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() >> 16) as usize % bound.max(1)
    }

    /// True so many times in a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Simulates seed after seed, from 0, on so many threads, for `time`; or as many as `WSHUB_SEEDS` says, or only the one
/// of `WSHUB_SEED`.
///
/// `test` is what cargo needs to run the calling test alone, so that a failure can be repeated.
pub fn for_each_seed(test: &str, threads: usize, time: Duration, simulate: impl Fn(u64) + Sync) {
    let number = |name| {
        let value = std::env::var(name).ok();
        value.map(|text| text.parse::<u64>().expect(name))
    };
    let (first, end, until) = match (number("WSHUB_SEED"), number("WSHUB_SEEDS")) {
        (Some(seed), _) => (seed, seed + 1, None),
        (None, Some(count)) => (0, count, None),
        (None, None) => (0, u64::MAX, Some(Instant::now() + time)),
    };
    let seeds = Mutex::new(first..end);
    let work = || {
        while until.is_none_or(|until| Instant::now() < until) {
            let Some(seed) = seeds.lock().unwrap().next() else {
                return;
            };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| simulate(seed))) {
                eprintln!(
                    "seed {seed} failed; to repeat it: WSHUB_SEED={seed} cargo test --all-features {test}"
                );
                // The others need not go on.
                *seeds.lock().unwrap() = end..end;
                resume_unwind(panic);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let seeds = seeds.into_inner().unwrap();
    println!("{test}: {} seeds", seeds.start - first);
}
