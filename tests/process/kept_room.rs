//! A connection whose reads end amid a message is not idle: the memory that its answers are collected in stays.
//!
//! A test binary of its own, because it counts through the global allocator, which takes `unsafe`.
#![allow(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

use core::cell::Cell;
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};

use support::{Client, PATIENCE, frame};
use wshub::{Event, Server};

/// What grows to less costs little.
const LARGE: usize = 8 << 10;
const ROUNDS: usize = 50;
const MESSAGES: usize = 9;
const LEN: usize = 4 << 10;
/// Its header has four bytes.
const ANSWER: usize = 4 + LEN;

struct Counting;

thread_local! {
    static GROWN: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came; the counter is thread-local and needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        GROWN.set(GROWN.get() + usize::from(new_size >= LARGE));
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn answers_amid_a_message_are_collected_in_the_same_room_again() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let mut client = Client::connect(server.local_addr().unwrap()).stream;
    let message = frame(true, 2, &[7; LEN]);
    let (begun, rest) = message.split_at(LEN / 2);
    let burst = [rest, &message.repeat(MESSAGES - 1), begun].concat();
    client.write_all(begun).unwrap();
    let mut events = server.events();
    let mut next_message = || loop {
        match events.recv_timeout(PATIENCE) {
            Ok(Event::Message(connection, message)) => return (connection, message),
            Ok(Event::Open(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    let mut answers = vec![0; MESSAGES * ANSWER];
    let mut round = || {
        client.write_all(&burst).unwrap();
        for _ in 0..MESSAGES {
            let (connection, message) = next_message();
            connection.send(message).unwrap();
        }
        client.read_exact(&mut answers).unwrap();
    };
    (0..ROUNDS).for_each(|_| round());
    let before = GROWN.get();
    (0..ROUNDS).for_each(|_| round());
    let grown = GROWN.get() - before;
    assert!(grown < ROUNDS, "{grown} buffers grew in {ROUNDS} rounds");
}
