//! Receiving and sending frames allocates nothing: the protocol works in the caller's buffers.
//!
//! A test binary of its own, because it counts through the global allocator (which takes `unsafe`), and because it
//! includes the protocol's source as it is, without the server around it.
#![allow(unsafe_code)]

#[allow(dead_code)]
#[path = "../support/no_compression.rs"]
mod compression;
#[allow(dead_code)]
#[path = "../../src/protocol/mod.rs"]
mod protocol;
#[path = "../support/receiving.rs"]
mod receiving;

use core::cell::Cell;
use core::time::Duration;
use protocol::Role;
use protocol::frame::EncodedHeader;
use protocol::keepalive::{Due, Keepalive, KeepaliveRules};
use protocol::opcode::Opcode;
use protocol::pace::Pace;
use protocol::receive::{ReceiveLimits, Receiver};
use protocol::send::Sender;
use receiving::receive_read;
use std::alloc::{GlobalAlloc, Layout, System};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every call goes to the system's allocator as it came; the counter is thread-local and needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How often this thread allocated while `work` ran.
fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const FRAMES: usize = 10_000;

fn masked(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let last = EncodedHeader::new(opcode, payload.len(), Some(KEY));
    let header = if fin { last } else { last.continued() };
    let mut out = header.as_slice().to_vec();
    out.extend(
        payload
            .iter()
            .enumerate()
            .map(|(i, byte)| byte ^ KEY[i % 4]),
    );
    out
}

/// Delivers `stream` again and again, in reads of at most `read` bytes, until 10,000 frames came; gives the events.
fn receive_all(stream: &[u8], frames_in_it: usize, read: usize) -> usize {
    let limits = ReceiveLimits {
        max_message: 1 << 20,
        max_fragments: 100,
        accept_non_minimal_lengths: false,
    };
    let mut receiver = Receiver::new(Role::Server, limits);
    let rules = KeepaliveRules {
        ping_interval: Some(Duration::MAX),
        pong_wait: Duration::MAX,
        assembly: Pace {
            patience: Duration::MAX,
            min_rate: 0,
        },
    };
    let mut keepalive = Keepalive::new(Duration::ZERO);
    let mut buf = vec![0; 256 * 1024];
    let mut events = 0;
    let found = allocations(|| {
        let mut have = 0;
        for chunk in (0..FRAMES.div_ceil(frames_in_it)).flat_map(|_| stream.chunks(read)) {
            have = receive_read(&mut receiver, &mut buf, have, chunk, |_| events += 1);
            keepalive.received(Duration::ZERO, receiver.under_way(), &rules);
            assert!(matches!(
                keepalive.due(Duration::ZERO, &rules),
                Due::Wait(_)
            ));
        }
    });
    assert_eq!(found, 0, "allocations while receiving");
    events
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
    assert_eq!(
        allocations(|| drop(std::hint::black_box(Vec::<u8>::new()))),
        0
    );
}

#[test]
fn receiving_allocates_nothing() {
    let text = "aé€😀".repeat(100);
    let streams = [
        (masked(Opcode::Binary, true, &[1; 16]), 1),
        (masked(Opcode::Text, true, &text.as_bytes()[..16]), 1),
        (masked(Opcode::Text, true, text.as_bytes()), 1),
        (masked(Opcode::Binary, true, &[2; 1024]), 1),
        (masked(Opcode::Ping, true, b"ping"), 1),
        (masked(Opcode::Pong, true, b""), 1),
    ];
    for (stream, frames) in &streams {
        for read in [7, 64, 1000, 65536] {
            assert_eq!(receive_all(stream, *frames, read), FRAMES);
        }
    }
}

#[test]
fn joining_fragments_allocates_nothing() {
    let text = "aé€😀".repeat(100);
    let (a, b) = text.as_bytes().split_at(501);
    let stream = [
        masked(Opcode::Text, false, a),
        masked(Opcode::Ping, true, b"between"),
        masked(Opcode::Continuation, false, b""),
        masked(Opcode::Continuation, true, b),
    ]
    .concat();
    for read in [7, 64, 1000, 65536] {
        assert_eq!(receive_all(&stream, 4, read), FRAMES / 2);
    }
}

#[test]
fn sending_into_a_grown_buffer_allocates_nothing() {
    for key in [None, Some(KEY)] {
        let mut sender = Sender::new(Duration::ZERO);
        let mut out = Vec::with_capacity(4096);
        let payload = [b'x'; 2048];
        let found = allocations(|| {
            for i in 0..FRAMES {
                out.clear();
                let len = [0, 16, 125, 126, 1024, 2048][i % 6];
                assert!(
                    sender
                        .frame(Opcode::Text, &payload[..len], key, &mut out)
                        .is_ok()
                );
                assert!(sender.frame(Opcode::Pong, b"pong", key, &mut out).is_ok());
            }
            assert!(sender.close(Some(1000.into()), "bye", key, Duration::ZERO, &mut out));
        });
        assert_eq!(found, 0, "allocations while sending");
    }
}
