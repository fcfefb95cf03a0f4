//! Log lines about refusals: a few per reason and second, the rest counted.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use log::Level;

use crate::lock::{Mutex, REFUSALS, lock};
use crate::logging::{Line, is_on, line_for_later};

/// Lines per reason and second.
const LINES: u32 = 3;
const WINDOW: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Refusals(Mutex<HashMap<&'static str, Window>, REFUSALS>);

struct Window {
    since: Instant,
    lines: u32,
    left_out: u32,
}

impl Refusals {
    /// Logs what `text` says, unless this second has seen enough of `reason`.
    pub fn log(&self, reason: &'static str, text: impl FnOnce() -> String) {
        if let Some(line) = self.line(reason, text) {
            line.write();
        }
    }

    /// As [`log`](Refusals::log), for the caller to write.
    pub fn line(&self, reason: &'static str, text: impl FnOnce() -> String) -> Option<Line> {
        if !is_on(Level::Info) {
            return None;
        }
        let left_out = self.turn(reason, Instant::now())?;
        let text = text();
        match left_out {
            0 => line_for_later!(Info, "{text}"),
            more => line_for_later!(Info, "{text} ({more} more like it were not logged)"),
        }
    }

    /// Whether a line may be written now, and how many were left out before it.
    fn turn(&self, reason: &'static str, now: Instant) -> Option<u32> {
        let mut windows = lock(&self.0);
        let window = windows.entry(reason).or_insert(Window {
            since: now,
            lines: 0,
            left_out: 0,
        });
        if now.saturating_duration_since(window.since) >= WINDOW {
            (window.since, window.lines) = (now, 0);
        }
        if window.lines >= LINES {
            window.left_out += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

#[cfg(test)]
mod tests;
