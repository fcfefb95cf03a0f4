//! A device with a loop of its own: takes a reading ten times a second and broadcasts it. The page plots it.
//!
//! `cargo run --release --example dashboard -- 127.0.0.1:9001`, then open http://127.0.0.1:9001/.
//!
//! The readings are real on Linux: how busy this machine's processors were during the last second. Elsewhere a
//! thermometer is simulated, and says so.

mod support;

use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use wshub::{Event, Limits, Overflow, Response, Server, Step};

const PAGE: &str = concat!(
    include_str!("support/head.html"),
    include_str!("dashboard.html")
);
const PERIOD_MS: u64 = 100;
const PERIOD: Duration = Duration::from_millis(PERIOD_MS);
/// A minute: what a page shows.
const KEPT: usize = 600;

fn main() -> ExitCode {
    support::run(|addr| {
        let server = Server::builder()
            .limits(Limits {
                // About a second of readings; then the oldest makes room, for only the latest counts.
                outbound_per_connection: Some(1 << 10),
                ..Limits::default()
            })
            .overflow(Overflow::DropOldest)
            .http(|request| match request.path() {
                "/" => Response::html(PAGE),
                _ => Response::not_found(),
            })
            .bind(addr)?;
        support::announce_page(server.local_addr()?, server.handle())?;
        measure(&server);
        Ok(())
    })
}

/// The device's loop, until the server has shut down. Reading number n is due n periods after the start, whatever
/// happened before: the loop does not drift, and nothing that a page does delays a reading.
fn measure(server: &Server) {
    let started_at = SystemTime::now();
    let mut sensor = Sensor::new();
    let mut kept = VecDeque::new();
    for step in server.events().tick(PERIOD) {
        match step {
            // After a halt of the whole machine many are due: only the latest is taken, and the numbers show a gap.
            Step::Tick(tick) => {
                let time = started_at + Duration::from_millis(PERIOD_MS * tick.number);
                let reading = sensor.read().to_json(tick.number, time);
                server.broadcast(reading.as_str());
                kept.truncate(KEPT - 1);
                kept.push_front(reading);
            }
            Step::Event(event) => note(event, &kept),
            _ => {}
        }
    }
}

fn note(event: Event, kept: &VecDeque<String>) {
    match event {
        Event::Open(connection) => {
            log::info!("{} watches", connection.id());
            // A page that opens, or comes back, has its plot at once.
            let history: Vec<&str> = kept.iter().rev().map(String::as_str).collect();
            let _ = connection.send(format!("[{}]", history.join(",")));
        }
        Event::Close(connection, close) => {
            let (id, code, rtt) = (connection.id(), close.code, connection.rtt());
            log::info!("{id} left: {code}; the last ping took {rtt:?}");
        }
        Event::Error(connection, error) => log::warn!("{}: {error}", connection.id()),
        // A dashboard sends nothing; a device that takes commands would handle them here.
        _ => {}
    }
}

struct Reading {
    name: &'static str,
    unit: &'static str,
    value: f64,
}

impl Reading {
    /// Every reading says all there is to know, so that a page understands the first one it gets.
    fn to_json(&self, number: u64, time: SystemTime) -> String {
        let Reading { name, unit, value } = self;
        let time = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        format!(
            r#"{{"seq":{number},"time":{time},"name":"{name}","unit":"{unit}","value":{value:.1}}}"#
        )
    }
}

enum Sensor {
    /// The clocks of the last second, the oldest first.
    Processors(VecDeque<Clocks>),
    Simulated(Instant),
}

/// Time of all processors since the machine started, in ticks of 10 ms.
#[derive(Clone, Copy)]
struct Clocks {
    busy: u64,
    total: u64,
}

impl Sensor {
    fn new() -> Self {
        match Clocks::now() {
            Some(clocks) => Sensor::Processors(VecDeque::from([clocks])),
            None => Sensor::Simulated(Instant::now()),
        }
    }

    fn read(&mut self) -> Reading {
        match self {
            Sensor::Processors(last) => Reading {
                name: "Processor load",
                unit: "%",
                value: load(last),
            },
            Sensor::Simulated(start) => Reading {
                name: "Temperature (simulated)",
                unit: "°C",
                value: temperature(start.elapsed().as_secs_f64()),
            },
        }
    }
}

impl Clocks {
    /// The first line of /proc/stat (proc(5)); `None` where there is none.
    fn now() -> Option<Self> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let fields = stat.lines().next()?.strip_prefix("cpu ")?;
        // user, nice, system, idle, iowait, irq, softirq, steal; what follows is in user and nice already.
        let ticks: Vec<u64> = fields
            .split_whitespace()
            .take(8)
            .map(|field| field.parse().ok())
            .collect::<Option<_>>()?;
        let (total, idle) = (
            ticks.iter().sum::<u64>(),
            ticks.iter().skip(3).take(2).sum(),
        );
        Some(Clocks {
            busy: total.checked_sub(idle)?,
            total,
        })
    }
}

/// Percent of the last second in which the processors were busy.
fn load(last: &mut VecDeque<Clocks>) -> f64 {
    last.extend(Clocks::now());
    if last.len() > 11 {
        last.pop_front();
    }
    let (Some(first), Some(latest)) = (last.front(), last.back()) else {
        return 0.0;
    };
    // The kernel's idle time may step back a little.
    let busy = latest.busy.saturating_sub(first.busy) as f64;
    let total = latest.total.saturating_sub(first.total) as f64;
    100.0 * (busy / total.max(1.0)).min(1.0)
}

/// A room's: heating comes and goes, and somebody walks past.
fn temperature(seconds: f64) -> f64 {
    21.0 + 1.5 * (TAU * seconds / 40.0).sin() + 0.2 * (TAU * seconds / 1.7).sin()
}
