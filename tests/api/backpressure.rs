//! Peers that do not read, and peers that flood: the application and everybody else go on.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::serving::blocked_in_send;
use crate::support::{self, Client, PATIENCE, frame, wait_until};
use wshub::{
    Connection, Error, Event, Events, Limits, Message, Overflow, Prepared, ReadyState, RecvError,
    SendErrorKind, Server, ServerBuilder, ShutdownReport,
};

/// More than any socket buffer takes.
const STALL: usize = 64 << 20;

fn bind(limits: Limits) -> Server {
    let builder = Server::builder().limits(limits);
    builder.bind("127.0.0.1:0").unwrap()
}

/// Takes events until the connections of `paths` are open; returns them in that order.
fn opened(events: &mut Events<'_>, paths: &[&str]) -> Vec<Connection> {
    let mut open = Vec::new();
    while open.len() < paths.len() {
        match events.recv_timeout(PATIENCE).expect("an Open") {
            Event::Open(connection) => open.push(connection),
            other => panic!("{other:?}"),
        }
    }
    open.sort_by_key(|it| paths.iter().position(|path| *path == it.request().path()));
    open
}

/// Sends until the socket refuses; returns how many messages of `len` bytes were taken.
fn stall(connection: &Connection, len: usize) -> usize {
    let mut sent = 0;
    loop {
        while connection.buffered_amount() == 0 {
            assert!(sent * len < STALL, "the socket takes everything");
            connection.send(numbered(sent, len)).unwrap();
            sent += 1;
        }
        // What is on its way between the two sockets may still make room.
        thread::sleep(Duration::from_millis(20));
        if connection.buffered_amount() > 0 {
            return sent;
        }
    }
}

fn numbered(n: usize, len: usize) -> Message {
    let mut bytes = vec![0; len];
    bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
    Message::from(bytes)
}

fn number(payload: &[u8]) -> usize {
    u64::from_be_bytes(payload[..8].try_into().unwrap()) as usize
}

/// A client that reads all numbered messages until the server's Close, which it answers.
fn reader(mut client: Client) -> JoinHandle<Vec<usize>> {
    thread::spawn(move || {
        let mut got = Vec::new();
        loop {
            let frame = client.read();
            match frame.opcode {
                2 => got.push(number(&frame.payload)),
                8 => {
                    client.send_close(1001, "");
                    return got;
                }
                9 => client.send(true, 10, &frame.payload),
                other => panic!("opcode {other}"),
            }
        }
    })
}

#[test]
fn b01_one_that_never_reads_beside_a_hundred_healthy() {
    const MESSAGES: usize = 300;
    let limits = Limits {
        write_timeout: Duration::from_secs(4),
        ..Limits::default()
    };
    let server = Server::builder().limits(limits.clone());
    let server = server.bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let mut events = server.events();
    let never_reads = Client::connect_with(addr, "/stalled", "");
    let stalled = opened(&mut events, &["/stalled"]).remove(0);
    let healthy: Vec<_> = (0..100).map(|_| reader(Client::connect(addr))).collect();
    opened(&mut events, &["/"; 100]);

    let since = Instant::now();
    stall(&stalled, 256 << 10);
    let mut longest = Duration::ZERO;
    for n in 0..MESSAGES {
        let begun = Instant::now();
        let done = server.broadcast(numbered(n, 4 << 10));
        let _ = stalled.send("to the one that never reads");
        let _ = stalled.ping();
        longest = longest.max(begun.elapsed());
        assert!(done.sent >= 100 && done.dropped <= 1, "{done:?}");
    }
    assert!(longest < limits.write_timeout, "nothing waits: {longest:?}");

    let error = events.recv_timeout(PATIENCE).unwrap();
    assert!(
        matches!(&error, Event::Error(it, Error::SlowConsumer) if *it == stalled),
        "{error:?}"
    );
    assert!(since.elapsed() >= limits.write_timeout, "never early");
    match events.recv_timeout(PATIENCE).unwrap() {
        Event::Close(it, close) => {
            assert_eq!((it, u16::from(close.code)), (stalled.clone(), 1006));
            assert!(!close.was_clean);
        }
        other => panic!("{other:?}"),
    }
    let refused = stalled.send("gone").unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::Closed);
    assert!(server.stats().dropped > 0);
    wait_until("nobody is waited for", || server.stats().stalled == 0);

    server.handle().shutdown();
    let closed = events.filter(|event| matches!(event, Event::Close(..)));
    assert_eq!(closed.count(), 100);
    for healthy in healthy {
        assert_eq!(healthy.join().unwrap(), Vec::from_iter(0..MESSAGES));
    }
    drop(never_reads);
}

/// A server with one connection whose peer does not read until it is told to.
struct Slow {
    server: Server,
    client: Client,
}

const SHORT: Duration = Duration::from_millis(300);
const LEN: usize = 64 << 10;

