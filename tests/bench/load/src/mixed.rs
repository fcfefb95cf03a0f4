//! Mixed load: one connection times its echoes, one after the other, while the others send at a fixed rate.

use crate::args::{Args, Result};
use crate::connection::Connection;
use crate::echo::Client;
use crate::histogram::Histogram;
use crate::poller::{Interest, Poller, Timer};
use crate::report::Report;
use crate::span::WarmSpan;
use crate::target::Target;
use std::time::{Duration, Instant};

/// The most messages under way on one of the others; a server that falls behind gets no more.
const DEPTH: usize = 8;

pub fn run(args: &Args) -> Result<Report> {
    let target = Target::new(args, 20)?;
    let others = args.count("connections", 1000)?;
    let rate: f64 = args.get("rate", 10.0)?;
    let seconds = args.seconds("seconds", 3.0)?;
    let warmup = args.seconds("warmup", 0.5)?;

    let mut poller = Poller::new()?;
    let (mut buf, mut out, mut ready) = (vec![0; 64 << 10], Vec::new(), Vec::new());
    let mut clients: Vec<Client> = Connection::open_all(&target, &poller, others + 1)?
        .into_iter()
        .enumerate()
        .map(|(i, connection)| Client::new(connection, if i == others { 1 } else { DEPTH }))
        .collect();
    let timer = Timer::per_second(rate * others as f64)?;
    poller.add(&timer.0, clients.len(), Interest::IN)?;
    clients[others].fill(&poller, &target, &mut out)?;

    let (mut latencies, mut messages, mut skipped) = (Histogram::new(), 0, 0);
    let (mut turn, mut last) = (0, Instant::now());
    let mut span = WarmSpan::begin(target.pid, warmup, seconds);
    loop {
        if span.starts() {
            (messages, skipped, latencies) = (0, 0, Histogram::new());
        } else if latencies.count() > 0 && span.is_over() {
            break;
        }
        poller.wait(&mut ready, Duration::from_millis(100))?;
        if last.elapsed() > Duration::from_secs(10) {
            return Err("no echo of the timed connection for 10 s".into());
        }
        for &(token, what) in &ready {
            if token > others {
                for _ in 0..timer.ticks().min(others) {
                    skipped += 1 - clients[turn].send(1, &poller, &target, &mut out)?;
                    turn = (turn + 1) % others;
                }
            } else if token == others {
                let timed = &mut clients[others];
                let on = |latency| latencies.add(latency);
                if timed.receive(what, &poller, &target, &mut buf, on)? > 0 {
                    last = Instant::now();
                    messages += 1;
                    timed.fill(&poller, &target, &mut out)?;
                }
            } else {
                let client = &mut clients[token];
                messages += u64::from(client.receive(what, &poller, &target, &mut buf, |_| ())?);
            }
        }
    }
    let mut report = Report::default();
    span.stop().report(&mut report, messages);
    report.quantiles(&latencies);
    report.put("timed", latencies.count() as f64);
    report.put("skipped", skipped as f64);
    Ok(report)
}
