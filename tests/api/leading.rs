//! Who reads while the application does not: a thread stands in for it, so that no peer notices, and what came
//! meanwhile is there in order when it returns.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::{AtEnd, Client, PATIENCE, frame, wait_until};
use wshub::{Event, RecvError, Server, ServerHandle};

/// How long the application is away.
const AWAY: Duration = Duration::from_secs(2);
/// A pong takes far less, but on a machine that has much to do.
const SOON: Duration = Duration::from_secs(15);

/// An application that echoes, and is away with a message `hold` until it is let go.
struct Held {
    addr: SocketAddr,
    handle: ServerHandle,
    is_away: Receiver<()>,
    let_go: Sender<()>,
    seen: Arc<Mutex<Vec<(String, String)>>>,
    thread: Option<JoinHandle<()>>,
}

impl Held {
    fn new() -> Held {
        let server = Server::bind("127.0.0.1:0").unwrap();
        let (addr, handle) = (server.local_addr().unwrap(), server.handle());
        let (away, is_away) = channel();
        let (let_go, gate) = channel();
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let noted = seen.clone();
        let thread = thread::spawn(move || {
            for event in server.events() {
                let path = event.connection().request().path().to_owned();
                noted.lock().unwrap().push((path, describe(&event)));
                let Event::Message(connection, message) = event else {
                    continue;
                };
                if message.as_text() == Some("hold") {
                    away.send(()).unwrap();
                    // Not for ever, should the test fail meanwhile.
                    let _ = gate.recv_timeout(2 * PATIENCE);
                }
                // The peer may have left meanwhile.
                let _ = connection.send(message);
            }
        });
        Held {
            addr,
            handle,
            is_away,
            let_go,
            seen,
            thread: Some(thread),
        }
    }

    fn connect(&self, path: &str) -> Client {
        Client::connect_with(self.addr, path, "")
    }

    /// Has the application be away from now on.
    fn hold(&self, client: &mut Client) {
        client.send_text("hold");
        self.is_away.recv_timeout(PATIENCE).unwrap();
    }

    fn let_go(&self) {
        self.let_go.send(()).unwrap();
    }

    /// The events so far of the connection that asked for this path.
    fn seen_of(&self, path: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let own = seen.iter().filter(|(of, _)| of == path);
        own.map(|(_, event)| event.clone()).collect()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.let_go.send(());
        self.handle.shutdown();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking());
        }
    }
}

fn describe(event: &Event) -> String {
    match event {
        Event::Open(_) => "open".to_owned(),
        Event::Message(_, message) => message.as_text().unwrap_or("binary").to_owned(),
        Event::Error(_, error) => error.to_string(),
        Event::Close(_, close) => format!("close {}", close.code),
        other => panic!("{other:?}"),
    }
}

/// Sends a ping and reads its pong; how long that took.
fn ping(client: &mut Client) -> Duration {
    let since = Instant::now();
    client.send(true, 9, b"there?");
    let pong = client.read();
    assert_eq!((pong.opcode, &*pong.payload), (10, &b"there?"[..]));
    since.elapsed()
}

