//! Latencies, counted in log-linear buckets: 64 for each power of two, so within 1.6 %.

use std::time::Duration;

const BITS: u32 = 6;

pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram::new()
    }
}

impl Histogram {
    pub fn new() -> Histogram {
        Histogram {
            buckets: vec![0; 64 << BITS],
            count: 0,
        }
    }

    pub fn add(&mut self, latency: Duration) {
        let ns = (latency.as_nanos() as u64).max(1 << BITS);
        let octave = ns.ilog2() - BITS;
        self.buckets[((octave << BITS) as u64 + (ns >> octave)) as usize] += 1;
        self.count += 1;
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The latency, in microseconds, that the share `p` of all stays at or under.
    pub fn quantile(&self, p: f64) -> f64 {
        let rank = ((self.count as f64 * p).ceil() as u64).max(1);
        let mut seen = 0;
        for (i, n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen >= rank {
                let (octave, step) = ((i >> BITS).max(1) - 1, i & 63 | 64);
                return ((step as u64) << octave) as f64 / 1e3;
            }
        }
        0.0
    }
}
