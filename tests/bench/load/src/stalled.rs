//! The same broadcast twice: without, then with, subscribers that never read.

use crate::args::{Args, Result};
use crate::broadcast::{Outcome, Pace, Room};
use crate::process::Process;
use crate::report::Report;
use crate::target::Target;
use std::time::Duration;

pub fn run(args: &Args) -> Result<Report> {
    let target = Target::new(args, 4 << 10)?;
    let subscribers = args.count("subscribers", 50)?;
    let stalled = args.count("stalled", 5)?;
    let pace = Pace::Rate(args.get("rate", 1000.0)?);
    let clean = args.seconds("clean", 2.0)?;
    let seconds = args.seconds("seconds", 12.0)?;

    let pid = target.pid.map(|pid| pid.to_string());
    let server = || pid.as_deref().map(Process::read).unwrap_or_default();
    let warmup = Duration::from_millis(250);
    let mut room = Room::open(target, subscribers)?;
    let without = room.run(&pace, warmup, clean)?;
    let before = server().rss;
    for _ in 0..stalled {
        room.stall()?;
    }
    let with = room.run(&pace, Duration::ZERO, seconds)?;

    let rate = |outcome: &Outcome| outcome.deliveries as f64 / outcome.spent.time.as_secs_f64();
    let mut report = Report::default();
    with.spent.report(&mut report, with.deliveries);
    report.quantiles(&with.latencies);
    report.put("kept", rate(&with) / rate(&without));
    report.put(
        "published_per_second",
        with.published as f64 / with.spent.time.as_secs_f64(),
    );
    report.put("clean_p99_us", without.latencies.quantile(0.99));
    let grown = server().peak_rss.saturating_sub(before);
    report.put("rss_grown", grown as f64);
    report.put("stalled", stalled as f64);
    report.put("given_up", with.given_up.len() as f64);
    if let Some(last) = with.given_up.iter().max() {
        report.put("given_up_s", last.as_secs_f64());
    }
    Ok(report)
}
