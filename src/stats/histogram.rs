//! How long things take, counted by classes.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::atomic::AtomicU64;

/// The upper bounds of the classes, in microseconds. What takes longer is in a class of its own.
const BOUNDS: [u64; 11] = [
    100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000,
];

/// The distribution of how long something took.
///
/// ```
/// let server = wshub::Server::bind("127.0.0.1:0")?;
/// let handshakes = server.stats().handshake_time;
/// if let Some(mean) = handshakes.mean() {
///     println!("{mean:?} for each of {} handshakes", handshakes.count());
/// }
/// for (bound, count) in handshakes.buckets() {
///     println!("{count} took at most {bound:?}");
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [deployment](crate::guide::deployment).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    classes: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

impl Histogram {
    /// How many times were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// The sum of all times.
    #[must_use]
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// The average; `None` if none was counted.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        let nanos = self.sum.as_nanos().checked_div(self.count().into())?;
        u64::try_from(nanos).ok().map(Duration::from_nanos)
    }

    /// Pairs of an upper bound, from 100 microseconds to 10 seconds, and how many times were at most that; each count
    /// includes the ones before it. [`count`](Self::count) includes longer times, too.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let bounds = BOUNDS.iter().copied().map(Duration::from_micros);
        bounds.zip(&self.classes).scan(0, |below, (bound, &class)| {
            *below += class;
            Some((bound, *below))
        })
    }
}

/// What threads count into a [`Histogram`].
#[derive(Default)]
pub(crate) struct Durations {
    classes: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl Durations {
    pub fn record(&self, took: Duration) {
        let micros = took.as_nanos().div_ceil(1_000);
        let class = BOUNDS.partition_point(|&bound| u128::from(bound) < micros);
        if let Some(class) = self.classes.get(class) {
            class.fetch_add(1, Relaxed);
        }
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Relaxed);
    }

    pub fn snapshot(&self) -> Histogram {
        Histogram {
            classes: self.classes.each_ref().map(|class| class.load(Relaxed)),
            sum: Duration::from_nanos(self.nanos.load(Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests;
