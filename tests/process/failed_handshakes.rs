//! Handshakes that fail, in every way there is and by the thousand: counters, threads and descriptors
//! are afterwards what they were.
//!
//! A test binary of its own, because it measures the process.

#[path = "../support/mod.rs"]
mod support;

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use support::app::App;
use support::refusal::{KEY_LINE, but, refusal, status_of};
use support::{Client, dial, read_to_close, reset, threads_and_descriptors, upgrade, wait_until};
use wshub::{Accept, Limits, Reject, Server};

const ROUNDS: u64 = 56;

/// Requests that are answered by a refusal, and how it is counted.
fn refused() -> Vec<(&'static str, String)> {
    let with = |headers: &str| upgrade("localhost", "/", headers);
    vec![
        ("key", but(KEY_LINE, "")),
        ("version", but("Version: 13", "Version: 8")),
        ("upgrade", but("Upgrade: websocket\r\n", "")),
        ("http10", but("HTTP/1.1", "HTTP/1.0")),
        ("method", but("GET", "POST")),
        ("malformed", but("Host: localhost", "Host : localhost")),
        ("http_version", but("HTTP/1.1", "HTTP/2.0")),
        ("body", with("Transfer-Encoding: chunked\r\n")),
        ("origin", with("Origin: null\r\n")),
        ("host", upgrade("a.tld", "/", "Origin: http://a.tld\r\n")),
        ("subprotocol", with("Sec-WebSocket-Protocol: a b\r\n")),
        ("head_too_large", with(&"A: b\r\n".repeat(101))),
        (
            "target_too_long",
            upgrade("localhost", &format!("/{}", "a".repeat(8_000)), ""),
        ),
        ("hook_panicked", upgrade("localhost", "/panic", "")),
        ("hook_subprotocol", upgrade("localhost", "/unoffered", "")),
        ("hook", upgrade("localhost", "/refuse", "")),
    ]
}

#[test]
fn h23_a_thousand_failed_handshakes_leave_nothing_behind() {
    let limits = Limits {
        handshake_timeout: Duration::from_secs(2),
        idle_thread_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let builder = Server::builder().limits(limits);
    let app = App::echo(builder.accept(|request| match request.path() {
        // Without a word on stderr, which a panic would say.
        "/panic" => std::panic::resume_unwind(Box::new("on purpose")),
        "/unoffered" => Ok(Accept::new().with_subprotocol("x")?),
        "/refuse" => Err(Reject::forbidden()),
        _ => Ok(Accept::new()),
    }));
    let at_rest = threads_and_descriptors();
    let kinds = refused();
    for _ in 0..ROUNDS {
        for (reason, request) in &kinds {
            assert!(status_of(&refusal(app.addr, request)) >= 400, "{reason}");
        }
        half_a_request(&app);
        reset(half_a_request(&app));
        let half_closed = half_a_request(&app);
        half_closed.shutdown(Shutdown::Write).unwrap();
        assert!(read_to_close(&mut &half_closed).starts_with(b"HTTP/1.1 400 "));
        let mut tls = dial(app.addr);
        tls.write_all(b"\x16\x03\x01").unwrap();
        assert_eq!(read_to_close(&mut tls), b"");
    }
    // Those that wait for their end all at once.
    let mut silent: Vec<_> = (0..20).map(|_| dial(app.addr)).collect();
    let mut slow: Vec<_> = (0..20).map(|_| half_a_request(&app)).collect();
    for stream in &mut silent {
        assert_eq!(read_to_close(stream), b"");
    }
    for stream in &mut slow {
        assert!(read_to_close(stream).starts_with(b"HTTP/1.1 408 "));
    }
    drop((silent, slow));

    wait_until("everything is as it was", || {
        app.handle.stats().handshakes == 0 && threads_and_descriptors() == at_rest
    });
    let stats = app.handle.stats();
    assert_eq!((stats.connections, stats.opened), (0, 0));
    assert_eq!(stats.handler_failures, ROUNDS);
    for (reason, _) in &kinds {
        // Two more requests end before their heads do.
        let times = if *reason == "malformed" { 3 } else { 1 };
        assert_eq!(stats.refused[reason], times * ROUNDS, "{reason}");
    }
    assert_eq!(stats.refused["tls"], ROUNDS);
    assert_eq!(stats.refused["peer_left"], ROUNDS);
    assert_eq!(
        (stats.refused["silence"], stats.refused["timeout"]),
        (20, 20)
    );
    let all: u64 = stats.refused.values().sum();
    assert_eq!(all, ROUNDS * (kinds.len() as u64 + 4) + 40, "{stats:?}");
    assert!(all > 1_000);
    assert!(app.is_quiet(), "a failed handshake is no event");
    let mut client = Client::connect(app.addr);
    client.send_text("still here");
    assert_eq!(client.read().text(), "still here");
}

fn half_a_request(app: &App) -> TcpStream {
    let mut stream = dial(app.addr);
    stream.write_all(b"GET / HT").unwrap();
    stream
}
