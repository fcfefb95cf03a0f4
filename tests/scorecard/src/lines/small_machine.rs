//! A device with 32 MiB of memory, 64 descriptors and a tenth of one core: who is polite is served, whatever the others do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use scorecard::support::tls::{self, Authority};
use scorecard::support::{Client, dial, exchange, frame, own_memory, read_answer, ugly};

use super::{MIB, start};
use crate::machine::Machine;
use crate::row::Row;
use crate::subject::{Subject, beside};

const MEMORY: usize = 32 << 20;
const DESCRIPTORS: usize = 64;
const PERCENT: usize = 10;
/// With those that do not read, and those that come and go, nearly the 32 that `Limits::small` lets in.
const POLITE: usize = 24;
const GREEDY: usize = 4;
const SILENT: usize = 4;
const PAGE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

pub fn small_machine() -> Vec<Row> {
    let seconds = std::env::var("SCORECARD_SMALL").ok();
    let seconds = seconds.map_or(10, |seconds| {
        seconds.parse().expect("SCORECARD_SMALL: seconds")
    });
    let time = Duration::from_secs(seconds);
    // One after the other: they have one machine.
    let mut rows = on_machine(false, time);
    rows.extend(on_machine(true, time));
    rows
}

/// What the clients of one server share.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    echoes: AtomicUsize,
    ugly: AtomicUsize,
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.stop.load(Relaxed)
    }
}

fn on_machine(tls: bool, time: Duration) -> Vec<Row> {
    let machine = match Machine::new(MEMORY, PERCENT) {
        Ok(machine) => machine,
        Err(error) => {
            eprintln!("no control group, so NOTHING WAS MEASURED on a small machine: {error}");
            return Vec::new();
        }
    };
    let mode = if tls { "tls" } else { "plain" };
    let mut command = machine.command(&beside("device"), DESCRIPTORS);
    let mut subject = Subject::start(command.args(["127.0.0.1:0", mode]));
    let (addr, shared) = (subject.addr(), Arc::new(Shared::default()));
    let shared_by = |work: fn(SocketAddr, bool, &Shared) -> Option<Duration>| {
        let shared = shared.clone();
        move |_| work(addr, tls, &shared)
    };
    let polite = start(POLITE, shared_by(polite));
    // A household that connects again at once; the others come then.
    let deadline = Instant::now() + Duration::from_secs(30);
    while shared.echoes.load(Relaxed) < POLITE && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    let pages = start(1, shared_by(pages));
    let others = [
        start(GREEDY, shared_by(greedy)),
        start(SILENT, shared_by(silent)),
        start(2, shared_by(churn)),
    ];
    let (begin, mut memory) = (Instant::now(), 0);
    while begin.elapsed() < time {
        thread::sleep(Duration::from_millis(500));
        memory = memory.max(own_memory(subject.id()));
    }
    shared.stop.store(true, Relaxed);
    let slowest: Vec<Duration> = polite.iter().flatten().collect();
    let page = pages.iter().flatten().max();
    others
        .iter()
        .for_each(|others| others.iter().for_each(drop));
    subject.process().end_input();
    let status = subject.process().wait();
    drop(subject);
    let title = format!("a device, {}", if tls { "TLS" } else { "no TLS" });
    let (seconds, echoes, ugly) = (time.as_secs(), &shared.echoes, shared.ugly.load(Relaxed));
    vec![
        Row::exactly(
            format!("{title}, {ugly} ugly clients in {seconds} s: polite ones served to the end"),
            slowest.len(),
            POLITE,
        ),
        Row::seconds(
            format!(
                "{title}: the slowest of their {} echoes",
                echoes.load(Relaxed)
            ),
            slowest.into_iter().max().unwrap_or(Duration::MAX),
            5.0,
        ),
        Row::seconds(
            format!("{title}: its slowest page"),
            page.unwrap_or(Duration::MAX),
            5.0,
        ),
        Row::at_most(
            format!("{title}: its own memory"),
            memory as f64 / MIB,
            if tls { 6.0 } else { 3.0 },
            "MiB",
        ),
        Row::exactly(
            format!("{title}: exit status"),
            status.code().unwrap_or(-1),
            0,
        ),
    ]
}

/// An echo each second; the slowest, where none is missing.
fn polite(addr: SocketAddr, tls: bool, shared: &Shared) -> Option<Duration> {
    match tls {
        false => echo(Client::connect(addr), shared),
        true => echo(tls::connect(addr, &Authority::new()), shared),
    }
}

fn echo<S: Read + Write>(mut client: Client<S>, shared: &Shared) -> Option<Duration> {
    let mut slowest = Duration::ZERO;
    while shared.goes_on() {
        let text = format!("echo {}", shared.echoes.fetch_add(1, Relaxed));
        let asked = Instant::now();
        client.send_text(&text);
        assert_eq!(client.read_message().text(), text);
        slowest = slowest.max(asked.elapsed());
        thread::sleep(Duration::from_secs(1));
    }
    Some(slowest)
}

/// A page every second; the slowest, where none is missing.
fn pages(addr: SocketAddr, tls: bool, shared: &Shared) -> Option<Duration> {
    let mut slowest = Duration::ZERO;
    while shared.goes_on() {
        let asked = Instant::now();
        let answer = match tls {
            false => exchange(addr, PAGE),
            true => {
                let config = Authority::new().client_config(None);
                let mut stream = tls::secure(addr, config, "localhost").unwrap();
                stream.write_all(PAGE.as_bytes()).unwrap();
                read_answer(&mut stream).1
            }
        };
        assert!(answer.ends_with("a page"), "{answer}");
        slowest = slowest.max(asked.elapsed());
        thread::sleep(Duration::from_secs(1));
    }
    Some(slowest)
}

/// Sends what it can, and reads nothing.
fn greedy(addr: SocketAddr, tls: bool, shared: &Shared) -> Option<Duration> {
    while shared.goes_on() {
        let _ = catch_unwind(|| match tls {
            false => {
                let client = Client::connect(addr);
                fill(&client.stream, &client.stream);
            }
            true => {
                let client = tls::connect(addr, &Authority::new());
                let socket = client.stream.sock.try_clone().unwrap();
                fill(client.stream, &socket);
            }
        });
    }
    None
}

fn fill(mut stream: impl Write, socket: &TcpStream) {
    let message = frame(true, 2, &[7; 8 << 10]);
    let timeout = Some(Duration::from_secs(5));
    socket.set_write_timeout(timeout).unwrap();
    while stream.write_all(&message).is_ok() {}
}

/// Says nothing, for as long as it may.
fn silent(addr: SocketAddr, _: bool, shared: &Shared) -> Option<Duration> {
    while shared.goes_on() {
        let stream = dial(addr);
        let _ = stream.peek(&mut [0]);
    }
    None
}

fn churn(addr: SocketAddr, tls: bool, shared: &Shared) -> Option<Duration> {
    let ways = if tls {
        ugly::WITHOUT_ANSWER
    } else {
        ugly::WAYS
    };
    while shared.goes_on() {
        let number = shared.ugly.fetch_add(1, Relaxed);
        let _ = catch_unwind(|| ugly::come_and_go(addr, number % ways));
        thread::sleep(Duration::from_millis(100));
    }
    None
}
