//! Shutdown from every side and in every state: it ends, within its bound, and says what is left.

use std::collections::HashSet;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{
    self, Client, PATIENCE, dial, duplex, events_in_time, frame, own_loopback, serving, upgrade,
    wait_until,
};
use wshub::testing::Duplex;
use wshub::{
    Accept, CloseEvent, Connection, Error, Event, Events, Limits, ReadyState, RecvError, Server,
    ServerBuilder, ServerHandle, ShutdownReport, Transport,
};

const CLOSE_TIMEOUT: Duration = Duration::from_millis(300);
/// No shutdown here may take longer, on however busy a machine.
const BOUND: Duration = Duration::from_secs(8);

fn builder() -> ServerBuilder {
    with_close_timeout(CLOSE_TIMEOUT)
}

/// For clients that answer a Close, however busy the machine is.
fn patient() -> ServerBuilder {
    with_close_timeout(PATIENCE)
}

fn with_close_timeout(close_timeout: Duration) -> ServerBuilder {
    Server::builder().limits(Limits {
        close_timeout,
        // Whatever waits for it has waited too long.
        handshake_timeout: Duration::from_secs(60),
        write_timeout: Duration::from_secs(60),
        ..Limits::default()
    })
}

fn open(events: &mut Events<'_>) -> Connection {
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Open(connection)) => connection,
        other => panic!("{other:?}"),
    }
}

fn close(events: &mut Events<'_>) -> CloseEvent {
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Close(_, close)) => close,
        other => panic!("{other:?}"),
    }
}

/// The shutdown leaves one thread to code of the user's, which ends when `release` is dropped.
fn assert_a_thread_is_left_until(server: &Server, release: impl Sized) {
    let begun = Instant::now();
    assert_eq!(server.shutdown().threads_left, 1);
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    drop(release);
    assert_eq!(server.shutdown(), ShutdownReport::default());
}

/// Takes events to the end; panics when the end does not come.
fn drain(mut events: Events<'_>) -> Vec<Event> {
    let mut taken = Vec::new();
    loop {
        match events.recv_timeout(PATIENCE) {
            Ok(event) => taken.push(event),
            Err(RecvError::Ended) => return taken,
            Err(error) => panic!("after {} events: {error}", taken.len()),
        }
    }
}

/// Stops after each write until it is told to go on.
struct Gated {
    inner: Duplex,
    written: mpsc::Sender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Transport for Gated {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        Transport::read(&self.inner, buffer, deadline)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = self.inner.try_write(buffers);
        let _ = self.written.send(());
        let _ = self.go_on.lock().unwrap().recv();
        written
    }

    crate::support::delegated!(inner);
}

/// Keeps its thread until it is released: in a read, or when it is dropped.
struct Stubborn {
    inner: Duplex,
    /// Reads that it lets return.
    reads: AtomicUsize,
    released: Mutex<mpsc::Receiver<()>>,
}

impl Stubborn {
    /// Dropping the sender releases it.
    fn new(reads: usize) -> (Stubborn, Duplex, mpsc::Sender<()>) {
        let (inner, theirs) = duplex();
        let (release, released) = mpsc::channel();
        let stubborn = Stubborn {
            inner,
            reads: AtomicUsize::new(reads),
            released: Mutex::new(released),
        };
        (stubborn, theirs, release)
    }

    fn wait(&self) {
        let _ = self.released.lock().unwrap().recv();
    }
}

impl Transport for Stubborn {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        if self.reads.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.wait();
        }
        Transport::read(&self.inner, buffer, deadline)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.inner.try_write(buffers)
    }

    crate::support::delegated!(inner);
}

impl Drop for Stubborn {
    fn drop(&mut self) {
        self.wait();
    }
}

/// A client that answers pings and the server's Close; returns the Close code it saw.
fn polite(mut client: Client) -> thread::JoinHandle<u16> {
    thread::spawn(move || {
        let close = client.read_message();
        client.send(true, 8, &close.payload);
        close.close().0
    })
}

#[test]
fn b22_from_another_thread_every_client_sees_1001_and_events_end() {
    const CLIENTS: usize = 20;
    let server = patient().bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| polite(Client::connect(addr)))
        .collect();
    let mut events = server.events();
    (0..CLIENTS).for_each(|_| drop(open(&mut events)));
    let handle = server.handle();
    thread::spawn(move || handle.shutdown()).join().unwrap();
    let taken = drain(events);
    assert_eq!(taken.len(), CLIENTS);
    for event in taken {
        match event {
            Event::Close(_, close) => {
                assert_eq!((u16::from(close.code), close.was_clean), (1001, true))
            }
            other => panic!("{other:?}"),
        }
    }
    for client in clients {
        assert_eq!(client.join().unwrap(), 1001);
    }
    // It is over, and stays so.
    assert_eq!(server.events().try_recv().unwrap_err(), RecvError::Ended);
    assert_eq!(server.shutdown(), ShutdownReport::default());
}

