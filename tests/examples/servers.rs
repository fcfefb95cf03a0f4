//! The examples as a user runs them: each one a child process.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::example::{Example, Process};
use crate::support::{self, Client, PATIENCE, exchange, upgrade, wait_until};

#[test]
fn the_dashboard_sends_ten_readings_a_second() {
    const READINGS: usize = 30;
    let begun = Instant::now();
    let example = Example::start("dashboard", &[]);
    let (mut client, _) = watch(&example);
    let readings: Vec<_> = (0..READINGS)
        .map(|_| Reading::parse(client.read_message().text()))
        .collect();
    let took = begun.elapsed();
    for pair in readings.windows(2) {
        let numbers = pair[1].seq - pair[0].seq;
        assert!(numbers >= 1, "{pair:?}");
        // The time in a reading is when it was due: no drift.
        assert_eq!(pair[1].time - pair[0].time, 100 * numbers, "{pair:?}");
    }
    for reading in &readings {
        assert!((-50.0..=100.0).contains(&reading.value), "{reading:?}");
    }
    // None comes before it is due. A busy machine may miss a turn, and never sends a burst after it.
    let last = &readings[READINGS - 1];
    assert!(
        took >= Duration::from_millis(last.time - readings[0].time),
        "{last:?} after {took:?}"
    );
    assert_eq!(ends_gracefully(client, example), "");
}

/// A page that comes later has its plot at once: no reading is missing between what was kept and what comes.
#[test]
fn the_dashboard_sends_what_it_kept_when_a_page_opens() {
    let example = Example::start("dashboard", &[]);
    let (mut first, _) = watch(&example);
    (0..5).for_each(|_| drop(first.read_message()));
    let (mut late, kept) = watch(&example);
    let next = Reading::parse(late.read_message().text());
    let numbers: Vec<_> = kept.iter().chain([&next]).map(|it| it.seq).collect();
    assert!(numbers.len() >= 6, "{numbers:?}");
    assert!(numbers.is_sorted(), "{numbers:?}");
    let times = kept.iter().chain([&next]).map(|it| it.time - 100 * it.seq);
    let start = times.clone().next();
    assert!(times.into_iter().all(|it| Some(it) == start), "{kept:?}");
}

/// A page of the dashboard, and the readings that it got when it came.
fn watch(example: &Example) -> (Client, Vec<Reading>) {
    let mut client = Client::connect(example.addr);
    let kept = client.read_message().text().to_owned();
    let kept = kept.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let kept = kept.unwrap().split_inclusive('}');
    (client, kept.map(Reading::parse).collect())
}

#[test]
fn pages_that_talk_delay_no_reading() {
    let example = Example::start("dashboard", &[]);
    let (mut watching, _) = watch(&example);
    let talks: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = Client::connect(example.addr).stream;
            let frames = support::frame(true, 1, b"are we there yet").repeat(1000);
            // Until the example is gone.
            thread::spawn(move || while stream.write_all(&frames).is_ok() {})
        })
        .collect();
    let mut last = Reading::parse(watching.read_message().text()).seq;
    for _ in 0..20 {
        let seq = Reading::parse(watching.read_message().text()).seq;
        // Where talk comes first, none comes at all; a busy machine may miss some turns.
        assert!(seq - last < 50, "5 s between number {last} and {seq}");
        last = seq;
    }
    drop(example);
    talks.into_iter().for_each(|talk| talk.join().unwrap());
}

#[test]
fn the_dashboard_serves_its_page() {
    let example = Example::start("dashboard", &[]);
    let answer = get(&example, "/");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("<canvas"), "{answer}");
    assert!(!answer.contains("src=\"http"), "nothing from elsewhere");
    assert!(get(&example, "/other").starts_with("HTTP/1.1 404 "));
}

const ADA: &str = "0badcafe0badcafe0badcafe0badcafe";
const BOB: &str = "feedface00feedface00feedface0000";
const WRONG: &str = "0badcafe0badcafe0badcafe0badcaff";

