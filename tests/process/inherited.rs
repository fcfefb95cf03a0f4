//! Sockets that the process was given as it started, as systemd gives them: each part of a test runs in a process of its
//! own, which has them as its descriptors 3 and 4.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use support::child::in_child;
use support::directory::Directory;
use support::{PATIENCE, dial, exchange, read_to_close, wait_until};
use wshub::{Response, Server, ServerBuilder};

const ONE: &str = "export LISTEN_PID=$$ LISTEN_FDS=1";
const TWO: &str = "export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:tools";

/// Runs `test` once more, with these descriptors and variables.
fn start(test: &str, variables: &str, first: OwnedFd, second: OwnedFd) -> Child {
    let setup = format!("exec 3<&0 4<&2 0</dev/null 2>&1; {variables}; exec \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &setup])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("WSHUB_TEST_IN_CHILD", "1")
        .stdin(Stdio::from(first))
        .stderr(Stdio::from(second))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn end(mut child: Child) {
    let mut ended = None;
    wait_until("the child ends", || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    let mut said = String::new();
    let mut output = child.stdout.take().unwrap();
    output.read_to_string(&mut said).unwrap();
    assert!(ended.unwrap().success(), "{said}");
}

fn run(test: &str, variables: &str, first: impl Into<OwnedFd>, second: impl Into<OwnedFd>) {
    end(start(test, variables, first.into(), second.into()));
}

fn nothing() -> OwnedFd {
    std::fs::File::open("/dev/null").unwrap().into()
}

fn tcp() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

/// In the child: why there is none.
fn refusal(builder: std::io::Result<ServerBuilder>) -> (ErrorKind, String) {
    let error = builder.map(drop).unwrap_err();
    (error.kind(), error.to_string())
}

/// In the child: serves until it is asked for `/end`.
fn serve_to_the_end() {
    let server = Server::builder()
        .http(|request| {
            if request.path() == "/end" {
                request.server().drain(Duration::from_secs(10));
            }
            Response::text(std::process::id().to_string())
        })
        .inherited()
        .unwrap()
        .start()
        .unwrap();
    server.events().for_each(drop);
}

fn body(answer: &str) -> &str {
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1
}

/// Between two processes clients wait, and nobody is refused.
#[test]
fn a_socket_goes_from_one_process_to_the_next() {
    const TEST: &str = "a_socket_goes_from_one_process_to_the_next";
    if in_child() {
        return serve_to_the_end();
    }
    let listener = tcp();
    let addr = listener.local_addr().unwrap();
    let mut waiting = dial(addr);
    waiting.write_all(get("/").as_bytes()).unwrap();
    for round in 0..3 {
        let given = listener.try_clone().unwrap();
        let child = start(TEST, ONE, given.into(), nothing());
        let answer = String::from_utf8(read_to_close(&mut waiting)).unwrap();
        assert_eq!(body(&answer), child.id().to_string(), "round {round}");
        exchange(addr, get("/end"));
        end(child);
        waiting = dial(addr);
        waiting.write_all(get("/").as_bytes()).unwrap();
    }
}

#[test]
fn a_unix_socket_keeps_its_file() {
    if in_child() {
        return serve_to_the_end();
    }
    let directory = Directory::create();
    let path = directory.file("hub.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let given = listener.try_clone().unwrap();
    let child = start("a_unix_socket_keeps_its_file", ONE, given.into(), nothing());
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(get("/end").as_bytes()).unwrap();
    let answer = String::from_utf8(read_to_close(&mut stream)).unwrap();
    assert_eq!(body(&answer), child.id().to_string());
    end(child);
    drop(UnixStream::connect(&path).unwrap());
}

#[test]
fn each_is_taken_once_by_its_name_or_with_the_others() {
    if in_child() {
        let (kind, text) = refusal(Server::builder().inherited_named("api"));
        assert_eq!(kind, ErrorKind::NotFound);
        assert!(
            text.contains(r#"none is named "api", of ["web", "tools"]"#),
            "{text}"
        );
        let tools = Server::builder().inherited_named("tools").unwrap();
        let rest = Server::builder().inherited().unwrap();
        let (kind, text) = refusal(Server::builder().inherited());
        assert_eq!(kind, ErrorKind::NotFound);
        assert!(text.contains("taken once"), "{text}");
        let addrs = [rest, tools].map(|it| it.start().unwrap().local_addrs());
        let wanted: Vec<SocketAddr> = std::env::var("WANTED")
            .unwrap()
            .split(' ')
            .map(|addr| addr.parse().unwrap())
            .collect();
        assert_eq!(addrs.concat(), wanted);
        return;
    }
    let (web, tools) = (tcp(), tcp());
    let [first, second] = [&web, &tools].map(|it| it.local_addr().unwrap());
    let variables = format!("{TWO} WANTED='{first} {second}'");
    run(
        "each_is_taken_once_by_its_name_or_with_the_others",
        &variables,
        web,
        tools,
    );
}

#[test]
fn programs_that_are_executed_do_not_get_them() {
    if in_child() {
        let _builder = Server::builder().inherited_named("web").unwrap();
        let listing = Command::new("ls").args(["-l", "/proc/self/fd"]).output();
        let listing = String::from_utf8(listing.unwrap().stdout).unwrap();
        assert!(
            listing.contains("pipe:") && !listing.contains("socket:"),
            "{listing}"
        );
        return;
    }
    run(
        "programs_that_are_executed_do_not_get_them",
        TWO,
        tcp(),
        tcp(),
    );
}

/// What is no listener is refused with the line to write, and the others are left.
#[test]
fn u03_what_does_not_listen_is_refused() {
    const TEST: &str = "u03_what_does_not_listen_is_refused";
    if in_child() {
        let (kind, text) = refusal(Server::builder().inherited());
        assert_eq!(kind, ErrorKind::InvalidInput);
        let wanted = std::env::var("WANTED").unwrap();
        assert!(text.contains(&wanted), "{text}");
        assert!(text.contains(r#"descriptor 4, "tools""#), "{text}");
        let _others = Server::builder().inherited_named("web").unwrap();
        return;
    }
    let listener = tcp();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let wrong: [(OwnedFd, &str); 3] = [
        (
            UdpSocket::bind("127.0.0.1:0").unwrap().into(),
            "ListenStream=",
        ),
        (connected.into(), "Accept=no"),
        (nothing(), "is no socket"),
    ];
    for (descriptor, wanted) in wrong {
        run(TEST, &format!("{TWO} WANTED='{wanted}'"), tcp(), descriptor);
    }
}

#[test]
fn u03_what_the_environment_says_is_not_believed() {
    const TEST: &str = "u03_what_the_environment_says_is_not_believed";
    if in_child() {
        let (kind, text) = refusal(Server::builder().inherited());
        let wanted = std::env::var("WANTED").unwrap();
        assert!(text.contains(&wanted), "{kind}: {text}");
        return;
    }
    for (variables, wanted) in [
        ("true", "systemd-socket-activate --listen=9001"),
        ("export LISTEN_FDS=1", "not set"),
        ("export LISTEN_PID=1 LISTEN_FDS=1", "are for process 1,"),
        ("export LISTEN_PID=$$ LISTEN_FDS=one", "LISTEN_FDS"),
        ("export LISTEN_PID=none LISTEN_FDS=1", "LISTEN_PID"),
        ("export LISTEN_PID=$$ LISTEN_FDS=-1", "LISTEN_FDS"),
        ("export LISTEN_PID=$$ LISTEN_FDS=4294967295", "LISTEN_FDS"),
        // More than are open.
        ("export LISTEN_PID=$$ LISTEN_FDS=900", "LISTEN_FDS"),
    ] {
        let variables = format!("{variables}; export WANTED='{wanted}'");
        run(TEST, &variables, tcp(), nothing());
    }
}
