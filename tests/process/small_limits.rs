//! What a server with `Limits::small` takes, with as many clients as it lets in.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use support::child::{Child, asked, in_child, tell};
use support::{Client, dial, exchange, frame, own_memory, wait_until};
use wshub::{Event, Limits, Response, Server};

const CLIENTS: usize = 32;
const LONGEST: usize = 8 << 10;
const PAGE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// With clients that read what they get, and with such that do not: 2.5 MiB. Threads of opening handshakes are in that,
/// and a busy machine has more of them at a time.
const MOST: usize = (5 << 20) / 2;

/// In the child: an echo and a page.
fn serve_small() {
    tell("ready");
    asked().next();
    let server = Server::builder()
        .limits(Limits::small())
        .http(|_| Response::html("a page"));
    let server = server.bind("127.0.0.1:0").unwrap();
    let handle = server.handle();
    tell(server.local_addr().unwrap());
    let end = thread::spawn(move || {
        asked().for_each(|_| tell(handle.stats().connections));
        handle.terminate();
    });
    for event in server.events() {
        if let Event::Message(connection, message) = event {
            // The peer may have left meanwhile, or be too slow.
            let _ = connection.send(message);
        }
    }
    end.join().unwrap();
}

#[test]
fn b11_small_limits_take_little_with_32_clients() {
    if in_child() {
        return serve_small();
    }
    let test = "b11_small_limits_take_little_with_32_clients";
    let mut child = Child::start(test, "ulimit -n 80");
    assert_eq!(child.told(), "ready");
    let before = own_memory(child.id());
    let addr: SocketAddr = child.ask("begin").parse().unwrap();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::connect(addr)).collect();
    let message = frame(true, 2, &[7; LONGEST]);
    for _ in 0..20 {
        // All at once, and a page beside them.
        for client in &mut clients {
            client.stream.write_all(&message).unwrap();
        }
        assert!(exchange(addr, PAGE).ends_with("a page"));
        for client in &mut clients {
            assert_eq!(client.read().payload.len(), LONGEST);
        }
    }
    assert_grown("32 echo", child.id(), before);
    // None of them reads its echoes: TCP fills up, then the server's own queue, then what it reads into.
    thread::scope(|scope| {
        for client in &clients {
            scope.spawn(|| fill(&client.stream));
        }
    });
    // Some more are there, and never end their requests.
    let endless: Vec<_> = (0..CLIENTS / 2).map(|_| endless_head(addr)).collect();
    assert_grown("32 do not read", child.id(), before);
    drop((clients, endless));
    wait_until("all have left", || child.ask("connections") == "0");
    assert!(exchange(addr, PAGE).ends_with("a page"));
    assert!(child.end().success());
}

/// Sends messages until nobody takes one, but not for ever.
fn fill(mut stream: &TcpStream) {
    let message = frame(true, 2, &[0; LONGEST]);
    stream
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(4);
    while Instant::now() < deadline && stream.write_all(&message).is_ok() {}
}

/// Nearly as much as a head may have.
fn endless_head(addr: SocketAddr) -> TcpStream {
    let mut stream = dial(addr);
    let head = format!("GET / HTTP/1.1\r\nCookie: {}", "a".repeat(3_900));
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn assert_grown(what: &str, process: u32, before: usize) {
    let grown = own_memory(process).saturating_sub(before);
    println!("{what}: {} KiB", grown >> 10);
    assert!(grown <= MOST, "{what}: {} KiB", grown >> 10);
}