fn start_auth() -> Example {
    Example::start("auth", &[("HUB_TOKENS", &format!("ada:{ADA} bob:{BOB}"))])
}

/// The four ways to send a token: path and headers of the request, and what the log says of a wrong one.
fn ways(token: &str) -> [(String, String, &'static str); 5] {
    let path = || "/".to_owned();
    [
        (
            path(),
            format!("Authorization: Bearer {token}\r\n"),
            "wrong token in Authorization",
        ),
        (
            path(),
            format!("authorization: bearer {token}\r\n"),
            "wrong token in Authorization",
        ),
        (
            path(),
            format!("Sec-WebSocket-Protocol: hub.auth, token.{token}\r\n"),
            "wrong token as subprotocol",
        ),
        (
            format!("/?a=b&token={token}"),
            String::new(),
            "wrong token in the query",
        ),
        (
            path(),
            format!("Cookie: theme=dark; hub_token={token}\r\n"),
            "wrong cookie",
        ),
    ]
}

#[test]
fn auth_lets_in_whoever_has_a_token_and_knows_the_name() {
    let example = start_auth();
    for (name, token) in [("ada", ADA), ("bob", BOB)] {
        for (path, headers, _) in ways(token) {
            let mut client = Client::connect_with(example.addr, &path, &headers);
            assert_eq!(client.read_message().text(), format!("hello {name}"));
            client.send_text("hi");
            assert_eq!(client.read_message().text(), format!("{name}: hi"));
            client.send_close(1000, "");
            assert_eq!(client.read_message().close().0, 1000);
        }
    }
    let (status, log) = example.terminate();
    assert!(status.success(), "{status}");
    assert!(!log.contains(ADA) && !log.contains(BOB), "{log}");
}

#[test]
fn auth_refuses_with_401_and_the_log_says_why_without_the_token() {
    for (path, headers, cause) in ways(WRONG) {
        let example = start_auth();
        let answer = knock(&example, &path, &headers);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains("WWW-Authenticate: Bearer\r\n"), "{answer}");
        assert!(!answer.contains(cause), "the client is not told: {answer}");
        let line = example.logs("refused ");
        assert!(
            line.ends_with(&format!("401 Unauthorized: {cause}")),
            "{line}"
        );
        let (_, log) = example.terminate();
        assert!(!log.contains(WRONG), "{log}");
    }
}

#[test]
fn auth_refuses_who_sends_no_token() {
    let prefix = &ADA[..31];
    for headers in [
        String::new(),
        format!("Authorization: Basic {ADA}\r\n"),
        // Nothing could be answered but the token itself.
        format!("Sec-WebSocket-Protocol: token.{ADA}\r\n"),
        "Sec-WebSocket-Protocol: hub.auth\r\n".to_owned(),
        format!("Cookie: Hub_Token={ADA}\r\n"),
    ] {
        let example = start_auth();
        let answer = knock(&example, "/", &headers);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{headers}: {answer}");
        let line = example.logs("refused ");
        assert!(line.ends_with(": no token"), "{line}");
        assert!(!line.contains(prefix), "{line}");
    }
    let example = start_auth();
    for (path, headers) in [
        ("/?token=", String::new()),
        ("/", format!("Authorization: Bearer {prefix}\r\n")),
        // What was sent on purpose counts, not the cookie beside it.
        (
            "/",
            format!("Authorization: Bearer {WRONG}\r\nCookie: hub_token={ADA}\r\n"),
        ),
    ] {
        let answer = knock(&example, path, &headers);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{headers}: {answer}");
    }
}

#[test]
fn auth_answers_with_its_subprotocol_and_never_with_the_token() {
    let example = start_auth();
    let offer = format!("Sec-WebSocket-Protocol: hub.auth, token.{ADA}\r\n");
    let client = Client::connect_with(example.addr, "/", &offer);
    let lines: Vec<_> = client.answer.lines().collect();
    assert!(
        lines.contains(&"Sec-WebSocket-Protocol: hub.auth"),
        "{lines:?}"
    );
    assert!(!client.answer.contains(ADA), "{lines:?}");
    assert_eq!(ends_gracefully(client, example), "");
}

