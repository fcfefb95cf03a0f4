//! Simulations from a seed: numbers that follow from it, and a run over many seeds that says how to repeat a failure.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// Numbers that follow from a seed (xorshift64*): the same on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        // Neighbouring seeds must not begin alike.
        let mut random = Random((seed ^ 0x9E37_79B9_7F4A_7C15) | 1);
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

/// Simulates seed after seed, from 0, for `time`; or as many as `WSHUB_SEEDS` says, or only the one of `WSHUB_SEED`.
///
/// `test` is what cargo needs to run the calling test alone, for whoever repeats a failure.
pub fn for_each_seed(test: &str, time: Duration, simulate: impl Fn(u64)) {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse().expect(name))
    };
    let (seeds, until) = match (number("WSHUB_SEED"), number("WSHUB_SEEDS")) {
        (Some(seed), _) => (seed..seed + 1, None),
        (None, Some(count)) => (0..count, None),
        (None, None) => (0..u64::MAX, Some(Instant::now() + time)),
    };
    let mut done = 0;
    for seed in seeds {
        if until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| simulate(seed))) {
            eprintln!(
                "seed {seed} failed; to repeat it: WSHUB_SEED={seed} cargo test --all-features {test}"
            );
            resume_unwind(panic);
        }
        done += 1;
    }
    println!("{done} seeds");
}
