//! Engine.IO alone, over sockets.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use wshub::socketio::engine::{EngineHandler, EngineIo, EngineSocket};
use wshub::socketio::{DisconnectReason, Limits, Refused};
use wshub::{Message, Server};

use crate::support::{Client, PATIENCE, exchange};

/// Sends each message back to all, and tells what happens.
struct Hub {
    sockets: Vec<EngineSocket>,
    told: mpsc::Sender<String>,
}

impl Hub {
    fn tell(&self, what: String) {
        let _ = self.told.send(what);
    }
}

impl EngineHandler for Hub {
    fn on_open(&mut self, socket: &EngineSocket) {
        assert!(socket.is_open());
        let name = socket.request().query("name").unwrap_or_default();
        self.tell(format!("open {name}"));
        self.sockets.push(socket.clone());
    }

    fn on_message(&mut self, socket: &EngineSocket, message: Message) {
        match &message {
            Message::Text(text) if text == "close" => socket.close(),
            _ => self.sockets.iter().for_each(|it| it.send(message.clone())),
        }
    }

    fn on_close(&mut self, socket: &EngineSocket, reason: DisconnectReason) {
        assert!(!socket.is_open());
        socket.send("too late");
        self.sockets.retain(|other| other != socket);
        self.tell(reason.to_string());
    }
}

#[test]
fn messages_go_by_polling_and_over_a_websocket() {
    let (sender, told) = mpsc::channel();
    let mut engine = EngineIo::with_limits(
        Hub {
            sockets: Vec::new(),
            told: sender,
        },
        Limits::default(),
    );
    engine.allow(|request| match request.query("name") {
        Some(_) => Ok(()),
        None => Err(Refused::new("say who you are")),
    });
    let server = Server::builder()
        .engineio(&engine, "/engine.io/")
        .bind("127.0.0.1:0")
        .unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.handle());
    let thread = thread::spawn(move || {
        server.run(&mut engine).unwrap();
        assert_eq!(engine.sockets().count(), 0);
    });
    let told = || told.recv_timeout(PATIENCE).unwrap();
    let poll = |method: &str, query: &str, body: &str| {
        let answer = exchange(
            addr,
            format!(
                "{method} /engine.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: {addr}\r\n\
                 Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
        );
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    assert!(poll("GET", "", "").contains("say who you are"));
    let open = poll("GET", "&name=ann", "");
    let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
    let sid = format!("&sid={}", open["sid"].as_str().unwrap());
    assert_eq!(told(), "open ann");

    let path = "/engine.io/?EIO=4&transport=websocket&name=bob";
    let mut bob = Client::connect_with(addr, path, "");
    assert!(bob.read_text().starts_with("0{\"sid\":\""));
    assert_eq!(told(), "open bob");
    bob.send_text("4hello");
    assert_eq!(bob.read_text(), "4hello");
    assert_eq!(poll("GET", &sid, ""), "4hello");
    assert_eq!(poll("POST", &sid, "bAQID\x1e4ü"), "ok");
    assert_eq!(poll("GET", &sid, ""), "bAQID\x1e4ü");
    assert_eq!(bob.read_message().payload, [1, 2, 3]);
    assert_eq!(bob.read_text(), "4ü");

    let mut upgraded = Client::connect_with(
        addr,
        &format!("/engine.io/?EIO=4&transport=websocket{sid}"),
        "",
    );
    upgraded.send_text("2probe");
    assert_eq!(upgraded.read_text(), "3probe");
    upgraded.send_text("5");
    bob.send_text("4again");
    assert_eq!(upgraded.read_text(), "4again");

    bob.send_text("4close");
    assert_eq!(bob.read_text(), "4again");
    assert_eq!(bob.read_message().opcode, 8);
    assert_eq!(told(), "forced server close");
    handle.shutdown();
    assert_eq!(told(), "server shutting down");
    drop(upgraded);
    thread.join().unwrap();
}

#[test]
fn a_client_that_answers_no_ping_is_gone() {
    let (sender, told) = mpsc::channel();
    let hub = Hub {
        sockets: Vec::new(),
        told: sender,
    };
    let limits = Limits {
        ping_interval: Duration::from_millis(40),
        ping_timeout: Duration::from_millis(40),
        ..Limits::default()
    };
    let mut engine = EngineIo::with_limits(hub, limits);
    let server = Server::builder()
        .engineio(&engine, "/engine.io/")
        .bind("127.0.0.1:0")
        .unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.handle());
    let thread = thread::spawn(move || server.run(&mut engine).unwrap());
    let mut client = Client::connect_with(addr, "/engine.io/?EIO=4&transport=websocket", "");
    client.read_text();
    assert_eq!(client.read_text(), "2");
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "open ");
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "ping timeout");
    handle.shutdown();
    thread.join().unwrap();
}

/// As for WebSockets.
#[test]
fn a_session_that_polls_keeps_the_headers_that_are_kept() {
    struct Headers(mpsc::Sender<[Option<String>; 2]>);

    impl EngineHandler for Headers {
        fn on_open(&mut self, socket: &EngineSocket) {
            let kept = |name| socket.request().header(name).map(str::to_owned);
            let _ = self.0.send([kept("Accept"), kept("Cookie")]);
        }
    }

    let (sender, told) = mpsc::channel();
    let mut engine = EngineIo::new(Headers(sender));
    let server = Server::builder()
        .keep_headers(["Accept"])
        .engineio(&engine, "/engine.io/")
        .bind("127.0.0.1:0")
        .unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.handle());
    let thread = thread::spawn(move || server.run(&mut engine).unwrap());
    exchange(
        addr,
        format!(
            "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: {addr}\r\n\
             Connection: close\r\nAccept: text/plain\r\nCookie: secret=1\r\n\r\n"
        ),
    );
    let kept = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(kept, [Some("text/plain".to_owned()), None]);
    handle.shutdown();
    thread.join().unwrap();
}
