//! Clients that reset, break off and break the rules, by the thousand: both kinds of server still serve afterwards, and
//! threads and descriptors are what they were.

#[path = "../support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use support::app::App;
use support::{Client, cpu_time, serving, threads_and_descriptors, ugly, wait_until};
use wshub::{Limits, Server, ServerHandle};

const CLIENTS: usize = 1_000;

#[test]
fn b16_a_thousand_resets_leave_nothing_behind() {
    let before = threads_and_descriptors();
    let limits = Limits {
        idle_thread_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let app = App::echo(Server::builder().limits(limits.clone()));
    let handle = Server::builder()
        .limits(limits)
        .serve("127.0.0.1:0", serving::echo)
        .unwrap();
    let at_rest = threads_and_descriptors();

    for server in [&app.handle, &handle] {
        let addr = server.local_addr().unwrap();
        (0..CLIENTS).for_each(|client| ugly::come_and_go(addr, client));
        assert_serves(addr);
        wait_until("everything is as it was", || {
            is_empty(server) && threads_and_descriptors() == at_rest
        });
        assert_serves(addr);
    }
    check_events(&app);
    wait_until("everything is as it was again", || {
        threads_and_descriptors() == at_rest
    });

    let (used, window) = (cpu_time("self"), Duration::from_millis(500));
    thread::sleep(window);
    let used = cpu_time("self") - used;
    assert!(used < window / 2, "an idle server used {used:?}");

    drop(app);
    handle.shutdown();
    assert_eq!(handle.wait().threads_left, 0);
    drop(handle);
    wait_until("nothing is left", || threads_and_descriptors() == before);
}

fn assert_serves(addr: SocketAddr) {
    let mut client = Client::connect(addr);
    client.send_text("still here");
    assert_eq!(client.read().text(), "still here");
    client.send_close(1000, "");
    assert_eq!(client.read().close().0, 1000);
    assert!(client.at_end());
}

fn is_empty(server: &ServerHandle) -> bool {
    let stats = server.stats();
    (stats.connections, stats.handshakes, stats.stalled) == (0, 0, 0) && stats.inbound_bytes == 0
}

/// One Open first, one Close last, whatever became of the connection.
fn check_events(app: &App) {
    wait_until("every event was taken", || is_empty(&app.handle));
    let opened = app.handle.stats().opened;
    assert!(opened as usize >= CLIENTS / ugly::WAYS * 11, "{opened}");
    let mut open = HashMap::new();
    let mut closed = 0;
    while closed < opened {
        let (id, event) = app.next();
        match event.split(' ').next().unwrap() {
            "open" => assert!(open.insert(id, true).is_none(), "{id} opened again"),
            "close" => {
                assert_eq!(open.insert(id, false), Some(true), "{id}: {event}");
                closed += 1;
            }
            _ => assert_eq!(open.get(&id), Some(&true), "{id}: {event}"),
        }
    }
    assert!(app.is_quiet());
}