#[test]
fn b22_from_within_the_loop_with_much_still_waiting() {
    const CLIENTS: usize = 5;
    let server = builder().bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let floods: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let stream = Client::connect(addr).stream;
            let mut flood = stream.try_clone().unwrap();
            let flood = thread::spawn(move || {
                let messages = frame(true, 2, &[0; 100]).repeat(100);
                while flood.write_all(&messages).is_ok() {}
            });
            (stream, flood)
        })
        .collect();
    support::wait_until("readers wait for the application", || {
        server.stats().waiting_for_application >= CLIENTS
    });
    let (mut open, mut closed, mut report, mut yielded) = (HashSet::new(), 0, None, 0);
    for event in events_in_time(server.events()) {
        yielded += usize::from(report.is_some());
        match event {
            Event::Open(connection) => assert!(open.insert(connection.id())),
            Event::Message(..) if report.is_none() => {
                let begun = Instant::now();
                report = Some(server.shutdown());
                assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
            }
            Event::Close(connection, _) => {
                assert!(open.contains(&connection.id()));
                closed += 1;
            }
            _ => {}
        }
    }
    let report = report.unwrap();
    assert_eq!((open.len(), closed), (CLIENTS, CLIENTS));
    assert_eq!(report.threads_left, 0);
    assert_eq!(report.events_not_taken, yielded);
    // A reader that waited for room found none.
    assert!(report.messages_lost > 0);
    for (stream, flood) in floods {
        // It may be cut off already.
        let _ = stream.shutdown(Shutdown::Both);
        flood.join().unwrap();
    }
}

#[test]
fn events_not_taken_are_what_the_loop_still_yields() {
    let server = builder().without_listener().unwrap();
    let (stream, peer) = duplex();
    server.attach(stream);
    let mut client = Client::open(peer, &upgrade("localhost", "/", ""));
    client
        .stream
        .write_all(&frame(true, 1, b"m").repeat(50))
        .unwrap();
    let mut events = server.events();
    open(&mut events);
    assert!(matches!(
        events.recv_timeout(PATIENCE),
        Ok(Event::Message(..))
    ));
    let begun = Instant::now();
    while server.stats().messages_in < 50 {
        assert!(begun.elapsed() < PATIENCE);
        thread::yield_now();
    }
    drop(client);
    let report = server.shutdown();
    let left = drain(events);
    assert_eq!(report.events_not_taken, left.len(), "{left:?}");
}

#[test]
fn what_a_shutdown_leaves_of_a_connections_messages_has_no_gap() {
    let limits = Limits {
        close_timeout: CLOSE_TIMEOUT,
        inbound_per_connection: 100,
        ..Limits::default()
    };
    let builder = Server::builder().limits(limits);
    let server = builder.without_listener().unwrap();
    let (ours, theirs) = duplex();
    server.attach(ours);
    let mut client = Client::open(theirs, &upgrade("localhost", "/", ""));
    client.send_text("taken");
    wait_until("it waits", || server.stats().inbound_bytes > 0);
    client.send_binary(&[7; 100]);
    wait_until("no room for it", || {
        server.stats().waiting_for_application == 1
    });
    client.send_text("there is room for this one");
    let report = server.shutdown();
    let events = drain(server.events());
    let [Event::Open(_), Event::Message(_, first), Event::Close(..)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(first.as_text(), Some("taken"));
    assert_eq!((report.events_not_taken, report.messages_lost), (3, 2));
}

#[test]
fn b22_shutdown_is_idempotent_from_any_thread() {
    let server = patient().bind("127.0.0.1:0").unwrap();
    let client = polite(Client::connect(server.local_addr().unwrap()));
    open(&mut server.events());
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| server.shutdown());
            scope.spawn(|| server.handle().shutdown());
        }
    });
    for _ in 0..3 {
        server.handle().shutdown();
        let report = server.shutdown();
        assert_eq!((report.events_not_taken, report.threads_left), (1, 0));
    }
    assert!(begun.elapsed() < BOUND);
    assert_eq!(client.join().unwrap(), 1001);
    assert!(matches!(drain(server.events())[..], [Event::Close(..)]));
    assert_eq!(server.shutdown(), ShutdownReport::default());
}

#[test]
fn b22_a_dropped_server_does_not_wait_for_those_that_never_read() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let clients: Vec<_> = (0..10).map(|_| Client::connect(addr)).collect();
    let mut events = server.events();
    for _ in &clients {
        let connection = open(&mut events);
        while connection.buffered_amount() == 0 {
            connection.send(vec![0; 1 << 20]).unwrap();
        }
    }
    drop(events);
    let begun = Instant::now();
    drop(server);
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    for client in clients {
        // What the sockets had taken, then the end, be it a reset.
        let _ = (&client.stream).read_to_end(&mut Vec::new());
    }
}

