//! A whole server under peers that stall, trickle, flood, half-close and vanish, by a schedule from a seed.
//!
//! The seed gives what each peer and the application do, and in which order they do it; when the server's own threads
//! run is up to the system, so that a seed that fails once may need a few runs to fail again. What holds, holds for
//! every interleaving. (One connection's logic in simulated time, where a seed repeats to the last byte, is
//! `src/outbox/tests/simulation.rs`.)

#[path = "../../src/seeded.rs"]
mod seeded;
#[path = "../support/mod.rs"]
mod support;

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use seeded::{Random, for_each_seed};
use support::contract::{Order, held_now};
use support::faulty::{Fault, Faulty, Plan, Trace, split_frame};
use support::{PATIENCE, frame, upgrade, wait_until};
use wshub::testing::{Duplex, duplex};
use wshub::{
    Connection, Error, Event, Events, How, Limits, Overflow, RecvError, SendErrorKind, Server,
    ServerBuilder, ServerHandle, ShutdownReport, Transport,
};

/// Servers at once: they wait more than they compute.
const THREADS: usize = 32;
const MAX_CONNECTIONS: usize = 5;
const OUTBOUND: usize = 20_000;
const INBOUND: usize = 8_000;
const LARGEST: usize = 30_000;

#[test]
fn events_of_many_peers() {
    let time = Duration::from_secs(8);
    for_each_seed(
        "--test simulation events_of_many_peers",
        THREADS,
        time,
        |seed| {
            World::new(seed).run();
        },
    );
}

#[test]
fn handlers_of_many_peers() {
    let time = Duration::from_secs(8);
    for_each_seed(
        "--test simulation handlers_of_many_peers",
        THREADS,
        time,
        handlers,
    );
}

fn builder(random: &mut Random) -> ServerBuilder {
    let mut time = |choices: &[u64]| Duration::from_millis(random.pick(choices));
    let limits = Limits {
        handshake_timeout: time(&[30, 10_000]),
        write_timeout: time(&[20, 100]),
        ping_interval: Some(time(&[10, 10_000])),
        pong_timeout: time(&[10, 10_000]),
        close_timeout: time(&[10, 50]),
        assembly_timeout: time(&[15, 10_000]),
        max_connections: MAX_CONNECTIONS,
        max_handshakes: 4,
        max_message: LARGEST,
        max_fragments: 20,
        inbound_total: 2 * INBOUND,
        inbound_per_connection: INBOUND,
        outbound_per_connection: Some(OUTBOUND),
        ..Limits::default()
    };
    let overflow = random.pick(&[
        Overflow::Disconnect,
        Overflow::DropNewest,
        Overflow::DropOldest,
    ]);
    Server::builder().limits(limits).overflow(overflow)
}

// ---- peers ----

struct Peer {
    /// `None`: it has vanished.
    stream: Option<Duplex>,
    trace: Arc<Trace>,
    /// Bytes that it wants to send.
    outgoing: VecDeque<u8>,
    /// Messages among them, all that ever were.
    sent: Vec<Vec<u8>>,
    /// It has sent its Close, or broken the protocol: the server takes nothing behind that.
    done: bool,
    incoming: Vec<u8>,
    /// The messages that came.
    got: Vec<Vec<u8>>,
    opened: bool,
}

impl Peer {
    fn new(number: usize, handle: &ServerHandle, random: &mut Random) -> Peer {
        let (ours, theirs) = duplex();
        let trace = Arc::new(Trace::default());
        handle.attach(Faulty::new(ours, plan(random), &trace));
        let request = match random.below(10) {
            0 => "GET / HTTP/1.1\r\nHost: nobody\r\n".to_owned(),
            1 => "nonsense\r\n\r\n".to_owned(),
            _ => upgrade("localhost", &format!("/{number}"), ""),
        };
        Peer {
            stream: Some(theirs),
            trace,
            outgoing: request.into_bytes().into(),
            sent: Vec::new(),
            done: false,
            incoming: Vec::new(),
            got: Vec::new(),
            opened: false,
        }
    }

