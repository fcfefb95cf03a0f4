//! Echo: some connections, some messages under way on each; the next goes out when an answer has come. Others may be open
//! beside them that say nothing.

use crate::args::{Args, Result};
use crate::connection::Connection;
use crate::histogram::Histogram;
use crate::poller::{Interest, Poller};
use crate::report::Report;
use crate::span::WarmSpan;
use crate::target::Target;
use std::time::{Duration, Instant};

/// One connection's messages: their numbers count up from 0.
pub struct Client {
    connection: Connection,
    sent: u32,
    answered: u32,
    /// When the messages under way were sent, by number modulo their count.
    sent_at: Vec<Instant>,
}

impl Client {
    pub fn new(connection: Connection, depth: usize) -> Client {
        Client {
            connection,
            sent: 0,
            answered: 0,
            sent_at: vec![Instant::now(); depth],
        }
    }

    /// Sends at most `count` messages, as many as may be under way besides; `out` is for their bytes. Returns how many.
    pub fn send(
        &mut self,
        count: usize,
        poller: &Poller,
        target: &Target,
        out: &mut Vec<u8>,
    ) -> Result<usize> {
        out.clear();
        let (now, depth) = (Instant::now(), self.sent_at.len());
        let count = count.min(depth - (self.sent - self.answered) as usize);
        for _ in 0..count {
            self.sent_at[self.sent as usize % depth] = now;
            target.frame.push(out, self.sent);
            self.sent += 1;
        }
        self.connection.send(poller, out)?;
        Ok(count)
    }

    /// Sends as many as may be under way.
    pub fn fill(&mut self, poller: &Poller, target: &Target, out: &mut Vec<u8>) -> Result<()> {
        self.send(usize::MAX, poller, target, out).map(drop)
    }

    /// Reads once; `on` gets the latency of each answer, which has to be the next one. Returns how many there were.
    pub fn receive(
        &mut self,
        ready: Interest,
        poller: &Poller,
        target: &Target,
        buf: &mut [u8],
        mut on: impl FnMut(Duration),
    ) -> Result<u32> {
        let (now, before, depth) = (Instant::now(), self.answered, self.sent_at.len());
        let (answered, sent_at) = (&mut self.answered, &self.sent_at);
        self.connection
            .ready(ready, poller, target, buf, |number| {
                if number != *answered {
                    return Err(format!("echo {number} came in place of {answered}"));
                }
                on(now - sent_at[*answered as usize % depth]);
                *answered += 1;
                Ok(())
            })?;
        Ok(self.answered - before)
    }
}

pub fn run(args: &Args) -> Result<Report> {
    let target = Target::new(args, 20)?.over_tls(args)?;
    let (count, depth) = (args.count("connections", 64)?, args.count("depth", 1)?);
    let idle = args.get("idle", 0)?;
    let seconds = args.seconds("seconds", 1.0)?;
    let warmup = args.seconds("warmup", 0.25)?;

    let mut poller = Poller::new()?;
    let (mut buf, mut out, mut ready) = (vec![0; 256 << 10], Vec::new(), Vec::new());
    let mut clients: Vec<Client> = Connection::open_all(&target, &poller, count + idle)?
        .into_iter()
        .map(|connection| Client::new(connection, depth))
        .collect();
    for client in clients.iter_mut().take(count) {
        client.fill(&poller, &target, &mut out)?;
    }
    let (mut latencies, mut messages) = (Histogram::new(), 0);
    let mut span = WarmSpan::begin(target.pid, warmup, seconds);
    loop {
        if span.starts() {
            (messages, latencies) = (0, Histogram::new());
        } else if messages > 0 && span.is_over() {
            break;
        }
        poller.wait(&mut ready, Duration::from_secs(10))?;
        if ready.is_empty() {
            return Err("no echo for 10 s".into());
        }
        for &(token, what) in &ready {
            let client = &mut clients[token];
            let answers = client.receive(what, &poller, &target, &mut buf, |l| latencies.add(l))?;
            if answers > 0 {
                messages += u64::from(answers);
                client.fill(&poller, &target, &mut out)?;
            }
        }
    }
    let mut report = Report::default();
    span.stop().report(&mut report, messages);
    report.quantiles(&latencies);
    Ok(report)
}