fn slow(overflow: Overflow) -> Slow {
    let limits = Limits {
        write_timeout: SHORT,
        ..Limits::default()
    };
    let server = Server::builder().limits(limits).overflow(overflow);
    let server = server.bind("127.0.0.1:0").unwrap();
    let client = Client::connect_with(server.local_addr().unwrap(), "/slow", "");
    Slow { server, client }
}

#[test]
fn b01_drop_newest_keeps_the_peer_and_gives_the_message_back() {
    let Slow { server, mut client } = slow(Overflow::DropNewest);
    let mut events = server.events();
    let connection = opened(&mut events, &["/slow"]).remove(0);
    let sent = stall(&connection, LEN);
    let mut taken: Vec<usize> = (0..sent).collect();
    for n in sent..sent + 100 {
        let message = numbered(n, LEN);
        match connection.send(message.clone()) {
            Ok(()) => taken.push(n),
            Err(error) => {
                assert_eq!(error.kind(), SendErrorKind::Full);
                assert_eq!(error.into_message(), message);
            }
        }
    }
    let dropped = sent + 100 - taken.len();
    assert!(dropped > 0);
    assert_eq!(server.stats().dropped, dropped as u64);
    assert_eq!(server.stats().stalled, 1);
    assert!(connection.buffered_amount() < (2 << 20) + 2 * LEN);
    // Slow for longer than the write timeout, and still there.
    let quiet = events.recv_timeout(3 * SHORT);
    assert_eq!(quiet.unwrap_err(), RecvError::Empty);

    for n in &taken {
        assert_eq!(number(&client.read().payload), *n);
    }
    connection.send("again").unwrap();
    assert_eq!(client.read().text(), "again");
    wait_until("nobody is waited for", || server.stats().stalled == 0);
}

#[test]
fn b01_drop_oldest_leaves_gaps_only_where_it_dropped() {
    let Slow { server, mut client } = slow(Overflow::DropOldest);
    let mut events = server.events();
    let connection = opened(&mut events, &["/slow"]).remove(0);
    let sent = stall(&connection, LEN);
    for n in sent..sent + 100 {
        connection.send(numbered(n, LEN)).unwrap();
    }
    let quiet = events.recv_timeout(3 * SHORT);
    assert_eq!(quiet.unwrap_err(), RecvError::Empty);
    let dropped = server.stats().dropped as usize;
    assert!(dropped > 0 && dropped < 100, "{dropped}");

    let mut got = Vec::new();
    while got.last() != Some(&(sent + 99)) {
        got.push(number(&client.read().payload));
    }
    assert!(got.is_sorted_by(|a, b| a < b), "in order, none twice");
    assert_eq!(got.len(), sent + 100 - dropped);
    // One run of numbers is missing, and nothing that was partly written.
    let gaps = got.windows(2).filter(|pair| pair[0] + 1 != pair[1]).count();
    assert_eq!(gaps, 1);
    connection.send("again").unwrap();
    assert_eq!(client.read().text(), "again");
}

#[test]
fn b02_a_trickle_reader_is_given_up_at_the_deadline_of_what_waits() {
    let Slow { server, mut client } = slow(Overflow::Disconnect);
    let mut events = server.events();
    let connection = opened(&mut events, &["/slow"]).remove(0);
    // A byte now and then is no reading: the write deadline does not move.
    let (stop, stopped) = mpsc::channel::<()>();
    let trickle = thread::spawn(move || {
        let pause = Duration::from_millis(10);
        while stopped.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = client.stream.read(&mut [0; 16]);
        }
    });
    let (begun, mut since) = (Instant::now(), Instant::now());
    let error = loop {
        assert!(begun.elapsed() < PATIENCE);
        // The sockets may have made room once more: then another message has to wait.
        let before = Instant::now();
        if connection.buffered_amount() == 0 && connection.send(vec![0; 1 << 20]).is_ok() {
            since = before;
        }
        if let Ok(event) = events.recv_timeout(Duration::from_millis(1)) {
            break event;
        }
    };
    assert!(matches!(error, Event::Error(_, Error::SlowConsumer)));
    assert!(since.elapsed() >= SHORT, "never early");
    assert!(matches!(
        events.recv_timeout(PATIENCE),
        Ok(Event::Close(..))
    ));
    drop(stop);
    trickle.join().unwrap();
}

