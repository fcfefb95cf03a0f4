//! Every session of a long list, with each of its I/O operations failing in turn, in each way that I/O fails: nothing
//! panics, hangs, leaks or lies. SQLite and curl torture themselves like this.

#[path = "../support/mod.rs"]
mod support;

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use support::contract::{Order, held_now};
use support::faulty::{Fault, Faulty, Plan, Timed, Trace};
use support::{Client, Frame, PATIENCE, frame, read_head, upgrade};
use wshub::testing::duplex;
use wshub::{
    Accept, Connection, Error, Event, HandlerResult, How, Limits, Message, Overflow, Reject,
    Response, SendErrorKind, Server, ServerBuilder, ServerHandle, Session, ShutdownReport, Stats,
};

/// Runs wait more than they compute.
const WORKERS: usize = 32;
/// No session has more operations that are worth failing: the rest are repetitions.
const MOST_OPERATIONS: usize = 24;
const BIG: usize = 150_000;
/// "Hello", compressed, and once more where the first one may be referred to (RFC 7692 7.2.3.1 and 7.2.3.2).
#[cfg(feature = "deflate")]
const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
#[cfg(feature = "deflate")]
const AGAIN: &[u8] = &[0xf2, 0x00, 0x11, 0x00, 0x00];
#[cfg(feature = "deflate")]
const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
/// A panic with this text is part of a session.
const ON_PURPOSE: &str = "on purpose";

/// Once, a few times in a row, and from then on for ever.
const FAULTS: [(Fault, usize); 11] = [
    (Fault::Error(ErrorKind::WouldBlock), 1),
    (Fault::Error(ErrorKind::WouldBlock), usize::MAX),
    (Fault::Error(ErrorKind::TimedOut), 1),
    (Fault::Error(ErrorKind::TimedOut), usize::MAX),
    (Fault::Error(ErrorKind::Interrupted), 3),
    (Fault::Error(ErrorKind::Interrupted), usize::MAX),
    (Fault::Error(ErrorKind::ConnectionReset), usize::MAX),
    (Fault::Error(ErrorKind::BrokenPipe), usize::MAX),
    (Fault::Error(ErrorKind::UnexpectedEof), 1),
    (Fault::End, 1),
    (Fault::End, usize::MAX),
];

#[test]
fn every_operation_fails_in_every_way() {
    note_panics_and_bugs();
    let baselines: Vec<Outcome> = in_parallel(SESSIONS.len(), |index| {
        let outcome = run(&SESSIONS[index], Plan::NOTHING, true);
        if let (false, Err(error)) = (SESSIONS[index].waits, &outcome.script) {
            panic!("{}: {error}", SESSIONS[index].name);
        }
        outcome
    });
    let plans: Vec<(usize, Plan)> = (0..SESSIONS.len())
        .flat_map(|index| {
            plans(baselines[index].operations)
                .into_iter()
                .map(move |plan| (index, plan))
        })
        .collect();
    println!("{} sessions, {} runs", SESSIONS.len(), plans.len());
    assert!(SESSIONS.len() >= 50 && plans.len() > 50 * SESSIONS.len());
    in_parallel(plans.len(), |number| {
        let (index, plan) = plans[number];
        let outcome = run(&SESSIONS[index], plan, false);
        let sent = match SESSIONS[index].perhaps {
            [] => baselines[index].taken.clone(),
            perhaps => perhaps.iter().map(|text| Message::from(*text)).collect(),
        };
        assert!(
            is_within(&outcome.taken, &sent),
            "the application got what was not sent: {} {plan:?}",
            SESSIONS[index].name
        );
    });
    // Taken out: the hook of a panic takes the lock, too.
    let noted = std::mem::take(&mut *NOTED.lock().unwrap());
    assert!(noted.is_empty(), "{noted:#?}");
}

fn plans(operations: usize) -> Vec<Plan> {
    let all_in_single_bytes = Plan {
        single_bytes: 400,
        ..Plan::NOTHING
    };
    let mut plans = vec![all_in_single_bytes];
    for first in 0..=operations.min(MOST_OPERATIONS) {
        plans.extend(FAULTS.map(|(fault, count)| Plan {
            fault,
            first,
            count,
            single_bytes: 0,
        }));
        // In the middle of what usually goes in one piece.
        plans.push(Plan {
            fault: Fault::Error(ErrorKind::ConnectionReset),
            first: 3 * first + 2,
            count: usize::MAX,
            single_bytes: 3 * first + 2,
        });
    }
    plans
}

