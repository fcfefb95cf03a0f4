//! The examples as a user runs them: each one a child process.

mod support;

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use support::example::Example;
use support::{Client, exchange};

#[test]
fn the_dashboard_sends_ten_readings_a_second() {
    const READINGS: usize = 30;
    let example = Example::start("dashboard", &[]);
    let mut client = Client::connect(example.addr);
    let begun = Instant::now();
    let readings: Vec<_> = (0..READINGS)
        .map(|_| Reading::parse(client.read_message().text()))
        .collect();
    let took = begun.elapsed();
    for pair in readings.windows(2) {
        let numbers = pair[1].seq - pair[0].seq;
        assert!(numbers >= 1, "{pair:?}");
        // The time in a reading is when it was due: no drift.
        assert_eq!(pair[1].time - pair[0].time, 100 * numbers, "{pair:?}");
    }
    for reading in &readings {
        assert!((-50.0..=100.0).contains(&reading.value), "{reading:?}");
    }
    // The first one may come at once; a busy machine may miss a turn, and never sends a burst after it.
    let (least, most) = (Duration::from_secs(2), Duration::from_secs(8));
    assert!((least..most).contains(&took), "{READINGS} in {took:?}");
    assert_eq!(ends_gracefully(client, example), "");
}

#[test]
fn pages_that_talk_delay_no_reading() {
    let example = Example::start("dashboard", &[]);
    let mut watching = Client::connect(example.addr);
    let talks: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = Client::connect(example.addr).stream;
            let frames = support::frame(true, 1, b"are we there yet").repeat(1000);
            // Until the example is gone.
            thread::spawn(move || while stream.write_all(&frames).is_ok() {})
        })
        .collect();
    let mut last = Reading::parse(watching.read_message().text()).seq;
    for _ in 0..20 {
        let seq = Reading::parse(watching.read_message().text()).seq;
        assert!(seq - last < 10, "a second between number {last} and {seq}");
        last = seq;
    }
    drop(example);
    talks.into_iter().for_each(|talk| talk.join().unwrap());
}

#[test]
fn the_dashboard_serves_its_page() {
    let example = Example::start("dashboard", &[]);
    let answer = get(&example, "/");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("<canvas"), "{answer}");
    assert!(!answer.contains("src=\"http"), "nothing from elsewhere");
    assert!(get(&example, "/other").starts_with("HTTP/1.1 404 "));
}

#[derive(Debug)]
struct Reading {
    seq: u64,
    time: u64,
    value: f64,
}

impl Reading {
    fn parse(json: &str) -> Reading {
        let number = |name: &str| -> f64 {
            let (_, rest) = json.split_once(&format!("\"{name}\":")).expect(json);
            let end = rest.find([',', '}']).expect(json);
            rest[..end].parse().expect(json)
        };
        Reading {
            seq: number("seq") as u64,
            time: number("time") as u64,
            value: number("value"),
        }
    }
}

fn get(example: &Example, path: &str) -> String {
    let addr = example.addr;
    exchange(addr, format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n\r\n"))
}

/// SIGTERM: 1001 to the client, exit status 0. Returns warnings of the log.
fn ends_gracefully(mut client: Client, example: Example) -> String {
    let closes = thread::spawn(move || {
        loop {
            let frame = client.read_message();
            if frame.opcode == 8 {
                client.send(true, 8, &frame.payload);
                break frame.close().0;
            }
        }
    });
    let (status, log) = example.terminate();
    assert_eq!(closes.join().unwrap(), 1001);
    assert!(status.success(), "{status}: {log}");
    let warnings = log.lines().filter(|line| !line.contains(" INFO "));
    warnings.collect::<Vec<_>>().join("\n")
}