#[test]
fn b22_half_a_request_does_not_hold_a_shutdown_up() {
    let server = builder().bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let mut halves: Vec<_> = (0..5).map(|_| dial(addr)).collect();
    for (n, half) in halves.iter_mut().enumerate() {
        half.write_all(&b"GET / HTTP/1.1\r\nHost: x\r\n"[..n * 5])
            .unwrap();
    }
    support::wait_until("the handshakes have begun", || {
        server.stats().handshakes >= halves.len()
    });
    let begun = Instant::now();
    server.handle().shutdown();
    assert!(drain(server.events()).is_empty());
    assert_eq!(server.shutdown(), ShutdownReport::default());
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    for mut half in halves {
        let mut answer = String::new();
        half.read_to_string(&mut answer).unwrap();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 503 "),
            "{answer}"
        );
    }
}

/// Brings a connection into a state, in which the shutdown finds it.
type State = fn(&mut Client, &Connection);

/// One connection in each state that its threads can be in; none of their clients says anything any more.
const STATES: [(&str, State); 9] = [
    ("idle", |_, _| {}),
    ("mid-header", |client, _| raw(client, &[0x81])),
    ("mid-frame", |client, _| {
        raw(client, &frame(true, 1, b"half")[..8]);
    }),
    ("mid-message", |client, _| client.send(false, 1, b"half")),
    ("closing by us", |_, connection| {
        connection.close(1000, "").unwrap();
    }),
    ("closing by the peer", |client, _| {
        client.send_close(1000, "")
    }),
    ("failed", |client, _| raw(client, &[0xff; 2])),
    ("half-closed", |client, _| {
        client.stream.shutdown(Shutdown::Write).unwrap();
    }),
    ("never reads", |_, connection| {
        while connection.buffered_amount() == 0 {
            connection.send(vec![0; 1 << 20]).unwrap();
        }
    }),
];

fn raw(client: &mut Client, bytes: &[u8]) {
    client.stream.write_all(bytes).unwrap();
}

#[test]
fn b22_in_every_state_of_a_connection() {
    let server = builder().bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let mut events = server.events();
    let mut clients = Vec::new();
    let (mut opened, mut closed) = (HashSet::new(), HashSet::new());
    for (name, state) in STATES {
        let mut client = Client::connect(addr);
        let connection = loop {
            match events.recv_timeout(PATIENCE) {
                Ok(Event::Open(connection)) => break connection,
                Ok(Event::Close(connection, _)) => assert!(closed.insert(connection.id())),
                Ok(_) => {}
                Err(error) => panic!("{name}: {error}"),
            }
        };
        opened.insert(connection.id());
        state(&mut client, &connection);
        clients.push(client);
    }
    // Beside them: handshakes, a refused client that stays, and one whose messages nobody takes.
    let silent = dial(addr);
    let mut half = dial(addr);
    half.write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
    let (refused, stays) = support::ask(addr, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 426 "), "{refused}");
    let mut flood = Client::connect(addr);
    let messages = frame(true, 2, &[0; 60_000]).repeat(10);
    flood.stream.set_nonblocking(true).unwrap();
    let _ = flood.stream.write(&messages);
    support::wait_until("a reader waits for the application", || {
        server.stats().waiting_for_application > 0 && server.stats().handshakes >= 2
    });

    let begun = Instant::now();
    let report = server.shutdown();
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    assert_eq!(report.threads_left, 0);
    let stats = server.stats();
    assert_eq!((stats.handshakes, stats.threads), (0, 0), "{stats:?}");
    // The flood's Open is among what was not taken.
    for event in drain(events) {
        match event {
            Event::Open(connection) => assert!(opened.insert(connection.id())),
            Event::Close(connection, _) => assert!(closed.insert(connection.id())),
            _ => {}
        }
    }
    assert_eq!(opened.len(), STATES.len() + 1);
    assert_eq!(closed, opened, "one Close for each Open");
    assert_eq!(server.stats().connections, 0);
    for mut stream in clients.into_iter().map(|client| client.stream) {
        support::read_to_close(&mut stream);
    }
    drop((silent, stays));
}

/// A stream that comes when the shutdown has begun is not waited for.
#[test]
fn b22_a_stream_that_comes_during_the_shutdown_does_not_hold_it_up() {
    let server = Server::builder().limits(Limits {
        handshake_timeout: Duration::from_secs(60),
        ..Limits::default()
    });
    let server = server.without_listener().unwrap();
    let (stream, peer) = duplex();
    server.attach(stream);
    let mut client = Client::open(peer, &upgrade("localhost", "/", ""));
    let mut events = server.events();
    open(&mut events);
    server.handle().shutdown();
    assert_eq!(client.read().close().0, 1001);
    // The connection is still there: the shutdown goes on.
    let (late, mut idle) = duplex();
    server.attach(late);
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(idle.read_to_end(&mut Vec::new()).map(drop)));
    end.recv_timeout(PATIENCE)
        .expect("it is sent away")
        .unwrap();
    client.send_close(1001, "");
    assert!(matches!(drain(events)[..], [Event::Close(..)]));
}

