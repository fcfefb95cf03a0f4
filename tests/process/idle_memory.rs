//! What an idle connection takes of the heap: counted, where `many_idle` measures what is resident.
//!
//! A test binary of its own, because it counts through the global allocator, which takes `unsafe`.
#![allow(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Instant;

use support::PATIENCE;
use support::serving::server_with_room;
use wshub::Event;

const CONNECTIONS: usize = 1_000;
const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
/// Beside the request head, as most allocators round each allocation up to 16 bytes, with 8 of their own. Tables, which
/// grow in leaps, are about a tenth of it.
const BOUND: usize = 1_020;
/// Allocations beside those that tables make.
const ALLOCATIONS: usize = 6;

struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

/// What an allocation takes of the heap.
fn taken(size: usize) -> usize {
    (size + 8).next_multiple_of(16)
}

fn note_allocated(size: usize) {
    BYTES.fetch_add(taken(size), SeqCst);
    ALLOCATED.fetch_add(1, SeqCst);
}

fn note_given_back(size: usize) {
    BYTES.fetch_sub(taken(size), SeqCst);
    ALLOCATED.fetch_sub(1, SeqCst);
}

// SAFETY: every call goes to the system's allocator as it came; the counters need no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note_allocated(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note_allocated(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note_given_back(layout.size());
        note_allocated(new_size);
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        note_given_back(layout.size());
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A client that takes nothing of the heap itself.
fn open(addr: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(addr).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(REQUEST).unwrap();
    let (mut answer, mut len) = ([0; 1 << 10], 0);
    while !answer[..len].ends_with(b"\r\n\r\n") {
        let read = client.read(&mut answer[len..]).unwrap();
        assert!(read > 0, "the end amid the answer");
        len += read;
    }
    client
}

#[test]
fn an_idle_connection_takes_little_of_the_heap() {
    let server = server_with_room(2 * CONNECTIONS);
    let addr = server.local_addr().unwrap();
    let mut events = server.events();
    let mut clients = Vec::with_capacity(2 * CONNECTIONS);
    let mut open_more = |count| {
        for _ in 0..count {
            clients.push(open(addr));
            assert!(matches!(events.recv_timeout(PATIENCE), Ok(Event::Open(_))));
        }
    };
    // What the first ones cost is the server's.
    open_more(20);
    let before = (BYTES.load(SeqCst), ALLOCATED.load(SeqCst));
    open_more(CONNECTIONS);
    // Their handshakes' threads let go of the last memory after the 101.
    let each = || {
        let bytes = BYTES.load(SeqCst).saturating_sub(before.0) / CONNECTIONS;
        let allocations = ALLOCATED.load(SeqCst).saturating_sub(before.1) / CONNECTIONS;
        (bytes.saturating_sub(REQUEST.len()), allocations)
    };
    let is_little = |(bytes, allocations)| bytes < BOUND && allocations <= ALLOCATIONS;
    let end = Instant::now() + PATIENCE;
    while !is_little(each()) && Instant::now() < end {
        std::thread::yield_now();
    }
    println!("bytes beside the head, and allocations: {:?}", each());
    assert!(is_little(each()), "{:?}", each());
}
