//! Socket.IO by long polling, and from there to a WebSocket, over sockets.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::ops::Deref;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use wshub::socketio::{Bytes, Emitter, Limits, Refused, Socket, SocketIo};
use wshub::{Cors, Overflow, Server, ServerBuilder};

use crate::support::socketio::{SocketIoServer, join_websocket};
use crate::support::{
    Client, PATIENCE, ask_on, dial, exchange, read_answer, read_to_close, upgrade, wait_until,
};

/// What answers polls.
struct Running {
    server: SocketIoServer,
    emitter: Emitter,
    /// Lets the application go on, where an event had it wait.
    go_on: mpsc::Sender<()>,
}

impl Running {
    fn start(limits: Limits) -> Running {
        Running::start_on(Server::builder(), limits)
    }

    fn start_on(builder: ServerBuilder, limits: Limits) -> Running {
        let mut io = SocketIo::with_limits((), limits);
        let (go_on, gate) = mpsc::channel();
        io.on("/", "wait", move |_, _, ()| {
            let _ = gate.recv_timeout(PATIENCE);
        });
        io.on("/", "count", |_, socket: &Socket<()>, most: u32| {
            (0..most).for_each(|number| socket.emit("n", number));
        });
        io.on("/", "shout", |_, socket: &Socket<()>, ()| {
            socket.broadcast().emit("shout", ());
        });
        io.allow(|request| match request.query("forbidden") {
            Some(_) => Err(Refused::new("not \"you\"")),
            None => Ok(()),
        });
        let emitter = io.of("/");
        let builder = builder.origins(["https://page.example"]).cors(Cors::new());
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

    /// A poll that waits; no other does.
    fn hold(&self, client: &Poller<'_>) -> TcpStream {
        let waiting = || self.handle.stats().waiting_requests;
        // One that is answered may be counted for a moment yet.
        wait_until("no poll waits", || waiting() == 0);
        let held = client.begin("GET", "");
        wait_until("the poll waits", || waiting() == 1);
        held
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

    /// A POST that waits for the application, which has not taken one like it; and the packet of both.
    fn hold_post(&self, length: usize) -> (TcpStream, String) {
        self.post("42[\"wait\"]");
        let packet = format!("42[\"echo\",\"{}\"]", "x".repeat(length));
        assert_eq!(self.post(&packet).body, "ok");
        let held = self.begin("POST", &packet);
        (held, packet)
    }

    /// A request that is not waited for.
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

/// Long enough for a client to join on a busy machine.
fn quick() -> Limits {
    Limits {
        ping_interval: Duration::from_secs(2),
        ping_timeout: Duration::from_secs(2),
        ..Limits::default()
    }
}

/// Nothing is answered for so long.
fn not_yet(held: &mut TcpStream, time: Duration) {
    held.set_read_timeout(Some(time)).unwrap();
    assert!(std::io::Read::read(held, &mut [0]).is_err(), "not yet");
    held.set_read_timeout(Some(PATIENCE)).unwrap();
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

/// As the orders of another server showed, whose headers and attachments were mixed.
#[test]
fn binary_events_of_several_threads_are_not_mixed() {
    const THREADS: u8 = 4;
    const EACH: usize = 50;
    let server = Running::start(Limits::default());
    let polls = server.join();
    let mut websocket = join_websocket(server.addr);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let emitter = &server.emitter;
            scope.spawn(move || {
                for _ in 0..EACH {
                    emitter.emit("data", (number, Bytes::from(vec![number; 3])));
                }
            });
        }
    });
    let number_of = |header: &str| -> u8 {
        let rest = header.strip_prefix("451-[\"data\",").unwrap();
        rest.split(',').next().unwrap().parse().unwrap()
    };
    let events = EACH * usize::from(THREADS);
    for _ in 0..events {
        let number = number_of(&websocket.read_text());
        assert_eq!(websocket.read_message().payload, [number; 3]);
    }
    let in_base64 = ["bAAAA", "bAQEB", "bAgIC", "bAwMD"];
    for event in polls.packets(2 * events).chunks(2) {
        let number = number_of(&event[0]);
        assert_eq!(event[1], in_base64[usize::from(number)]);
    }
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

/// As Node's clients do: the connections are there before what is sent over them.
#[test]
fn clients_that_connect_anew_for_each_poll_lose_no_session_and_take_no_threads() {
    const CLIENTS: usize = 200;
    let server = Running::start(Limits {
        // None is pinged meanwhile.
        ping_interval: 10 * PATIENCE,
        ..Limits::default()
    });
    let most = wshub::Limits::default().max_handshakes;
    assert!(CLIENTS > 2 * most);
    let clients: Vec<Poller<'_>> = (0..CLIENTS).map(|_| server.join()).collect();
    for round in 0..2 {
        let mut streams: Vec<TcpStream> = clients.iter().map(|_| dial(server.addr)).collect();
        wait_until("many are there", || {
            server.handle.stats().handshakes == most
        });
        for (client, stream) in clients.iter().zip(&mut streams) {
            let get = server.text("GET", &client.query(), "");
            stream.write_all(get.as_bytes()).unwrap();
        }
        wait_until("all polls wait", || {
            server.handle.stats().waiting_requests == CLIENTS
        });
        assert!(server.handle.stats().threads <= most + most / 2);
        server.emitter.emit("round", round);
        for stream in streams {
            let answer = finish(stream);
            assert_eq!(
                (answer.status, &*answer.body),
                (200, &*format!("42[\"round\",{round}]"))
            );
        }
    }
    assert_eq!(server.handle.stats().refused.values().sum::<u64>(), 0);
}

#[test]
fn a_client_that_hangs_up_on_its_poll_has_left() {
    let server = Running::start(Limits::default());
    let client = server.join();
    let held = client.begin("GET", "");
    server.emitter.emit("first", ());
    assert_eq!(finish(held).body, "42[\"first\"]");
    let held = server.hold(&client);
    drop(held);
    assert_eq!(server.left(), "transport error");
    assert_eq!(client.get().error(), Some(1));
}

/// It still reads.
#[test]
fn a_client_that_ends_its_side_of_a_poll_is_told_of_the_end() {
    let server = Running::start(Limits::default());
    let client = server.join();
    let held = server.hold(&client);
    held.shutdown(Shutdown::Write).unwrap();
    let answer = finish(held);
    assert_eq!((answer.status, &*answer.body), (200, "1"));
    assert_eq!(server.left(), "transport error");
    assert_eq!(server.handle.stats().refused.values().sum::<u64>(), 0);
}

#[test]
fn a_second_poll_ends_the_session() {
    let server = Running::start(Limits::default());
    let client = server.join();
    let first = server.hold(&client);
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
    let held = server.hold(&client);
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
    // A probe must come within this time, too.
    for (probes, upgrade_timeout) in [(false, 80), (true, 3_000)] {
        let server = Running::start(Limits {
            upgrade_timeout: Duration::from_millis(upgrade_timeout),
            ..Limits::default()
        });
        let client = server.join();
        let mut half = client.websocket();
        if probes {
            half.send_text("2probe");
            assert_eq!(half.read_text(), "3probe");
        }
        let frame = half.read_message();
        assert_eq!(frame.opcode, 8, "{frame:?}");
        half.send_close(1000, "");
        client.post("420[\"echo\"]");
        assert_eq!(client.packets(2), ["42[\"echo\"]", "430[]"]);
    }
}

#[test]
fn an_upgrade_releases_every_poll_and_goes_on_over_the_websocket() {
    let server = Running::start(Limits::default());
    let client = server.join();
    let held = client.begin("GET", "");
    let mut websocket = client.websocket();
    websocket.send_text("2probe");
    assert_eq!(websocket.read_text(), "3probe");
    assert_eq!(finish(held).body, "6");
    for _ in 0..3 {
        assert_eq!(client.get().body, "6");
    }
    websocket.send_text("5");
    websocket.send_text("420[\"echo\",1]");
    assert_eq!(websocket.read_text(), "42[\"echo\",1]");
    assert_eq!(websocket.read_text(), "430[1]");
    assert_eq!(client.get().error(), Some(3));
    let mut second = client.websocket();
    assert_eq!(second.read_message().opcode, 8, "opened, and closed");
    server.emitter.emit("news", ());
    assert_eq!(websocket.read_text(), "42[\"news\"]");
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
    let (mut held, long) = client.hold_post(800);
    not_yet(&mut held, Duration::from_millis(200));
    server.go_on.send(()).unwrap();
    assert_eq!(finish(held).body, "ok");
    assert_eq!(client.packets(2), [&*long, &*long]);
}

/// A slow application costs no client its session.
#[test]
fn a_post_that_waits_for_the_application_has_no_deadline() {
    let limits = wshub::Limits {
        answer_timeout: Duration::from_millis(300),
        ..wshub::Limits::default()
    };
    let server = Running::start_on(
        Server::builder().limits(limits),
        Limits {
            max_payload: 150,
            ..Limits::default()
        },
    );
    let client = server.join();
    let (mut held, long) = client.hold_post(80);
    not_yet(&mut held, Duration::from_secs(1));
    server.go_on.send(()).unwrap();
    let answer = finish(held);
    assert_eq!((answer.status, &*answer.body), (200, "ok"));
    assert_eq!(client.packets(2), [&*long, &*long]);
}

/// The pong waits until the POST has been taken.
#[test]
fn a_post_that_waits_for_the_application_costs_no_client_its_session() {
    let server = Running::start(Limits {
        max_payload: 150,
        ping_interval: Duration::from_secs(4),
        ping_timeout: Duration::from_secs(4),
        ..Limits::default()
    });
    let client = server.join();
    let (mut held, long) = client.hold_post(80);
    assert_eq!(client.get().body, "2");
    not_yet(&mut held, Duration::from_secs(5));
    server.emitter.emit("news", ());
    assert_eq!(client.get().body, "42[\"news\"]", "its pong is overdue");
    server.go_on.send(()).unwrap();
    assert_eq!(finish(held).body, "ok");
    assert_eq!(client.post("3").body, "ok");
    assert_eq!(client.packets(2), [&*long, &*long]);
}

/// So it is where the connection has brought requests before, and holds no thread.
#[test]
fn a_post_that_waits_has_no_deadline_on_a_kept_connection_either() {
    let limits = wshub::Limits {
        answer_timeout: Duration::from_millis(300),
        ..wshub::Limits::default()
    };
    let small = Limits {
        max_payload: 150,
        ..Limits::default()
    };
    let server = Running::start_on(Server::builder().limits(limits), small);
    let client = server.join();
    let post = |body: &str| {
        let text = server.text("POST", &client.query(), body);
        text.replace("Connection: close\r\n", "")
    };
    let mut stream = dial(server.addr);
    let long = format!("42[\"echo\",\"{}\"]", "x".repeat(80));
    assert_eq!(ask_on(&mut stream, &post("42[\"wait\"]")).1, "ok");
    assert_eq!(ask_on(&mut stream, &post(&long)).1, "ok");
    wait_until("it is idle", || server.handle.stats().idle_connections == 1);
    stream.write_all(post(&long).as_bytes()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    assert!(stream.peek(&mut [0]).is_err(), "not yet");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    server.go_on.send(()).unwrap();
    assert_eq!(read_answer(&mut stream).1, "ok");
    assert_eq!(client.packets(2), [&*long, &*long]);
}

/// Short messages cost more than their bytes.
#[test]
fn so_many_messages_of_one_client_wait_for_the_application() {
    const MANY: usize = 5_000;
    let server = Running::start(Limits::default());
    let client = server.join();
    client.post("42[\"wait\"]");
    let events = vec!["42[\"echo\"]"; MANY];
    let mut held = client.begin("POST", &events.join("\x1e"));
    not_yet(&mut held, Duration::from_millis(200));
    server.go_on.send(()).unwrap();
    assert_eq!(finish(held).body, "ok");
    assert_eq!(client.packets(MANY), events);
}

/// As a plain WebSocket keeps its place until the application has taken its end.
#[test]
fn a_session_keeps_its_place_until_the_application_has_heard_of_its_end() {
    let server = Running::start(Limits {
        max_sessions: 2,
        ..Limits::default()
    });
    let busy = server.join();
    busy.post("42[\"wait\"]");
    let client = server.open();
    assert_eq!(client.post("1").body, "ok");
    assert_eq!(client.get().body, "6");
    assert_eq!(client.get().error(), Some(1), "it has ended");
    assert_eq!(server.request("GET", "", "").status, 503);
    server.go_on.send(()).unwrap();
    wait_until("its place", || server.request("GET", "", "").status == 200);
}

#[test]
fn nothing_behind_what_breaks_the_protocol_is_heard() {
    // No packet, and one that has no place here.
    for violation in ["4garbage", "40"] {
        let server = Running::start(Limits::default());
        let [client, other] = [server.join(), server.join()];
        client.post(&format!(
            "{violation}\x1e42[\"shout\"]\x1e40/\x1e42[\"shout\"]"
        ));
        server.left();
        other.post("420[\"echo\"]");
        assert_eq!(other.packets(2), ["42[\"echo\"]", "430[]"]);
    }
}

fn with_recovery() -> Limits {
    Limits {
        recovery_window: Some(Duration::from_secs(60)),
        ..Limits::default()
    }
}

/// A client names the last offset that it saw, and gets what is after that: one that came late would be lost.
#[test]
fn offsets_rise_though_several_threads_emit() {
    const THREADS: usize = 4;
    const EACH: usize = 2_000;
    let server = Running::start(with_recovery());
    let path = "/socket.io/?EIO=4&transport=websocket";
    let mut websocket = Client::connect_with(server.addr, path, "");
    assert!(websocket.read_text().starts_with("0{"));
    websocket.send_text("40");
    assert!(websocket.read_text().starts_with("40{"));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let emitter = &server.emitter;
            scope.spawn(move || (0..EACH).for_each(|_| _ = emitter.emit("n", ())));
        }
        let mut last = 0;
        for _ in 0..THREADS * EACH {
            let event = websocket.read_text();
            let offset = event.strip_prefix("42[\"n\",\"0.").unwrap();
            let offset: u64 = offset.strip_suffix("\"]").unwrap().parse().unwrap();
            assert!(offset > last, "{offset} behind {last}");
            last = offset;
        }
    });
}