/// Calls `job` with every number below `count` on some threads; the first panic is the test's.
fn in_parallel<T: Send>(count: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let job = |number| {
        catch_unwind(AssertUnwindSafe(|| job(number))).unwrap_or_else(|panic| {
            // The others need not go on.
            next.store(count, SeqCst);
            resume_unwind(panic)
        })
    };
    let work = || {
        let numbers = std::iter::from_fn(|| Some(next.fetch_add(1, SeqCst)));
        let done = numbers.take_while(|&number| number < count);
        done.map(|number| (number, job(number))).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a run failed, see above"))
            .collect()
    });
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, done)| done).collect()
}

/// True if `some` is `all` with nothing added, changed or put in another place.
fn is_within<T: PartialEq>(some: &[T], all: &[T]) -> bool {
    let mut rest = all.iter();
    some.iter().all(|one| rest.any(|other| one == other))
}

/// Panics outside of this test's own threads, and log lines that admit a bug.
static NOTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn note_panics_and_bugs() {
    struct Log;
    impl log::Log for Log {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            // Written out, so that what a line shows is computed as in earnest.
            let line = record.args().to_string();
            if line.contains("bug of wshub") {
                NOTED.lock().unwrap().push(line);
            }
        }
        fn flush(&self) {}
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Log).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let text = panic.to_string();
            if !text.contains(ON_PURPOSE) {
                let name = thread::current().name().map(str::to_owned);
                NOTED.lock().unwrap().push(format!("{name:?}: {text}"));
                print(panic);
            }
        }));
    });
}

// ---- one run ----

/// What a run left behind, beside what it asserted itself.
struct Outcome {
    operations: usize,
    script: io::Result<()>,
    /// Messages the application got.
    taken: Vec<Message>,
}

/// What the application counts itself, to be held against what the server says.
#[derive(Default)]
struct Tally {
    taken: Vec<Message>,
    /// What it wanted to send, in order.
    offered: Vec<Message>,
    sent: u64,
    refused: u64,
    /// A peer was given up for reading too slowly: what came of it after that is not taken.
    slow: bool,
}

fn run(session: &'static Scripted, plan: Plan, baseline: bool) -> Outcome {
    let told = Told { session, plan };
    let limits = limits(baseline && !session.waits);
    let tally = Arc::new(Mutex::new(Tally::default()));
    let trace = Arc::new(Trace::default());
    let peer = |handle: ServerHandle| {
        let (ours, theirs) = duplex();
        handle.attach(Faulty::new(ours, plan, &trace));
        let patience = if baseline { PATIENCE } else { PATIENCE / 60 };
        Peer::new(theirs, handle, patience)
    };
    let (played, stats) = match session.form {
        Form::Events => {
            let server = builder(limits, session).without_listener().unwrap();
            let peer = peer(server.handle());
            let played = thread::scope(|scope| {
                let client = scope.spawn(|| play(peer, &told));
                take_events(&server, &mut tally.lock().unwrap(), &told);
                client.join().unwrap_or_else(|_| panic!("{told}"))
            });
            (played, check_end(server.shutdown(), server.stats(), &told))
        }
        Form::Serve => {
            let shared = tally.clone();
            let handle = builder(limits, session)
                .serve("127.0.0.1:0", move |ws| serve(ws, &shared))
                .unwrap();
            let played = play(peer(handle.clone()), &told);
            (played, check_end(handle.wait(), handle.stats(), &told))
        }
    };
    assert_eq!(Arc::strong_count(&trace), 1, "a stream leaked: {told}");
    let Played {
        script,
        got,
        others,
    } = played;
    let tally = std::mem::take(&mut *tally.lock().unwrap());
    check_counters(
        &tally,
        &stats,
        &[std::slice::from_ref(&trace), &others[..]].concat(),
        &told,
    );
    assert!(
        is_within(&got, &tally.offered),
        "the peer got what was not sent: {told}"
    );
    Outcome {
        operations: trace.operations(),
        script,
        taken: tally.taken,
    }
}

/// What the client's side left.
struct Played {
    script: io::Result<()>,
    /// Messages the peer got.
    got: Vec<Message>,
    others: Vec<Arc<Trace>>,
}

/// Plays the peer's part, leaves, waits until the server has seen that, and shuts it down.
fn play(mut peer: Peer, told: &Told) -> Played {
    let script = (told.session.script)(&mut peer);
    let Peer {
        client,
        handle,
        got,
        others,
        ..
    } = peer;
    drop(client);
    let deadline = Instant::now() + PATIENCE;
    let is_busy = |stats: &Stats| stats.connections + stats.handshakes > 0;
    while is_busy(&handle.stats()) && Instant::now() < deadline {
        thread::park_timeout(Duration::from_micros(300));
    }
    let stats = handle.stats();
    handle.shutdown();
    assert!(!is_busy(&stats), "a wait has no end: {stats:?} {told}");
    Played {
        script,
        got,
        others,
    }
}

