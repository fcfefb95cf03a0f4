//! Inside a program that leaves SIGPIPE deadly, as every C program does that does not think of it, a
//! peer that is gone kills nobody.
//!
//! A test binary of its own: it changes what a signal does to its process, which takes `unsafe`.
#![cfg(unix)]
#![allow(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use support::child::{Child, asked, in_child};
use support::{Client, PATIENCE, reset, wait_until};
use wshub::{Event, Server};

const SIGPIPE: i32 = 13;

unsafe extern "C" {
    fn signal(signal: i32, action: usize) -> usize;
}

/// Rust's runtime ignores the signal; C's default is death.
fn let_sigpipe_kill() {
    // SAFETY: the default action, 0, is no pointer that would have to stay valid.
    unsafe { signal(SIGPIPE, 0) };
}

#[test]
fn b19_a_peer_that_is_gone_kills_nobody() {
    if in_child() {
        let_sigpipe_kill();
        return send_to_peers_that_are_gone();
    }
    let child = Child::start("b19_a_peer_that_is_gone_kills_nobody", ":");
    let status = child.end();
    assert!(status.success(), "{status}");
}

#[test]
fn b19_the_signal_would_have_killed() {
    if in_child() {
        let_sigpipe_kill();
        let gone = Command::new("true").stdin(Stdio::piped()).spawn();
        let mut gone = gone.unwrap();
        let mut pipe = gone.stdin.take().unwrap();
        gone.wait().unwrap();
        let _ = pipe.write(b"x");
        asked().for_each(drop);
        return;
    }
    let child = Child::start("b19_the_signal_would_have_killed", ":");
    assert_eq!(child.end().signal(), Some(SIGPIPE));
}

fn send_to_peers_that_are_gone() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let mut events = server.events();
    for round in 0..50 {
        let client = Client::connect(addr);
        let Ok(Event::Open(connection)) = events.recv_timeout(PATIENCE) else {
            panic!("an Open");
        };
        if round % 2 == 0 {
            reset(client.stream);
        } else {
            drop(client);
        }
        // Some of these meet a stream that is gone before its reader has noticed.
        while connection.send("anybody there?").is_ok() {}
        wait_until("the connection has ended", || {
            matches!(events.recv_timeout(PATIENCE), Ok(Event::Close(..)))
        });
    }
    // And a 101, and a refusal, for somebody who is gone.
    for request in [
        support::upgrade("localhost", "/", ""),
        "POST / HTTP/1.1\r\n\r\n".into(),
    ] {
        let mut stream = support::dial(addr);
        stream.write_all(request.as_bytes()).unwrap();
        reset(stream);
    }
    server.shutdown();
}
