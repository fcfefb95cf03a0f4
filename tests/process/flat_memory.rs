//! Control frames by the million cost no memory, whether they are answered or not.
//!
//! A test binary of its own, because it counts through the global allocator (which takes `unsafe`).
#![allow(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use support::app::App;
use support::{Client, frame};
use wshub::Server;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const FRAMES: usize = 1_000_000;
const AT_ONCE: usize = 1_000;

/// Sends a million times this frame and then a ping; returns how often anybody allocated meanwhile.
fn flood(client: &mut Client, frame_of_flood: &[u8], answer: usize) -> usize {
    let chunk = frame_of_flood.repeat(AT_ONCE);
    let last = frame(true, 9, b"the last");
    let mut answers = vec![0; answer * AT_ONCE];
    // What buffers grow to is not the flood's doing.
    let mut before = 0;
    for round in 0..FRAMES / AT_ONCE {
        if round == 100 {
            before = ALLOCATIONS.load(Relaxed);
        }
        client.stream.write_all(&chunk).unwrap();
        client.stream.read_exact(&mut answers).unwrap();
    }
    client.stream.write_all(&last).unwrap();
    let allocations = ALLOCATIONS.load(Relaxed) - before;
    assert_eq!(client.read().payload, b"the last");
    allocations
}

/// Far fewer than there are frames; the rounds of the flood may grow a buffer now and then.
const FEW: usize = FRAMES / AT_ONCE;

#[test]
fn f15_f16_a_million_control_frames_allocate_nothing() {
    let app = App::echo(Server::builder());
    let mut client = Client::connect(app.addr);
    app.expect(&["open"]);
    let pongs = flood(&mut client, &frame(true, 10, b""), 0);
    assert!(pongs < FEW, "{pongs} allocations for {FRAMES} pongs");
    // Each of a thousand is answered before the next thousand comes.
    let pings = flood(&mut client, &frame(true, 9, b"ping"), 6);
    assert!(pings < FEW, "{pings} allocations for {FRAMES} pings");
    assert!(app.is_quiet(), "they are no events");
}