    fn step(&mut self, random: &mut Random) {
        match random.below(100) {
            0..25 => self.wants(random),
            25..55 => self.writes(random.pick(&[1, 5, 300, 100_000])),
            55..85 => self.reads(random.pick(&[1, 50, 2000, 100_000])),
            85 => self.shuts(How::Write),
            86 if random.chance(30) => self.shuts(How::Reset),
            87..89 => drop(self.stream.take()),
            // It stalls.
            _ => {}
        }
    }

    fn wants(&mut self, random: &mut Random) {
        if self.done {
            return;
        }
        match random.below(20) {
            0 => {
                self.outgoing.extend(frame(true, 8, &1000u16.to_be_bytes()));
                self.done = true;
            }
            1 => {
                self.outgoing.extend([0x81, 0x00]);
                self.done = true;
            }
            2..4 => self.outgoing.extend(frame(true, 9, b"ping")),
            4 => (0..100).for_each(|_| self.wants_to_send(10, random)),
            5 => self.wants_to_send(LARGEST, random),
            _ => {
                let len = random.pick(&[8, 100, 2000, 7000]);
                self.wants_to_send(len, random);
            }
        }
    }

    fn wants_to_send(&mut self, len: usize, random: &mut Random) {
        let payload = numbered(self.sent.len() as u64, len);
        match random.below(4) {
            0 => {
                let (first, second) = payload.split_at(random.below(payload.len()));
                self.outgoing.extend(frame(false, 2, first));
                self.outgoing.extend(frame(true, 10, b"between"));
                self.outgoing.extend(frame(true, 0, second));
            }
            _ => self.outgoing.extend(frame(true, 2, &payload)),
        }
        self.sent.push(payload);
    }

    fn writes(&mut self, most: usize) {
        let Some(stream) = &self.stream else { return };
        let count = most.min(self.outgoing.len());
        let bytes: Vec<u8> = self.outgoing.iter().copied().take(count).collect();
        match stream.try_write(&[IoSlice::new(&bytes)]) {
            Ok(written) => drop(self.outgoing.drain(..written)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // The server has left, or this side has said that it sends no more.
            Err(_) => self.outgoing.clear(),
        }
    }

    fn reads(&mut self, most: usize) {
        let Some(stream) = &self.stream else { return };
        let mut buffer = vec![0; most];
        let read = Transport::read(stream, &mut buffer, Some(Instant::now()));
        self.incoming.extend(&buffer[..read.unwrap_or(0)]);
        if !self.opened {
            let end = self.incoming.windows(4).position(|end| end == b"\r\n\r\n");
            let Some(end) = end else { return };
            if !self.incoming.starts_with(b"HTTP/1.1 101 ") {
                return;
            }
            self.opened = true;
            self.incoming.drain(..end + 4);
        }
        while let Some((payload, behind)) = split_frame(&self.incoming) {
            let used = self.incoming.len() - behind.len();
            let payload = payload.to_vec();
            match self.incoming[0] {
                0x82 => self.got.push(payload),
                0x89 => self.outgoing.extend(frame(true, 10, &payload)),
                _ => {}
            }
            self.incoming.drain(..used);
        }
    }

    fn shuts(&mut self, how: How) {
        if let Some(stream) = &self.stream {
            stream.shutdown(how);
        }
    }
}

fn plan(random: &mut Random) -> Plan {
    let kinds = [
        ErrorKind::WouldBlock,
        ErrorKind::Interrupted,
        ErrorKind::TimedOut,
        ErrorKind::ConnectionReset,
    ];
    let fault = match random.below(5) {
        0 => Fault::End,
        _ => Fault::Error(random.pick(&kinds)),
    };
    Plan {
        fault,
        first: random.pick(&[usize::MAX, usize::MAX, 3, 10, 30]),
        count: random.pick(&[1, 3]),
        single_bytes: random.pick(&[0, 0, 0, 50]),
    }
}

/// A payload that tells its place in the order.
fn numbered(number: u64, len: usize) -> Vec<u8> {
    let mut payload = number.to_be_bytes().to_vec();
    payload.resize(len.max(8), b'.');
    payload
}

fn number_of(payload: &[u8]) -> u64 {
    u64::from_be_bytes(*payload.first_chunk().unwrap())
}

/// True if `some` is `all` with nothing added, changed or put in another place.
fn is_within(some: &[Vec<u8>], all: &[Vec<u8>]) -> bool {
    let mut rest = all.iter();
    some.iter().all(|one| rest.any(|other| one == other))
}

// ---- the events form: the application takes its steps among the peers' ----

struct World {
    random: Random,
    server: Server,
    peers: Vec<Peer>,
    app: App,
}

#[derive(Default)]
struct App {
    order: Order,
    connections: Vec<Connection>,
    /// What each peer's messages were, by the number in its path.
    taken: Vec<(usize, Vec<u8>)>,
    next: u64,
    sent: u64,
    refused: u64,
    /// A peer was given up for reading too slowly: what came of it after that is for nobody.
    saw_slow: bool,
    ended: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let server = builder(&mut random).without_listener().unwrap();
        World {
            random,
            server,
            peers: Vec::new(),
            app: App::default(),
        }
    }