fn limits(long: bool) -> Limits {
    let time = |millis| match long {
        true => PATIENCE,
        false => Duration::from_millis(millis),
    };
    Limits {
        handshake_timeout: time(80),
        write_timeout: time(50),
        ping_interval: Some(time(50)),
        pong_timeout: time(50),
        close_timeout: time(50),
        assembly_timeout: time(80),
        max_connections: 4,
        max_message: 256 << 10,
        max_fragments: 8,
        outbound_per_connection: Some(100 << 10),
        inbound_per_connection: 64 << 10,
        ..Limits::default()
    }
}

fn builder(limits: Limits, session: &Scripted) -> ServerBuilder {
    let builder = Server::builder();
    // For the sessions that offer it.
    #[cfg(feature = "deflate")]
    let builder = builder.compression(wshub::Compression {
        server_context_takeover: true,
        client_context_takeover: true,
        threshold: 0,
        ..wshub::Compression::default()
    });
    builder
        .limits(limits)
        .overflow(session.overflow)
        .subprotocols(["chat"])
        .accept(|request| match request.path() {
            "/reject" => Err(Reject::unauthorized()),
            "/panic" => panic!("{ON_PURPOSE}"),
            _ => Ok(Accept::new()),
        })
        .http(|request| match request.path() {
            "/large" => Response::html("x".repeat(BIG)),
            "/panic" => panic!("{ON_PURPOSE}"),
            _ => Response::html("<title>page</title>"),
        })
}

// ---- the application, in both forms: the path says what it does ----

fn take_events(server: &Server, tally: &mut Tally, told: &Told) {
    let mut order = Order::default();
    let mut events = server.events();
    loop {
        match events.recv_timeout(2 * PATIENCE) {
            Ok(event) => {
                order
                    .see(&event)
                    .unwrap_or_else(|wrong| panic!("{wrong}: {told}"));
                answer(server, event, tally);
            }
            Err(wshub::RecvError::Ended) => break,
            Err(error) => panic!("{error}: {told}"),
        }
    }
    let opened = server.stats().opened as usize;
    assert_eq!(order.closed(), (opened, opened), "{told}");
}

fn answer(server: &Server, event: Event, tally: &mut Tally) {
    let path = event.connection().request().path().to_owned();
    match (event, &path[..]) {
        (Event::Open(connection), "/close") => drop(connection.close(4000, "leave")),
        (Event::Open(connection), "/ping") => drop(connection.ping()),
        (Event::Open(connection), "/push") => {
            for number in 0..20 {
                tally.send(&connection, pushed(number).into());
            }
        }
        (Event::Message(connection, message), path) => {
            tally.taken.push(message.clone());
            match path {
                "/broadcast" => {
                    tally.offered.push(message.clone());
                    let done = server.broadcast(message);
                    tally.sent += done.sent as u64;
                    tally.refused += done.dropped as u64;
                }
                "/shutdown" => server.handle().shutdown(),
                "/quiet" | "/push" => {}
                _ => tally.send(&connection, message),
            }
        }
        (Event::Error(_, Error::SlowConsumer), _) => tally.slow = true,
        _ => {}
    }
}

fn serve(mut ws: Session<'_>, tally: &Mutex<Tally>) -> HandlerResult {
    let path = ws.connection().request().path().to_owned();
    let send = |ws: &mut Session<'_>, message: Message| {
        tally.lock().unwrap().offered.push(message.clone());
        ws.send(message)?;
        tally.lock().unwrap().sent += 1;
        HandlerResult::Ok(())
    };
    match &path[..] {
        "/return" => return Ok(()),
        "/fail" => return Err("as told".into()),
        "/crash" => panic!("{ON_PURPOSE}"),
        "/close" => drop(ws.close(4000, "leave")),
        "/push" => {
            for number in 0..20 {
                send(&mut ws, pushed(number).into())?;
            }
        }
        _ => {}
    }
    while let Some(message) = ws.read()? {
        tally.lock().unwrap().taken.push(message.clone());
        if path != "/quiet" {
            send(&mut ws, message)?;
        }
    }
    Ok(())
}

fn pushed(number: u8) -> Vec<u8> {
    vec![number; 10_000]
}

impl Tally {
    fn send(&mut self, connection: &Connection, message: Message) {
        self.offered.push(message.clone());
        match connection.send(message).map_err(|error| error.kind()) {
            Ok(()) => self.sent += 1,
            Err(SendErrorKind::Closed) => {}
            Err(_) => self.refused += 1,
        }
    }
}

// ---- what has to hold ----