/// What its page asks: log in once, with a cookie that no script reads, and log out.
#[test]
fn auth_has_a_login_of_its_own_for_pages() {
    let example = start_auth();
    let ask = |request: &str, headers: &str| {
        let host = example.addr;
        let head = format!(
            "{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n"
        );
        exchange(example.addr, head)
    };
    let bearer = format!("Authorization: Bearer {ADA}\r\n");
    let answer = ask("POST /login", &bearer);
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nada"),
        "{answer}"
    );
    let cookie = format!("Set-Cookie: hub_token={ADA}; HttpOnly; SameSite=Strict; Path=/\r\n");
    assert!(answer.contains(&cookie), "{answer}");
    let by_cookie = format!("Cookie: hub_token={ADA}\r\n");
    assert!(ask("GET /me", &by_cookie).ends_with("\r\n\r\nada"));
    for headers in [String::new(), format!("Cookie: hub_token={WRONG}\r\n")] {
        let answer = ask("GET /me", &headers);
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"),
            "{answer}"
        );
    }
    let answer = ask("POST /login", &format!("Authorization: Bearer {WRONG}\r\n"));
    assert!(
        answer.starts_with("HTTP/1.1 401 ") && !answer.contains("Set-Cookie"),
        "{answer}"
    );
    // A page of another site gets no cookie.
    let answer = ask(
        "POST /login",
        &format!("{bearer}Origin: https://evil.example\r\n"),
    );
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let answer = ask("POST /logout", &by_cookie);
    assert!(
        answer.contains("Set-Cookie: hub_token=; Max-Age=0;"),
        "{answer}"
    );
    let mut client = Client::connect_with(example.addr, "/", &by_cookie);
    assert_eq!(client.read_message().text(), "hello ada");
    assert!(ask("GET /here", &bearer).ends_with("\r\n\r\nada"));
    assert!(ask("GET /here", "").starts_with("HTTP/1.1 404 "));
    assert_eq!(ends_gracefully(client, example), "");
}

#[test]
fn auth_does_not_start_without_tokens_and_says_how_to_set_them() {
    for (tokens, why) in [
        ("", "does not say who may come in"),
        ("ada", "not a name, a colon and a token"),
        (
            "ada:short",
            "the token of ada is too short, with 5 characters",
        ),
        (&format!("ada:{ADA} bob:"), "the token of bob is too short"),
        (
            &format!("ada:{ADA}+"),
            "the token of ada holds something else",
        ),
        (&format!(":{ADA}"), "not a name, a colon and a token"),
    ] {
        let mut command = support::example::command("auth");
        let mut process = Process::start(command.arg("127.0.0.1:0").env("HUB_TOKENS", tokens));
        assert_eq!(process.wait().code(), Some(1), "{tokens}");
        assert!(process.stdout().is_empty());
        let said = process.stderr().join("\n");
        assert!(said.contains(why), "{said}");
        assert!(said.contains("export HUB_TOKENS="), "{said}");
        assert!(!said.contains(ADA), "{said}");
    }
}

/// Standard error goes to a stream that is full: what waits for it is the log, and nobody else.
#[test]
fn a_log_that_nobody_reads_holds_nobody_up() {
    says_what_was_lost(false);
}

/// Whoever started it may have set standard error so: it refuses lines, at once.
#[test]
fn a_log_that_is_refused_says_so_when_it_is_read() {
    says_what_was_lost(true);
}

