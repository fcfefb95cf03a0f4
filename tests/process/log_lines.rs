//! What the log says: at the start how much memory and what port it is, and of peers nothing that
//! could fool a reader or give a secret away.
//!
//! A test binary of its own: a process has one logger.

#[path = "../support/mod.rs"]
mod support;

use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::{Level, LevelFilter, Log, Metadata, Record};
use support::app::App;
use support::{Client, dial, exchange, read_to_close, upgrade, wait_until};
use wshub::{Accept, Connection, Limits, Response, Server};

struct Lines(Mutex<Vec<(Level, String)>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));
/// One test at a time.
static TURN: Mutex<()> = Mutex::new(());

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        lines().push((record.level(), record.args().to_string()));
    }

    fn flush(&self) {}
}

fn lines() -> MutexGuard<'static, Vec<(Level, String)>> {
    LINES.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn begin() -> MutexGuard<'static, ()> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = log::set_logger(&LINES);
    log::set_max_level(LevelFilter::Info);
    lines().clear();
    turn
}

fn count(level: Level, part: &str) -> usize {
    let lines = lines();
    let found = lines
        .iter()
        .filter(|(at, line)| *at == level && line.contains(part));
    found.count()
}

/// More lines of one kind than the server writes in this time: there are three a second.
fn more_than_in(time: Duration) -> usize {
    3 * (time.as_secs() as usize + 2) + 1
}

/// An error of the application's, whose code panics where it is shown, or where it is dropped.
#[derive(Debug)]
struct Rude {
    in_drop: bool,
}

impl Display for Rude {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.in_drop {
            true => f.write_str("rude"),
            false => panic!("on purpose"),
        }
    }
}

impl Error for Rude {}

impl Drop for Rude {
    fn drop(&mut self) {
        assert!(!self.in_drop, "on purpose");
    }
}

impl Read for Rude {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        let in_drop = self.in_drop;
        Err(io::Error::other(Rude { in_drop }))
    }
}

