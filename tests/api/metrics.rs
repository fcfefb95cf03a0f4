//! The counters as a page for a monitoring system: what it says, and to whom.

use std::net::TcpStream;
use std::time::Duration;

use crate::support::app::App;
use crate::support::{Client, PATIENCE, events_in_time, exchange, wait_until};
use wshub::{Event, Response, Server, ServerBuilder};

fn server() -> ServerBuilder {
    Server::builder().metrics("/metrics")
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
}

fn assert_has(text: &str, line: &str) {
    assert!(text.lines().any(|it| it == line), "no {line} in {text}");
}

#[test]
fn the_page_has_what_was_counted() {
    let app = App::echo(server());
    let mut client = Client::connect(app.addr);
    client.send_text("hello");
    assert_eq!(client.read().text(), "hello");
    // What is sent is counted when it has left.
    wait_until("it is counted", || {
        let stats = app.handle.stats();
        (stats.messages_out, stats.bytes_out) == (1, 5)
    });
    let answer = exchange(app.addr, get("/metrics", ""));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_has(
        &answer,
        "Content-Type: text/plain; version=0.0.4; charset=utf-8",
    );
    assert_has(&answer, "Cache-Control: no-store");
    for line in [
        "# TYPE wshub_messages_received_total counter",
        "wshub_messages_received_total 1",
        "wshub_received_bytes_total 5",
        "wshub_messages_sent_total 1",
        "wshub_sent_bytes_total 5",
        "wshub_connections 1",
        "wshub_connections_opened_total 1",
        "wshub_tls_sessions_total 0",
        "wshub_handshake_seconds_count 1",
    ] {
        assert_has(&answer, line);
    }
    let head = exchange(app.addr, get("/metrics", "").replacen("GET", "HEAD", 1));
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"));
}

#[test]
fn a_monitoring_system_that_reads_openmetrics_gets_it() {
    let app = App::echo(server());
    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2\r\n";
    let answer = exchange(app.addr, get("/metrics", accept));
    assert_has(
        &answer,
        "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
    assert_has(&answer, "# TYPE wshub_messages_received counter");
    assert!(answer.ends_with("\n# EOF\n"));
}

/// A body that nobody reads would be the next request.
#[test]
fn a_body_is_no_second_request() {
    let app = App::echo(server().http(|request| Response::text(request.body().len().to_string())));
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let length = smuggled.len();
    let first =
        format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    let answers = exchange(app.addr, [&first, smuggled, &get("/last", "")].concat());
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 2, "{answers}");
    assert!(
        answers.contains(&format!("\r\n\r\n{length}HTTP/1.1 ")),
        "{answers}"
    );
}

#[test]
fn the_connection_is_kept_behind_the_page() {
    let app = App::echo(server());
    let first = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned();
    let answers = exchange(app.addr, first + &get("/metrics", ""));
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 2, "{answers}");
}

#[test]
fn without_it_the_path_is_the_applications() {
    let app = App::echo(Server::builder().http(|_| Response::text("mine")));
    assert!(exchange(app.addr, get("/metrics", "")).ends_with("mine"));
    let app = App::echo(server().http(|_| Response::text("mine")));
    assert!(exchange(app.addr, get("/metrics/", "")).ends_with("mine"));
    assert!(exchange(app.addr, get("/metrics", "")).contains("wshub_connections"));
    // Alone it answers nothing else.
    let app = App::echo(server());
    assert!(exchange(app.addr, get("/", "")).starts_with("HTTP/1.1 426 "));
    assert!(
        exchange(app.addr, get("/metrics", "").replacen("GET", "POST", 1))
            .starts_with("HTTP/1.1 4")
    );
}

#[test]
fn a_stranger_behind_a_proxy_does_not_get_the_counters() {
    let refused = |app: &App, headers: &str, peer: &str| {
        let answer = exchange(app.addr, get("/metrics", headers));
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        let remedy = format!("add .metrics_from([\"{peer}\"])");
        assert!(answer.contains(&remedy), "{answer}");
        assert!(!answer.contains("wshub_"), "{answer}");
    };
    // A proxy that is not trusted hides who asks.
    let app = App::echo(server());
    for header in [
        "X-Forwarded-For: 192.0.2.1\r\n",
        "X-Forwarded-For: 127.0.0.1\r\n",
        "Forwarded: for=127.0.0.1\r\n",
        "Via: 1.1 proxy\r\n",
    ] {
        refused(&app, header, "127.0.0.1");
    }
    // One that is trusted says it.
    let app = App::echo(server().trusted_proxies(["127.0.0.1"]));
    refused(&app, "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1");
    assert!(exchange(app.addr, get("/metrics", "")).starts_with("HTTP/1.1 200 "));
    assert_eq!(app.handle.stats().refused.get("metrics"), Some(&1));
}

#[test]
fn who_is_said_gets_the_counters() {
    let app = App::echo(
        server()
            .trusted_proxies(["127.0.0.1"])
            .metrics_from(["192.0.2.0/24"]),
    );
    let ask = |client: &str| {
        let header = format!("X-Forwarded-For: {client}\r\n");
        exchange(app.addr, get("/metrics", &header))
    };
    assert!(ask("192.0.2.1").starts_with("HTTP/1.1 200 "));
    assert!(ask("192.0.3.1").starts_with("HTTP/1.1 403 "));
    let error = server()
        .metrics_from(["prometheus.example"])
        .bind("127.0.0.1:0");
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("metrics_from: \"prometheus.example\""),
        "{error}"
    );
}

/// A page of another site that has its own name point here.
#[test]
fn another_name_does_not_get_the_counters() {
    let app = App::echo(server());
    let asked = get("/metrics", "").replace("localhost", "evil.example.com");
    assert!(exchange(app.addr, asked).starts_with("HTTP/1.1 403 "));
}

#[test]
fn what_waits_for_a_peer_is_counted_with_its_time() {
    const LENGTH: usize = 8 << 20;
    let server = Server::bind("127.0.0.1:0").unwrap();
    let mut events = server.events();
    let mut client = Client::<TcpStream>::connect(server.local_addr().unwrap());
    let Event::Open(connection) = events.recv_timeout(PATIENCE).unwrap() else {
        panic!("no open");
    };
    connection.send(vec![0; LENGTH]).unwrap();
    let waiting = server.stats();
    assert!(waiting.outbound_bytes > 0);
    assert_eq!(waiting.outbox_time.count(), 0);
    let reader = std::thread::spawn(move || assert_eq!(client.read().payload.len(), LENGTH));
    wait_until("it has left", || {
        let _ = events.recv_timeout(Duration::from_millis(10));
        server.stats().outbound_bytes == 0
    });
    reader.join().unwrap();
    let stats = server.stats();
    assert_eq!(stats.outbox_time.count(), 1);
    assert!(stats.outbox_time.sum() > Duration::ZERO);
}

#[test]
fn what_waits_for_the_application_is_counted_with_its_time() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let mut client = Client::<TcpStream>::connect(server.local_addr().unwrap());
    client.send_text("while the application is away");
    wait_until("it waits", || server.stats().messages_in == 1);
    assert!(events_in_time(server.events()).any(|event| matches!(event, Event::Message(..))));
    assert!(server.stats().channel_time.count() >= 1);
}
