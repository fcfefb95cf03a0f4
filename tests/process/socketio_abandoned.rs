//! Sessions of Socket.IO that their clients abandon, by polling and half way through an upgrade, by the thousand: threads,
//! descriptors, sessions and memory are afterwards what they were.
//!
//! A test binary of its own, because it measures the process, and counts through the global allocator (which takes
//! `unsafe`).
#![allow(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use support::{Client, exchange, threads_and_descriptors, wait_until};
use wshub::socketio::{Emitter, Limits, SocketIo};
use wshub::{Server, ServerHandle};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const ROUNDS: usize = 5;
const SESSIONS: usize = 400;
const HALF_UPGRADES: usize = 100;

/// A session that is kept has more; tables keep less for the places that were in use at once, which depend on the machine.
const BYTES_EACH: usize = 400;

#[test]
fn two_thousand_abandoned_sessions_and_five_hundred_half_upgrades_leave_nothing_behind() {
    let limits = Limits {
        ping_interval: Duration::from_secs(1),
        ping_timeout: Duration::from_secs(3),
        upgrade_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let mut io = SocketIo::with_limits((), limits);
    io.on_connect("/", |_, socket, _| {
        socket.join("everybody");
        Ok(())
    });
    let emitter = io.of("/");
    let server = Server::builder()
        .limits(wshub::Limits {
            idle_thread_timeout: Duration::from_millis(100),
            ..wshub::Limits::default()
        })
        .socketio(&io, "/socket.io/")
        .bind("127.0.0.1:0")
        .unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.handle());
    let running = thread::spawn(move || server.run(&mut io).unwrap());

    // What the first ones have the process open and allocate is there for good.
    abandon_all(addr, &emitter);
    wait_until("the end of the first", || nobody(&emitter, &handle));
    let (at_rest, held) = (threads_and_descriptors(), HELD.load(Relaxed));

    abandon_all(addr, &emitter);
    wait_until("everything is as it was", || {
        // A thread that is counted no more may have been there yet.
        let now = threads_and_descriptors();
        nobody(&emitter, &handle) && now.0 <= at_rest.0 && now.1 <= at_rest.1
    });
    let more = HELD.load(Relaxed).saturating_sub(held);
    let most = BYTES_EACH * ROUNDS * (SESSIONS + HALF_UPGRADES);
    assert!(more < most, "{more} bytes are left");

    handle.shutdown();
    running.join().unwrap();
}

fn nobody(emitter: &Emitter, handle: &ServerHandle) -> bool {
    let (sessions, server) = (emitter.stats(), handle.stats());
    (sessions.sessions, sessions.sockets) == (0, 0)
        && (server.connections, server.threads) == (0, 0)
}

fn abandon_all(addr: SocketAddr, emitter: &Emitter) {
    (0..ROUNDS).for_each(|_| abandon(addr, emitter));
}

/// Clients that vanish: with a session, with a socket, with events that nobody fetches, and while they upgrade.
fn abandon(addr: SocketAddr, emitter: &Emitter) {
    for number in 0..SESSIONS {
        let session = open(addr);
        if number % 2 == 0 {
            ask(addr, "POST", &session, "40");
        }
    }
    emitter.to("everybody").emit("news", "x".repeat(1_000));
    let half: Vec<Client> = (0..HALF_UPGRADES)
        .filter_map(|number| upgrade_in_half(addr, number))
        .collect();
    for mut client in half {
        assert_eq!(client.read_message().opcode, 8, "its time is over");
    }
}

/// The client, if its time is not over yet.
fn upgrade_in_half(addr: SocketAddr, number: usize) -> Option<Client> {
    let session = open(addr);
    let path = format!("/socket.io/?EIO=4&transport=websocket{session}");
    let mut client = Client::connect_with(addr, &path, "");
    if number % 2 == 0 {
        client.send_text("2probe");
        let answer = client.read_message();
        if answer.opcode == 8 {
            return None;
        }
        assert_eq!(answer.text(), "3probe");
    }
    Some(client)
}

/// The part of the query that names a new session.
fn open(addr: SocketAddr) -> String {
    let opened = ask(addr, "GET", "", "");
    format!("&sid={}", opened.split('"').nth(3).unwrap())
}

fn ask(addr: SocketAddr, method: &str, session: &str, body: &str) -> String {
    let request = format!(
        "{method} /socket.io/?EIO=4&transport=polling{session} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(addr, request);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer
}
