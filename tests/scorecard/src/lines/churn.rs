//! Many clients: in turn and in every ugly way, and many at once.

use std::thread;
use std::time::{Duration, Instant};

use scorecard::support::{Client, PATIENCE, ugly};

use super::{MIB, at_once};
use crate::row::Row;
use crate::subject::Subject;

const ROUNDS: usize = 10;
const ROUND: usize = 1_000;
const THREADS: usize = 8;

pub fn ugly() -> Vec<Row> {
    // Each of malloc's arenas keeps some memory to itself: one of them shows a leak sooner.
    let mut command = Subject::command_with("echo", &["idle_thread_ms=200"]);
    let mut subject = Subject::start(command.env("MALLOC_ARENA_MAX", "1"));
    let addr = subject.addr();
    subject.assert_echoes();
    let at_rest = settle(&mut subject);
    let (mut now, mut memory) = (at_rest, Vec::new());
    for round in 0..ROUNDS {
        at_once(THREADS, move |thread| {
            let first = round * ROUND + thread * ROUND / THREADS;
            (first..first + ROUND / THREADS).for_each(|number| ugly::come_and_go(addr, number));
        });
        subject.assert_echoes();
        now = settle(&mut subject);
        memory.push(subject.now().rss as f64);
    }
    vec![
        Row::exactly(
            "10,000 connections dropped in 16 ugly ways: threads then",
            now.0,
            at_rest.0,
        ),
        Row::exactly("descriptors then", now.1, at_rest.1),
        Row::at_most(
            "memory after round 10 above that after round 2 (one malloc arena)",
            (memory[ROUNDS - 1] - memory[1]) / MIB,
            0.5,
            "MiB",
        ),
    ]
}

/// Waits until nobody is there any more, the pool's threads have gone home and two looks find the same threads and
/// descriptors, but not for ever; both then.
fn settle(subject: &mut Subject) -> (u64, u64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let is_left = subject.stats() == [0; 3] && subject.pool_threads() == 0;
        let found = (subject.now().threads, subject.descriptors());
        thread::sleep(Duration::from_millis(10));
        let is_still = found == (subject.now().threads, subject.descriptors());
        if is_left && is_still || Instant::now() > deadline {
            return found;
        }
    }
}

pub fn five_thousand() -> Vec<Row> {
    const COUNT: usize = 5_000;
    let mut subject = Subject::with("echo", &["connections=6000", "idle_thread_ms=200"]);
    let addr = subject.addr();
    subject.assert_echoes();
    let at_rest = settle(&mut subject);
    let before = subject.now().rss;
    let closes = subject.closes();
    let mut clients: Vec<Client> = at_once(THREADS, move |_| {
        let open = |_| Client::connect(addr);
        (0..COUNT / THREADS).map(open).collect::<Vec<_>>()
    })
    .into_iter()
    .flatten()
    .collect();
    let mut echoes = 0;
    for client in &mut clients {
        client.send_text("one of many");
        echoes += usize::from(client.read_message().text() == "one of many");
    }
    let each = subject.now().rss.saturating_sub(before) as f64 / COUNT as f64 / 1024.0;
    drop(clients);
    let closed = subject.wait_for_closes(closes + COUNT, PATIENCE);
    let now = settle(&mut subject);
    vec![
        Row::exactly("5,000 connected at once: echoes", echoes, COUNT),
        Row::at_most("memory for each", each, 24.0, "KiB"),
        Row::exactly("all 5,000 Close events came", closed.is_some(), true),
        Row::exactly(
            "threads and descriptors then are what they were",
            now == at_rest,
            true,
        ),
    ]
}
