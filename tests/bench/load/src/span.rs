//! A measured stretch of time, after a warm-up or at once: what the server and this generator spent in it.

use crate::process::Process;
use crate::report::Report;
use std::time::{Duration, Instant};

pub struct Span {
    pid: Option<String>,
    server: Process,
    own: Process,
    start: Instant,
}

/// What a [`Span`] came to.
pub struct Spent {
    pub time: Duration,
    server: Option<Duration>,
    own: Duration,
}

impl Span {
    pub fn start(pid: Option<u32>) -> Span {
        let pid = pid.map(|pid| pid.to_string());
        Span {
            server: pid.as_deref().map(Process::read).unwrap_or_default(),
            own: Process::read("self"),
            start: Instant::now(),
            pid,
        }
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub fn stop(&self) -> Spent {
        let time = self.elapsed();
        let since = |pid, then: Process| Process::read(pid).cpu.saturating_sub(then.cpu);
        Spent {
            time,
            server: self.pid.as_deref().map(|pid| since(pid, self.server)),
            own: since("self", self.own),
        }
    }
}

/// A span after a warm-up.
pub struct WarmSpan {
    pid: Option<u32>,
    warmup: Duration,
    seconds: Duration,
    is_warm: bool,
    span: Span,
}

impl WarmSpan {
    /// Begins the warm-up.
    pub fn begin(pid: Option<u32>, warmup: Duration, seconds: Duration) -> WarmSpan {
        WarmSpan {
            pid,
            warmup,
            seconds,
            is_warm: false,
            span: Span::start(pid),
        }
    }

    /// True once, after the warm-up: the span starts, and what was counted before is no part of it.
    pub fn starts(&mut self) -> bool {
        let starts = !self.is_warm && self.span.elapsed() >= self.warmup;
        if starts {
            (self.is_warm, self.span) = (true, Span::start(self.pid));
        }
        starts
    }

    pub fn is_over(&self) -> bool {
        self.is_warm && self.span.elapsed() >= self.seconds
    }

    pub fn stop(&self) -> Spent {
        self.span.stop()
    }
}

impl Spent {
    /// Reports the stretch, in which the server handled `messages`.
    pub fn report(&self, report: &mut Report, messages: u64) {
        let seconds = self.time.as_secs_f64();
        report.put("messages", messages as f64);
        report.put("per_second", messages as f64 / seconds);
        report.put("load_cpu", self.own.as_secs_f64() / seconds);
        if let Some(server) = self.server {
            report.put("server_cpu", server.as_secs_f64() / seconds);
            report.put("cpu_us", server.as_secs_f64() * 1e6 / messages as f64);
        }
    }
}
