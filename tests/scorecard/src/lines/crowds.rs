//! As many connections as a process may have descriptors, nearly all of them idle.

use std::process::Command;
use std::time::{Duration, Instant};

use load::report::Report;
use load::{args::Args, echo, idle};
use rustix::process::{Resource, Signal, getrlimit};

use super::leaving::{clients, closes};
use crate::row::Row;
use crate::subject::{Subject, beside};

const MOST_THREADS: f64 = 9.0;

/// So many, or what the limit of descriptors leaves of them here and there.
fn at_most(count: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    count.min(usize::try_from(limit).unwrap_or(usize::MAX) - 500)
}

fn crowded() -> Subject {
    Subject::with("echo", &["connections=20000"])
}

/// A run of the load generator.
fn run(command: fn(&Args) -> load::args::Result<Report>, subject: &Subject, words: &str) -> Report {
    let (port, pid) = (subject.addr().port(), subject.id());
    let words = format!("--port {port} --pid {pid} {words}");
    let args = Args::parse(words.split(' ').map(str::to_owned)).unwrap();
    command(&args).unwrap()
}

pub fn idle_19_000() -> Vec<Row> {
    let (count, mut subject) = (at_most(19_000), crowded());
    // Every connection has to echo once.
    let words = format!("--connections {count} --settle 0.5");
    let report = run(idle::run, &subject, &words);
    let left = closes(
        &format!("{count} idle clients gone: their Close events"),
        &subject,
        count,
        Instant::now(),
        5.0,
    );
    let figure = |key| report.get(key).unwrap();
    let mut rows = vec![
        Row::at_most(
            format!("{count} idle connections, an echo each: memory for each"),
            figure("rss_per_connection_used") / 1024.0,
            2.5,
            "KiB",
        ),
        Row::at_most("threads", figure("threads"), MOST_THREADS, ""),
        Row::at_most("CPU time in half a second", figure("idle_cpu_s"), 0.01, "s"),
        left,
    ];
    let held = clients(&mut Command::new(beside("clients")), &subject, count);
    let start = Instant::now();
    subject.process().end_input();
    let status = subject.process().wait();
    rows.push(Row::seconds(
        format!("shutdown with {count} that do not answer: exit"),
        start.elapsed(),
        6.5,
    ));
    assert!(status.success());
    drop(held);
    rows
}

/// CPU time is what counts here: who shares the machine takes the rest.
pub fn beside_idle() -> Vec<Row> {
    let (count, subject) = (at_most(10_000), crowded());
    let cpu = |idle: usize| {
        let words = format!("--connections 64 --depth 16 --idle {idle} --seconds 0.7");
        run(echo::run, &subject, &words).get("cpu_us").unwrap()
    };
    let mut more: Vec<f64> = (0..5).map(|_| cpu(count) / cpu(0)).collect();
    more.sort_by(f64::total_cmp);
    vec![Row::at_most(
        format!("64 busy beside {count} idle: CPU per echo, above that of 64 alone"),
        (more[2] - 1.0) * 100.0,
        30.0,
        "%",
    )]
}

pub fn killed_15_000() -> Vec<Row> {
    let (count, subject) = (at_most(15_000), crowded());
    let at_rest = subject.descriptors();
    let held = clients(&mut Command::new(beside("clients")), &subject, count);
    let since = Instant::now();
    held.signal(Signal::KILL);
    let mut threads = 0;
    while subject.descriptors() > at_rest && since.elapsed() < Duration::from_secs(10) {
        threads = threads.max(subject.now().threads);
    }
    let free = since.elapsed();
    vec![
        Row::seconds(
            format!("{count} clients killed at once: their descriptors are free"),
            free,
            5.0,
        ),
        Row::at_most("threads meanwhile", threads as f64, MOST_THREADS, ""),
        closes(
            &format!("{count} Close events"),
            &subject,
            count,
            since,
            5.0,
        ),
    ]
}
