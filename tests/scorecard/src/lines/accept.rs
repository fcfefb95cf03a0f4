//! A server that gets no descriptors, no memory or no threads for new connections, and a full one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use scorecard::support::{Client, ask, dial, upgrade, wait_until};

use crate::faults::Faults;
use crate::row::Row;
use crate::subject::Subject;

/// As long as in the issue where `SCORECARD_LONG` says so.
fn emfile_time() -> Duration {
    Duration::from_secs(match std::env::var_os("SCORECARD_LONG") {
        Some(_) => 60,
        None => 15,
    })
}

/// From the end of a fault to the next client that is served: the longest pause is a second.
const BACK_WITHIN: u64 = 1_100;
const CPU_BOUND: f64 = 5.0;

pub fn out_of_descriptors() -> Vec<Row> {
    let example = Subject::command("echo");
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""]);
    limited.arg(example.get_program()).args(example.get_args());
    let subject = Subject::start(limited.env("RUST_LOG", "info").stdin(Stdio::null()));
    // Silent handshakes end after 10 s: those that wait in the backlog take their places.
    let silent: Vec<TcpStream> = (0..600).map(|_| dial(subject.addr())).collect();
    wait_until("accept fails", || subject.has_logged("cannot accept"));
    let (begin, before) = (Instant::now(), subject.now().cpu);
    thread::sleep(emfile_time());
    let used = (subject.now().cpu - before).as_secs_f64() / begin.elapsed().as_secs_f64();
    drop(silent);
    let back = served_after(&subject);
    let time = emfile_time().as_secs();
    vec![
        Row::at_most(
            format!("out of descriptors (EMFILE) for {time} s: share of a core"),
            used * 100.0,
            CPU_BOUND,
            "%",
        ),
        Row::ms("served again after EMFILE", back, BACK_WITHIN),
    ]
}

fn served_after(subject: &Subject) -> Duration {
    let start = Instant::now();
    subject.assert_echoes();
    start.elapsed()
}

/// Each error of accept(2) that is not the listener's own fault, ten times.
pub fn faults() -> Vec<Row> {
    let errors = [
        (libc::ENFILE, "ENFILE"),
        (libc::ENOMEM, "ENOMEM"),
        (libc::ENOBUFS, "ENOBUFS"),
        (libc::ECONNABORTED, "ECONNABORTED"),
        (libc::EPROTO, "EPROTO"),
        (libc::EPERM, "EPERM"),
        (libc::EINTR, "EINTR"),
    ];
    let faults = Faults::new("accept");
    let subject = Subject::start(&mut faults.preload(Subject::command("echo")));
    let mut open = Client::connect(subject.addr());
    let before = subject.now().cpu;
    let begin = Instant::now();
    let mut slowest = (Duration::ZERO, "");
    for (error, name) in errors {
        faults.set("accept4", error, 6);
        let waiting = TcpStream::connect(subject.addr()).unwrap();
        wait_until("accept fails", || faults.left() == 0);
        // Who is there already notices nothing.
        open.send_text(name);
        assert_eq!(open.read_message().text(), name);
        slowest = slowest.max((served_after(&subject), name));
        drop(waiting);
    }
    let used = (subject.now().cpu - before).as_secs_f64() / begin.elapsed().as_secs_f64();
    vec![
        Row::ms(
            format!(
                "served again after ENFILE, ENOMEM, ECONNABORTED, … in accept ({})",
                slowest.1
            ),
            slowest.0,
            BACK_WITHIN,
        ),
        Row::at_most("share of a core meanwhile", used * 100.0, CPU_BOUND, "%"),
    ]
}

pub fn out_of_threads() -> Vec<Row> {
    let faults = Faults::new("threads");
    // The slow ones hold their threads to the end.
    let command = Subject::command_with("echo", &["handshake_ms=600000"]);
    let mut subject = Subject::start(&mut faults.preload(command));
    let mut open = Client::connect(subject.addr());
    faults.set("pthread_create", libc::EAGAIN, 1_000);
    let slow = hold_every_thread(&subject);
    let request = upgrade("localhost", "/", "");
    let refused = (0..100)
        .filter(|_| {
            let (head, _) = ask(subject.addr(), &request);
            head.starts_with("HTTP/1.1 503 ") && head.contains("Retry-After")
        })
        .count();
    open.send_text("still here");
    assert_eq!(open.read_message().text(), "still here");
    faults.end();
    let back = served_after(&subject);
    drop((open, slow));
    subject.process().end_input();
    assert!(subject.process().wait().success());
    vec![
        Row::exactly(
            "no thread to be had: of 100 clients get a 503",
            refused,
            100,
        ),
        Row::ms("served again after that", back, BACK_WITHIN),
    ]
}

/// Handshakes that stay half done, one on each thread of the pool. That one is refused is not enough: the thread of
/// somebody who was served may not be idle again yet.
fn hold_every_thread(subject: &Subject) -> Vec<TcpStream> {
    let mut slow = Vec::new();
    wait_until("each thread has a handshake", || {
        let mut stream = dial(subject.addr());
        stream.write_all(b"GET / HT").unwrap();
        slow.push(stream);
        let begun = slow.len();
        slow.retain_mut(is_unanswered);
        // Where the last one is refused, it is known what became of all others.
        slow.len() < begun && slow.len() == subject.pool_threads()
    });
    slow
}

/// A refusal comes at once.
fn is_unanswered(stream: &mut TcpStream) -> bool {
    let patience = Some(Duration::from_millis(200));
    stream.set_read_timeout(patience).unwrap();
    !matches!(stream.read(&mut [0; 64]), Ok(1..))
}

pub fn full() -> Vec<Row> {
    let subject = Subject::with("echo", &["connections=1000"]);
    let mut clients: Vec<Client> = (0..1_000)
        .map(|_| Client::connect(subject.addr()))
        .collect();
    let request = upgrade("localhost", "/", "");
    let refused = (0..100)
        .filter(|_| ask(subject.addr(), &request).0.starts_with("HTTP/1.1 503 "))
        .count();
    let mut leaving = clients.pop().unwrap();
    leaving.send_close(1000, "");
    assert_eq!(leaving.read_message().close().0, 1000);
    let start = Instant::now();
    wait_until("the place is free", || {
        ask(subject.addr(), &request).0.starts_with("HTTP/1.1 101 ")
    });
    vec![
        Row::exactly("1,000 are connected: of 100 more get a 503", refused, 100),
        Row::ms("a place is free again after a Close", start.elapsed(), 250),
    ]
}
