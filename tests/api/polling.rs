//! Socket.IO by long polling, and from there to a WebSocket, over sockets.

use std::io::Write;
use std::net::TcpStream;
use std::ops::Deref;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use wshub::socketio::{Emitter, Limits, Refused, Socket, SocketIo};
use wshub::{Cors, Overflow, Server};

use crate::support::socketio::SocketIoServer;
use crate::support::{Client, PATIENCE, dial, exchange, read_to_close, upgrade, wait_until};

/// What answers polls.
struct Running {
    server: SocketIoServer,
    emitter: Emitter,
    /// Lets the application go on, where an event had it wait.
    go_on: mpsc::Sender<()>,
}

impl Running {
    fn start(limits: Limits) -> Running {
        let mut io = SocketIo::with_limits((), limits);
        let (go_on, gate) = mpsc::channel();
        io.on("/", "wait", move |_, _, ()| {
            let _ = gate.recv_timeout(PATIENCE);
        });
        io.on("/", "count", |_, socket: &Socket<()>, most: u32| {
            (0..most).for_each(|number| socket.emit("n", number));
        });
        io.allow(|request| match request.query("forbidden") {
            Some(_) => Err(Refused::new("not \"you\"")),
            None => Ok(()),
        });
        let emitter = io.of("/");
        let builder = Server::builder()
            .origins(["https://page.example"])
            .cors(Cors::new());
        Running {
            server: SocketIoServer::start(io, builder),
            emitter,
            go_on,
        }
    }

    fn request(&self, method: &str, query: &str, body: &str) -> Answer {
        Answer::of(&exchange(self.addr, self.text(method, query, body)))
    }

    fn text(&self, method: &str, query: &str, body: &str) -> String {
        format!(
            "{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: {}\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            self.addr,
            body.len()
        )
    }

    fn open(&self) -> Poller<'_> {
        let opened = self.request("GET", "", "");
        let json: Value = serde_json::from_str(opened.body.strip_prefix('0').unwrap()).unwrap();
        let sid = json["sid"].as_str().unwrap().to_owned();
        assert_eq!(json["upgrades"], json!(["websocket"]));
        Poller { server: self, sid }
    }

    /// A client in the main namespace.
    fn join(&self) -> Poller<'_> {
        let poller = self.open();
        assert_eq!(poller.post("40").body, "ok");
        let welcome = poller.get().body;
        assert!(welcome.starts_with("40{\"sid\":\""), "{welcome}");
        poller
    }
}

impl Deref for Running {
    type Target = SocketIoServer;

    fn deref(&self) -> &SocketIoServer {
        &self.server
    }
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn of(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head[9..12].parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    fn error(&self) -> Option<i64> {
        let body: Value = serde_json::from_str(&self.body).ok()?;
        body["code"].as_i64()
    }
}

struct Poller<'a> {
    server: &'a Running,
    sid: String,
}

impl Poller<'_> {
    fn query(&self) -> String {
        format!("&sid={}", self.sid)
    }

    fn get(&self) -> Answer {
        self.server.request("GET", &self.query(), "")
    }

    fn post(&self, body: &str) -> Answer {
        self.server.request("POST", &self.query(), body)
    }

    /// A GET that is not waited for.
    fn begin(&self, method: &str, body: &str) -> TcpStream {
        let mut stream = dial(self.server.addr);
        let request = self.server.text(method, &self.query(), body);
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    fn websocket(&self) -> Client {
        let path = format!("/socket.io/?EIO=4&transport=websocket{}", self.query());
        Client::connect_with(self.server.addr, &path, "")
    }

    /// Packets until there are as many.
    fn packets(&self, count: usize) -> Vec<String> {
        let mut packets = Vec::new();
        while packets.len() < count {
            let answer = self.get();
            assert_eq!(answer.status, 200, "{answer:?}");
            packets.extend(answer.body.split('\x1e').map(str::to_owned));
        }
        packets
    }
}

fn finish(mut stream: TcpStream) -> Answer {
    Answer::of(&String::from_utf8(read_to_close(&mut stream)).unwrap())
}

fn text(client: &mut Client) -> String {
    let frame = client.read_message();
    assert_eq!(frame.opcode, 1, "{frame:?}");
    String::from_utf8(frame.payload).unwrap()
}