#[test]
fn a_readers_error_that_panics_is_a_fault_of_the_reader() {
    let _turn = begin();
    let app = App::echo(Server::builder().http(|request| {
        let in_drop = request.path() == "/drop";
        Response::ok().with_reader(Rude { in_drop }, None)
    }));
    for path in ["/drop", "/shown"] {
        let mut stream = dial(app.addr);
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        // A reset may overtake what was sent.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let told = "the body of an answer could not be read";
    wait_until("both are told", || count(Level::Info, told) == 2);
    assert_eq!(count(Level::Error, "bug of wshub"), 0, "{:?}", lines());
}

#[test]
fn b11_the_memory_that_peers_can_take_is_told_at_the_start() {
    let _turn = begin();
    let limits = Limits {
        max_connections: 10,
        max_message: 3 << 20,
        stack_size: 1 << 20,
        inbound_total: 16 << 20,
        ..Limits::default()
    };
    let _server = Server::builder()
        .limits(limits)
        .bind("127.0.0.1:0")
        .unwrap();
    // 10 x (three times 3 MiB of a message + 6 MiB outbound) + 16 MiB inbound + the stacks of 12 x 64 handshakes, which
    // begin, are read, wait for the hook or leave, and of 64 plain requests, 64 KiB each.
    let line = "at most 10 connections; peers can make the server hold at most 218 MiB, 15360 KiB for each connection";
    assert_eq!(count(Level::Info, line), 1, "{:?}", lines());
    // With pages there are bodies of requests: 8 x twice 1 MiB.
    let limits = Limits {
        max_connections: 1,
        max_message: 0,
        inbound_total: 0,
        outbound_per_connection: Some(0),
        max_http_requests: 8,
        ..Limits::default()
    };
    let _server = Server::builder()
        .http(|_| wshub::Response::ok())
        .limits(limits)
        .bind("127.0.0.1:0")
        .unwrap();
    let line = "at most 1 connections; peers can make the server hold at most 64 MiB, 0 KiB for each connection";
    assert_eq!(count(Level::Info, line), 1, "{:?}", lines());
    // 32 x 48 KiB + 128 KiB inbound + 12 x 32 + 4 stacks; the test of small limits, whose clients are connected, measures
    // less than 2 MiB.
    let limits = Limits {
        max_connections: 32,
        ..Limits::small()
    };
    let small = Server::builder().limits(limits);
    let _server = small.bind("127.0.0.1:0").unwrap();
    let line = "at most 32 connections; peers can make the server hold at most 25 MiB, 48 KiB for each connection";
    assert_eq!(count(Level::Info, line), 1, "{:?}", lines());
    let _server = Server::bind("127.0.0.1:0").unwrap();
    let line = told_of(Limits::default().max_connections);
    assert_eq!(count(Level::Info, &line), 1, "{:?}", lines());
    assert_eq!(count(Level::Warn, "max_connections is"), 0);
    // The guide says what the defaults come to where there are descriptors enough, twice.
    let log = include_str!("../../src/guide/troubleshooting.md");
    assert!(log.contains(&told_of(10_000)));
    assert!(include_str!("../../src/guide/limits.md").contains("50068 MiB"));
}

#[cfg(unix)]
#[test]
fn m04_few_descriptors_are_told_where_they_are_the_reason() {
    let _turn = begin();
    let soft = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let connections = soft.map_or(1 << 20, |soft| soft.min(1 << 20)) as usize - 32;
    let line = format!("max_connections is {connections}, for the process may open");
    for (max_connections, lines_of_it) in [(connections, 1), (connections - 1, 0)] {
        let limits = Limits {
            max_connections,
            ..Limits::default()
        };
        let server = Server::builder().limits(limits);
        let _server = server.bind("127.0.0.1:0").unwrap();
        assert_eq!(count(Level::Info, &line), lines_of_it, "{:?}", lines());
        lines().clear();
    }
}

/// With the defaults otherwise: three times 1 MiB of a message, 2 MiB outbound; 16 MiB inbound; the stacks of handshakes
/// and plain requests.
fn told_of(connections: usize) -> String {
    let (each, messages, stacks) = (5 << 20, 16 << 20, (12 * 64 + 64) * (64 << 10));
    let all = (connections * each + messages + stacks) >> 20;
    format!(
        "at most {connections} connections; peers can make the server hold at most {all} MiB, {} KiB for each connection",
        each >> 10
    )
}

#[test]
fn b18_a_port_that_browsers_refuse_is_warned_of() {
    let _turn = begin();
    // The list of WHATWG Fetch, above the ports of the system.
    let bad = [
        1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668,
        6669, 6679, 6697, 10080,
    ];
    let mut warned = 0;
    for port in bad {
        // An address that nobody else uses; where something listens on all of them, the port is left out.
        let Ok(_server) = Server::bind(("127.77.0.1", port)) else {
            continue;
        };
        warned += 1;
        let warning = format!("browsers refuse to connect to port {port}:");
        assert_eq!(count(Level::Warn, &warning), 1, "{port}: {:?}", lines());
    }
    assert!(warned > bad.len() / 2, "{warned}");
    drop(Server::bind("127.0.0.1:0").unwrap());
    assert_eq!(count(Level::Warn, "browsers refuse"), warned);
}

#[test]
fn f14_what_peers_say_stays_on_its_line_and_secrets_stay_out() {
    let _turn = begin();
    let app = App::echo(Server::builder().hosts(["named.example"]));
    let headers = "Cookie: SECRET\r\nAuthorization: Bearer SECRET\r\n";
    let mut client = Client::connect_with(app.addr, "/path?token=SECRET", headers);
    client.send_close(1000, "bye\r\nroot logged in \u{1b}[31m\u{202e}");
    assert_eq!(client.read().close().0, 1000);
    app.expect(&["open"]);
    app.next();
    let secret = "Cookie: SECRET\r\n";
    let old = upgrade("localhost", "/?token=SECRET", secret);
    for request in [
        upgrade(
            "localhost",
            "/",
            &format!("{secret}Origin: http://\u{202e}a\u{85}\r\n"),
        ),
        upgrade(
            "b.tld",
            "/?token=SECRET",
            &format!("{secret}Origin: http://b.tld\r\n"),
        ),
        upgrade("localhost", "/", &format!("{secret}X: a\u{1b}[31mb\r\n")),
        old.replace("Version: 13", "Version: \u{202e}8"),
        old.replace("GET", "POST"),
    ] {
        exchange(app.addr, request);
    }
    wait_until("the close is in the log", || {
        count(Level::Info, "closed: 1000") == 1
    });
    wait_until("all refusals are in the log", || lines().len() >= 8);
    let lines = lines();
    for (_, line) in &*lines {
        assert!(!line.contains("SECRET"), "{line}");
        let odd = |c: char| c.is_control() || c == '\u{202e}';
        assert!(!line.contains(odd), "{line:?}");
    }
}

/// A browser gives up a connection for which it offered subprotocols and got none, and its page is told nothing.
#[test]
fn h18_offers_of_which_none_was_chosen_are_told() {
    let _turn = begin();
    let app =
        App::echo(Server::builder().subprotocols(["chat.v2"]).accept(
            |request| match request.path() {
                "/hook" => Ok(Accept::new().with_subprotocol("chat.v1")?),
                _ => Ok(Accept::new()),
            },
        ));
    let open = |path: &str, offers: &str| {
        let offers = format!("Sec-WebSocket-Protocol: {offers}\r\n");
        Client::connect_with(app.addr, path, &offers)
    };
    let (_chosen, _by_the_hook) = (open("/", "chat.v1, chat.v2"), open("/hook", "chat.v1"));
    let _nothing_offered = open("/", ", ,");
    let _none = open("/", "graphql-transport-ws, chat.v1");
    let line = "connection 4: the client offered the subprotocols \"graphql-transport-ws\", \"chat.v1\", \
        and none was chosen: a browser gives such a connection up; to speak one, add \
        .subprotocols([\"graphql-transport-ws\"]) to the server's builder";
    wait_until("it is in the log", || count(Level::Info, line) == 1);
    let _secret = open("/", "hub.auth, token.SECRET");
    let all = || count(Level::Info, "none was chosen");
    wait_until("the second one is in the log", || all() > 1);
    wait_until("all are open", || count(Level::Info, "open: ") == 5);
    let (since, before) = (Instant::now(), all());
    let _flood: Vec<_> = (0..20).map(|_| open("/", "chat.v1")).collect();
    wait_until("all are open", || count(Level::Info, "open: ") == 25);
    assert!(all() - before < more_than_in(since.elapsed()));
    assert_eq!(count(Level::Info, "SECRET"), 0, "{:?}", lines());
    for id in 1..4 {
        let of_one_with_nothing_to_tell = format!("connection {id}: the client");
        assert_eq!(
            count(Level::Info, &of_one_with_nothing_to_tell),
            0,
            "{:?}",
            lines()
        );
    }
}

#[test]
fn h12_a_tls_client_on_a_plain_port_is_told_apart() {
    let _turn = begin();
    let app = App::echo(Server::builder());
    exchange(app.addr, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    wait_until("it is told", || {
        count(Level::Info, "use ws:// in place of wss://") == 1
    });
}

#[test]
fn m08_what_is_too_long_names_its_limit() {
    let _turn = begin();
    let app = App::echo(Server::builder());
    let too_long = [
        ("/", "X: a\r\n".repeat(101), "raise max_headers"),
        (
            "/",
            format!("X: {}\r\n", "a".repeat(17 << 10)),
            "raise max_head\n",
        ),
        (
            &*format!("/{}", "a".repeat(8_000)),
            String::new(),
            "raise max_target",
        ),
    ];
    for (path, headers, said) in too_long {
        let answer = exchange(app.addr, upgrade("localhost", path, &headers));
        assert!(answer.contains(said), "{answer}");
        let said = answer.trim_end().lines().last().unwrap();
        wait_until("it is in the log", || count(Level::Info, said) == 1);
    }
}

/// Where there are enough handshakes, new connections wait without a thread.
#[test]
fn who_says_nothing_is_told_of_whether_or_not_it_holds_a_thread() {
    let _turn = begin();
    let limits = Limits {
        max_handshakes: 1,
        handshake_timeout: Duration::from_millis(500),
        ..Limits::default()
    };
    let builder = Server::builder().limits(limits);
    let app = App::echo(builder.http(|_| Response::html("")));
    let silent = [(); 2].map(|()| dial(app.addr));
    for mut stream in silent {
        let _ = read_to_close(&mut stream);
    }
    wait_until("both are in the log", || {
        count(Level::Info, "nothing was sent in time") == 2
    });
}

#[test]
fn b09_a_flood_of_refusals_is_a_few_lines() {
    let _turn = begin();
    let app = App::echo(Server::builder());
    let request = upgrade("localhost", "/", "Origin: http://evil.example\r\n");
    let since = Instant::now();
    for _ in 0..50 {
        exchange(app.addr, &request);
    }
    assert_eq!(app.handle.stats().refused["origin"], 50);
    let told = || count(Level::Info, "refused 127.0.0.1");
    wait_until("it is told", || told() > 0);
    assert!(told() < more_than_in(since.elapsed()), "{} lines", told());
}

/// A panic or an error may quote what a peer has sent.
#[test]
fn f14_what_the_application_says_of_its_failure_stays_on_its_line() {
    struct Fails;
    impl wshub::Handler for Fails {
        fn on_message(&mut self, _: &Connection, message: wshub::Message) {
            std::panic::panic_any(message.as_text().unwrap().to_owned());
        }
    }
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other(UGLY))
        }
    }
    const UGLY: &str = "broken\nit is all well \u{1b}[2K";
    let _turn = begin();
    let server = Server::builder()
        .http(|_| Response::ok().with_reader(Fails, Some(1)))
        .bind("127.0.0.1:0")
        .unwrap();
    let addr = server.local_addr().unwrap();
    let app = thread::spawn(move || server.run(&mut Fails));
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut stream = dial(addr);
    stream.write_all(request.as_bytes()).unwrap();
    read_to_close(&mut stream);
    let shown = UGLY.escape_debug().to_string();
    let reader = || count(Level::Info, "the body of an answer could not be read");
    wait_until("the reader's failure is told", || reader() == 1);
    assert_eq!(count(Level::Info, &shown), 1, "{:?}", lines());
    let long = UGLY.to_owned() + &"x".repeat(1000);
    Client::connect(addr).send_text(&long);
    wait_until("the server ends", || app.is_finished());
    app.join().unwrap().unwrap_err();
    let told = format!("the handler panicked, shutting down: {shown}x");
    assert_eq!(count(Level::Error, &told), 1, "{:?}", lines());
    assert!(lines().iter().all(|(_, line)| line.len() < 500));
}