#[test]
fn while_the_application_is_away_peers_are_answered() {
    let held = Held::new();
    let mut holding = held.connect("/holding");
    let mut idle = held.connect("/idle");
    held.hold(&mut holding);
    let since = Instant::now();
    let mut rounds = 0;
    while since.elapsed() < AWAY {
        for client in [&mut holding, &mut idle] {
            let took = ping(client);
            assert!(took < SOON, "{took:?}");
        }
        rounds += 1;
        let path = format!("/{rounds}");
        let mut newcomer = held.connect(&path);
        assert!(ping(&mut newcomer) < SOON);
        newcomer.send_close(4000, "");
        assert_eq!(newcomer.read().close().0, 4000);
        assert!(newcomer.at_end());
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(held.seen_of("/1"), [""; 0], "the application was away");
    held.let_go();
    assert_eq!(holding.read_message().text(), "hold");
    for round in 1..=rounds {
        let path = format!("/{round}");
        wait_until("its events come", || held.seen_of(&path).len() == 2);
        assert_eq!(held.seen_of(&path), ["open", "close 4000"]);
    }
    idle.send_text("and on");
    assert_eq!(idle.read_message().text(), "and on");
}

/// More comes than may wait for the application, which then finds all of it, though it was read by two threads in turn.
#[test]
fn what_came_while_the_application_was_away_is_there_in_order() {
    const PEERS: usize = 5;
    const MESSAGES: usize = 3_000;
    let held = Held::new();
    let mut holding = held.connect("/holding");
    let open: Vec<_> = (0..PEERS).map(|n| held.connect(&format!("/{n}"))).collect();
    held.hold(&mut holding);
    let peers: Vec<_> = open
        .into_iter()
        .map(|mut client| {
            thread::spawn(move || {
                // Some 600 KB: what finds no room waits in the sockets.
                let text = |n: usize| format!("{n:0200}");
                let mut writing = client.stream.try_clone().unwrap();
                let writer = thread::spawn(move || {
                    for n in 0..MESSAGES {
                        let message = frame(true, 1, text(n).as_bytes());
                        writing.write_all(&message).unwrap();
                    }
                });
                for n in 0..MESSAGES {
                    assert_eq!(client.read_message().text(), text(n));
                }
                writer.join().unwrap();
                client.send_close(1000, "");
                assert_eq!(client.read().close().0, 1000);
            })
        })
        .collect();
    wait_until("they find no more room", || {
        held.handle.stats().waiting_for_application == PEERS
    });
    assert!(ping(&mut holding) < SOON);
    held.let_go();
    peers.into_iter().for_each(|peer| peer.join().unwrap());
    for n in 0..PEERS {
        let path = format!("/{n}");
        wait_until("it is closed", || held.seen_of(&path).len() == MESSAGES + 2);
        let seen = held.seen_of(&path);
        assert_eq!((&*seen[0], &*seen[MESSAGES + 1]), ("open", "close 1000"));
    }
}

/// As a game does that draws sixty times a second.
#[test]
fn an_application_that_looks_in_at_intervals_gets_everything_in_order() {
    const PEERS: usize = 3;
    const MESSAGES: usize = 200;
    let server = Server::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let peers: Vec<_> = (0..PEERS)
        .map(|_| {
            thread::spawn(move || {
                let mut client = Client::connect(addr);
                // Some wait for each other, and are read in one or in many.
                for n in 0..MESSAGES {
                    client.send_text(&n.to_string());
                }
                for n in 0..MESSAGES {
                    assert_eq!(client.read_message().text(), n.to_string());
                }
                client.send_close(1000, "");
                assert_eq!(client.read().close().0, 1000);
            })
        })
        .collect();
    let (mut events, mut next) = (server.events(), HashMap::<u64, usize>::new());
    let (mut closed, since) = (0, Instant::now());
    while closed < PEERS {
        assert!(since.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(5));
        loop {
            match events.try_recv() {
                Ok(Event::Message(connection, message)) => {
                    let next = next.entry(connection.id()).or_default();
                    assert_eq!(message.as_text(), Some(&*next.to_string()));
                    *next += 1;
                    connection.send(message).unwrap();
                }
                Ok(Event::Close(connection, close)) => {
                    assert_eq!(close.code, 1000);
                    assert_eq!(next[&connection.id()], MESSAGES);
                    closed += 1;
                }
                Ok(event) => assert!(matches!(event, Event::Open(_)), "{event:?}"),
                Err(error) => break assert_eq!(error, RecvError::Empty),
            }
        }
    }
    peers.into_iter().for_each(|peer| peer.join().unwrap());
}

#[test]
fn an_application_that_leaves_its_loop_and_comes_back_misses_nothing() {
    const ROUNDS: usize = 20;
    let server = Server::bind("127.0.0.1:0").unwrap();
    let mut client = Client::connect(server.local_addr().unwrap());
    let mut next = 0;
    for round in 0..ROUNDS {
        // In one write: they are read together, and taken by two loops.
        let messages =
            (5 * round..5 * (round + 1)).map(|n| frame(true, 1, n.to_string().as_bytes()));
        client
            .stream
            .write_all(&messages.collect::<Vec<_>>().concat())
            .unwrap();
        let mut events = server.events();
        for _ in 0..if round == 0 { 4 } else { 5 } {
            match events.recv_timeout(PATIENCE) {
                Ok(Event::Message(_, message)) => {
                    assert_eq!(message.as_text(), Some(&*next.to_string()));
                    next += 1;
                }
                Ok(event) => assert!(round == 0 && matches!(event, Event::Open(_)), "{event:?}"),
                Err(error) => panic!("{error}"),
            }
        }
        drop(events);
        assert!(ping(&mut client) < SOON, "there is no loop");
    }
    client.send_close(1000, "");
    let mut events = server.events();
    while next < 5 * ROUNDS {
        match events.recv_timeout(PATIENCE) {
            Ok(Event::Message(_, message)) => {
                assert_eq!(message.as_text(), Some(&*next.to_string()))
            }
            other => panic!("{other:?}"),
        }
        next += 1;
    }
    assert!(matches!(
        events.recv_timeout(PATIENCE),
        Ok(Event::Close(..))
    ));
    drop(events);
    assert_eq!(client.read().close().0, 1000);
}

/// One that sends as fast as it can, until it is told to stop.
fn flood(mut client: Client, over: Arc<AtomicBool>) -> JoinHandle<()> {
    client.stream.set_nonblocking(true).unwrap();
    let messages = frame(true, 2, &[0; 100]).repeat(500);
    thread::spawn(move || {
        let mut sent = 0;
        while !over.load(SeqCst) {
            match client.stream.write(&messages[sent % messages.len()..]) {
                Ok(written) => sent += written,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
    })
}

const POLITE: usize = 20;

/// It is read once, and others have their turn: of what it sends no more goes before them than may wait.
#[test]
fn a_peer_that_floods_waits_for_its_turn_behind_the_others() {
    /// What may wait of one connection, one read more, and each message's own cost.
    const MOST: usize = (128 << 10) + (64 << 10);
    let server = Server::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let handle = server.handle();
    let over = Arc::new(AtomicBool::new(false));
    let ended = AtEnd(|| over.store(true, SeqCst));
    let flooding = flood(Client::connect_with(addr, "/flood", ""), over.clone());
    wait_until("it finds no more room", || {
        handle.stats().waiting_for_application == 1
    });
    let mut polite: Vec<_> = (0..POLITE).map(|_| Client::connect(addr)).collect();
    for client in &mut polite {
        client.send_text("please");
        assert!(ping(client) < SOON, "what it sent was read");
    }
    let (mut of_flood, mut of_polite, mut events) = (0, 0, server.events());
    while of_polite < POLITE {
        match events.recv_timeout(PATIENCE).unwrap() {
            Event::Message(connection, message) if connection.request().path() == "/flood" => {
                of_flood += message.len();
            }
            Event::Message(..) => of_polite += 1,
            event => assert!(matches!(event, Event::Open(_)), "{event:?}"),
        }
    }
    assert!(of_flood <= MOST, "{of_flood} bytes went before them");
    drop(ended);
    flooding.join().unwrap();
}

#[test]
fn beside_a_peer_that_floods_others_are_answered() {
    const ROUNDS: usize = 20;
    let server = Server::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let ended = AtEnd(|| over.store(true, SeqCst));
    let flooded = Arc::new(AtomicUsize::new(0));
    let application = thread::spawn({
        let flooded = flooded.clone();
        let handle = server.handle();
        move || {
            for event in server.events() {
                match event {
                    Event::Message(connection, message) => match message.as_text() {
                        Some(_) => connection.send(message).unwrap(),
                        None => _ = flooded.fetch_add(1, SeqCst),
                    },
                    // The flood is over.
                    Event::Close(connection, _) if connection.request().path() == "/flood" => {
                        handle.shutdown();
                    }
                    _ => {}
                }
            }
        }
    });
    let flooding = flood(Client::connect_with(addr, "/flood", ""), over.clone());
    let mut polite: Vec<_> = (0..POLITE).map(|_| Client::connect(addr)).collect();
    for round in 0..ROUNDS {
        let before = flooded.load(SeqCst);
        for client in &mut polite {
            client.send_text(&round.to_string());
        }
        for client in &mut polite {
            assert_eq!(client.read_message().text(), round.to_string());
        }
        wait_until("the flood goes on", || flooded.load(SeqCst) > before);
    }
    drop(ended);
    flooding.join().unwrap();
    application.join().unwrap();
}

/// Each lead ends with one long message, and the application is never away for so long that a thread stands in for it.
#[test]
fn what_is_collected_leaves_in_time_while_long_messages_come() {
    const CLIENTS: usize = 32;
    let server = Server::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let clients: Vec<Client> = (0..CLIENTS).map(|_| Client::connect(addr)).collect();
    let sockets: Vec<_> = clients
        .iter()
        .map(|client| client.stream.try_clone().unwrap())
        .collect();
    let mut events = server.events();
    let opened = (0..CLIENTS).map(|_| match events.recv_timeout(PATIENCE) {
        Ok(Event::Open(connection)) => connection.id() as usize,
        other => panic!("{other:?}"),
    });
    let first = opened.min().unwrap();
    for client in &clients {
        client.stream.set_nonblocking(true).unwrap();
    }
    let sending = thread::spawn(move || {
        for mut client in sockets {
            client.write_all(&frame(true, 2, &[7; 20_000])).unwrap();
        }
    });
    let mut answered: Vec<(usize, Instant)> = Vec::new();
    let (mut looks, mut missing) = (0, 0);
    for _ in 0..CLIENTS {
        let asks = Instant::now();
        let Ok(Event::Message(connection, _)) = events.recv_timeout(PATIENCE) else {
            panic!("a message");
        };
        // It is in the order of the clients that the connections have their numbers.
        for (id, at) in &answered {
            if asks > *at + Duration::from_millis(3) {
                looks += 1;
                missing += usize::from(clients[*id].stream.peek(&mut [0]).is_err());
            }
        }
        connection.send("taken").unwrap();
        answered.push((connection.id() as usize - first, Instant::now()));
        let busy = Instant::now() + Duration::from_micros(600);
        while Instant::now() < busy {}
    }
    sending.join().unwrap(); // Some may wait longer where the machine is busy, and a thread stands in all the same.
    assert!(looks > 0 && 2 * missing < looks, "{missing} of {looks}");
}