fn says_what_was_lost(nonblocking: bool) {
    let (stderr, unread) = UnixStream::pair().unwrap();
    stderr.set_nonblocking(nonblocking).unwrap();
    unread.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$0\" \"$@\" 2>&0"])
        .arg(support::example::command("echo").get_program())
        .arg("127.0.0.1:0")
        .env("RUST_LOG", "trace")
        .stdin(OwnedFd::from(stderr));
    let example = Example::serving(&mut command);
    for _ in 0..2_000 {
        let mut client = Client::connect(example.addr);
        client.send_close(1000, "");
        assert_eq!(client.read_message().close().0, 1000);
    }
    // It holds the other end, too.
    drop(command);
    // Room for what is said from now on.
    (&unread).read_exact(&mut [0; 8 << 10]).unwrap();
    let mut client = Client::connect(example.addr);
    // Somebody reads at last, when the example is about to end.
    let reading = thread::spawn(move || {
        assert_eq!(client.read_message().close().0, 1001);
        client.send_close(1001, "");
        let mut log = String::new();
        (&unread).read_to_string(&mut log).unwrap();
        log
    });
    assert!(example.terminate().0.success());
    let log = reading.join().unwrap();
    assert!(log.contains(" lines of the log were lost"), "{log}");
}

/// A full disk, a pipe whose reader has gone: the address goes to the log.
#[test]
fn where_standard_output_takes_nothing_a_server_serves_all_the_same() {
    for name in ["echo", "broadcast", "per_connection", "dashboard"] {
        serves_without_stdout(name, "/dev/full", Stdio::null());
    }
}

/// It does not wait for that, and hears the signal that ends it.
#[test]
fn where_nobody_reads_standard_output_a_server_serves_all_the_same() {
    let (full, _unread) = UnixStream::pair().unwrap();
    full.set_nonblocking(true).unwrap();
    while (&full).write(&[b'x'; 1024]).is_ok() {}
    full.set_nonblocking(false).unwrap();
    serves_without_stdout("broadcast", "&0", OwnedFd::from(full).into());
}

fn serves_without_stdout(name: &str, stdout: &str, stdin: Stdio) {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("exec \"$0\" \"$@\" >{stdout}")])
        .arg(support::example::command(name).get_program())
        .arg("127.0.0.1:0")
        .stdin(stdin);
    let mut process = Process::start(&mut command);
    wait_until("it has said where it listens, or given up", || {
        let said = process.stderr().concat();
        said.contains("listening on ") || said.contains("panicked")
    });
    let said = process.stderr().concat();
    let addr = said.split_once("listening on ws://").expect(&said).1;
    let mut client = Client::connect(addr.split_once('/').unwrap().0.parse().unwrap());
    client.send_close(1000, "");
    wait_until("the Close", || client.read_message().opcode == 8);
    assert!(process.terminate().success(), "{:?}", process.stderr());
}

/// What goes wrong at the start goes to standard error; where nobody can be told, the exit status says it.
#[test]
fn arguments_that_cannot_be_used_are_no_panic() {
    for (address, stderr) in [("$(printf '\\377'):0", "&2"), ("nowhere", "/dev/full")] {
        let script = format!("exec \"$0\" \"{address}\" 2>{stderr}");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .arg(support::example::command("echo").get_program());
        let mut process = Process::start(&mut command);
        assert_eq!(process.wait().code(), Some(1), "{:?}", process.stderr());
    }
}

/// What an example says and how it ends, where it does not serve.
fn run(name: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = support::example::command(name);
    let mut process = Process::start(command.args(arguments).stdin(Stdio::null()));
    let status = process.wait();
    let (out, err) = (process.stdout().join("\n"), process.stderr().join("\n"));
    (status.code(), out, err)
}

#[test]
fn every_example_says_how_it_is_used() {
    let mut names = vec![
        "auth",
        "broadcast",
        "dashboard",
        "download",
        "echo",
        "per_connection",
    ];
    if cfg!(feature = "client") {
        names.extend(["client", "follow", "load"]);
    }
    if cfg!(feature = "redis") {
        names.extend(["backplane", "cluster"]);
    }
    if cfg!(feature = "socketio") {
        names.push("socketio");
    }
    if cfg!(feature = "tls") {
        names.push("wss");
    }
    for name in names {
        let usage = format!("usage: {name} [");
        for help in ["--help", "-h"] {
            let (status, out, err) = run(name, &[help]);
            assert_eq!((status, &*err), (Some(0), ""), "{name} {help}");
            assert!(out.starts_with(&usage), "{out}");
        }
        for wrong in [&["--port=9001"][..], &["127.0.0.1:0", "a", "b", "c"]] {
            let (status, out, err) = run(name, wrong);
            assert_eq!((status, &*out), (Some(2), ""), "{name} {wrong:?}");
            assert!(err.contains(&usage), "{err}");
        }
    }
}

