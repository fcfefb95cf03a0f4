//! Broadcast: one publisher, some subscribers; the server sends every message to everyone, the publisher too.

use crate::args::{Args, Result};
use crate::connection::Connection;
use crate::histogram::Histogram;
use crate::poller::{Interest, Poller, Timer};
use crate::report::Report;
use crate::span::{Spent, WarmSpan};
use crate::stream::Stream;
use crate::target::Target;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// When messages go out.
pub enum Pace {
    /// The next one when all have the last one, with so many under way.
    Window(usize),
    /// So many a second, whatever comes back.
    Rate(f64),
}

pub struct Room {
    target: Target,
    poller: Poller,
    /// The last one publishes.
    connections: Vec<Connection>,
    /// The number that each of them gets next.
    next: Vec<u32>,
    /// The number of the next message.
    number: u32,
    /// The messages that have not reached everyone: when they were sent, how many still wait.
    under_way: VecDeque<(Instant, usize)>,
    /// Sockets that nobody reads; `None` once the server has given them up.
    stalled: Vec<Option<Stream>>,
}

/// What a run of a room gave.
pub struct Outcome {
    pub spent: Spent,
    pub deliveries: u64,
    pub published: u64,
    /// From publish to the last subscriber.
    pub latencies: Histogram,
    /// When the server gave up each stalled subscriber that it did give up, since the start of the run.
    pub given_up: Vec<Duration>,
}

/// The most messages that are under way at once when a rate says when they go out.
const MOST_UNDER_WAY: usize = 20_000;

impl Room {
    pub fn open(target: Target, subscribers: usize) -> Result<Room> {
        let poller = Poller::new()?;
        let connections = Connection::open_all(&target, &poller, subscribers + 1)?;
        // A server may still be taking in the last ones: a warm-up message that some miss would be waited for.
        std::thread::sleep(Duration::from_millis(200));
        Ok(Room {
            target,
            poller,
            next: vec![0; connections.len()],
            connections,
            number: 0,
            under_way: VecDeque::new(),
            stalled: Vec::new(),
        })
    }