/// B4: the flood is slowed down alone. B5: nobody is dropped because the application is slow.
#[test]
fn b04_b05_a_flood_meets_a_slow_application() {
    const FLOOD: usize = 100_000;
    const OTHERS: usize = 3;
    let limits = Limits {
        ping_interval: Some(Duration::from_millis(250)),
        // Room for a busy machine, on which a pong may be late.
        pong_timeout: Duration::from_secs(4),
        assembly_timeout: Duration::from_millis(500),
        ..Limits::default()
    };
    let silence = limits.ping_interval.unwrap() + limits.pong_timeout;
    let server = bind(limits);
    let addr = server.local_addr().unwrap();
    let mut events = server.events();
    let mut clients = Vec::new();
    let flood = Client::connect_with(addr, "/flood", "");
    clients.push(thread::spawn({
        let mut stream = flood.stream.try_clone().unwrap();
        move || {
            let numbers = Vec::from_iter(0..FLOOD);
            for numbers in numbers.chunks(1000) {
                let frames = numbers
                    .iter()
                    .flat_map(|n| frame(true, 1, n.to_string().as_bytes()));
                stream.write_all(&Vec::from_iter(frames)).unwrap();
            }
        }
    }));
    // From here on the application takes nothing, until the flood is out of credit.
    wait_until("readers wait for the application", || {
        server.stats().waiting_for_application != 0
    });
    let others: Vec<_> = (0..OTHERS)
        .map(|_| {
            let mut client = Client::connect(addr);
            (0..10).for_each(|n| client.send_text(&n.to_string()));
            client
        })
        .collect();
    let stalled = Instant::now();
    // Past every heartbeat and the assembly timeout; time itself has to pass.
    for client in others {
        clients.push(thread::spawn(move || drop(reader(client).join().unwrap())));
    }
    while stalled.elapsed() < silence + Duration::from_millis(500) {
        let stats = server.stats();
        assert!(stats.inbound_bytes <= 16 << 20, "{stats:?}");
        assert!(
            stats.inbound_bytes <= (OTHERS + 1) * (128 << 10),
            "{stats:?}"
        );
        assert_eq!(
            (stats.connections, stats.waiting_for_application),
            (OTHERS + 1, 1)
        );
        thread::sleep(Duration::from_millis(20));
    }
    assert!(
        server.stats().messages_in < FLOOD as u64 / 2,
        "TCP slows it down"
    );

    let (mut flooded, mut from_others, mut when_others_were_done) = (0, 0, 0);
    while flooded < FLOOD || from_others < 10 * OTHERS {
        match events.recv_timeout(PATIENCE).unwrap() {
            Event::Open(_) => {}
            Event::Message(it, message) if it.request().path() == "/flood" => {
                assert_eq!(message.as_text(), Some(&*flooded.to_string()));
                flooded += 1;
            }
            Event::Message(..) => {
                from_others += 1;
                when_others_were_done = flooded;
            }
            other => panic!("nobody is disconnected: {other:?}"),
        }
    }
    assert!(
        when_others_were_done < FLOOD / 2,
        "others waited for {when_others_were_done} messages"
    );
    assert_eq!(events.try_recv().unwrap_err(), RecvError::Empty);
    assert_eq!(server.stats().inbound_bytes, 0);
    clients.push(thread::spawn(move || drop(reader(flood).join().unwrap())));
    server.handle().shutdown();
    for event in events {
        assert!(matches!(event, Event::Close(..)), "{event:?}");
    }
    for client in clients {
        client.join().unwrap();
    }
}