/// What was missed is bounded by what is kept, and not by what else a client lets wait.
#[test]
fn a_client_that_comes_back_gets_all_that_it_missed() {
    const MISSED: usize = 200;
    let server = Running::start(with_recovery());
    let client = server.open();
    client.post("40");
    let welcome = client.get().body;
    let welcome: Value = serde_json::from_str(&welcome[2..]).unwrap();
    server.emitter.emit("first", ());
    assert_eq!(client.get().body, "42[\"first\",\"0.1\"]");
    let held = server.hold(&client);
    drop(held);
    assert_eq!(server.left(), "transport error");
    let long = "x".repeat(10_000);
    (0..MISSED).for_each(|_| _ = server.emitter.emit("n", &long));
    let client = server.open();
    let auth = json!({"pid": welcome["pid"], "offset": "0.1"});
    assert_eq!(client.post(&format!("40{auth}")).body, "ok");
    wait_until("its return", || server.emitter.sockets().len() == 1);
    server.emitter.emit("last", ());
    let packets = client.packets(MISSED + 2);
    assert!(packets[0].starts_with("40{"));
    for (at, packet) in packets[1..=MISSED].iter().enumerate() {
        assert_eq!(*packet, format!("42[\"n\",\"{long}\",\"0.{}\"]", at + 2));
    }
    assert_eq!(
        packets[MISSED + 1],
        format!("42[\"last\",\"0.{}\"]", MISSED + 2)
    );
}