#[test]
fn b22_a_connection_whose_101_is_just_written_closes_cleanly() {
    let server = patient().without_listener().unwrap();
    let (ours, mut theirs) = duplex();
    let (written, is_written) = mpsc::channel();
    let (go_on, gate) = mpsc::channel();
    server.attach(Gated {
        inner: ours,
        written,
        go_on: Mutex::new(gate),
    });
    theirs
        .write_all(upgrade("localhost", "/", "").as_bytes())
        .unwrap();
    is_written.recv_timeout(PATIENCE).unwrap();
    server.handle().shutdown();
    drop(go_on);
    let mut client = Client::adopt(theirs);
    assert_eq!(client.read().close().0, 1001);
    client.send_close(1001, "");
    assert!(client.at_end());
    let events = drain(server.events());
    let Some(Event::Close(_, close)) = events.last() else {
        panic!("{events:?}");
    };
    assert!(close.was_clean, "{close:?}");
}

#[test]
fn b22_a_send_that_is_blocked_in_a_handler_ends_with_the_shutdown() {
    let (handle, client, _) = serving::blocked_in_send(builder());
    let begun = Instant::now();
    handle.shutdown();
    assert_eq!(handle.wait(), ShutdownReport::default());
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    drop(client);
}

/// The Close comes from another thread, and the one that waits in `send` had not reckoned with it.
#[test]
fn b22_a_send_that_is_blocked_in_a_handler_ends_at_the_close_timeout() {
    let (handle, client, connection) = serving::blocked_in_send(builder());
    connection.close(1000, "").unwrap();
    wait_until("the connection has ended", || {
        connection.ready_state() == ReadyState::Closed
    });
    drop((handle, client));
}

/// It is told so by `send`, and `?` hands that on: nothing has failed.
#[test]
fn b22_a_handler_that_was_sending_has_not_failed() {
    let handle = patient()
        .serve("127.0.0.1:0", |mut ws| {
            loop {
                ws.send("tick")?;
                thread::sleep(Duration::from_millis(1));
            }
        })
        .unwrap();
    let mut client = Client::connect(handle.local_addr().unwrap());
    client.read_message();
    handle.shutdown();
    let close = loop {
        let message = client.read_message();
        if message.opcode == 8 {
            break message.close().0;
        }
    };
    assert_eq!(close, 1001);
    client.send_close(1001, "");
    handle.wait();
    assert_eq!(handle.stats().handler_failures, 0);
}

/// The report says so, the events end all the same, and no later answer of the hook opens anything.
#[test]
fn b22_a_hook_that_blocks_is_reported_and_holds_nothing_up() {
    let (asked, hook_runs) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (asked, released) = (Mutex::new(asked), Mutex::new(released));
    let server = builder().accept(move |_| {
        asked.lock().unwrap().send(()).unwrap();
        let _ = released.lock().unwrap().recv();
        Ok(Accept::new())
    });
    let server = server.bind("127.0.0.1:0").unwrap();
    let mut stream = dial(server.local_addr().unwrap());
    stream
        .write_all(upgrade("localhost", "/", "").as_bytes())
        .unwrap();
    hook_runs.recv_timeout(PATIENCE).unwrap();
    let begun = Instant::now();
    assert_eq!(server.shutdown().threads_left, 1);
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    assert!(drain(server.events()).is_empty());
    drop(release);
    assert_eq!(server.shutdown(), ShutdownReport::default());
    assert!(drain(server.events()).is_empty());
}

/// A server with one handshake whose hook does not return until the sender is dropped.
fn beside_a_hook_that_blocks(close_timeout: Duration) -> (Server, mpsc::Sender<()>) {
    with_a_hook_that_blocks(Limits {
        close_timeout,
        ..Limits::default()
    })
}

fn with_a_hook_that_blocks(limits: Limits) -> (Server, mpsc::Sender<()>) {
    let (asked, hook_runs) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (asked, released) = (Mutex::new(asked), Mutex::new(released));
    let builder = Server::builder().limits(limits).accept(move |request| {
        if request.path() == "/blocks" {
            asked.lock().unwrap().send(()).unwrap();
            let _ = released.lock().unwrap().recv();
        }
        Ok(Accept::new())
    });
    let server = builder.without_listener().unwrap();
    let (blocked, mut theirs) = duplex();
    server.attach(blocked);
    theirs
        .write_all(upgrade("localhost", "/blocks", "").as_bytes())
        .unwrap();
    hook_runs.recv_timeout(PATIENCE).unwrap();
    (server, release)
}

#[test]
fn b22_a_drop_beside_a_hook_that_blocks_takes_four_seconds_and_none_behind_a_shutdown() {
    let (server, _release) = beside_a_hook_that_blocks(CLOSE_TIMEOUT);
    let begun = Instant::now();
    drop(server);
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());

    let (server, _release) = beside_a_hook_that_blocks(CLOSE_TIMEOUT);
    assert_eq!(server.shutdown().threads_left, 1);
    let begun = Instant::now();
    drop(server);
    // Half a second below what it would be without the shutdown.
    assert!(
        begun.elapsed() < Duration::from_millis(3_500),
        "{:?}",
        begun.elapsed()
    );
}