/// Gives the counters after the last thread: one that writes to a stream which has ended counts what it was about to
/// write when the stream lets it go.
fn check_end(report: ShutdownReport, stats: Stats, told: &Told) -> Stats {
    assert_eq!(report, ShutdownReport::default(), "{told}");
    assert_eq!(held_now(&stats), [0; 6], "{stats:?} {told}");
    stats
}

/// Every message that was taken for sending went to the peer or is counted as dropped, and what went is well-formed.
fn check_counters(tally: &Tally, stats: &Stats, traces: &[Arc<Trace>], told: &Told) {
    let whole: u64 = traces
        .iter()
        .map(|trace| {
            trace
                .whole_messages()
                .unwrap_or_else(|wrong| panic!("{wrong}: {told}"))
        })
        .sum();
    assert_eq!(stats.messages_out, tally.sent, "{stats:?} {told}");
    assert_eq!(
        tally.sent + tally.refused,
        whole + stats.dropped,
        "{stats:?} {told}"
    );
    let taken = tally.taken.len() as u64;
    let all_taken = stats.messages_in == taken;
    assert!(
        all_taken || (tally.slow && taken < stats.messages_in),
        "{taken} {stats:?} {told}"
    );
}

/// Which run it was, for a message of failure.
struct Told {
    session: &'static Scripted,
    plan: Plan,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {:?}, {:?}", self.session.name, self.plan)
    }
}

// ---- the peer ----

struct Peer {
    client: Client<Timed>,
    handle: ServerHandle,
    patience: Duration,
    /// Messages that came.
    got: Vec<Message>,
    /// What went to other peers that the script brought in.
    others: Vec<Arc<Trace>>,
    #[cfg(feature = "deflate")]
    inflate: flate2::Decompress,
}

impl Peer {
    fn new(stream: wshub::testing::Duplex, handle: ServerHandle, patience: Duration) -> Peer {
        Peer {
            client: Client {
                stream: Timed::new(stream, patience),
                answer: String::new(),
            },
            handle,
            patience,
            got: Vec::new(),
            others: Vec::new(),
            #[cfg(feature = "deflate")]
            inflate: flate2::Decompress::new(false),
        }
    }

    /// Another peer, without faults.
    fn another(&mut self, path: &str) -> io::Result<Peer> {
        let (ours, theirs) = duplex();
        let trace = Arc::new(Trace::default());
        self.handle.attach(Faulty::new(ours, Plan::NOTHING, &trace));
        self.others.push(trace);
        let mut other = Peer::new(theirs, self.handle.clone(), self.patience);
        other.open(path)?;
        Ok(other)
    }

    fn raw(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.client.stream.write_all(bytes.as_ref())
    }

    /// Sends a request and takes the head of its answer, which must have this status.
    fn ask(&mut self, request: impl AsRef<[u8]>, status: u16) -> io::Result<()> {
        self.raw(request)?;
        self.is_answered(status)
    }

    fn is_answered(&mut self, status: u16) -> io::Result<()> {
        let head = read_head(&mut self.client.stream)?;
        match head.starts_with(&format!("HTTP/1.1 {status} ")) {
            true => Ok(()),
            false => Err(io::Error::other(head)),
        }
    }

    fn open(&mut self, path: &str) -> io::Result<()> {
        self.ask(request(path, ""), 101)
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        self.client.try_send(true, 1, text.as_bytes())
    }

    fn send(&mut self, fin: bool, opcode: u8, payload: impl AsRef<[u8]>) -> io::Result<()> {
        self.client.try_send(fin, opcode, payload.as_ref())
    }

    fn close(&mut self, code: u16) -> io::Result<()> {
        self.send(true, 8, code.to_be_bytes())
    }

