//! A server of Socket.IO under clients that poll, upgrade in whole or in half, hang up, leave and vanish, by a schedule
//! from a seed.
//!
//! The seed gives what each client does, and in which order; when threads run is up to the system. What holds, holds for
//! every interleaving: a client sees the numbers that are sent to all without a gap, a socket leaves as often as it
//! joined, and in the end nothing is left of any client.

#[path = "../../src/seeded.rs"]
mod seeded;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use seeded::{Random, for_each_seed};
use support::{AtEnd, Client, PATIENCE, dial, exchange, wait_until};
use wshub::Server;
use wshub::socketio::{Limits, SocketIo};

const CLIENTS: u64 = 4;
const STEPS: usize = 15;

#[test]
fn clients_that_poll() {
    let time = Duration::from_secs(8);
    for_each_seed(
        "--test socketio_simulation clients_that_poll",
        8,
        time,
        world,
    );
}

/// What the application has seen.
#[derive(Default)]
struct Ledger {
    there: BTreeSet<String>,
    said: u64,
}

fn application(limits: Limits, joined: &Arc<Mutex<(u64, u64)>>) -> SocketIo<Ledger> {
    let mut io = SocketIo::with_limits(Ledger::default(), limits);
    let (came, left) = (joined.clone(), joined.clone());
    io.on_connect("/", move |ledger: &mut Ledger, socket, _| {
        assert!(ledger.there.insert(socket.id().to_owned()));
        came.lock().unwrap().0 += 1;
        Ok(())
    });
    io.on("/", "say", |ledger, socket, ()| {
        socket.all().emit("n", ledger.said);
        ledger.said += 1;
    });
    io.on_disconnect("/", move |ledger, socket, _| {
        assert!(ledger.there.remove(socket.id()), "it left twice");
        left.lock().unwrap().1 += 1;
    });
    io
}

fn world(seed: u64) {
    let mut random = Random::new(seed);
    let limits = Limits {
        ping_interval: Duration::from_millis(random.pick(&[100, 400])),
        ping_timeout: Duration::from_millis(400),
        upgrade_timeout: Duration::from_millis(random.pick(&[30, 5_000])),
        connect_timeout: Duration::from_millis(400),
        ..Limits::default()
    };
    let joined = Arc::default();
    let mut io = application(limits, &joined);
    let emitter = io.of("/");
    let server = Server::builder()
        .socketio(&io, "/socket.io/")
        .bind("127.0.0.1:0")
        .unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.handle());
    let running = thread::spawn(move || {
        server.run(&mut io).unwrap();
        assert!(io.state().there.is_empty(), "who stayed behind the end");
    });
    // Also where a client's check fails.
    let _over = AtEnd(|| handle.terminate());
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let random = Random::new(seed * CLIENTS + number + 1);
            scope.spawn(move || Poller::new(addr, random).live());
        }
    });
    if random.chance(70) {
        wait_until("the end of all sessions", || emitter.stats().sessions == 0);
        // The application hears of the end of a session after it.
        wait_until("no socket", || emitter.stats().sockets == 0);
        assert!(emitter.sockets().is_empty());
    }
    handle.shutdown();
    running.join().unwrap();
    let (came, left) = *joined.lock().unwrap();
    assert_eq!(came, left);
}

struct Poller {
    addr: SocketAddr,
    random: Random,
    sid: String,
    /// The number that comes next; nothing before the first.
    next: Option<u64>,
}

impl Poller {
    fn new(addr: SocketAddr, random: Random) -> Poller {
        Poller {
            addr,
            random,
            sid: String::new(),
            next: None,
        }
    }

    fn live(mut self) {
        self.begin();
        for _ in 0..STEPS {
            match self.random.below(12) {
                0..=4 => self.say_and_poll(),
                5 => self.hang_up(),
                6 => self.upgrade_in_half(),
                7 => self.upgrade(),
                8 => self.end("1"),
                9 => self.end("41"),
                10 => self.end("abc"),
                _ => thread::sleep(Duration::from_millis(self.random.pick(&[0, 5, 60]))),
            }
        }
    }

