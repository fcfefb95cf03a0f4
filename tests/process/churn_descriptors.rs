//! A server that runs out of descriptors waits without using the CPU, and serves again once there are
//! some; a shutdown does not wait for that.

#[path = "../support/mod.rs"]
mod support;

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::child::{Child, asked, in_child, serve_echo, tell};
use support::{Client, PATIENCE, cpu_time, dial, read_head, wait_until};
use wshub::{Limits, Response, Server, Status};

/// Descriptors that the server may open, and far more clients.
const SETUP: &str = "ulimit -n 64";
const CLIENTS: usize = 200;

fn limits() -> Limits {
    Limits {
        // Silent clients stay.
        handshake_timeout: 3 * PATIENCE,
        max_handshakes: 2 * CLIENTS,
        ..Limits::default()
    }
}

/// How many descriptors a process has open.
fn descriptors(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .count()
}

fn assert_echoes(client: &mut Client) {
    client.send_text("still here");
    assert_eq!(client.read().text(), "still here");
}

#[test]
fn b09_out_of_descriptors_and_back() {
    if in_child() {
        return serve_echo(limits());
    }
    let (mut server, addr) = Child::server("b09_out_of_descriptors_and_back", SETUP);
    let mut healthy = Client::connect(addr);
    let at_rest = descriptors(server.id());
    for round in 1..=2 {
        let begun = (Instant::now(), cpu_time(server.id()));
        let refused = server.refused("accept");
        let silent: Vec<TcpStream> = (0..CLIENTS).map(|_| dial(addr)).collect();
        wait_until("accept fails, again and again", || {
            assert_echoes(&mut healthy);
            server.refused("accept") >= refused + 8
        });
        let took = begun.0.elapsed();
        let used = cpu_time(server.id()) - begun.1;
        // Between eight failures lie seven pauses, each twice as long as the one before.
        assert!(took >= Duration::from_millis(10 * 127), "{took:?}");
        assert!(
            used < took / 2,
            "round {round}: {used:?} of CPU in {took:?}"
        );

        drop(silent);
        assert_echoes(&mut Client::connect(addr));
        // One that comes back later would let a client in and begin the next round's pauses anew.
        wait_until("all descriptors are back", || {
            descriptors(server.id()) == at_rest
        });
    }
    drop(healthy);
    assert!(server.end().success());
}

#[test]
fn b22_a_shutdown_does_not_wait_for_descriptors() {
    if in_child() {
        return serve_echo(limits());
    }
    let (mut server, addr) = Child::server("b22_a_shutdown_does_not_wait_for_descriptors", SETUP);
    let mut silent: Vec<TcpStream> = (0..CLIENTS).map(|_| dial(addr)).collect();
    // By now the pauses between two looks are long.
    wait_until("accept fails", || server.refused("accept") >= 7);
    assert!(server.end().success());
    for client in &mut silent {
        support::read_to_close(client);
    }
}

#[test]
fn b09_the_default_of_connections_follows_the_descriptors() {
    if in_child() {
        return tell(Limits::default().max_connections);
    }
    for (descriptors, connections) in [(16, 1), (64, 32), (1024, 992)] {
        let mut child = Child::start(
            "b09_the_default_of_connections_follows_the_descriptors",
            &format!("ulimit -n {descriptors}"),
        );
        assert_eq!(child.told(), connections.to_string());
    }
}

/// Connections that wait for a next request give their descriptors to new ones.
#[test]
fn b09_idle_connections_of_pages_keep_nobody_out() {
    if in_child() {
        let server = Server::builder()
            .http(|_| Response::text("page"))
            .bind("127.0.0.1:0")
            .unwrap();
        tell(server.local_addr().unwrap());
        for _ in asked() {
            tell(server.stats().idle_connections);
        }
        return;
    }
    let test = "b09_idle_connections_of_pages_keep_nobody_out";
    let (mut server, addr) = Child::server(test, "ulimit -n 40");
    let mut streams = Vec::new();
    for _ in 0..60 {
        let mut stream = dial(addr);
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let head = read_head(&mut stream).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        streams.push(stream);
    }
    // Whoever was answered last may not be counted yet.
    wait_until("those that are left wait for a request", || {
        let idle: usize = server.ask("idle").parse().unwrap();
        assert!(idle < 40, "{idle}");
        idle > 0
    });
    assert!(server.end().success());
}

/// Connections that have sent nothing yet close first, and those that clients use stay.
#[test]
fn b09_silent_connections_close_before_idle_ones() {
    if in_child() {
        let limits = Limits {
            max_handshakes: 1,
            ..limits()
        };
        let server = Server::builder().limits(limits);
        let server = server.http(|_| Status::NO_CONTENT.into());
        let server = server.bind("127.0.0.1:0").unwrap();
        tell(server.local_addr().unwrap());
        for _ in asked() {
            tell(server.stats().idle_connections);
        }
        return;
    }
    const IDLE: usize = 5;
    let test = "b09_silent_connections_close_before_idle_ones";
    // Where the machine stands still meanwhile, descriptors may run out again after the silent ones.
    let stay = (0..8).any(|_| {
        let (mut server, addr) = Child::server(test, SETUP);
        let mut idle: Vec<TcpStream> = (0..IDLE).map(|_| dial(addr)).collect();
        let ask = |stream: &mut TcpStream| {
            let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            asked.is_ok() && read_head(stream).is_ok_and(|head| head.starts_with("HTTP/1.1 204 "))
        };
        assert!(idle.iter_mut().all(ask));
        wait_until("all are idle", || server.ask("idle") == IDLE.to_string());
        let mut silent: Vec<TcpStream> = (0..80).map(|_| dial(addr)).collect();
        // The first has a thread.
        support::read_to_close(&mut silent[1]);
        idle.iter_mut().all(ask)
    });
    assert!(stay, "idle connections were closed with the silent ones");
}
