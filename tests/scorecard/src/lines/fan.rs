//! Who stalls or floods beside many who do not.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use load::broadcast::{Pace, Room};
use load::histogram::Histogram;
use scorecard::support::{Client, frame, wait_until};

use super::{all_of, start_clients};
use crate::row::Row;
use crate::subject::Subject;

const SIZE: usize = 1 << 10;
const PAIRS: usize = 8;
const STRETCH: Duration = Duration::from_secs(1);
const RATE: f64 = 50.0;
const POLITE: usize = 99;

pub fn one_stalled() -> Vec<Row> {
    vec![stalled("1 stalled of 1,000", 1)]
}

pub fn hundred_stalled() -> Vec<Row> {
    vec![stalled("100 stalled of 1,000", 100)]
}

/// Stretches of a broadcast without and with stalled subscribers in turn, and how their p99 compare.
fn stalled(what: &str, count: usize) -> Row {
    let mut subject = Subject::with("broadcast", &[]);
    let mut room = Room::open(subject.target(SIZE), 999 - count).unwrap();
    let mut p99 = [Vec::new(), Vec::new()];
    for _ in 0..PAIRS {
        p99[0].push(stretch(&mut room));
        let never_read = stall(&mut subject, count);
        p99[1].push(stretch(&mut room));
        assert_eq!(subject.stats()[2], count, "they still stall");
        drop(never_read);
        wait_until("they are gone", || subject.stats()[0] == 1_000 - count);
    }
    let [without, with] = p99.map(median);
    Row::at_most(
        format!("{what}: the others' p99, {with:.0} us, above that without, {without:.0} us"),
        (with / without - 1.0) * 100.0,
        5.0,
        "%",
    )
}

/// Clients that read nothing and ping until the pongs fill everything between.
fn stall(subject: &mut Subject, count: usize) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..count)
        .map(|_| Client::connect(subject.addr()))
        .collect();
    for client in &clients {
        rustix::net::sockopt::set_socket_recv_buffer_size(&client.stream, 4096).unwrap();
    }
    let pings = frame(true, 9, &[7; 125]).repeat(1_000);
    wait_until("they stall", || {
        for client in &mut clients {
            client.stream.write_all(&pings).unwrap();
        }
        subject.stats()[2] == count
    });
    clients
}

fn stretch(room: &mut Room) -> f64 {
    let warmup = Duration::from_millis(100);
    let outcome = room.run(&Pace::Rate(RATE), warmup, STRETCH).unwrap();
    outcome.latencies.quantile(0.99)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One sends small messages as fast as it can and reads their echoes; 99 send ten a second.
pub fn flooder() -> Vec<Row> {
    let subject = Subject::example("echo");
    let (addr, stop) = (subject.addr(), Arc::new(AtomicBool::new(false)));
    let flood = thread::spawn({
        let stop = stop.clone();
        move || {
            let mut client = Client::connect(addr);
            let mut echoes = client.stream.try_clone().unwrap();
            thread::spawn(move || while echoes.read(&mut [0; 64 << 10]).is_ok_and(|n| n > 0) {});
            let (bytes, mut sent) = (frame(true, 1, b"a flood of these").repeat(1_000), 0_u64);
            while !stop.load(Relaxed) {
                client.stream.write_all(&bytes).unwrap();
                sent += 1_000;
            }
            sent
        }
    });
    let polite = start_clients(POLITE, addr, |mut client| {
        let echo = |_| {
            thread::sleep(Duration::from_millis(100));
            let start = Instant::now();
            client.send_text("an echo, please");
            assert_eq!(client.read_message().text(), "an echo, please");
            start.elapsed()
        };
        (0..40).map(echo).collect::<Vec<_>>()
    });
    let took = all_of(POLITE, &polite);
    stop.store(true, Relaxed);
    let flooded = flood.join().unwrap();
    assert!(flooded > 10_000, "a flood of {flooded} messages");
    let mut latencies = Histogram::new();
    took.into_iter().flatten().for_each(|it| latencies.add(it));
    let p99 = Duration::from_secs_f64(latencies.quantile(0.99) / 1e6);
    vec![Row::ms(
        "99 polite clients beside one that floods: their echo, p99",
        p99,
        250,
    )]
}
