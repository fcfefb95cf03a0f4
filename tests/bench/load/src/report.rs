//! The figures of a run, as one JSON object.

use crate::histogram::Histogram;
use std::fmt;

#[derive(Default)]
pub struct Report(Vec<(String, f64)>);

impl Report {
    pub fn put(&mut self, key: &str, value: f64) {
        self.0.push((key.to_string(), value));
    }

    pub fn get(&self, key: &str) -> Option<f64> {
        let found = self.0.iter().find(|(it, _)| it == key);
        found.map(|(_, value)| *value)
    }

    /// Quantiles, where there is anything to take them from.
    pub fn quantiles(&mut self, latencies: &Histogram) {
        if latencies.count() > 0 {
            self.put("p50_us", latencies.quantile(0.5));
            self.put("p99_us", latencies.quantile(0.99));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        let finite = self.0.iter().filter(|(_, value)| value.is_finite());
        for (i, (key, value)) in finite.enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}\"{key}\": {value}")?;
        }
        f.write_str("}")
    }
}
