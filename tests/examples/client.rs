//! The `client` example as a user runs it: in a pipe, and ended in every way.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use wshub::{Accept, Event, Server};

use crate::support::example::{Example, Process, command};
use crate::support::hostile::{self, Peer, SWITCHING};
use crate::support::{AtEnd, PATIENCE, wait_until};

/// A second, as is usual, may be too short on a busy machine.
const SILENCE: &str = "3";

fn client(example: &Example) -> Process {
    let url = format!("ws://{}/", example.addr);
    Process::start(
        command("client")
            .args(["-w", SILENCE, &url])
            .stdin(Stdio::piped()),
    )
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
    assert!(begun.elapsed() >= Duration::from_secs(SILENCE.parse().unwrap()));
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
    unread.set_read_timeout(Some(PATIENCE)).unwrap();
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
        (&*refused, "it wants credentials"),
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

/// A server that says what it was asked, and sends back what it gets, as binary where it was binary.
fn inquisitive() -> (Server, String) {
    let server = Server::builder()
        .subprotocols(["b"])
        .origins(["https://app.example.com"])
        .accept(|_| Ok(Accept::new()))
        .bind("127.0.0.1:0")
        .unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    (server, url)
}

fn answer(server: &Server) {
    for event in server.events() {
        match event {
            Event::Open(connection) => {
                let request = connection.request();
                let asked = ["x-token", "x-two", "origin", "sec-websocket-protocol"]
                    .map(|name| request.header(name).unwrap_or("-").to_owned());
                let _ = connection.send(asked.join(" "));
            }
            Event::Message(connection, message) => drop(connection.send(message)),
            _ => {}
        }
    }
}

fn answered(test: impl FnOnce(&str)) {
    let (server, url) = inquisitive();
    thread::scope(|scope| {
        // Ends the server, and with it the thread that answers, also where the test fails.
        let _over = AtEnd(|| server.handle().terminate());
        scope.spawn(|| answer(&server));
        test(&url);
    });
}

fn run(url: &str, options: &[&str]) -> Process {
    Process::start(
        command("client")
            .args(options)
            .arg(url)
            .stdin(Stdio::null()),
    )
}

#[test]
fn headers_subprotocols_and_an_origin_go_with_the_request() {
    answered(|url| {
        let options = "-H|X-Token: s3cret|-H|X-Two:2|-s|a|-s|b|-o|https://app.example.com|-n|1";
        let options: Vec<_> = options.split('|').collect();
        let mut client = run(url, &options);
        assert!(client.wait().success(), "{:?}", client.stderr());
        assert_eq!(client.stdout(), ["s3cret 2 https://app.example.com a, b"]);
    });
}

#[test]
fn a_script_learns_from_the_exit_status_whether_all_came() {
    answered(|url| {
        let mut client = run(url, &["-m", "one", "-m", "two", "-n", "3"]);
        assert!(client.wait().success(), "{:?}", client.stderr());
        assert_eq!(client.stdout()[1..], ["one", "two"]);
        let mut client = run(url, &["-m", "one", "-n", "3", "-w", SILENCE]);
        assert_eq!(client.wait().code(), Some(1));
        assert_eq!(client.stderr(), ["only 2 of 3 messages came"]);
    });
}

#[test]
fn a_file_goes_as_one_binary_message_and_times_are_shown() {
    let file = std::env::temp_dir().join(format!("wshub-client-{}", std::process::id()));
    std::fs::write(&file, [0; 70_000]).unwrap();
    answered(|url| {
        let mut client = run(url, &["-t", "-n", "2", "-b", file.to_str().unwrap()]);
        assert!(client.wait().success(), "{:?}", client.stderr());
        assert!(
            client.stdout()[0].contains(" ms  - - - -"),
            "{:?}",
            client.stdout()
        );
        let said = client.stderr().concat();
        assert!(
            said.ends_with(" ms  a binary message of 70000 bytes"),
            "{said}"
        );
    });
    std::fs::remove_file(&file).unwrap();
    let mut client = run("ws://127.0.0.1:1/", &["-b", "/nowhere/at/all"]);
    assert_eq!(client.wait().code(), Some(1));
    assert!(client.stderr()[0].starts_with("/nowhere/at/all: "));
}

/// A server that reads, and never answers a ping.
#[test]
fn a_server_that_answers_no_ping_is_given_up() {
    let deaf = Peer::new(|mut stream| {
        hostile::open(&mut stream, format!("{SWITCHING}\r\n"));
        while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
    });
    let mut client = run(&deaf.url(), &["-p", "0.2", "-n", "1"]);
    assert_eq!(client.wait().code(), Some(1));
    let said = client.stderr().concat();
    assert!(said.contains("no answer to a ping"), "{said}");
    deaf.end();
}

#[test]
fn options_that_make_no_sense_are_status_2_and_say_why() {
    for (options, why) in [
        (&["--nonsense"][..], "there is no option --nonsense"),
        (&["-H", "novalue"], "is no header: write 'NAME: VALUE'"),
        (&["-n", "0"], "-n takes a number above 0"),
        (&["-w", "soon"], "-w takes seconds above 0"),
        (&["-n"], "-n needs a value"),
        (&["ws://one/"], "too many arguments"),
    ] {
        let mut client = run("ws://127.0.0.1:1/", options);
        if options == ["-n"] {
            client = Process::start(command("client").arg("-n").stdin(Stdio::null()));
        }
        assert_eq!(client.wait().code(), Some(2), "{options:?}");
        let said = client.stderr();
        assert!(said[0].contains(why), "{said:?}");
        assert!(said[1].starts_with("usage: client"), "{said:?}");
    }
    let mut client = Process::start(command("client").arg("--help").stdin(Stdio::null()));
    assert!(client.wait().success());
    assert!(client.stdout().len() > 10);
}

/// The client on a terminal of its own; the test is the person.
struct Terminal {
    keys: File,
    screen: Arc<Mutex<Vec<u8>>>,
    terminal: File,
    client: Child,
}

impl Terminal {
    fn start(url: &str) -> Terminal {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let path = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = File::options().read(true).write(true).open(path).unwrap();
        let client = command("client")
            .arg(url)
            .stdin(theirs.try_clone().unwrap())
            .stdout(theirs.try_clone().unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let screen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let mut output = File::from(ours.try_clone().unwrap());
        let seen = screen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                seen.lock().unwrap().extend(&bytes[..read]);
            }
        });
        Terminal {
            keys: File::from(ours),
            screen,
            terminal: theirs,
            client,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn shows(&self, text: &str) {
        wait_until(text, || {
            let screen = self.screen.lock().unwrap();
            String::from_utf8_lossy(&screen).contains(text)
        });
    }

    fn is_edited_by_itself(&self) -> bool {
        let modes = tcgetattr(&self.terminal).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }
}

#[test]
fn on_a_terminal_lines_are_edited_and_come_back() {
    answered(|url| {
        let mut terminal = Terminal::start(url);
        terminal.shows("- - - -\r\n");
        assert!(!terminal.is_edited_by_itself());
        // Typed, two characters taken back, one put in before the last.
        terminal.press("helxx\x7f\x7fo\x1b[Dl\r");
        terminal.shows("> hello\r\n");
        terminal.press("second\r");
        terminal.shows("second\r\n");
        // The one before the last, with a mark at its start; then a word is deleted of what is typed.
        terminal.press("\x1b[A\x1b[A\x01> \r");
        terminal.shows("> > hello\r\n");
        terminal.press("naïve 漢字\x17字\r");
        terminal.shows("> naïve 字\r\n");
        terminal.press("\x04");
        let mut status = None;
        wait_until("the client ends", || {
            status = terminal.client.try_wait().unwrap();
            status.is_some()
        });
        assert!(status.unwrap().success());
        assert!(terminal.is_edited_by_itself());
    });
}