/// The time that `wait` has for the connections is one, whoever takes events meanwhile.
#[test]
fn b22_wait_beside_a_hook_that_blocks_takes_five_seconds_more_than_the_close_timeout() {
    const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
    let (server, _release) = beside_a_hook_that_blocks(CLOSE_TIMEOUT);
    server.handle().shutdown();
    let begun = Instant::now();
    assert_eq!(server.handle().wait().threads_left, 1);
    let (took, told) = (begun.elapsed(), CLOSE_TIMEOUT + Duration::from_secs(5));
    // A busy machine takes a little longer; the time for the connections twice would be five seconds more.
    assert!(took < told + Duration::from_secs(4), "{took:?}");
}

/// The second signal. Nobody answers the first one's Close, and nobody would be given up for a minute.
#[test]
fn m05_terminate_ends_at_once_what_a_shutdown_waits_for() {
    for shut_down_before in [true, false] {
        let (server, _release) = beside_a_hook_that_blocks(Duration::from_secs(60));
        let handle = server.handle();
        let mut clients = Vec::new();
        let mut events = server.events();
        for _ in 0..3 {
            let (ours, theirs) = duplex();
            handle.attach(ours);
            clients.push(Client::open(theirs, &upgrade("localhost", "/", "")));
            open(&mut events);
        }
        // One event waits: it is still yielded.
        clients[0].send_text("before");
        wait_until("it came", || server.stats().messages_in == 1);
        let begun = Instant::now();
        if shut_down_before {
            handle.shutdown();
        }
        handle.terminate();
        handle.terminate();
        let left = drain(events);
        assert!(matches!(left[0], Event::Message(..)), "{left:?}");
        assert_eq!(left.len(), 1 + clients.len(), "{left:?}");
        for event in &left[1..] {
            let Event::Close(_, close) = event else {
                panic!("{event:?}");
            };
            assert_eq!(u16::from(close.code), 1006);
        }
        for client in &mut clients {
            support::read_to_close(&mut client.stream);
        }
        let report = handle.wait();
        assert_eq!((report.events_not_taken, report.threads_left), (0, 1));
        drop(server);
        assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    }
}

/// Who waits already is let go by it.
#[test]
fn m05_terminate_ends_a_wait_that_has_begun() {
    let limits = Limits {
        close_timeout: Duration::from_secs(60),
        ..Limits::default()
    };
    let builder = Server::builder().limits(limits);
    let handle = builder.serve("127.0.0.1:0", |mut ws| {
        while ws.read()?.is_some() {}
        Ok(())
    });
    let handle = handle.unwrap();
    let mut client = Client::connect(handle.local_addr().unwrap());
    wait_until("it is open", || handle.stats().opened == 1);
    let waiting = handle.clone();
    let waiting = thread::spawn(move || waiting.wait());
    handle.shutdown();
    // The client never answers.
    assert_eq!(client.read_message().close().0, 1001);
    let begun = Instant::now();
    handle.terminate();
    assert_eq!(waiting.join().unwrap(), ShutdownReport::default());
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    support::read_to_close(&mut client.stream);
}

/// Who has seen an Open sees its Close, also where the thread that would have told of it never comes back.
#[test]
fn b22_a_stream_that_keeps_its_thread_has_its_close_all_the_same() {
    for taken_before in [true, false] {
        let server = builder().without_listener().unwrap();
        let (stubborn, mut theirs, release) = Stubborn::new(1);
        server.attach(stubborn);
        theirs
            .write_all(upgrade("localhost", "/", "").as_bytes())
            .unwrap();
        wait_until("it is open", || server.stats().opened == 1);
        let taken = taken_before.then(|| open(&mut server.events()));
        let begun = Instant::now();
        let report = server.shutdown();
        assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
        assert_eq!(report.threads_left, 1);
        // The Open, if it was not taken, and the Close.
        assert_eq!(report.events_not_taken, 2 - usize::from(taken_before));
        let mut events = drain(server.events()).into_iter();
        let opened = match taken {
            Some(connection) => connection,
            None => match events.next() {
                Some(Event::Open(connection)) => connection,
                other => panic!("{other:?}"),
            },
        };
        let Some(Event::Close(closed, close)) = events.next() else {
            panic!("an Open without its Close");
        };
        assert_eq!((closed, u16::from(close.code)), (opened.clone(), 1006));
        assert!(events.next().is_none());
        assert_eq!(server.stats().connections, 0);
        assert_eq!(opened.ready_state(), ReadyState::Closed);
        drop(release);
        // What its thread tells now is of no interest.
        assert_eq!(server.shutdown(), ShutdownReport::default());
        assert!(drain(server.events()).is_empty());
        assert_eq!(server.stats().connections, 0);
    }
}

/// A thread is its stream's until nothing of that is left, its destructor included.
#[test]
fn b22_a_stream_that_keeps_its_thread_when_it_is_dropped_is_reported() {
    let server = builder().without_listener().unwrap();
    let (stubborn, mut theirs, release) = Stubborn::new(usize::MAX);
    server.attach(stubborn);
    theirs
        .write_all(upgrade("localhost", "/", "").as_bytes())
        .unwrap();
    open(&mut server.events());
    drop(theirs);
    assert!(matches!(
        server.events().recv_timeout(PATIENCE),
        Ok(Event::Close(..))
    ));
    assert_a_thread_is_left_until(&server, release);
}