fn quick() -> Limits {
    Limits {
        ping_interval: Duration::from_millis(60),
        ping_timeout: Duration::from_millis(60),
        ..Limits::default()
    }
}

#[test]
fn events_answers_and_binary_data_by_polling() {
    let server = Running::start(Limits::default());
    let client = server.join();
    let answer = client
        .post("420[\"echo\",1]\x1e451-1[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1ebAQID");
    assert_eq!((answer.status, &*answer.body), (200, "ok"));
    assert!(answer.head.contains("content-type: text/html"));
    assert_eq!(
        client.packets(6),
        [
            "42[\"echo\",1]",
            "430[1]",
            "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]",
            "bAQID",
            "461-1[{\"_placeholder\":true,\"num\":0}]",
            "bAQID",
        ]
    );
    let held = client.begin("GET", "");
    server.emitter.emit("news", "ü");
    let answer = finish(held);
    assert_eq!(answer.body, "42[\"news\",\"ü\"]");
    assert!(
        answer
            .head
            .contains("content-type: text/plain; charset=utf-8")
    );
    assert!(answer.head.contains("cache-control: no-store"));
}

#[test]
fn a_poll_that_waits_holds_no_thread() {
    let server = Running::start(Limits::default());
    let clients: Vec<Poller> = (0..30).map(|_| server.join()).collect();
    let held: Vec<TcpStream> = clients.iter().map(|it| it.begin("GET", "")).collect();
    wait_until("few threads", || server.handle.stats().threads < 20);
    assert_eq!(server.emitter.emit("news", ()), 30);
    for stream in held {
        assert_eq!(finish(stream).body, "42[\"news\"]");
    }
}

#[test]
fn a_client_that_hangs_up_on_its_poll_has_left() {
    let server = Running::start(Limits::default());
    let client = server.join();
    let held = client.begin("GET", "");
    server.emitter.emit("first", ());
    assert_eq!(finish(held).body, "42[\"first\"]");
    let held = client.begin("GET", "");
    thread::sleep(Duration::from_millis(50));
    drop(held);
    assert_eq!(server.left(), "transport error");
    assert_eq!(client.get().error(), Some(1));
}

#[test]
fn a_second_poll_ends_the_session() {
    let server = Running::start(Limits::default());
    let client = server.join();
    let first = client.begin("GET", "");
    // The first is there before the second.
    thread::sleep(Duration::from_millis(100));
    assert_eq!(client.get().status, 400);
    assert_eq!(finish(first).body, "1");
    assert_eq!(server.left(), "transport error");
}

#[test]
fn a_post_that_breaks_the_protocol_ends_the_session() {
    let server = Running::start(Limits {
        max_payload: 1_000,
        ..Limits::default()
    });
    let long = "4".repeat(1_001);
    for (body, status, reason) in [
        ("abc", 400, "parse error"),
        ("", 400, "parse error"),
        ("4a\x1e", 400, "parse error"),
        ("b!", 400, "parse error"),
        (long.as_str(), 413, "transport error"),
        // Only the server pings.
        ("2", 200, "transport error"),
    ] {
        let client = server.join();
        assert_eq!(client.post(body).status, status, "{body:?}");
        assert_eq!(server.left(), reason, "{body:?}");
        assert_eq!(client.get().error(), Some(1), "{body:?}");
    }
    let client = server.join();
    let text = server.text("POST", &client.query(), "4a");
    let octets = "Content-Type: application/octet-stream\r\nConnection:";
    let answer = exchange(server.addr, text.replacen("Connection:", octets, 1));
    assert_eq!(Answer::of(&answer).status, 400);
    assert_eq!(server.left(), "transport error");
    assert_eq!(client.get().error(), Some(1));
}

#[test]
fn a_client_that_closes_has_its_poll_answered() {
    let server = Running::start(Limits::default());
    let client = server.join();
    let held = client.begin("GET", "");
    // The poll is there before the close.
    thread::sleep(Duration::from_millis(100));
    assert_eq!(client.post("1").body, "ok");
    assert_eq!(finish(held).body, "6");
    assert_eq!(server.left(), "transport close");
    assert_eq!(client.get().error(), Some(1));
}

