//! A server that gets no more threads: those it has are served, others are told, and there is room
//! again once somebody left.

#[path = "../support/mod.rs"]
mod support;

use std::io::Write;

use support::child::{Child, in_child, serve_echo};
use support::{Client, dial, read_head, upgrade, wait_until};
use wshub::Limits;

/// Address space for a handful of threads that reserve a lot of it each.
const SETUP: &str = "ulimit -v 2000000";
const STACK: usize = 256 << 20;

#[test]
fn b08_out_of_threads_and_back() {
    if in_child() {
        return serve_echo(Limits {
            stack_size: STACK,
            ..Limits::default()
        });
    }
    let (mut server, addr) = Child::server("b08_out_of_threads_and_back", SETUP);
    let request = upgrade("localhost", "/", "");
    let connect = || {
        let mut stream = dial(addr);
        stream.write_all(request.as_bytes()).unwrap();
        let answer = read_head(&mut stream).unwrap();
        (
            answer.starts_with("HTTP/1.1 101 "),
            Client { stream, answer },
        )
    };
    for _ in 0..3 {
        let mut served = Vec::new();
        let refused = loop {
            match connect() {
                (true, client) => served.push(client),
                (false, client) => break client.answer,
            }
            assert!(served.len() < 20, "threads come without end");
        };
        assert!(served.len() > 1, "{refused}");
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
        for line in ["Retry-After: 1", "Connection: close"] {
            assert!(refused.contains(&format!("\r\n{line}\r\n")), "{refused}");
        }
        for client in &mut served {
            client.send_text("still here");
            assert_eq!(client.read().text(), "still here");
        }
        drop(served);
        wait_until("somebody may come in again", || connect().0);
    }
    assert!(server.refused("full") >= 3);
    assert!(server.end().success());
}

#[test]
fn b08_without_threads_clients_get_503_and_the_server_lives() {
    const TEST: &str = "b08_without_threads_clients_get_503_and_the_server_lives";
    if in_child() {
        // More than there is address space: the system refuses every thread.
        return serve_echo(Limits {
            stack_size: 1 << 30,
            ..Limits::default()
        });
    }
    let (mut server, addr) = Child::server(TEST, "ulimit -v 1000000");
    for _ in 0..10 {
        let head = read_head(&mut dial(addr)).unwrap();
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    }
    assert_eq!(server.refused("full"), 10);
    assert!(server.end().success());
}