#[test]
fn b22_a_hook_that_blocks_is_reported_also_where_a_newer_handshake_was_refused() {
    let (server, release) = with_a_hook_that_blocks(Limits {
        close_timeout: CLOSE_TIMEOUT,
        max_handshakes: 1,
        ..Limits::default()
    });
    let (newer, _silent) = duplex();
    server.attach(newer);
    assert_a_thread_is_left_until(&server, release);
}

/// A stream that comes when all is over is refused on the thread that brings it.
#[test]
fn b22_a_stream_that_comes_behind_the_shutdown_is_refused_at_once() {
    let server = builder().without_listener().unwrap();
    server.shutdown();
    let (late, mut theirs) = duplex();
    server.attach(late);
    let mut answer = String::new();
    theirs.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let stats = server.stats();
    assert_eq!(stats.refused.get("shutting_down"), Some(&1));
    assert_eq!((stats.handshakes, stats.threads), (0, 0));
}

#[test]
fn b22_a_handler_that_blocks_is_reported() {
    let (running, runs) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let handle = builder()
        .serve("127.0.0.1:0", move |_| {
            running.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
            Ok(())
        })
        .unwrap();
    let mut client = Client::connect(handle.local_addr().unwrap());
    runs.recv_timeout(PATIENCE).unwrap();
    let begun = Instant::now();
    handle.shutdown();
    assert_eq!(client.read().close().0, 1001);
    assert_eq!(handle.wait().threads_left, 1);
    assert!(begun.elapsed() >= CLOSE_TIMEOUT, "it was given its time");
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    drop(release);
    assert_eq!(handle.wait(), ShutdownReport::default());
}

/// B18: also while old connections linger.
#[test]
fn b18_the_port_can_be_bound_again_at_once() {
    let server = patient().bind(own_loopback()).unwrap();
    let addr = server.local_addr().unwrap();
    let client = polite(Client::connect(addr));
    open(&mut server.events());
    server.shutdown();
    TcpListener::bind(addr).unwrap();
    assert_eq!(client.join().unwrap(), 1001);
}