#[test]
fn an_upgrade_that_begins_wrongly_is_closed_and_polling_lives_on() {
    let server = Running::start(Limits::default());
    let client = server.join();
    for wrong in ["2", "4a", "abc", ""] {
        let mut websocket = client.websocket();
        websocket.send_text(wrong);
        assert_eq!(websocket.read_message().opcode, 8, "{wrong:?}");
        websocket.send_close(1000, "");
    }
    client.post("420[\"echo\"]");
    assert_eq!(client.packets(2), ["42[\"echo\"]", "430[]"]);
}

/// As sessions that others' servers never forgot showed.
#[test]
fn sessions_that_are_abandoned_are_forgotten() {
    const MANY: usize = 40;
    let server = Running::start(Limits {
        max_sessions: MANY,
        ..quick()
    });
    let abandoned: Vec<String> = (0..MANY).map(|_| server.open().sid).collect();
    wait_until("their places", || {
        server.request("GET", "", "").status == 200
    });
    let query = format!("&sid={}", abandoned[0]);
    assert_eq!(server.request("GET", &query, "").error(), Some(1));
    assert!(server.emitter.sockets().is_empty());
}

/// As 19 GiB of another server showed.
#[test]
fn half_an_upgrade_is_closed_and_polling_lives_on() {
    let server = Running::start(Limits {
        upgrade_timeout: Duration::from_millis(80),
        ..Limits::default()
    });
    let client = server.join();
    for probes in [false, true] {
        let mut half = client.websocket();
        if probes {
            half.send_text("2probe");
            assert_eq!(text(&mut half), "3probe");
        }
        let frame = half.read_message();
        assert_eq!(frame.opcode, 8, "{frame:?}");
        half.send_close(1000, "");
    }
    client.post("420[\"echo\"]");
    assert_eq!(client.packets(2), ["42[\"echo\"]", "430[]"]);
}

#[test]
fn an_upgrade_releases_every_poll_and_goes_on_over_the_websocket() {
    let server = Running::start(Limits::default());
    let client = server.join();
    let held = client.begin("GET", "");
    let mut websocket = client.websocket();
    websocket.send_text("2probe");
    assert_eq!(text(&mut websocket), "3probe");
    assert_eq!(finish(held).body, "6");
    for _ in 0..3 {
        assert_eq!(client.get().body, "6");
    }
    websocket.send_text("5");
    websocket.send_text("420[\"echo\",1]");
    assert_eq!(text(&mut websocket), "42[\"echo\",1]");
    assert_eq!(text(&mut websocket), "430[1]");
    assert_eq!(client.get().error(), Some(3));
    let mut second = client.websocket();
    assert_eq!(second.read_message().opcode, 8, "opened, and closed");
    server.emitter.emit("news", ());
    assert_eq!(text(&mut websocket), "42[\"news\"]");
    drop(websocket);
    assert_eq!(server.left(), "transport close");
}

#[test]
fn what_waits_for_the_application_holds_the_next_post_up() {
    let server = Running::start(Limits {
        max_payload: 1_000,
        ..Limits::default()
    });
    let client = server.join();
    client.post("42[\"wait\"]");
    let long = format!("42[\"echo\",\"{}\"]", "x".repeat(800));
    assert_eq!(client.post(&long).body, "ok");
    let mut held = client.begin("POST", &long);
    held.set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    assert!(std::io::Read::read(&mut held, &mut [0]).is_err(), "not yet");
    held.set_read_timeout(Some(PATIENCE)).unwrap();
    server.go_on.send(()).unwrap();
    assert_eq!(finish(held).body, "ok");
    assert_eq!(client.packets(2), [&*long, &*long]);
}

#[test]
fn two_posts_at_once_end_the_session() {
    let server = Running::start(Limits {
        max_payload: 1_000,
        ..Limits::default()
    });
    let client = server.join();
    client.post("42[\"wait\"]");
    let long = format!("42[\"echo\",\"{}\"]", "x".repeat(800));
    client.post(&long);
    let held = client.begin("POST", &long);
    wait_until("the end", || client.post("3").status == 400);
    server.go_on.send(()).unwrap();
    assert_eq!(finish(held).body, "ok");
    assert_eq!(server.left(), "transport error");
}

#[test]
fn nobody_is_dropped_for_two_thousand_events_at_once() {
    let server = Running::start(Limits::default());
    let client = server.join();
    client.post("42[\"count\",2000]");
    let packets = client.packets(2_000);
    let wanted = (0..2_000).map(|number| format!("42[\"n\",{number}]"));
    assert_eq!(packets, wanted.collect::<Vec<_>>());
}