/// B6: many readers that share little credit all get their turn.
#[test]
fn b06_readers_that_share_little_credit_all_come_through() {
    const CLIENTS: usize = 16;
    const MESSAGES: usize = 200;
    let limits = Limits {
        inbound_total: 4 << 10,
        inbound_per_connection: 3 << 10,
        ..Limits::default()
    };
    let server = bind(limits);
    let addr = server.local_addr().unwrap();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            thread::spawn(move || {
                let mut ws = Client::connect(addr);
                for n in 0..MESSAGES {
                    let mut bytes = vec![0; 8 + (n * 997 + client * 131) % 3000];
                    bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
                    ws.send_binary(&bytes);
                }
                ws.send_close(1000, "");
                assert_eq!(ws.read().close().0, 1000);
            })
        })
        .collect();
    let mut events = server.events();
    let mut seen = std::collections::HashMap::new();
    let mut closed = 0;
    while closed < CLIENTS {
        assert!(
            server.stats().inbound_bytes <= 2 * (80 << 10),
            "a read of the leader's and one of a thread at most, and what their messages cost beside their bytes"
        );
        match events
            .recv_timeout(PATIENCE)
            .expect("no reader is forgotten")
        {
            Event::Open(_) => {}
            Event::Message(it, message) => {
                let next: &mut usize = seen.entry(it.id()).or_default();
                assert_eq!(number(message.as_bytes()), *next);
                *next += 1;
            }
            Event::Close(..) => closed += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(seen.values().all(|count| *count == MESSAGES));
    clients.into_iter().for_each(|it| it.join().unwrap());
}

#[test]
fn f15_pongs_for_a_peer_that_never_reads_are_bounded_and_end_it() {
    for overflow in [Overflow::Disconnect, Overflow::DropOldest] {
        let Slow { server, mut client } = slow(overflow);
        let mut events = server.events();
        let connection = opened(&mut events, &["/slow"]).remove(0);
        let flood = thread::spawn(move || {
            let pings = frame(true, 9, &[7; 125]).repeat(500);
            let mut bytes = 0;
            while client.stream.write_all(&pings).is_ok() {
                bytes += pings.len();
                assert!(bytes < 16 * STALL, "pings are answered for ever");
            }
        });
        let mut most = 0;
        let ended = loop {
            most = most.max(connection.buffered_amount());
            match events.recv_timeout(Duration::from_millis(1)) {
                Ok(event) => break event,
                Err(error) => assert_eq!(error, RecvError::Empty),
            }
        };
        assert!(
            matches!(ended, Event::Error(_, Error::SlowConsumer)),
            "{ended:?}"
        );
        assert!(matches!(
            events.recv_timeout(PATIENCE),
            Ok(Event::Close(..))
        ));
        assert!(most < (64 << 10) + 1024, "{most} bytes of pongs waited");
        flood.join().unwrap();
    }
}

#[test]
fn f16_unsolicited_pongs_are_no_event() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let mut client = Client::connect(server.local_addr().unwrap());
    let pongs = frame(true, 10, b"nobody asked").repeat(1000);
    for _ in 0..100 {
        client.stream.write_all(&pongs).unwrap();
    }
    client.send_text("after");
    let mut events = server.events();
    opened(&mut events, &["/"]);
    match events.recv_timeout(PATIENCE).unwrap() {
        Event::Message(_, message) => assert_eq!(message.as_text(), Some("after")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn f17_a_flood_of_pings_leaves_others_their_turn() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let mut flood = Client::connect_with(addr, "/flood", "");
    let mut healthy = Client::connect_with(addr, "/healthy", "");
    let mut events = server.events();
    let healthy_connection = opened(&mut events, &["/healthy", "/flood"]).remove(0);
    let mut reads = flood.stream.try_clone().unwrap();
    let pongs = thread::spawn(move || std::io::copy(&mut reads, &mut std::io::sink()));
    let pings = thread::spawn(move || {
        let pings = frame(true, 9, b"ping").repeat(1000);
        (0..200).for_each(|_| flood.stream.write_all(&pings).unwrap());
        flood.stream.shutdown(std::net::Shutdown::Write).unwrap();
    });
    for n in 0..100 {
        healthy.send_text(&n.to_string());
        match events.recv_timeout(PATIENCE).unwrap() {
            Event::Message(it, message) => {
                assert_eq!(it, healthy_connection);
                it.send(message).unwrap();
            }
            Event::Close(it, _) => assert_eq!(it.request().path(), "/flood"),
            other => panic!("{other:?}"),
        }
        if n == 99 {
            break;
        }
    }
    pings.join().unwrap();
    drop(events);
    drop(server);
    let _ = pongs.join().unwrap();
}

/// A peer that floods is still served with what others send to it.
#[test]
fn f17_a_flooding_peer_gets_its_messages_meanwhile() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let mut client = Client::connect(server.local_addr().unwrap());
    let mut events = server.events();
    let connection = opened(&mut events, &["/"]).remove(0);
    let mut writes = client.stream.try_clone().unwrap();
    let (stop, stopped) = mpsc::channel::<()>();
    let flood = thread::spawn(move || {
        // Few of them fill the sockets, after which what is sent has to wait.
        let pings = frame(true, 9, &[7; 125]).repeat(100);
        while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
            writes.write_all(&pings).unwrap();
        }
    });
    assert_eq!(client.read().opcode, 10, "the flood is on");
    for n in 0..100 {
        connection.send(n.to_string()).unwrap();
    }
    for n in 0..100 {
        assert_eq!(client.read_message().text(), n.to_string());
    }
    let reads = thread::spawn(move || while client.read().opcode != 8 {});
    drop(stop);
    flood.join().unwrap();
    server.handle().shutdown();
    reads.join().unwrap();
}

/// After the deadline comes nothing that could be taken for more of the frame that was cut off.
#[test]
fn b03_behind_a_frame_that_was_cut_off_comes_nothing() {
    let Slow { server, client } = slow(Overflow::Disconnect);
    let mut events = server.events();
    let connection = opened(&mut events, &["/slow"]).remove(0);
    let payload = vec![0xab; 32 << 20];
    connection.send(payload).unwrap();
    let ended = events.recv_timeout(PATIENCE);
    assert!(
        matches!(ended, Ok(Event::Error(_, Error::SlowConsumer))),
        "{ended:?}"
    );
    let mut stream = client.stream;
    // What the reset leaves of it, if anything.
    let mut got = support::read_to_close(&mut stream);
    assert!(got.len() < 32 << 20, "cut off");
    let payload = got.split_off(got.len().min(10));
    assert!(payload.iter().all(|byte| *byte == 0xab));
}