    /// The next frame but pings, which are answered.
    fn read(&mut self) -> io::Result<Frame> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let frame = self.client.try_read()?;
            match frame.opcode {
                9 => self.send(true, 10, &frame.payload)?,
                _ => return Ok(frame),
            }
        }
        Err(io::Error::new(ErrorKind::TimedOut, "nothing but pings"))
    }

    /// Takes so many messages.
    fn take(&mut self, messages: usize) -> io::Result<()> {
        for _ in 0..messages {
            let frame = self.read()?;
            match self.message(&frame) {
                Some(message) => self.got.push(message),
                None => return Err(io::Error::other(format!("{frame:?}"))),
            }
        }
        Ok(())
    }

    /// Takes messages up to the Close frame, which must carry this code, and the end of the stream.
    fn is_closed(&mut self, code: u16) -> io::Result<()> {
        let frame = loop {
            let frame = self.read()?;
            if frame.opcode == 8 {
                break frame;
            }
            let message = self.message(&frame);
            self.got.extend(message);
        };
        match frame.close().0 == code {
            true => Ok(()),
            false => Err(io::Error::other(format!("{frame:?}"))),
        }
    }

    fn message(&mut self, frame: &Frame) -> Option<Message> {
        match frame.opcode {
            1 => Some(frame.text().into()),
            2 => Some(frame.payload.clone().into()),
            #[cfg(feature = "deflate")]
            0x41 => Some(String::from_utf8(self.inflated(frame)).unwrap().into()),
            #[cfg(feature = "deflate")]
            0x42 => Some(self.inflated(frame).into()),
            _ => None,
        }
    }

    #[cfg(feature = "deflate")]
    fn inflated(&mut self, frame: &Frame) -> Vec<u8> {
        let whole = [&frame.payload[..], &[0, 0, 0xFF, 0xFF]].concat();
        let mut out = Vec::with_capacity(BIG + 1);
        let sync = flate2::FlushDecompress::Sync;
        self.inflate.decompress_vec(&whole, &mut out, sync).unwrap();
        out
    }

    fn closes(&mut self, code: u16) -> io::Result<()> {
        self.close(code)?;
        self.is_closed(code)?;
        self.read_to_the_end()
    }

    /// Reads whatever comes, to the end of the stream.
    fn read_to_the_end(&mut self) -> io::Result<()> {
        self.client.stream.read_to_end(&mut Vec::new()).map(drop)
    }

    fn shuts(&mut self, how: How) -> io::Result<()> {
        self.client.stream.shutdown(how);
        Ok(())
    }

    fn server_shuts_down(&mut self) -> io::Result<()> {
        self.handle.shutdown();
        Ok(())
    }
}

fn request(path: &str, headers: &str) -> String {
    upgrade("localhost", path, headers)
}

fn plain(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

// ---- the sessions ----

enum Form {
    Events,
    Serve,
}

struct Scripted {
    name: &'static str,
    form: Form,
    overflow: Overflow,
    /// A deadline passes even if no operation fails.
    waits: bool,
    /// What the application may get, where it is up to chance whether that comes in time.
    perhaps: &'static [&'static str],
    script: fn(&mut Peer) -> io::Result<()>,
}

const fn events(name: &'static str, script: fn(&mut Peer) -> io::Result<()>) -> Scripted {
    Scripted {
        name,
        form: Form::Events,
        overflow: Overflow::Disconnect,
        waits: false,
        perhaps: &[],
        script,
    }
}

const fn serves(name: &'static str, script: fn(&mut Peer) -> io::Result<()>) -> Scripted {
    Scripted {
        form: Form::Serve,
        ..events(name, script)
    }
}

impl Scripted {
    const fn waits(self) -> Scripted {
        Scripted {
            waits: true,
            ..self
        }
    }

    const fn perhaps(self, perhaps: &'static [&'static str]) -> Scripted {
        Scripted { perhaps, ..self }
    }

    const fn overflow(self, overflow: Overflow) -> Scripted {
        Scripted { overflow, ..self }
    }
}