#[test]
fn b18_a_port_that_is_taken_is_reported() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let again = Server::bind(server.local_addr().unwrap());
    assert_eq!(again.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn an_address_that_cannot_be_bound_is_named_with_what_to_do() {
    let taken = Server::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (addr, remedy) in [
        (&*taken, "another address, 127.0.0.1:0 for any free port"),
        // Documentation's own (RFC 5737): no machine has it.
        ("192.0.2.1:9001", "give one of its own"),
        ("127.0.0.1", "give an address and a port"),
        ("localhost:99999", "give an address and a port"),
        ("no such name:9001", "give an address of this machine"),
        ("ws://127.0.0.1:9001", "without ws:// before it"),
        ("", "give an address and a port"),
    ] {
        let bound = Server::bind(addr).map(drop);
        let served = wshub::serve(addr, |_| Ok(())).map(drop);
        for error in [bound.unwrap_err(), served.unwrap_err()] {
            let said = error.to_string();
            let named = format!("cannot listen on {addr}: ");
            assert!(said.starts_with(&named), "{said}");
            assert!(said.contains(remedy), "{said}");
            // What the system said is its source.
            let source = error.get_ref().unwrap().source().unwrap();
            let source = source.downcast_ref::<std::io::Error>().unwrap();
            assert_eq!(source.kind(), error.kind());
        }
    }
}

/// As those of Socket.IO, which tell the clients that poll.
#[test]
fn a_hook_that_waits_for_the_end_lets_the_hooks_behind_it_run_first() {
    let handle = Arc::new(OnceLock::new());
    let order = Arc::new(Mutex::new(Vec::new()));
    let [started, waited] = [(); 2].map(|()| handle.clone());
    let [first, second] = [(); 2].map(|()| order.clone());
    let server = builder()
        .on_start(move |handle| started.set(handle).unwrap())
        .on_shutdown(move || {
            waited.get().unwrap().wait();
            first.lock().unwrap().push("the end");
        })
        .on_shutdown(move || second.lock().unwrap().push("the second"))
        .bind("127.0.0.1:0")
        .unwrap();
    server.shutdown();
    assert_eq!(*order.lock().unwrap(), ["the second", "the end"]);
}

/// Nobody gets a server then, who could end it.
#[test]
fn b12_a_hook_that_panics_at_the_start_leaves_no_server_behind() {
    let starts: [fn(ServerBuilder); 2] = [
        |builder| drop(builder.bind(own_loopback())),
        |builder| drop(builder.serve(own_loopback(), serving::echo)),
    ];
    for start in starts {
        let (tell, told) = mpsc::channel();
        let builder = builder().on_start(move |handle| {
            tell.send(handle).unwrap();
            resume_unwind(Box::new("on purpose"));
        });
        assert!(catch_unwind(AssertUnwindSafe(|| start(builder))).is_err());
        let handle = told.recv_timeout(PATIENCE).unwrap();
        assert!(handle.is_draining());
        assert_eq!(handle.wait(), ShutdownReport::default());
        TcpListener::bind(handle.local_addr().unwrap()).unwrap();
    }
}

#[test]
fn wait_returns_when_somebody_shuts_a_served_server_down() {
    let handle = patient().serve("127.0.0.1:0", serving::echo).unwrap();
    let clients: Vec<_> = (0..5)
        .map(|_| polite(Client::connect(handle.local_addr().unwrap())))
        .collect();
    let (done, report) = mpsc::channel();
    thread::spawn({
        let handle = handle.clone();
        move || done.send(handle.wait())
    });
    let early = report.recv_timeout(Duration::from_millis(50));
    assert_eq!(early, Err(mpsc::RecvTimeoutError::Timeout));
    handle.shutdown();
    let report = report.recv_timeout(PATIENCE).unwrap();
    assert_eq!(report, ShutdownReport::default());
    for client in clients {
        assert_eq!(client.join().unwrap(), 1001);
    }
}

/// Attaches a client in memory and takes its Open.
fn attach(server: &Server, events: &mut Events<'_>) -> (Client<Duplex>, Connection) {
    let (stream, peer) = duplex();
    server.attach(stream);
    let client = Client::open(peer, &upgrade("localhost", "/", ""));
    (client, open(events))
}

#[test]
fn a_stream_in_memory_works_from_end_to_end() {
    let server = patient().without_listener().unwrap();
    let mut events = server.events();
    let (mut first, connection) = attach(&server, &mut events);
    let (mut second, other) = attach(&server, &mut events);
    assert_eq!(connection.peer_addr(), None);
    first.send_text("hello");
    match events.recv_timeout(PATIENCE).unwrap() {
        Event::Message(it, message) => {
            assert_eq!((&it, message.as_text()), (&connection, Some("hello")));
            assert_eq!(server.broadcast(message).sent, 2);
        }
        event => panic!("{event:?}"),
    }
    assert_eq!(
        (first.read().text(), second.read().text()),
        ("hello", "hello")
    );

    connection.close(4000, "enough").unwrap();
    assert_eq!(first.read().close(), (4000, "enough"));
    first.send_close(4000, "enough");
    assert!(first.at_end());
    match events.recv_timeout(PATIENCE).unwrap() {
        Event::Close(it, close) => {
            assert_eq!(
                (it, u16::from(close.code), close.was_clean),
                (connection, 4000, true)
            );
        }
        event => panic!("{event:?}"),
    }

    server.handle().shutdown();
    assert_eq!(second.read().close().0, 1001);
    second.send_close(1001, "");
    match &drain(events)[..] {
        [Event::Close(it, close)] => assert_eq!((it, close.was_clean), (&other, true)),
        events => panic!("{events:?}"),
    }
    assert_eq!(server.shutdown(), ShutdownReport::default());
}

/// The helper is woken by the stream itself, for there is no descriptor to poll.
#[test]
fn a_slow_reader_in_memory_gets_everything() {
    const MESSAGES: usize = 40;
    let server = builder().without_listener().unwrap();
    let mut events = server.events();
    let (mut client, connection) = attach(&server, &mut events);
    for n in 0..MESSAGES {
        connection.send(vec![n as u8; 20_000]).unwrap();
    }
    assert!(connection.buffered_amount() > 0);
    for n in 0..MESSAGES {
        assert_eq!(client.read().payload, vec![n as u8; 20_000]);
    }
    let begun = Instant::now();
    while server.stats().stalled > 0 {
        assert!(begun.elapsed() < PATIENCE);
        thread::yield_now();
    }
}

#[test]
fn b01_a_stream_in_memory_that_never_reads_is_given_up() {
    const WRITE_TIMEOUT: Duration = Duration::from_millis(300);
    let server = Server::builder().limits(Limits {
        write_timeout: WRITE_TIMEOUT,
        ..Limits::default()
    });
    let server = server.without_listener().unwrap();
    let mut events = server.events();
    let (_client, connection) = attach(&server, &mut events);
    let since = Instant::now();
    connection.send(vec![0; 200_000]).unwrap();
    let error = events.recv_timeout(PATIENCE).unwrap();
    assert!(
        matches!(error, Event::Error(_, Error::SlowConsumer)),
        "{error:?}"
    );
    assert!(since.elapsed() >= WRITE_TIMEOUT, "never early");
    assert_eq!(u16::from(close(&mut events).code), 1006);
}

/// Our Close is not answered: the deadline of the closing handshake, not the heartbeat's, ends it.
#[test]
fn a_close_without_an_answer_ends_at_the_close_timeout() {
    let server = builder().bind("127.0.0.1:0").unwrap();
    let mut client = Client::connect(server.local_addr().unwrap());
    let mut events = server.events();
    let connection = open(&mut events);
    let since = Instant::now();
    connection.close(1000, "bye").unwrap();
    assert_eq!(client.read().close(), (1000, "bye"));
    let close = close(&mut events);
    assert_eq!((u16::from(close.code), close.was_clean), (1006, false));
    assert!(since.elapsed() >= CLOSE_TIMEOUT, "never early");
}

/// The application still holds a message, but can answer nothing any more.
#[test]
fn after_our_close_the_end_waits_for_no_application() {
    let server = Server::builder().limits(Limits {
        close_timeout: 2 * PATIENCE,
        ..Limits::default()
    });
    let server = server.without_listener().unwrap();
    let mut events = server.events();
    let (mut client, connection) = attach(&server, &mut events);
    client.send_text("hello");
    assert!(matches!(
        events.recv_timeout(PATIENCE),
        Ok(Event::Message(..))
    ));
    connection.close(1000, "").unwrap();
    assert_eq!(client.read().opcode, 8);
    client.send_close(1000, "");
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(client.at_end()));
    assert_eq!(end.recv_timeout(PATIENCE), Ok(true));
    assert!(close(&mut events).was_clean);
}