#[test]
fn b01_a_handler_that_sends_waits_and_gives_up_at_the_write_deadline() {
    let limits = Limits {
        write_timeout: SHORT,
        ..Limits::default()
    };
    let (report, reported) = mpsc::channel();
    let server = Server::builder().limits(limits);
    let handle = server
        .serve("127.0.0.1:0", move |mut ws| {
            let mut waited = Duration::ZERO;
            let refused = loop {
                let begun = Instant::now();
                let sent = ws.send(vec![0; 1 << 20]);
                waited = waited.max(begun.elapsed());
                if let Err(error) = sent {
                    break error;
                }
            };
            let read = ws.read().unwrap_err();
            let close = ws.close_event().cloned();
            report.send((waited, refused, read, close)).unwrap();
            Err(refused_again(&mut ws).into())
        })
        .unwrap();
    let client = Client::connect(handle.local_addr().unwrap());
    let (waited, refused, read, close) = reported.recv_timeout(PATIENCE).unwrap();
    assert!(waited >= SHORT, "never early: {waited:?}");
    assert!(waited < PATIENCE / 2, "{waited:?}");
    assert_eq!(refused.kind(), SendErrorKind::Closed);
    assert_eq!(refused.into_message().len(), 1 << 20);
    assert!(matches!(read, Error::SlowConsumer), "{read:?}");
    assert_eq!(u16::from(close.unwrap().code), 1006);
    handle.shutdown();
    assert_eq!(handle.wait().threads_left, 0);
    drop(client);
}

fn refused_again(ws: &mut wshub::Session<'_>) -> wshub::SendError {
    ws.send("again").unwrap_err()
}

#[test]
fn b01_others_stay_bounded_while_a_handler_waits() {
    let (handle, client, connection) = blocked_in_send(Server::builder());
    let refused = (0..100).any(|_| connection.send(vec![0; 1 << 20]).is_err());
    assert!(refused, "{} bytes wait", connection.buffered_amount());
    drop(client);
    handle.shutdown();
    assert_eq!(handle.wait().threads_left, 0);
}

#[test]
fn a_handler_with_a_slow_reader_loses_nothing() {
    let handle = wshub::serve("127.0.0.1:0", |mut ws| {
        while let Some(message) = ws.read()? {
            let n: usize = message.as_text().unwrap().parse()?;
            ws.send(numbered(n, LEN))?;
        }
        Ok(())
    })
    .unwrap();
    let mut client = Client::connect(handle.local_addr().unwrap());
    for n in 0..300 {
        client.send_text(&n.to_string());
    }
    for n in 0..300 {
        assert_eq!(number(&client.read().payload), n);
    }
    drop(client);
    handle.shutdown();
    handle.wait();
}

/// B14: a peer that is gone without a word is found by the heartbeat.
#[test]
fn b14_a_silent_peer_is_given_up_after_ping_and_pong_wait() {
    let limits = Limits {
        ping_interval: Some(Duration::from_millis(100)),
        pong_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = bind(limits);
    let since = Instant::now();
    let mut client = Client::connect(server.local_addr().unwrap());
    let mut events = server.events();
    opened(&mut events, &["/"]);
    let error = events.recv_timeout(PATIENCE).unwrap();
    assert!(
        matches!(error, Event::Error(_, Error::PongTimeout)),
        "{error:?}"
    );
    assert!(since.elapsed() >= Duration::from_millis(200), "never early");
    assert!(matches!(
        events.recv_timeout(PATIENCE),
        Ok(Event::Close(..))
    ));
    assert_eq!(client.read().opcode, 9, "it was asked");
}

/// B15: the peer sends no more, without a Close.
#[test]
fn b15_an_end_of_stream_without_a_close_is_1006_and_frees_the_slot() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let client = Client::connect(server.local_addr().unwrap());
    let mut events = server.events();
    opened(&mut events, &["/"]);
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    match events.recv_timeout(PATIENCE).unwrap() {
        Event::Close(_, close) => {
            assert_eq!((u16::from(close.code), close.was_clean), (1006, false))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.stats().connections, 0);
}

/// F15: one ping to an outbox that waits already, under a policy that drops, still has its deadline.
#[test]
fn f15_a_pong_behind_dropped_messages_has_its_deadline() {
    let limits = Limits {
        write_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::builder()
        .limits(limits)
        .overflow(Overflow::DropNewest);
    let server = server.without_listener().unwrap();
    let (ours, theirs) = support::duplex();
    server.attach(ours);
    let mut client = Client::open(theirs, &support::upgrade("localhost", "/", ""));
    let mut events = server.events();
    let Ok(Event::Open(connection)) = events.recv_timeout(PATIENCE) else {
        panic!("no Open");
    };
    connection.send(vec![0; 500_000]).unwrap();
    assert!(connection.buffered_amount() > 0);
    // By now the drain helper sleeps: without a deadline, for nothing has one yet.
    let quiet = events.recv_timeout(Duration::from_millis(500));
    assert_eq!(quiet.unwrap_err(), RecvError::Empty);
    let since = Instant::now();
    client.send(true, 9, b"anybody there?");
    let ended = events.recv_timeout(PATIENCE);
    assert!(
        matches!(ended, Ok(Event::Error(_, Error::SlowConsumer))),
        "{ended:?}"
    );
    assert!(since.elapsed() >= Duration::from_millis(300), "never early");
}

/// What takes no deadline to come takes far less.
const AT_ONCE: Duration = Duration::from_secs(8);

/// Deadlines that would show.
fn patient() -> ServerBuilder {
    Server::builder().limits(Limits {
        close_timeout: 3 * PATIENCE,
        write_timeout: 3 * PATIENCE,
        ..Limits::default()
    })
}

/// As [`patient`], with room for so much that a peer is read from though it has not read all.
fn roomy() -> ServerBuilder {
    Server::builder().limits(Limits {
        close_timeout: 3 * PATIENCE,
        write_timeout: 3 * PATIENCE,
        outbound_per_connection: Some(8 << 20),
        ..Limits::default()
    })
}

/// The next event is this Error, and its Close waits for the peer.
fn expect_slow_consumer(events: &mut Events<'_>, connection: &Connection) {
    match events.recv_timeout(AT_ONCE) {
        Ok(Event::Error(it, Error::SlowConsumer)) => assert_eq!(it, *connection),
        other => panic!("{other:?}"),
    }
}

fn expect_1006(events: &mut Events<'_>) {
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Close(_, close)) => {
            assert_eq!((u16::from(close.code), close.was_clean), (1006, false))
        }
        other => panic!("{other:?}"),
    }
}