    fn run(mut self) {
        for _ in 0..self.random.pick(&[30, 100, 300]) {
            self.step();
            self.check();
        }
        self.end();
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..8 if self.peers.len() < 12 => {
                let peer = Peer::new(self.peers.len(), &self.server.handle(), &mut self.random);
                self.peers.push(peer);
            }
            0..70 if !self.peers.is_empty() => {
                let index = self.random.below(self.peers.len());
                self.peers[index].step(&mut self.random);
            }
            70..90 => {
                let most = self.random.pick(&[1, 3, 1000]);
                self.app.takes(&self.server, most, &mut self.random);
            }
            // The server's threads get a turn.
            _ => std::thread::park_timeout(Duration::from_micros(50)),
        }
    }

    fn check(&self) {
        let stats = self.server.stats();
        assert!(stats.connections <= MAX_CONNECTIONS, "{stats:?}");
        // One read's messages may always wait, and cost a little more than their bytes.
        assert!(stats.inbound_bytes <= 2 * INBOUND + (80 << 10), "{stats:?}");
        for connection in &self.app.connections {
            let waits = connection.buffered_amount();
            assert!(
                waits <= OUTBOUND + LARGEST + (64 << 10),
                "{waits} bytes wait"
            );
        }
    }

    /// Everybody leaves, or is sent away; then the accounts are settled.
    fn end(mut self) {
        let at_once = self.random.chance(30);
        if !at_once {
            // Some are still there when the shutdown comes.
            self.peers.iter_mut().for_each(|peer| peer.reads(100_000));
            let stay = self.random.below(3);
            let left = self.peers.iter_mut().skip(stay);
            left.for_each(|peer| drop(peer.stream.take()));
            self.server.handle().shutdown();
            self.app.takes_all(&self.server, &mut self.random);
        }
        let report = self.server.shutdown();
        if !at_once {
            assert_eq!(report, ShutdownReport::default());
        }
        assert_eq!(report.threads_left, 0);
        // What had not been taken is counted, and those that have a slot in the channel still come.
        let before = self.app.taken.len();
        self.app.takes_all(&self.server, &mut self.random);
        let stats = self.server.stats();
        let late = (self.app.taken.len() - before) as u64;
        assert!(late <= report.events_not_taken as u64);
        let lost = stats.messages_in - self.app.taken.len() as u64;
        let counted = report.messages_lost as u64;
        let all_counted = lost == counted || (self.app.saw_slow && lost > counted);
        assert!(all_counted, "{lost} {report:?} {stats:?}");
        assert_eq!(held_now(&stats), [0; 6], "{stats:?}");
        let opened = stats.opened as usize;
        assert_eq!(self.app.order.closed(), (opened, opened));
        assert_eq!(stats.messages_out, self.app.sent);
        self.check_messages(stats.dropped);
        assert!(
            self.peers
                .iter()
                .all(|peer| Arc::strong_count(&peer.trace) == 1)
        );
    }

    fn check_messages(&self, dropped: u64) {
        let mut whole = 0;
        for (number, peer) in self.peers.iter().enumerate() {
            whole += peer.trace.whole_messages().unwrap();
            let taken = self.app.taken.iter().filter(|(from, _)| *from == number);
            let taken: Vec<_> = taken.map(|(_, payload)| payload.clone()).collect();
            assert!(
                peer.sent.starts_with(&taken),
                "peer {number}'s messages, in order"
            );
            let got = peer.got.iter().map(|payload| number_of(payload));
            assert!(
                got.is_sorted_by(|a, b| a < b),
                "what peer {number} got, in order"
            );
        }
        assert_eq!(
            self.app.sent + self.app.refused,
            whole + dropped,
            "lost uncounted"
        );
    }
}

