//! What idle connections cost: little memory, no threads, and no work between heartbeats.
//!
//! A test binary of its own, because it measures the process.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::time::Duration;

use support::serving::server_with_room;
use support::{Client, PATIENCE, threads_and_descriptors, wait_until};
use wshub::{Event, Events, RecvError};

const CONNECTIONS: usize = 1_000;
/// Resident bytes per connection, its client in this same process included.
const BOUND: usize = 3 << 10;
/// The accept loop, the stand-in, the application and the test's other threads; and those that did the last handshakes.
const THREADS: usize = 9;
/// A clock tick is 10 ms of CPU time.
const TICKS: u64 = 2;

fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * page_size()
}

/// The size of a page, from the kernel's own account of this process.
fn page_size() -> usize {
    let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
    let line = smaps
        .lines()
        .find(|line| line.starts_with("KernelPageSize:"));
    let kib: usize = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kib << 10
}

/// utime and stime of all threads, in ticks.
fn cpu() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn take_opens(events: &mut Events<'_>, count: usize) {
    for _ in 0..count {
        assert!(matches!(events.recv_timeout(PATIENCE), Ok(Event::Open(_))));
    }
}

#[test]
fn idle_connections_cost_little() {
    let server = server_with_room(2 * CONNECTIONS);
    let addr = server.local_addr().unwrap();
    let mut events = server.events();
    // What the first ones cost is the server's, and the allocator's.
    let mut clients: Vec<_> = (0..20).map(|_| Client::connect(addr)).collect();
    take_opens(&mut events, 20);
    let before = resident();
    clients.extend((0..CONNECTIONS).map(|_| Client::connect(addr)));
    take_opens(&mut events, CONNECTIONS);
    assert_eq!(server.stats().connections, clients.len());
    wait_until("threads have ended", || {
        threads_and_descriptors().0 <= THREADS
    });
    let each = resident().saturating_sub(before) / CONNECTIONS;
    println!("{each} bytes per idle connection");
    assert!(each < BOUND, "{each} bytes per idle connection");

    // Threads may still be on their way to sleep: one quiet window of several is enough.
    let windows = (0..5).map(|_| {
        let before = cpu();
        let quiet = events.recv_timeout(Duration::from_millis(300));
        assert_eq!(quiet.unwrap_err(), RecvError::Empty);
        cpu() - before
    });
    let spent: Vec<u64> = windows.collect();
    assert!(
        spent.iter().any(|ticks| *ticks <= TICKS),
        "ticks of CPU time in windows of 300 ms: {spent:?}"
    );

    // They still work.
    assert_eq!(server.broadcast("hello").sent, clients.len());
    for client in &mut clients {
        // Where all this took long, a ping came first.
        assert_eq!(client.read_message().text(), "hello");
    }
    clients[0].send_text("hello");
    assert!(matches!(
        events.recv_timeout(PATIENCE),
        Ok(Event::Message(..))
    ));
}