    /// Adds a subscriber that never reads.
    pub fn stall(&mut self) -> Result<()> {
        let stream = self.target.connect()?;
        rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 4096)
            .map_err(|e| format!("receive buffer: {e}"))?;
        let token = self.connections.len() + 1 + self.stalled.len();
        // A reset shows without being asked for.
        self.poller.add(&stream, token, Interest::RDHUP)?;
        self.stalled.push(Some(stream));
        Ok(())
    }

    fn publish(&mut self, count: usize) -> Result<()> {
        let (mut out, all) = (Vec::new(), self.connections.len());
        for _ in 0..count {
            self.target.frame.push(&mut out, self.number);
            self.number = self.number.wrapping_add(1);
            self.under_way.push_back((Instant::now(), all));
        }
        self.connections[all - 1].send(&self.poller, &out)
    }

    pub fn run(&mut self, pace: &Pace, warmup: Duration, seconds: Duration) -> Result<Outcome> {
        let timer_token = self.connections.len();
        let timer = match pace {
            Pace::Rate(rate) => Some(Timer::per_second(*rate)?),
            Pace::Window(count) => {
                self.publish(*count)?;
                None
            }
        };
        if let Some(timer) = &timer {
            self.poller.add(&timer.0, timer_token, Interest::IN)?;
        }
        let (mut buf, mut ready) = (vec![0; 256 << 10], Vec::new());
        let (mut latencies, mut deliveries, mut from) = (Histogram::new(), 0, self.number);
        let (mut given_up, begin) = (Vec::new(), Instant::now());
        let mut span = WarmSpan::begin(self.target.pid, warmup, seconds);
        let mut last = Instant::now();
        loop {
            if span.starts() {
                (deliveries, from, latencies) = (0, self.number, Histogram::new());
            } else if deliveries > 0 && span.is_over() {
                break;
            }
            self.poller.wait(&mut ready, Duration::from_millis(50))?;
            if !self.under_way.is_empty() && last.elapsed() > Duration::from_secs(10) {
                let waiting = self.under_way[0].1;
                return Err(format!(
                    "no delivery for 10 s; {waiting} wait for a message"
                ));
            }
            for &(token, what) in &ready {
                if token < timer_token {
                    last = Instant::now();
                    deliveries += self.receive(token, what, &mut buf, &mut latencies)?;
                    let whole = self.take_whole();
                    if timer.is_none() && whole > 0 {
                        self.publish(whole)?;
                    }
                } else if token == timer_token {
                    let due = timer.as_ref().map_or(0, Timer::ticks);
                    if self.under_way.is_empty() {
                        last = Instant::now();
                    }
                    self.publish(due.min(MOST_UNDER_WAY - self.under_way.len()))?;
                } else {
                    // Dropped and so closed: it is not reported again.
                    self.stalled[token - timer_token - 1] = None;
                    given_up.push(begin.elapsed());
                }
            }
        }
        let outcome = Outcome {
            spent: span.stop(),
            deliveries,
            published: u64::from(self.number.wrapping_sub(from)),
            latencies,
            given_up,
        };
        self.settle(&mut ready, &mut buf)?;
        Ok(outcome)
    }

    /// Waits until everything under way has reached everyone, so that another run starts afresh.
    fn settle(&mut self, ready: &mut Vec<(usize, Interest)>, buf: &mut [u8]) -> Result<()> {
        let mut last = Instant::now();
        while !self.under_way.is_empty() {
            if last.elapsed() > Duration::from_secs(10) {
                return Err("no delivery for 10 s after the last message".into());
            }
            self.poller.wait(ready, Duration::from_millis(50))?;
            for &(token, what) in ready.iter() {
                if token < self.connections.len() {
                    last = Instant::now();
                    self.receive(token, what, buf, &mut Histogram::new())?;
                    self.take_whole();
                }
            }
        }
        Ok(())
    }

    /// Reads once; every message has to be the next one. Returns how many there were.
    fn receive(
        &mut self,
        token: usize,
        what: Interest,
        buf: &mut [u8],
        latencies: &mut Histogram,
    ) -> Result<u64> {
        let first = self.number.wrapping_sub(self.under_way.len() as u32);
        let (now, next, under_way) = (Instant::now(), &mut self.next[token], &mut self.under_way);
        let mut deliveries = 0;
        self.connections[token].ready(what, &self.poller, &self.target, buf, |number| {
            let place = number.wrapping_sub(first) as usize;
            let Some((sent, waiting)) = under_way.get_mut(place).filter(|_| number == *next) else {
                return Err(format!("message {number} came in place of {next}"));
            };
            *next = next.wrapping_add(1);
            *waiting -= 1;
            deliveries += 1;
            if *waiting == 0 {
                latencies.add(now - *sent);
            }
            Ok(())
        })?;
        Ok(deliveries)
    }

    /// Takes out the messages that have reached everyone.
    fn take_whole(&mut self) -> usize {
        let whole = self
            .under_way
            .iter()
            .take_while(|(_, waiting)| *waiting == 0)
            .count();
        self.under_way.drain(..whole);
        whole
    }
}

pub fn run(args: &Args) -> Result<Report> {
    let target = Target::new(args, 64)?;
    let subscribers = args.count("subscribers", 100)?;
    let pace = Pace::Window(args.count("window", 1)?);
    let seconds = args.seconds("seconds", 1.0)?;
    let warmup = args.seconds("warmup", 0.25)?;
    let outcome = Room::open(target, subscribers)?.run(&pace, warmup, seconds)?;
    let mut report = Report::default();
    outcome.spent.report(&mut report, outcome.deliveries);
    report.quantiles(&outcome.latencies);
    Ok(report)
}