#[test]
fn two_posts_at_once_end_the_session() {
    let server = Running::start(Limits {
        max_payload: 1_000,
        ..Limits::default()
    });
    let client = server.join();
    let (held, _) = client.hold_post(800);
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
    assert_eq!(server.left(), "transport close");
    wait_until("its place is free", || {
        server.request("GET", "", "").status == 200
    });
}

/// As npm's server tells it, to clients and to the application.
#[test]
fn clients_that_poll_are_told_of_the_shutdown() {
    let server = Running::start(Limits::default());
    let client = server.join();
    let held = server.hold(&client);
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
        assert!(answer.head.contains("vary: origin"), "{answer:?}");
        if method == "OPTIONS" {
            assert_eq!(answer.status, 204);
            assert!(answer.head.contains("access-control-allow-methods: "));
        }
        let answer = ask(method, "https://other.example");
        assert!(
            !answer.head.contains("access-control-allow-origin"),
            "{answer:?}"
        );
    }
}

#[test]
fn a_websocket_of_another_site_is_refused() {
    let server = Running::start(Limits::default());
    let client = server.join();
    let host = server.addr.to_string();
    for sid in [String::new(), client.query()] {
        let path = format!("/socket.io/?EIO=4&transport=websocket{sid}");
        let request = upgrade(&host, &path, "Origin: https://other.example\r\n");
        let answer = Answer::of(&exchange(server.addr, request));
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.body.contains(".origins("), "{answer:?}");
    }
    client.post("420[\"echo\"]");
    assert_eq!(client.packets(2), ["42[\"echo\"]", "430[]"]);
}

