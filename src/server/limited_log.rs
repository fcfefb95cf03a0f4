//! Log lines that many clients can cause, such as those about refusals: a few of a kind and second, the rest counted.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use log::Level;

use crate::lock::{LIMITED_LOG, Mutex, lock};
use crate::logging::{Line, is_on};

/// Lines of one kind and second.
const LINES: u32 = 3;
const WINDOW: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct LimitedLog(Mutex<HashMap<&'static str, Window>, LIMITED_LOG>);

struct Window {
    since: Instant,
    lines: u32,
    left_out: u32,
}

impl LimitedLog {
    /// Logs what `text` says, unless this second has seen enough of its kind.
    pub fn log(&self, kind: &'static str, text: impl FnOnce() -> String) {
        if let Some(line) = self.line(kind, text) {
            line.write();
        }
    }

    /// As [`log`](LimitedLog::log), where somebody should look into it. The target of the line is `module`.
    #[cfg(feature = "socketio")]
    pub fn warn(&self, module: &'static str, kind: &'static str, text: impl FnOnce() -> String) {
        if let Some(line) = self.line_of(Level::Warn, module, kind, text) {
            line.write();
        }
    }

    /// As [`log`](LimitedLog::log), for the caller to write.
    pub fn line(&self, kind: &'static str, text: impl FnOnce() -> String) -> Option<Line> {
        self.line_of(Level::Info, module_path!(), kind, text)
    }

    fn line_of(
        &self,
        level: Level,
        module: &'static str,
        kind: &'static str,
        text: impl FnOnce() -> String,
    ) -> Option<Line> {
        if !is_on(level) {
            return None;
        }
        let text = match (self.turn(kind, Instant::now())?, text()) {
            (0, text) => text,
            (more, text) => format!("{text} ({more} more like it were not logged)"),
        };
        Some(Line::new(level, module, text))
    }

    /// Whether a line may be written now, and how many were left out before it.
    fn turn(&self, kind: &'static str, now: Instant) -> Option<u32> {
        let mut windows = lock(&self.0);
        let window = windows.entry(kind).or_insert(Window {
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
