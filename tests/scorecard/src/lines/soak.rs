//! Hours in minutes: churn, faults and polite clients on one server, for as long as one likes.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use scorecard::support::example::Process;
use scorecard::support::{Client, dial, ugly, wait_until};

use super::start;
use crate::faults::Faults;
use crate::row::Row;
use crate::subject::{Subject, beside};

const POLITE: usize = 50;
const HEAP_BOUND: f64 = 512.0;

pub fn soak(time: Duration) -> Vec<Row> {
    let faults = Faults::new("soak");
    // One malloc arena, as in the churn.
    let mut command = faults.preload(Subject::command("echo"));
    let mut subject = Subject::start(command.env("MALLOC_ARENA_MAX", "1"));
    let addr = subject.addr();
    let at_rest = (subject.now().threads, subject.descriptors());
    let heap_at_rest = faults.heap(&subject);
    let stop = Arc::new(AtomicBool::new(false));
    let echoes = Arc::new(AtomicU64::new(0));
    let polite = start(POLITE, {
        let (stop, echoes) = (stop.clone(), echoes.clone());
        move |_| polite(Client::connect(addr), &stop, &echoes)
    });
    let churn = start(2, {
        let stop = stop.clone();
        move |thread| churn(addr, thread, &stop)
    });

    let (begin, mut memory) = (Instant::now(), Vec::new());
    while begin.elapsed() < time {
        for fault in [descriptors, threads, kill, pause, silence] {
            fault(&subject, &faults);
            thread::sleep(Duration::from_secs(3));
        }
        let now = subject.now();
        memory.push(now.rss as f64);
        let (at, rss) = (begin.elapsed().as_secs(), now.rss >> 10);
        let (threads, echoes) = (now.threads, echoes.load(Relaxed));
        eprintln!("{at:>5} s  {rss:>7} KiB  {threads:>4} threads  {echoes:>9} echoes");
    }
    stop.store(true, Relaxed);
    let polite = polite.iter().count();
    let gone: usize = churn.iter().sum();
    // The pool's threads wait 10 s for another connection.
    let deadline = Instant::now() + Duration::from_secs(20);
    while subject.now().threads > at_rest.0 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(100));
    }
    let now = (subject.now().threads, subject.descriptors());
    let heap = faults.heap(&subject);
    let early = memory[1.min(memory.len() - 1)..]
        .iter()
        .take(3)
        .fold(0.0, |a: f64, b| a.max(*b));
    let late = memory
        .iter()
        .rev()
        .take(3)
        .fold(f64::MAX, |a: f64, b| a.min(*b));
    let status = subject.terminate();
    vec![
        Row::exactly(
            format!(
                "soak of {} s, {gone} ugly clients, {} echoes: polite clients served to the end",
                time.as_secs(),
                echoes.load(Relaxed)
            ),
            polite,
            POLITE,
        ),
        Row::exactly("threads then", now.0, at_rest.0),
        Row::exactly("descriptors then", now.1, at_rest.1),
        // Tables keep the room they grew to; a byte lost with each client would be more than that.
        Row::at_most(
            "allocated then, above that before",
            heap.saturating_sub(heap_at_rest) as f64 / 1024.0,
            HEAP_BOUND,
            "KiB",
        ),
        // The allocator's free room between what is allocated; half an hour of churn added 30 %.
        Row::at_most(
            "resident at the end above that at the start",
            (late / early - 1.0) * 100.0,
            50.0,
            "%",
        ),
        Row::exactly("exit status", status.code().unwrap_or(-1), 0),
    ]
}

fn polite(mut client: Client, stop: &AtomicBool, echoes: &AtomicU64) {
    while !stop.load(Relaxed) {
        let text = format!("echo {}", echoes.fetch_add(1, Relaxed));
        client.send_text(&text);
        assert_eq!(client.read_message().text(), text);
        thread::sleep(Duration::from_millis(20));
    }
}

/// While threads are not to be had an ugly client gets a 503 in place of its 101, and says so by a panic.
fn churn(addr: std::net::SocketAddr, thread: usize, stop: &AtomicBool) -> usize {
    let mut gone = 0;
    while !stop.load(Relaxed) {
        let _ = std::panic::catch_unwind(|| ugly::come_and_go(addr, thread + gone));
        gone += 1;
        thread::sleep(Duration::from_millis(2));
    }
    gone
}

fn descriptors(_: &Subject, faults: &Faults) {
    faults.set("accept4", libc::EMFILE, 6);
    wait_until("accept fails", || faults.left() == 0);
}

fn threads(_: &Subject, faults: &Faults) {
    faults.set("pthread_create", libc::EAGAIN, 1_000);
    thread::sleep(Duration::from_secs(1));
    faults.end();
}

fn kill(subject: &Subject, _: &Faults) {
    let mut command = Command::new(beside("clients"));
    command.args([subject.addr().to_string(), "200".to_owned()]);
    let clients = Process::start(command.stdin(Stdio::null()));
    clients.prints("open");
    clients.signal(Signal::KILL);
}

fn pause(subject: &Subject, _: &Faults) {
    subject.signal(Signal::STOP);
    thread::sleep(Duration::from_secs(2));
    subject.signal(Signal::CONT);
}

/// Handshakes that say nothing.
fn silence(subject: &Subject, _: &Faults) {
    let silent: Vec<_> = (0..500).map(|_| dial(subject.addr())).collect();
    thread::sleep(Duration::from_secs(1));
    drop(silent);
}