    fn request(&self, method: &str, body: &str) -> String {
        let query = match self.sid.is_empty() {
            true => String::new(),
            false => format!("&sid={}", self.sid),
        };
        format!(
            "{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: {}\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            self.addr,
            body.len()
        )
    }

    /// The body of the answer; nothing if it is a refusal.
    fn ask(&self, method: &str, body: &str) -> Option<String> {
        let answer = exchange(self.addr, self.request(method, body));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        head.starts_with("HTTP/1.1 200 ").then(|| body.to_owned())
    }

    /// A session of its own, in the main namespace.
    fn begin(&mut self) {
        self.sid.clear();
        self.next = None;
        let open = self.ask("GET", "").unwrap();
        self.sid = open.split('"').nth(3).unwrap().to_owned();
        self.ask("POST", "40");
    }

    fn say_and_poll(&mut self) {
        let answered = self.ask("POST", "42[\"say\"]");
        let polled = answered.and_then(|_| self.ask("GET", ""));
        match polled {
            Some(payload) => self.take(&payload),
            None => self.begin(),
        }
    }

    fn take(&mut self, payload: &str) {
        for packet in payload.split('\x1e') {
            if packet == "2" {
                self.ask("POST", "3");
            } else if packet == "1" {
                return self.begin();
            } else {
                self.see(packet);
            }
        }
    }

    /// Numbers come without a gap, for as long as a client is in.
    fn see(&mut self, packet: &str) {
        let number = packet.strip_prefix("42[\"n\",");
        if let Some(number) = number.and_then(|rest| rest.strip_suffix(']')) {
            let number: u64 = number.parse().unwrap();
            assert_eq!(number, self.next.unwrap_or(number));
            self.next = Some(number + 1);
        }
    }

    fn hang_up(&mut self) {
        let mut stream = dial(self.addr);
        let _ = stream.write_all(self.request("GET", "").as_bytes());
        thread::sleep(Duration::from_millis(self.random.pick(&[0, 5])));
        drop(stream);
        self.begin();
    }

    fn end(&mut self, packet: &str) {
        self.ask("POST", packet);
        self.begin();
    }

    /// Nothing where the session has ended meanwhile.
    fn websocket(&self) -> Option<Client> {
        let path = format!("/socket.io/?EIO=4&transport=websocket&sid={}", self.sid);
        let addr = self.addr.to_string();
        let (answer, stream) = support::ask(self.addr, support::upgrade(&addr, &path, ""));
        let is_open = answer.starts_with("HTTP/1.1 101 ");
        is_open.then_some(Client { stream, answer })
    }

    fn upgrade_in_half(&mut self) {
        let Some(mut half) = self.websocket() else {
            return self.begin();
        };
        if self.random.chance(50) {
            let _ = half.try_send(true, 1, b"2probe");
        }
        if self.random.chance(50) {
            // Polling goes on beside it.
            self.say_and_poll();
        }
    }

    /// Goes on over the WebSocket for a while, and vanishes.
    fn upgrade(&mut self) {
        let Some(mut socket) = self.websocket() else {
            return self.begin();
        };
        let mut sent = socket.try_send(true, 1, b"2probe").is_ok();
        sent = sent && socket.try_read().is_ok_and(|it| it.payload == b"3probe");
        for text in ["5", "42[\"say\"]", "42[\"say\"]"] {
            sent = sent && socket.try_send(true, 1, text.as_bytes()).is_ok();
        }
        let (mut seen, end) = (0, Instant::now() + PATIENCE);
        while sent && seen < 2 {
            assert!(Instant::now() < end, "nothing but pings");
            let Ok(frame) = socket.try_read() else {
                break;
            };
            let packet = String::from_utf8_lossy(&frame.payload).into_owned();
            match (frame.opcode, &*packet) {
                (8, _) => break,
                (_, "2") => sent = socket.try_send(true, 1, b"3").is_ok(),
                (_, packet) => {
                    seen += usize::from(packet.starts_with("42[\"n\""));
                    self.see(packet);
                }
            }
        }
        drop(socket);
        self.begin();
    }
}