/// The id of a session is its client's secret; that of a socket is shown to others, and names its room.
#[test]
fn the_id_of_a_socket_is_another_than_that_of_its_session() {
    let server = Running::start(Limits::default());
    let [first, second] = [server.join(), server.join()];
    let ids = server.emitter.sockets();
    assert_eq!(ids.len(), 2);
    assert!(!ids.contains(&first.sid) && !ids.contains(&second.sid));
    assert_eq!(server.emitter.to(&*first.sid).emit("stolen", ()), 0);
    assert_eq!(server.emitter.to(&*ids[0]).emit("news", ()), 1);
}

#[test]
fn what_is_volatile_does_not_wait_for_a_poll() {
    let server = Running::start(Limits::default());
    let client = server.join();
    server.emitter.volatile().emit("tick", 1);
    server.emitter.emit("news", ());
    assert_eq!(client.get().body, "42[\"news\"]");
    let held = server.hold(&client);
    server.emitter.volatile().emit("tick", 2);
    assert_eq!(finish(held).body, "42[\"tick\",2]");
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

#[test]
fn a_client_that_hangs_up_on_a_post_that_waits_has_left() {
    let server = Running::start(Limits {
        max_payload: 150,
        ..Limits::default()
    });
    let client = server.join();
    let (held, _) = client.hold_post(80);
    wait_until("the post", || server.handle.stats().waiting_requests == 1);
    drop(held);
    wait_until("the end", || client.get().error() == Some(1));
    server.go_on.send(()).unwrap();
    assert_eq!(server.left(), "transport error");
}