impl App {
    fn takes(&mut self, server: &Server, most: usize, random: &mut Random) {
        let mut events = server.events();
        for _ in 0..most {
            match events.try_recv() {
                Ok(event) => self.handle(server, event, random),
                Err(_) => return,
            }
        }
    }

    fn takes_all(&mut self, server: &Server, random: &mut Random) {
        let mut events = server.events();
        while let Some(event) = next(&mut events) {
            self.handle(server, event, random);
        }
        self.ended = true;
    }

    fn handle(&mut self, server: &Server, event: Event, random: &mut Random) {
        self.order.see(&event).unwrap();
        match event {
            Event::Open(connection) => self.connections.push(connection),
            Event::Close(connection, _) => self.connections.retain(|other| *other != connection),
            Event::Message(connection, message) => {
                let from = connection.request().path()[1..].parse().unwrap();
                self.taken.push((from, message.into_bytes()));
                self.answers(server, &connection, random);
            }
            Event::Error(_, Error::SlowConsumer) => self.saw_slow = true,
            _ => {}
        }
    }

    fn answers(&mut self, server: &Server, connection: &Connection, random: &mut Random) {
        self.next += 1;
        let len = random.pick(&[8, 100, 3000, LARGEST]);
        let payload = numbered(self.next, len);
        match random.below(20) {
            0..6 => {
                let done = server.broadcast(payload);
                self.sent += done.sent as u64;
                self.refused += done.dropped as u64;
            }
            6..16 => match connection.send(payload).map_err(|error| error.kind()) {
                Ok(()) => self.sent += 1,
                Err(SendErrorKind::Closed) => {}
                Err(_) => self.refused += 1,
            },
            16 => drop(connection.ping()),
            17 => drop(connection.close(4000, "enough")),
            _ => {}
        }
    }
}

fn next(events: &mut Events<'_>) -> Option<Event> {
    match events.recv_timeout(PATIENCE) {
        Ok(event) => Some(event),
        Err(RecvError::Ended) => None,
        Err(error) => panic!("the events do not end: {error}"),
    }
}

// ---- a handler for each connection, that echoes ----

fn handlers(seed: u64) {
    let mut random = Random::new(seed);
    let sent = Arc::new(Mutex::new(0));
    let count = sent.clone();
    let handle = builder(&mut random)
        .serve("127.0.0.1:0", move |mut ws| {
            while let Some(message) = ws.read()? {
                ws.send(message)?;
                *count.lock().unwrap() += 1;
            }
            Ok(())
        })
        .unwrap();
    let mut peers: Vec<Peer> = Vec::new();
    for _ in 0..random.pick(&[30, 100, 300]) {
        match random.below(100) {
            0..8 if peers.len() < 12 => peers.push(Peer::new(peers.len(), &handle, &mut random)),
            0..90 if !peers.is_empty() => {
                let index = random.below(peers.len());
                peers[index].step(&mut random);
            }
            _ => std::thread::park_timeout(Duration::from_micros(50)),
        }
        let stats = handle.stats();
        assert!(stats.connections <= MAX_CONNECTIONS, "{stats:?}");
    }
    if random.chance(50) {
        peers.iter_mut().for_each(|peer| drop(peer.stream.take()));
        wait_until("everybody has left", || {
            let stats = handle.stats();
            stats.connections + stats.handshakes == 0
        });
    }
    handle.shutdown();
    assert_eq!(handle.wait(), ShutdownReport::default());
    let stats = handle.stats();
    assert_eq!(held_now(&stats), [0; 6], "{stats:?}");
    let whole = peers
        .iter()
        .map(|peer| peer.trace.whole_messages().unwrap());
    assert_eq!(
        *sent.lock().unwrap(),
        whole.sum::<u64>() + stats.dropped,
        "lost uncounted"
    );
    assert_eq!(stats.messages_out, *sent.lock().unwrap());
    for peer in &peers {
        assert!(is_within(&peer.got, &peer.sent));
        assert_eq!(Arc::strong_count(&peer.trace), 1);
    }
}