/// Sends until too much waits for the peer.
fn overflow(mut send: impl FnMut(&Message) -> bool) {
    let message = Message::from(vec![0; 1 << 20]);
    assert!((0..STALL >> 20).any(|_| !send(&message)), "nothing waits");
}

#[test]
fn b01_the_error_comes_when_it_is_decided_and_close_when_the_peer_is_gone() {
    let ways: [fn(&Server, &Connection); 4] = [
        |_, connection| overflow(|message| connection.send(message.clone()).is_ok()),
        |_, connection| {
            overflow(|message| {
                connection
                    .send_prepared(&Prepared::new(message.clone()))
                    .is_ok()
            });
        },
        |server, _| overflow(|message| server.broadcast(message.clone()).dropped == 0),
        |_, connection| {
            let connection = connection.clone();
            let other = thread::spawn(move || {
                overflow(|message| connection.send(message.clone()).is_ok());
            });
            other.join().unwrap();
        },
    ];
    let server = patient().bind("127.0.0.1:0").unwrap();
    let mut events = server.events();
    for way in ways {
        let client = Client::connect(server.local_addr().unwrap());
        let connection = opened(&mut events, &["/"]).remove(0);
        way(&server, &connection);
        expect_slow_consumer(&mut events, &connection);
        assert_eq!(connection.ready_state(), ReadyState::Closing);
        let quiet = events.recv_timeout(Duration::from_millis(50));
        assert_eq!(
            quiet.unwrap_err(),
            RecvError::Empty,
            "Close waits for the peer"
        );
        support::reset(client.stream);
        expect_1006(&mut events);
    }
    drop(events);
    assert_eq!(server.shutdown(), ShutdownReport::default());
}

/// What overflows when a batch of events is done, or a run of broadcasts.
#[test]
fn b01_the_error_comes_when_it_is_decided_about_what_was_collected() {
    for broadcasts in [false, true] {
        let server = patient().without_listener().unwrap();
        let (ours, theirs) = support::duplex();
        server.attach(ours);
        let mut client = Client::open(theirs, &support::upgrade("localhost", "/", ""));
        let mut events = server.events();
        let connection = opened(&mut events, &["/"]).remove(0);
        let asks = frame(true, 1, b"more").repeat(1000);
        client.stream.write_all(&asks).unwrap();
        // Each is answered while more wait, until one is too much.
        let failed = loop {
            match events.recv_timeout(AT_ONCE).expect("an event") {
                Event::Message(..) if broadcasts => _ = server.broadcast(vec![0; 4000]),
                Event::Message(it, _) => _ = it.send(vec![0; 4000]),
                Event::Error(it, error) => break (it, error),
                other => panic!("{other:?}"),
            }
        };
        assert!(matches!(failed, (it, Error::SlowConsumer) if it == connection));
        drop(client);
        expect_1006(&mut events);
    }
}