/// A body's reader is the application's, and so is its destructor.
#[test]
fn b12_a_reader_whose_destructor_panics_is_no_bug_of_the_server() {
    struct Empty(#[allow(dead_code)] support::Thorny);
    impl Read for Empty {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
    }
    let _turn = begin();
    let server = Server::builder()
        .http(|_| Response::ok().with_reader(Empty(support::Thorny), None))
        .bind("127.0.0.1:0")
        .unwrap();
    let addr = server.local_addr().unwrap();
    for asked in ["GET", "HEAD"] {
        let request = format!("{asked} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut stream = dial(addr);
        stream.write_all(request.as_bytes()).unwrap();
        assert!(read_to_close(&mut stream).starts_with(b"HTTP/1.1 200 "));
    }
    assert_eq!(server.shutdown().threads_left, 0);
    assert_eq!(
        count(Level::Error, "this is a bug of wshub"),
        0,
        "{:?}",
        lines()
    );
}

/// A client that polls in an old version, one that joins more rooms than it may, and one whose events have arguments of
/// another type.
#[cfg(feature = "socketio")]
#[test]
fn clients_of_socketio_do_not_flood_the_log() {
    use support::socketio::{join_websocket, serve};
    use wshub::socketio::{Limits, SocketIo};

    const TIMES: usize = 1000;
    let _turn = begin();
    let limits = Limits {
        max_rooms: 1,
        ..Limits::default()
    };
    let mut io = SocketIo::with_limits((), limits);
    io.on("/", "join", |_, socket, room: String| Ok(socket.join(room)));
    let server = serve(io, Server::builder());
    let since = Instant::now();
    let mut client = join_websocket(server.addr);
    for _ in 0..TIMES {
        client.send_text("421[\"join\",1]");
        assert!(client.read_text().starts_with("431[{\"error\""));
        client.send_text("421[\"join\",\"lobby\"]");
        assert_eq!(client.read_text(), "431[false]");
    }
    let host = server.addr.to_string();
    for _ in 0..TIMES / 10 {
        let answer = exchange(
            server.addr,
            format!(
                "GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            ),
        );
        assert!(answer.contains("Unsupported protocol version"), "{answer}");
    }
    for told in [
        "wrong arguments of the event \"join\"",
        "a socket is in 1 rooms and joins no other",
        "a Socket.IO client speaks version \"3\" of Engine.IO",
    ] {
        let lines = count(Level::Warn, told);
        let few = 1..more_than_in(since.elapsed());
        assert!(few.contains(&lines), "{lines} lines: {told}");
    }
}

/// Their programs forgot `ServerBuilder::socketio`.
#[cfg(feature = "socketio")]
#[test]
fn a_socketio_that_no_server_leads_to_is_warned_of_once() {
    use support::serving::Serving;
    use support::socketio::serve;
    use wshub::socketio::SocketIo;

    const TOLD: &str = "no server leads clients to this SocketIo";
    let _turn = begin();
    let mut io = SocketIo::new(());
    let server = Server::bind("127.0.0.1:0").unwrap();
    let serving = Serving::start(server, move |server| server.run(&mut io).unwrap());
    for _ in 0..2 {
        assert_eq!(Client::connect(serving.addr).read().close().0, 1000);
    }
    assert_eq!(count(Level::Warn, TOLD), 1);
    let mut io = SocketIo::new(());
    let server = Server::bind("127.0.0.1:0").unwrap();
    server.handle().shutdown();
    assert_eq!(io.events(&server).count(), 0);
    assert_eq!(count(Level::Warn, TOLD), 2);
    let serving = serve(SocketIo::new(()), Server::builder());
    assert_eq!(Client::connect(serving.addr).read().close().0, 1000);
    assert_eq!(count(Level::Warn, TOLD), 2);
}