/// F13: data after our Close is read away, and does not prolong it.
#[test]
fn f13_a_peer_that_goes_on_sending_after_our_close_is_cut_off() {
    let server = builder().bind("127.0.0.1:0").unwrap();
    let mut client = Client::connect(server.local_addr().unwrap());
    let mut events = server.events();
    let connection = open(&mut events);
    connection.close(1000, "").unwrap();
    let sender = thread::spawn(move || {
        while client.try_send(true, 9, b"still here").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    close(&mut events);
    sender.join().unwrap();
}

/// An `on_shutdown` hook that says when it begins, and ends when it is let.
fn hooked() -> (Server, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (tell, begun) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    let gate = Mutex::new((tell, ended));
    let hook = move || {
        let (tell, ended) = &*gate.lock().unwrap();
        tell.send(()).unwrap();
        let _ = ended.recv_timeout(PATIENCE);
    };
    let limits = Limits {
        close_timeout: PATIENCE,
        ..Limits::default()
    };
    let server = Server::builder().limits(limits).on_shutdown(hook);
    (server.bind("127.0.0.1:0").unwrap(), begun, end)
}

/// Does what the test does while that hook, which a shutdown on another thread called, has not ended.
fn amid_the_hook(test: impl FnOnce(&Server, Client, &mpsc::Sender<()>)) {
    let (server, begun, end) = hooked();
    let client = Client::connect(server.local_addr().unwrap());
    let first = server.handle();
    thread::scope(|scope| {
        scope.spawn(move || first.shutdown());
        begun.recv_timeout(PATIENCE).unwrap();
        test(&server, client, &end);
    });
}

#[test]
fn b22_a_second_shutdown_waits_for_the_hook_that_the_first_has_called() {
    amid_the_hook(|server, mut client, end| {
        thread::scope(|scope| {
            server.handle().shutdown();
            let second = scope.spawn(|| server.shutdown());
            let timeout = |time| client.stream.set_read_timeout(Some(time)).unwrap();
            timeout(CLOSE_TIMEOUT);
            let early = Read::read(&mut &client.stream, &mut [0]);
            assert_eq!(early.unwrap_err().kind(), support::READ_TIMEOUT);
            timeout(PATIENCE);
            end.send(()).unwrap();
            assert_eq!(client.read().close().0, 1001);
            drop(client);
            assert_eq!(second.join().unwrap().threads_left, 0);
        })
    });
}

/// A server whose hook waits for the shutdown, and what that wait gives.
fn with_a_hook_that_waits() -> (Server, mpsc::Receiver<ShutdownReport>) {
    let (tell, told) = mpsc::channel();
    let (give, given) = mpsc::channel::<ServerHandle>();
    let handle = Mutex::new(given);
    let hook = move || {
        let handle = handle.lock().unwrap().recv().unwrap();
        tell.send(handle.wait()).unwrap();
    };
    let server = builder().on_shutdown(hook).bind("127.0.0.1:0").unwrap();
    give.send(server.handle()).unwrap();
    (server, told)
}

#[test]
fn b22_a_hook_that_waits_for_the_shutdown_does_not_wait_for_itself() {
    let (server, told) = with_a_hook_that_waits();
    let mut client = Client::connect(server.local_addr().unwrap());
    let ended = thread::spawn(move || server.shutdown());
    assert_eq!(client.read().close().0, 1001);
    drop(client);
    assert_eq!(told.recv_timeout(PATIENCE).unwrap().threads_left, 0);
    assert_eq!(ended.join().unwrap().threads_left, 0);
}

/// The hook runs on the thread of the drain.
#[test]
fn b22_a_hook_that_waits_behind_a_drain_does_not_wait_for_its_own_thread() {
    let (server, told) = with_a_hook_that_waits();
    server.handle().drain(Duration::ZERO);
    assert_eq!(told.recv_timeout(PATIENCE).unwrap().threads_left, 0);
}

#[test]
fn b22_who_terminates_waits_for_no_hook() {
    amid_the_hook(|server, mut client, end| {
        server.handle().terminate();
        support::read_to_close(&mut client.stream);
        end.send(()).unwrap();
    });
}