/// What was read before comes before; what comes after is dropped, and Close is the next.
#[test]
fn b01_messages_that_were_read_come_before_the_error_and_none_behind() {
    let server = patient().without_listener().unwrap();
    let (ours, theirs) = support::duplex();
    server.attach(ours);
    let mut client = Client::open(theirs, &support::upgrade("localhost", "/", ""));
    let mut events = server.events();
    let connection = opened(&mut events, &["/"]).remove(0);
    (0..3).for_each(|n| client.send_text(&n.to_string()));
    wait_until("all were read", || server.stats().messages_in == 3);
    overflow(|message| connection.send(message.clone()).is_ok());
    for n in 0..3 {
        match events.recv_timeout(PATIENCE) {
            Ok(Event::Message(_, message)) => assert_eq!(message, n.to_string().into()),
            other => panic!("{other:?}"),
        }
    }
    expect_slow_consumer(&mut events, &connection);
    // More than the credit of one that nobody listens to.
    for _ in 0..40 {
        client
            .stream
            .write_all(&frame(true, 2, &[0; 60_000]))
            .unwrap();
    }
    drop(client);
    expect_1006(&mut events);
    assert_eq!(server.stats().inbound_bytes, 0);
    drop(events);
    assert_eq!(server.shutdown(), ShutdownReport::default());
}

