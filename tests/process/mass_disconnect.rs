//! A thousand clients that leave at the same moment, in every way there is: no thread is started for their ends, and
//! their descriptors are free soon.
//!
//! A test binary of its own, because it counts what the process has.

#[path = "../support/mod.rs"]
mod support;

use std::net::Shutdown;
use std::time::Duration;

use support::app::App;
use support::{Client, allow_descriptors, reset, threads_and_descriptors, wait_until};
use wshub::{Limits, Server};

const CLIENTS: usize = 1_000;
/// Those that a connection may get which gives much to do, and room for some more.
const FEW: usize = 8;

/// What each of them does; returns the client, if it is still there.
type Leave = fn(Client) -> Option<Client>;

const WAYS: [(&str, Leave); 6] = [
    ("drops", |_| None),
    ("resets", |client| {
        reset(client.stream);
        None
    }),
    ("closes", |mut client| {
        client.send_close(1000, "");
        Some(client)
    }),
    ("closes and drops", |mut client| {
        client.send_close(1000, "");
        None
    }),
    ("asks, closes and drops", |mut client| {
        client.send_text("question");
        client.send_close(1000, "");
        None
    }),
    ("asks and half-closes", |mut client| {
        client.send_text("question");
        client.stream.shutdown(Shutdown::Write).unwrap();
        Some(client)
    }),
];

#[test]
fn b16_a_thousand_that_leave_at_once_cost_no_threads() {
    allow_descriptors(2 * CLIENTS + 200);
    let limits = Limits {
        max_connections: CLIENTS,
        idle_thread_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let app = App::echo(Server::builder().limits(limits));
    drop(Client::connect(app.addr));
    wait_until("it is quiet", || {
        let stats = app.handle.stats();
        (stats.threads, stats.connections) == (0, 0)
    });
    // A thread that is counted no more may be there for a moment yet, here and below.
    let at_rest = threads_and_descriptors();
    for (way, leave) in WAYS {
        let clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(app.addr)).collect();
        assert_eq!(app.handle.stats().connections, CLIENTS);
        wait_until("the threads of the handshakes are gone", || {
            threads_and_descriptors().0 <= at_rest.0
        });
        let mut most = 0;
        let mut is_over = || {
            let now = threads_and_descriptors();
            most = most.max(now.0);
            now.0 <= at_rest.0 && now.1 <= at_rest.1 && app.handle.stats().connections == 0
        };
        let mut left: Vec<_> = clients.into_iter().filter_map(leave).collect();
        is_over();
        for client in &mut left {
            // An echo, or the Close.
            client.read();
        }
        is_over();
        drop(left);
        wait_until(way, is_over);
        assert!(most <= at_rest.0 + FEW, "{way}: {most} threads");
    }
}
