//! What idle connections weigh: fresh, and after each has echoed once.

use crate::args::{Args, Result};
use crate::connection::Connection;
use crate::echo::Client;
use crate::poller::Poller;
use crate::process::Process;
use crate::report::Report;
use crate::target::Target;
use std::time::{Duration, Instant};

/// The most echoes under way at once.
const WINDOW: usize = 64;

pub fn run(args: &Args) -> Result<Report> {
    let target = Target::new(args, 64)?.over_tls(args)?;
    let count = args.count("connections", 1000)?;
    let settle = args.seconds("settle", 0.7)?;
    let pid = target.pid.ok_or("--pid is missing")?.to_string();

    let mut poller = Poller::new()?;
    let before = Process::read(&pid);
    let mut clients: Vec<Client> = Connection::open_all(&target, &poller, count)?
        .into_iter()
        .map(|connection| Client::new(connection, 1))
        .collect();
    // Threads that a server has just started have something to do yet.
    std::thread::sleep(settle / 2);
    let fresh = Process::read(&pid);
    std::thread::sleep(settle);
    let settled = Process::read(&pid);
    echo_once(&mut clients, &mut poller, &target)?;
    std::thread::sleep(settle);
    let used = Process::read(&pid);

    let each = |now: Process| now.rss.saturating_sub(before.rss) as f64 / count as f64;
    let mut report = Report::default();
    report.put("rss_per_connection", each(settled));
    report.put("rss_per_connection_used", each(used));
    report.put("threads", settled.threads as f64);
    report.put(
        "idle_cpu_s",
        settled.cpu.saturating_sub(fresh.cpu).as_secs_f64(),
    );
    Ok(report)
}

/// Every connection still answers.
fn echo_once(clients: &mut [Client], poller: &mut Poller, target: &Target) -> Result<()> {
    let (mut buf, mut out, mut ready) = (vec![0; 64 << 10], Vec::new(), Vec::new());
    let (mut sent, mut answered, mut last) = (0, 0, Instant::now());
    while answered < clients.len() {
        while sent < clients.len() && sent - answered < WINDOW {
            clients[sent].fill(poller, target, &mut out)?;
            sent += 1;
        }
        poller.wait(&mut ready, Duration::from_millis(100))?;
        if !ready.is_empty() {
            last = Instant::now();
        } else if last.elapsed() > Duration::from_secs(10) {
            return Err(format!(
                "only {answered} of {} connections answer",
                clients.len()
            ));
        }
        for &(token, what) in &ready {
            answered += clients[token].receive(what, poller, target, &mut buf, |_| ())? as usize;
        }
    }
    Ok(())
}