/// More is sent to it at once than may wait: it gets to read what was begun, and is told.
#[test]
fn b01_a_peer_that_reads_at_last_is_told_1013() {
    let server = patient().bind("127.0.0.1:0").unwrap();
    let mut events = server.events();
    let mut client = Client::connect(server.local_addr().unwrap());
    let connection = opened(&mut events, &["/"]).remove(0);
    let (too_much, waits) = mpsc::channel();
    let peer = thread::spawn(move || {
        client.send_text("go on");
        waits.recv().unwrap();
        let close = loop {
            let frame = client.read();
            if frame.opcode == 8 {
                break frame;
            }
        };
        assert_eq!(close.close(), (1013, "too slow"));
        client.send_close(1013, "");
        assert!(client.at_end());
    });
    let mut told = false;
    loop {
        match events.recv_timeout(PATIENCE).expect("an event") {
            Event::Message(it, message) => {
                assert!(!told);
                drop(message);
                overflow(|message| it.send(message.clone()).is_ok());
                too_much.send(()).unwrap();
            }
            Event::Error(it, Error::SlowConsumer) => {
                assert_eq!(it, connection);
                told = true;
            }
            Event::Close(_, close) => {
                assert!(told && u16::from(close.code) == 1006, "{close:?}");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    peer.join().unwrap();
}

/// A closure hears of it in the `read` in which it waits, or in the next one; its peer is still told.
#[test]
fn b01_a_closure_hears_at_once_that_its_peer_is_too_slow() {
    for floods in [false, true] {
        let (open, opened) = mpsc::channel();
        let (report, reported) = mpsc::channel();
        let handle = patient()
            .serve("127.0.0.1:0", move |mut ws| {
                open.send(ws.connection().clone()).unwrap();
                let error = loop {
                    match ws.read() {
                        Ok(Some(_)) => {}
                        Ok(None) => panic!("{:?}", ws.close_event()),
                        Err(error) => break error,
                    }
                };
                report.send((error, ws.close_event().cloned())).unwrap();
                assert!(ws.read()?.is_none());
                Ok(())
            })
            .unwrap();
        let mut client = Client::connect(handle.local_addr().unwrap());
        let connection = opened.recv_timeout(PATIENCE).unwrap();
        let mut writes = client.stream.try_clone().unwrap();
        let (stop, stopped) = mpsc::channel::<()>();
        let flood = thread::spawn(move || {
            let messages = frame(true, 1, b"more").repeat(1000);
            while floods && stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
                if writes.write_all(&messages).is_err() {
                    break;
                }
            }
        });
        overflow(|message| connection.send(message.clone()).is_ok());
        let (error, close) = reported.recv_timeout(AT_ONCE).expect("told at once");
        assert!(matches!(error, Error::SlowConsumer), "{error:?}");
        assert_eq!(u16::from(close.unwrap().code), 1006);
        drop(stop);
        if !floods {
            let close = loop {
                let frame = client.read();
                if frame.opcode == 8 {
                    break frame;
                }
            };
            assert_eq!(close.close(), (1013, "too slow"));
            assert!(client.at_end());
        }
        support::read_to_close(&mut client.stream);
        flood.join().unwrap();
        handle.shutdown();
        assert_eq!(handle.wait(), ShutdownReport::default());
    }
}

/// Messages that the application is done with and does not answer: the peer is read from again, though it has taken
/// nothing meanwhile.
#[test]
fn b01_messages_without_answers_keep_no_peer_from_being_read() {
    let limits = Limits {
        outbound_per_connection: Some(4 << 20),
        inbound_per_connection: 4 << 20,
        write_timeout: 3 * PATIENCE,
        // A ping that is due has it read, too.
        ping_interval: None,
        ..Limits::default()
    };
    let server = bind(limits);
    let mut events = server.events();
    let client = Client::connect(server.local_addr().unwrap());
    let connection = opened(&mut events, &["/"]).remove(0);
    let mut other = Client::connect(server.local_addr().unwrap());
    opened(&mut events, &["/"]);
    stall(&connection, 256 << 10);
    let mut writes = client.stream.try_clone().unwrap();
    let writer = thread::spawn(move || {
        let last = frame(true, 2, b"short");
        writes.write_all(&[frame(true, 2, &[7; 950_000]), last].concat())
    });
    for len in [950_000, 5] {
        match events.recv_timeout(PATIENCE) {
            Ok(Event::Message(_, message)) => assert_eq!(message.len(), len),
            other => panic!("{len}: {other:?}"),
        }
        // While the application is away: with what waits for the peer, that is too much, and it is not read from.
        other.stream.write_all(&frame(true, 9, b"there?")).unwrap();
        assert_eq!(other.read().opcode, 10);
    }
    writer.join().unwrap().unwrap();
}

/// Has more wait for the peer than sockets might still take.
fn back_up(connection: &Connection) {
    stall(connection, 256 << 10);
    for _ in 0..5 {
        connection.send(vec![0; 256 << 10]).unwrap();
    }
}

/// The Close that says so waits for a peer that reads nothing; the application does not.
#[test]
fn b01_a_fault_of_a_peer_that_reads_nothing_is_told_at_once() {
    let server = roomy().bind("127.0.0.1:0").unwrap();
    let mut events = server.events();
    let mut client = Client::connect(server.local_addr().unwrap());
    let connection = opened(&mut events, &["/"]).remove(0);
    back_up(&connection);
    client.stream.write_all(&[0xff; 2]).unwrap();
    match events.recv_timeout(AT_ONCE) {
        Ok(Event::Error(it, Error::Protocol(_))) => assert_eq!(it, connection),
        other => panic!("{other:?}"),
    }
    support::reset(client.stream);
    expect_1006(&mut events);

    let (open, opened) = mpsc::channel();
    let (report, reported) = mpsc::channel();
    let handle = roomy()
        .serve("127.0.0.1:0", move |mut ws| {
            open.send(ws.connection().clone()).unwrap();
            report.send(ws.read().unwrap_err()).unwrap();
            Ok(())
        })
        .unwrap();
    let mut client = Client::connect(handle.local_addr().unwrap());
    back_up(&opened.recv_timeout(PATIENCE).unwrap());
    client.stream.write_all(&[0xff; 2]).unwrap();
    let error = reported.recv_timeout(AT_ONCE).expect("told at once");
    assert!(matches!(error, Error::Protocol(_)), "{error:?}");
    // Who reads at last is told, too.
    while client.read().opcode != 8 {}
    assert!(client.at_end());
}

/// Whatever comes together with it: at most one Error, then one Close, and nothing behind.
#[test]
fn b01_one_error_and_one_close_whatever_comes_together() {
    const ROUNDS: usize = 200;
    let server = Server::builder().limits(Limits {
        close_timeout: Duration::from_millis(20),
        write_timeout: Duration::from_millis(20),
        outbound_per_connection: Some(100_000),
        ..Limits::default()
    });
    let server = server.without_listener().unwrap();
    let mut events = server.events();
    for round in 0..ROUNDS {
        let (ours, theirs) = support::duplex();
        server.attach(ours);
        let mut client = Client::open(theirs, &support::upgrade("localhost", "/", ""));
        let connection = opened(&mut events, &["/"]).remove(0);
        let sender = connection.clone();
        let sending = thread::spawn(move || {
            (0..round % 20).for_each(|_| thread::yield_now());
            while sender.send(vec![0; 50_000]).is_ok() {}
        });
        let peer = thread::spawn(move || {
            let _ = client.try_send(true, 1, b"one");
            (0..round % 7).for_each(|_| thread::yield_now());
            match round % 4 {
                0 => _ = client.try_send(true, 8, &[3, 232]),
                1 => _ = client.stream.write_all(&[0xff; 2]),
                2 => drop(client),
                _ => _ = client.stream.read(&mut [0; 10_000]),
            }
        });
        let mut errors = 0;
        loop {
            match events.recv_timeout(PATIENCE).expect("an event") {
                Event::Message(..) => assert_eq!(errors, 0),
                Event::Error(it, _) => {
                    assert_eq!(it, connection);
                    errors += 1;
                }
                Event::Close(it, close) => {
                    assert_eq!(it, connection);
                    assert!(errors == 0 || u16::from(close.code) == 1006, "{close:?}");
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(errors <= 1);
        sending.join().unwrap();
        peer.join().unwrap();
    }
    drop(events);
    assert_eq!(server.shutdown(), ShutdownReport::default());
}