#[test]
fn an_address_that_is_not_this_machines_gets_a_sentence() {
    for name in ["broadcast", "dashboard", "echo", "per_connection"] {
        let (status, _, err) = run(name, &["192.0.2.1:9001"]);
        assert_eq!(status, Some(1));
        assert!(
            err.starts_with("cannot listen on 192.0.2.1:9001: this machine has no such address"),
            "{err}"
        );
    }
}

/// A client that never answers the first one's Close would hold it up for five seconds.
#[test]
fn m05_a_second_signal_means_now() {
    for name in ["echo", "per_connection"] {
        let mut example = Example::start(name, &[]);
        let mut client = Client::connect(example.addr);
        let begun = Instant::now();
        example.process.signal(Signal::TERM);
        assert_eq!(client.read_message().close().0, 1001);
        example.process.signal(Signal::TERM);
        assert!(example.process.wait().success());
        assert!(
            begun.elapsed() < Duration::from_secs(4),
            "{name}: {:?}",
            begun.elapsed()
        );
    }
}

/// There the system ignores a signal for which there is no handler. Skipped where no such process can be made.
#[test]
fn m05_the_first_process_of_a_container_hears_sigterm() {
    let unshare = ["--user", "--map-root-user", "--pid", "--fork"];
    let may = Command::new("unshare").args(unshare).arg("true").output();
    if !may.is_ok_and(|tried| tried.status.success()) {
        return println!("unshare makes no process here");
    }
    for name in ["echo", "per_connection"] {
        let mut command = Command::new("unshare");
        command
            .args(unshare)
            .arg(support::example::command(name).get_program())
            .arg("127.0.0.1:0");
        let mut example = Example::serving(&mut command);
        let mut client = Client::connect(example.addr);
        let outer = example.process.id();
        let children = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children"));
        let inner = children.unwrap().trim().parse().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{inner}/status")).unwrap();
        assert!(status.contains("\t1\n"), "not the first process: {status}");
        kill_process(Pid::from_raw(inner).unwrap(), Signal::TERM).unwrap();
        assert_eq!(client.read_message().close().0, 1001);
        client.send_close(1001, "");
        assert!(example.process.wait().success());
    }
}

fn knock(example: &Example, path: &str, headers: &str) -> String {
    let addr = example.addr;
    exchange(addr, upgrade(&addr.to_string(), path, headers))
}

#[derive(Debug)]
struct Reading {
    seq: u64,
    time: u64,
    value: f64,
}

impl Reading {
    fn parse(json: &str) -> Reading {
        let number = |name: &str| -> f64 {
            let (_, rest) = json.split_once(&format!("\"{name}\":")).expect(json);
            let end = rest.find([',', '}']).expect(json);
            rest[..end].parse().expect(json)
        };
        Reading {
            seq: number("seq") as u64,
            time: number("time") as u64,
            value: number("value"),
        }
    }
}

fn get(example: &Example, path: &str) -> String {
    let addr = example.addr;
    exchange(
        addr,
        format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n"),
    )
}

/// SIGTERM: 1001 to the client, exit status 0. Returns warnings of the log.
fn ends_gracefully(mut client: Client, example: Example) -> String {
    let closes = thread::spawn(move || {
        loop {
            let frame = client.read_message();
            if frame.opcode == 8 {
                client.send(true, 8, &frame.payload);
                break frame.close().0;
            }
        }
    });
    let (status, log) = example.terminate();
    assert_eq!(closes.join().unwrap(), 1001);
    assert!(status.success(), "{status}: {log}");
    let warnings = log.lines().filter(|line| !line.contains(" INFO "));
    warnings.collect::<Vec<_>>().join("\n")
}