static SESSIONS: &[Scripted] = &[
    // Opening handshakes that succeed.
    events("open, vanish", |p| p.open("/")),
    events("open, close", |p| {
        p.open("/")?;
        p.closes(1000)
    }),
    events("close without a code", |p| {
        p.open("/")?;
        p.send(true, 8, "")?;
        p.is_closed(1005)
    }),
    events("close with a reason", |p| {
        p.open("/")?;
        p.send(
            true,
            8,
            [&4000u16.to_be_bytes()[..], "warum €".as_bytes()].concat(),
        )?;
        p.is_closed(4000)
    }),
    events("a head in three parts", |p| {
        let request = request("/", "");
        p.raw(&request[..1])?;
        p.raw(&request[1..40])?;
        p.ask(&request[40..], 101)?;
        p.closes(1000)
    }),
    events("frames behind the head", |p| {
        let frames = [
            frame(true, 1, b"early"),
            frame(true, 8, &1000u16.to_be_bytes()),
        ]
        .concat();
        p.ask([request("/", "").as_bytes(), &frames].concat(), 101)?;
        p.take(1)?;
        p.is_closed(1000)
    }),
    events("a subprotocol", |p| {
        p.ask(request("/", "Sec-WebSocket-Protocol: a, chat\r\n"), 101)?;
        p.closes(1000)
    }),
    events("long cookies", |p| {
        let cookies = format!("Cookie: id={}\r\n", "c".repeat(3000));
        p.ask(request("/", &cookies), 101)?;
        p.closes(1000)
    }),
    events("an absolute target", |p| {
        p.ask(request("ws://localhost/", ""), 101)?;
        p.closes(1000)
    }),
    events("half-close behind the request", |p| {
        p.raw(request("/", ""))?;
        p.shuts(How::Write)?;
        p.is_answered(101)?;
        p.read_to_the_end()
    }),
    // Opening handshakes that do not.
    events("not HTTP", |p| {
        p.ask("hello\r\n\r\n", 400)?;
        p.read_to_the_end()
    }),
    events("another version", |p| {
        p.ask(request("/", "").replace(": 13", ": 8"), 426)?;
        p.read_to_the_end()
    }),
    events("no key", |p| {
        p.ask(request("/", "").replace("-Key:", "-Kay:"), 400)
    }),
    events("a foreign origin", |p| {
        p.ask(request("/", "Origin: https://evil.example\r\n"), 403)?;
        p.read_to_the_end()
    }),
    events("a body", |p| {
        p.ask(request("/", "Content-Length: 5\r\n") + "hello", 400)?;
        p.read_to_the_end()
    }),
    events("a head too long", |p| {
        p.ask(request("/", &format!("X: {}\r\n", "x".repeat(17_000))), 431)
    }),
    events("half a head, vanish", |p| p.raw("GET / HTTP/1.1\r\nHo")),
    events("half a head, silence", |p| {
        p.ask("GET / HTTP/1.1\r\nHo", 408)
    })
    .waits(),
    events("silence", Peer::read_to_the_end).waits(),
    events("vanish at once", |_| Ok(())),
    events("TLS", |p| {
        p.raw([0x16, 3, 1, 2, 0])?;
        p.read_to_the_end()
    }),
    events("an upgrade over HTTP/1.0", |p| {
        p.ask(request("/", "").replace("HTTP/1.1", "HTTP/1.0"), 426)
    }),
    events("HTTP/2", |p| p.ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)),
    events("the hook rejects", |p| {
        p.ask(request("/reject", ""), 401)?;
        p.read_to_the_end()
    }),
    events("the hook panics", |p| {
        p.ask(request("/panic", ""), 500)?;
        p.read_to_the_end()
    }),
    // Plain HTTP.
    events("GET", |p| {
        p.ask(plain("GET", "/"), 200)?;
        p.read_to_the_end()
    }),
    events("HEAD", |p| {
        p.ask(plain("HEAD", "/"), 200)?;
        p.read_to_the_end()
    }),
    events("POST with a body", |p| {
        let head = plain("POST", "/").replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n");
        p.ask(head + "hello", 200)?;
        p.read_to_the_end()
    }),
    events("POST with a body in chunks", |p| {
        let head = plain("POST", "/").replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n");
        p.ask(head + "5\r\nhello\r\n0\r\n\r\n", 200)?;
        p.read_to_the_end()
    }),
    events("GET, a large page", |p| {
        p.ask(plain("GET", "/large"), 200)?;
        p.read_to_the_end()
    }),
    events("GET, not read", |p| p.raw(plain("GET", "/large"))),
    events("GET, read too late", |p| {
        p.raw(plain("GET", "/large"))?;
        thread::park_timeout(Duration::from_millis(100));
        p.read_to_the_end()
    })
    .waits(),
    events("GET, the hook panics", |p| {
        p.ask(plain("GET", "/panic"), 500)?;
        p.read_to_the_end()
    }),
    // Messages.
    events("echo", |p| {
        p.open("/")?;
        p.text("hello")?;
        p.take(1)?;
        p.closes(1000)
    }),
    events("echo, vanish", |p| {
        p.open("/")?;
        p.text("hello")?;
        p.take(1)
    }),
    events("many in one write", |p| {
        p.open("/")?;
        let frames = (0..30u8).flat_map(|n| frame(true, 1 + n % 2, &[b'a' + n % 20; 20]));
        p.raw(frames.collect::<Vec<u8>>())?;
        p.take(30)?;
        p.closes(1000)
    }),
    events("a long message", |p| {
        p.open("/")?;
        p.send(true, 2, vec![7; 70_000])?;
        p.take(1)?;
        p.closes(1000)
    }),
    events("a very long message", |p| {
        p.open("/")?;
        p.send(true, 2, vec![8; BIG])?;
        p.take(1)?;
        p.closes(1000)
    }),
    events("a long message, vanish", |p| {
        p.open("/")?;
        p.send(true, 2, vec![9; BIG])
    }),
    events("fragments and a ping", |p| {
        p.open("/")?;
        p.send(false, 1, "a€".as_bytes())?;
        p.send(true, 9, "between")?;
        p.send(false, 0, "")?;
        p.send(true, 0, "end")?;
        p.read()?;
        p.take(1)?;
        p.closes(1000)
    }),
    events("a character in two fragments", |p| {
        p.open("/")?;
        p.send(false, 1, [0xE2, 0x82])?;
        p.send(true, 0, [0xAC])?;
        p.take(1)?;
        p.closes(1000)
    }),
    events("empty messages", |p| {
        p.open("/")?;
        p.text("")?;
        p.send(true, 2, "")?;
        p.take(2)?;
        p.closes(1000)
    }),
    events("a ping", |p| {
        p.open("/")?;
        p.send(true, 9, "ping")?;
        p.read()?;
        p.closes(1000)
    }),
    events("many pings", |p| {
        p.open("/")?;
        p.raw(frame(true, 9, &[b'p'; 100]).repeat(30))?;
        p.closes(1000)
    }),
    events("pongs nobody asked for", |p| {
        p.open("/")?;
        p.raw(frame(true, 10, b"?").repeat(30))?;
        p.closes(1000)
    }),
    events("byte by byte", |p| {
        p.open("/")?;
        for byte in frame(true, 1, b"dribble") {
            p.raw([byte])?;
        }
        p.take(1)?;
        p.closes(1000)
    }),
    events("half-close, then read", |p| {
        p.open("/")?;
        p.text("last words")?;
        p.shuts(How::Write)?;
        p.read_to_the_end()
    }),
    events("reset in a message", |p| {
        p.open("/")?;
        p.raw(&frame(true, 2, &[1; 1000])[..500])?;
        p.shuts(How::Reset)
    }),
    // Violations.
    events("an unmasked frame", |p| {
        p.open("/")?;
        p.raw([0x81, 0x05])?;
        p.is_closed(1002)?;
        p.read_to_the_end()
    }),
    events("a reserved bit, after a message", |p| {
        p.open("/")?;
        p.raw([frame(true, 1, b"fine"), vec![0xC1, 0x80]].concat())?;
        p.is_closed(1002)
    }),
    events("not UTF-8", |p| {
        p.open("/")?;
        p.send(true, 1, [0xC0, 0x80])?;
        p.is_closed(1007)
    }),
    events("too long", |p| {
        p.open("/")?;
        p.raw([0x82, 0xFF, 0, 0, 0, 0, 0xFF, 0, 0, 0, 1, 2, 3, 4])?;
        p.is_closed(1009)
    }),
    events("too many fragments", |p| {
        p.open("/")?;
        p.raw([frame(false, 1, b""), frame(false, 0, b"").repeat(9)].concat())?;
        p.is_closed(1008)
    }),
    events("a close code that is none", |p| {
        p.open("/")?;
        p.close(1005)?;
        p.is_closed(1002)
    }),
    events("half a message, silence", |p| {
        p.open("/")?;
        p.send(false, 1, "half")?;
        p.is_closed(1008)
    })
    .waits(),
    // Closing.
    events("the server closes", |p| {
        p.open("/close")?;
        p.is_closed(4000)?;
        p.close(4000)?;
        p.read_to_the_end()
    }),
    events("the server closes, nobody answers", |p| {
        p.open("/close")?;
        p.is_closed(4000)?;
        p.read_to_the_end()
    })
    .waits(),
    events("messages cross the server's Close", |p| {
        p.open("/close")?;
        p.raw(frame(true, 1, b"late").repeat(3))?;
        p.is_closed(4000)?;
        p.close(4000)?;
        p.read_to_the_end()
    }),
    events("both close", |p| {
        p.raw(request("/close", "") + "")?;
        p.raw(frame(true, 8, &1000u16.to_be_bytes()))?;
        p.is_answered(101)?;
        p.read_to_the_end()
    }),
    events("more after the Close", |p| {
        p.open("/")?;
        p.close(1000)?;
        p.raw(frame(true, 1, b"nobody reads this").repeat(10))?;
        p.is_closed(1000)
    }),
    // Heartbeat.
    events("silence, and pongs", |p| {
        p.open("/")?;
        p.client.try_read()?;
        p.send(true, 10, "")?;
        p.client.try_read()?;
        p.closes(1000)
    })
    .waits(),
    events("silence, and no pong", |p| {
        p.open("/")?;
        p.read_to_the_end()
    })
    .waits(),
    events("a ping of the application", |p| {
        p.open("/ping")?;
        p.client.try_read()?;
        p.closes(1000)
    }),
    // Peers that read late, or not.
    events("pushed, read late", |p| {
        p.open("/push")?;
        p.text("I am here")?;
        p.read_to_the_end()
    })
    .perhaps(&["I am here"])
    .waits(),
    events("pushed, not read", |p| {
        p.open("/push")?;
        thread::park_timeout(Duration::from_millis(120));
        Ok(())
    })
    .waits(),
    events("pushed, the newest dropped", |p| {
        p.open("/push")?;
        p.take(7)?;
        p.closes(1000)
    })
    .overflow(Overflow::DropNewest),
    events("pushed, the oldest dropped", |p| {
        p.open("/push")?;
        p.take(7)?;
        p.closes(1000)
    })
    .overflow(Overflow::DropOldest),
    events("pushed, vanish", |p| p.open("/push")),
    events("a broadcast to two", |p| {
        p.open("/broadcast")?;
        let mut other = p.another("/broadcast")?;
        other.text("to all")?;
        other.take(1)?;
        other.closes(1000)?;
        p.take(1)?;
        p.closes(1000)
    }),
    // Shutdown.
    events("shutdown", |p| {
        p.open("/")?;
        p.server_shuts_down()?;
        p.is_closed(1001)?;
        p.close(1001)?;
        p.read_to_the_end()
    }),
    events("shutdown, nobody answers", |p| {
        p.open("/")?;
        p.server_shuts_down()?;
        p.read_to_the_end()
    })
    .waits(),
    events("shutdown in a message", |p| {
        p.open("/")?;
        p.send(false, 1, "half")?;
        p.server_shuts_down()?;
        p.is_closed(1001)
    }),
    events("shutdown in the head", |p| {
        p.raw("GET / HT")?;
        p.server_shuts_down()?;
        p.is_answered(503)
    }),
    events("shutdown by the application", |p| {
        p.open("/shutdown")?;
        p.raw(frame(true, 1, b"end").repeat(3))?;
        p.is_closed(1001)?;
        p.close(1001)?;
        p.read_to_the_end()
    }),
    events("shutdown behind what waits", |p| {
        p.open("/push")?;
        p.server_shuts_down()?;
        p.read_to_the_end()
    })
    .waits(),
    // Compressed messages, each referring to those before it.
    #[cfg(feature = "deflate")]
    events("compressed, in fragments, and again", |p| {
        p.ask(request("/", OFFER), 101)?;
        p.send(false, 0x41, &HELLO[..2])?;
        p.send(true, 0, &HELLO[2..])?;
        p.raw(frame(true, 0x41, AGAIN).repeat(20))?;
        p.text("plain")?;
        p.take(22)?;
        p.closes(1000)
    }),
    #[cfg(feature = "deflate")]
    events("compressed and pushed", |p| {
        p.ask(request("/push", OFFER), 101)?;
        p.take(20)?;
        p.closes(1000)
    }),
    #[cfg(feature = "deflate")]
    events("compressed and broadcast", |p| {
        p.another("/quiet")?;
        p.ask(request("/broadcast", OFFER), 101)?;
        p.send(true, 0x41, HELLO)?;
        p.send(true, 0x41, AGAIN)?;
        p.take(2)?;
        p.closes(1000)
    }),
    #[cfg(feature = "deflate")]
    events("what is no compressed message", |p| {
        p.ask(request("/", OFFER), 101)?;
        p.send(true, 0x41, HELLO)?;
        p.take(1)?;
        p.send(true, 0x41, &HELLO[..3])?;
        p.is_closed(1007)?;
        p.close(1007)?;
        p.read_to_the_end()
    }),
    #[cfg(feature = "deflate")]
    serves("serve: compressed", |p| {
        p.ask(request("/", OFFER), 101)?;
        p.send(true, 0x41, HELLO)?;
        p.raw(frame(true, 0x41, AGAIN).repeat(20))?;
        p.send(true, 2, vec![3; BIG])?;
        p.take(22)?;
        p.closes(1000)
    }),
    // A handler for each connection.
    serves("serve: echo", |p| {
        p.open("/")?;
        p.raw(frame(true, 1, b"hello").repeat(20))?;
        p.take(20)?;
        p.send(true, 2, vec![3; BIG])?;
        p.take(1)?;
        p.closes(1000)
    }),
    serves("serve: return, fail or crash", |p| {
        p.another("/return")?.is_closed(1000)?;
        p.another("/crash")?.is_closed(1011)?;
        p.open("/fail")?;
        p.is_closed(1011)?;
        p.close(1011)?;
        p.read_to_the_end()
    }),
    serves("serve: push, not read", |p| {
        p.open("/push")?;
        thread::park_timeout(Duration::from_millis(120));
        Ok(())
    })
    .waits(),
    serves("serve: close, violation, shutdown", |p| {
        p.another("/close")?.is_closed(4000)?;
        let mut other = p.another("/quiet")?;
        other.raw([0x81, 0x00])?;
        other.is_closed(1002)?;
        p.open("/quiet")?;
        p.text("heard")?;
        p.server_shuts_down()?;
        p.is_closed(1001)?;
        p.close(1001)?;
        p.read_to_the_end()
    }),
];
