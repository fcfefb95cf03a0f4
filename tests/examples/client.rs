//! The `client` example as a user runs it: in a pipe, and ended in every way.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::PATIENCE;
use crate::support::example::{Example, Process, command};
use crate::support::hostile::{self, Peer, SWITCHING};

fn client(example: &Example) -> Process {
    let url = format!("ws://{}/", example.addr);
    Process::start(command("client").arg(url).stdin(Stdio::piped()))
}

#[test]
fn in_a_pipe_every_line_is_sent_and_every_answer_printed() {
    let echo = Example::start("echo", &[]);
    let mut client = client(&echo);
    client.type_in("a\nb\n\nnaïve 漢字 😀\nno newline at the end");
    let begun = Instant::now();
    client.end_input();
    assert!(client.wait().success(), "{:?}", client.stderr());
    // A slower server had its time to answer.
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let answers = ["a", "b", "", "naïve 漢字 😀", "no newline at the end"];
    assert_eq!(client.stdout(), answers);
    assert!(client.stderr().is_empty(), "{:?}", client.stderr());
    // The server saw a closing handshake.
    echo.logs("closed: 1000");
}

#[test]
fn many_lines_come_back_in_order() {
    let echo = Example::start("echo", &[]);
    let mut client = client(&echo);
    let lines: Vec<String> = (0..5_000).map(|n| format!("line {n}")).collect();
    client.type_in(lines.join("\n"));
    client.end_input();
    assert!(client.wait().success(), "{:?}", client.stderr());
    assert_eq!(client.stdout(), lines);
}

#[test]
fn a_line_is_answered_while_the_next_one_is_thought_about() {
    let echo = Example::start("echo", &[]);
    let mut client = client(&echo);
    for line in ["first", "second"] {
        client.type_in(format!("{line}\n"));
        client.prints(line);
    }
    assert!(client.terminate().success(), "{:?}", client.stderr());
    echo.logs("closed: 1000");
}

#[test]
fn a_server_that_never_falls_silent_is_not_waited_for_for_ever() {
    let dashboard = Example::start("dashboard", &[]);
    let mut client = client(&dashboard);
    client.prints("\"seq\":");
    client.end_input();
    let begun = Instant::now();
    assert!(client.wait().success(), "{:?}", client.stderr());
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn a_server_that_ends_first_is_a_failure() {
    let echo = Example::start("echo", &[]);
    let mut client = client(&echo);
    client.type_in("hello\n");
    client.prints("hello");
    assert!(echo.terminate().0.success());
    assert_eq!(client.wait().code(), Some(1));
    assert_eq!(client.stdout(), ["hello"]);
    assert_eq!(client.stderr(), ["the connection was closed: 1001"]);
}

#[test]
fn a_message_that_the_server_refuses_is_a_failure() {
    let echo = Example::start("echo", &[]);
    let mut client = client(&echo);
    client.type_in("x".repeat((1 << 20) + 1));
    client.end_input();
    assert_eq!(client.wait().code(), Some(1));
    assert!(
        client.stderr().concat().contains(": 1009"),
        "{:?}",
        client.stderr()
    );
}

#[test]
fn input_that_is_no_text_is_a_failure_and_closes_in_order() {
    let echo = Example::start("echo", &[]);
    let mut client = client(&echo);
    client.type_in(b"before\n\xff\xfe\n");
    client.prints("before");
    assert_eq!(client.wait().code(), Some(1));
    assert!(
        client.stderr()[0].starts_with("not sent: "),
        "{:?}",
        client.stderr()
    );
    echo.logs("closed: 1000");
}

/// As much as it holds of a line that never ends, and no more.
#[test]
fn a_line_without_end_is_a_failure() {
    let echo = Example::start("echo", &[]);
    let zeros = File::open("/dev/zero").unwrap();
    let url = format!("ws://{}/", echo.addr);
    let mut client = Process::start(command("client").arg(url).stdin(zeros));
    assert_eq!(client.wait().code(), Some(1));
    let said = client.stderr().concat();
    assert!(said.contains("a line is longer than 16 MiB"), "{said}");
    echo.logs("closed: 1000");
}

/// It waits to write what came, for ever: a signal is heard all the same.
#[test]
fn a_signal_ends_it_though_nobody_reads_its_output() {
    let flood = Peer::new(|mut stream| {
        hostile::open(&mut stream, format!("{SWITCHING}\r\n"));
        let text = [&[0x81, 126, 4, 0][..], &[b'x'; 1024]].concat();
        while stream.write_all(&text).is_ok() {}
    });
    let (output, mut unread) = UnixStream::pair().unwrap();
    let mut client = Process::start(
        Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" >&0"])
            .arg(command("client").get_program())
            .arg(flood.url())
            .stdin(OwnedFd::from(output)),
    );
    unread.read_exact(&mut [0]).unwrap();
    assert_eq!(client.terminate().code(), Some(1));
    flood.end();
}

/// Where nobody can be told, the exit status says it.
#[test]
fn arguments_that_are_no_text_and_a_standard_error_that_is_full_are_no_panic() {
    for script in [
        "exec \"$0\" \"$(printf '\\377')\"",
        "exec \"$0\" nowhere 2>/dev/full",
    ] {
        let mut client = Process::start(
            Command::new("sh")
                .args(["-c", script])
                .arg(command("client").get_program())
                .stdin(Stdio::null()),
        );
        assert_eq!(client.wait().code(), Some(1), "{:?}", client.stderr());
    }
}

#[test]
fn where_no_connection_opens_it_says_why() {
    let auth = Example::start("auth", &[("HUB_TOKENS", "ada:0badcafe0badcafe")]);
    let refused = format!("ws://{}/", auth.addr);
    for (url, why) in [
        (&*refused, "the server answered 401 Unauthorized"),
        ("http://localhost/", "does not begin with ws://"),
        ("ws://127.0.0.1:1/", "check that the server runs"),
    ] {
        let mut client = Process::start(command("client").arg(url).stdin(Stdio::null()));
        assert_eq!(client.wait().code(), Some(1), "{url}");
        let said = client.stderr().concat();
        assert!(
            said.starts_with(&format!("cannot connect to {url}: ")),
            "{said}"
        );
        assert!(said.contains(why), "{said}");
        assert!(client.stdout().is_empty());
    }
    // The token may come in the URL.
    let url = format!("{refused}?token=0badcafe0badcafe");
    let mut client = Process::start(command("client").arg(url).stdin(Stdio::piped()));
    client.prints("hello ada");
    client.end_input();
    assert!(client.wait().success());
}