#[test]
fn overflow_decides_about_a_client_that_polls_too_slowly() {
    for (overflow, wanted) in [
        (Overflow::DropNewest, Some(["42[\"n\",0]", "42[\"n\",1]"])),
        (Overflow::DropOldest, Some(["42[\"n\",3]", "42[\"n\",4]"])),
        (Overflow::Disconnect, None),
    ] {
        let server = Running::start(Limits {
            overflow,
            max_queued_packets: 2,
            ..Limits::default()
        });
        let client = server.join();
        client.post("42[\"count\",5]");
        let Some(wanted) = wanted else {
            assert_eq!(server.left(), "transport error");
            continue;
        };
        // Events are taken in order.
        let other = server.join();
        other.post("42[\"echo\"]");
        assert_eq!(other.packets(1), ["42[\"echo\"]"]);
        assert_eq!(client.packets(2), wanted, "{overflow:?}");
        assert_eq!(server.emitter.stats().dropped, 3);
    }
}

#[test]
fn requests_are_refused_by_a_rule_and_with_too_many_sessions() {
    let server = Running::start(Limits {
        max_sessions: 1,
        ..Limits::default()
    });
    let answer = server.request("GET", "&forbidden", "");
    assert_eq!((answer.status, answer.error()), (403, Some(4)));
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["message"], "not \"you\"");
    let _client = server.open();
    assert_eq!(server.request("GET", "", "").status, 503);
}

#[test]
fn sessions_of_one_address_are_bounded_and_their_places_are_given_back() {
    let server = Running::start(Limits {
        max_sessions_per_address: Some(1),
        ..Limits::default()
    });
    let client = server.join();
    assert_eq!(server.request("GET", "", "").status, 503);
    let websocket = upgrade(
        &server.addr.to_string(),
        "/socket.io/?EIO=4&transport=websocket",
        "",
    );
    let answer = Answer::of(&exchange(server.addr, websocket));
    assert_eq!(answer.status, 503);
    assert_eq!(server.emitter.stats().sessions, 1);
    client.post("1");
    assert_eq!(client.get().body, "6");
    server.open();
}

/// As npm's server tells it, to clients and to the application.
#[test]
fn clients_that_poll_are_told_of_the_shutdown() {
    let server = Running::start(Limits::default());
    let client = server.join();
    let held = client.begin("GET", "");
    wait_until("the poll", || server.handle.stats().waiting_requests == 1);
    let idle = server.join();
    server.handle.shutdown();
    assert_eq!(finish(held).body, "1");
    assert_eq!(server.left(), "server shutting down");
    assert_eq!(server.left(), "server shutting down");
    drop(idle);
}

#[test]
fn pages_of_other_sites_poll_by_the_rule_for_websockets() {
    let server = Running::start(Limits::default());
    let ask = |method: &str, origin: &str| {
        let preflight = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n";
        let request = format!(
            "{method} /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: {}\r\n\
             Origin: {origin}\r\n{preflight}Connection: close\r\n\r\n",
            server.addr
        );
        Answer::of(&exchange(server.addr, request))
    };
    let page = "https://page.example";
    let allowed = format!("access-control-allow-origin: {page}");
    for method in ["GET", "OPTIONS"] {
        let answer = ask(method, page);
        assert!(answer.head.contains(&allowed), "{answer:?}");
        let answer = ask(method, "https://other.example");
        assert!(
            !answer.head.contains("access-control-allow-origin"),
            "{answer:?}"
        );
    }
}

#[test]
fn a_client_that_answers_no_ping_is_gone_though_it_polls() {
    let server = Running::start(quick());
    let client = server.join();
    let mut seen = Vec::new();
    loop {
        let answer = client.get();
        match answer.status {
            200 => seen.push(answer.body),
            _ => break,
        }
    }
    assert_eq!(seen, ["2", "1"]);
    assert_eq!(server.left(), "ping timeout");
}

#[test]
fn the_server_closes_behind_what_waits() {
    let server = Running::start(Limits::default());
    let client = server.join();
    client.post("42[\"count\",1]\x1e40");
    assert_eq!(server.left(), "forced server close");
    assert_eq!(client.packets(2), ["42[\"n\",0]", "1"]);
    assert_eq!(client.get().error(), Some(1));
}
