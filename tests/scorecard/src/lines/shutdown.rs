//! SIGTERM with a thousand clients, and a log that nobody reads.

use std::io::ErrorKind;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use scorecard::support::{Client, frame, ugly, wait_until};

use super::{at_once, start_clients};
use crate::row::Row;
use crate::subject::Subject;

const READERS: usize = 900;
const STALLED: usize = 100;

pub fn sigterm() -> Vec<Row> {
    let mut subject = Subject::example("echo");
    let addr = subject.addr();
    let seen = start_clients(READERS, addr, going_away);
    let stalled: Vec<Client> = (0..STALLED).map(|_| never_reads(addr)).collect();
    subject.wait_for_connections(READERS + STALLED);

    let since = Instant::now();
    subject.process().signal(Signal::TERM);
    let free = thread::spawn(move || {
        wait_until("the port is free", || TcpListener::bind(addr).is_ok());
        since.elapsed()
    });
    let status = subject.process().wait();
    let exit = since.elapsed();
    let seen: Vec<Instant> = seen.iter().flatten().collect();
    let last = seen.iter().max().map(|at| *at - since);
    drop(stalled);
    vec![
        Row::exactly(
            "SIGTERM, 1,000 clients, 100 never read: readers that saw 1001",
            seen.len(),
            READERS,
        ),
        Row::ms("the last reader saw it", last.unwrap_or(Duration::MAX), 500),
        Row::ms(
            "the port free again, after the signal",
            free.join().unwrap(),
            100,
        ),
        Row::seconds("exit", exit, 6.0),
        Row::exactly("exit status", status.code().unwrap_or(-1), 0),
    ]
}

/// When the Close frame with 1001 came.
fn going_away(mut client: Client) -> Option<Instant> {
    loop {
        let frame = client.try_read().ok()?;
        if frame.opcode == 8 {
            let now = Instant::now();
            client.send_close(1001, "");
            return (frame.close().0 == 1001).then_some(now);
        }
    }
}

/// A client that sends until the server can send no more.
fn never_reads(addr: SocketAddr) -> Client {
    let mut client = Client::connect(addr);
    rustix::net::sockopt::set_socket_recv_buffer_size(&client.stream, 4096).unwrap();
    client.stream.set_nonblocking(true).unwrap();
    let bytes = frame(true, 2, &[0; 64 << 10]);
    let mut sent = 0;
    // Whole messages only, as far as possible; past 512 KiB its echoes wait anyway.
    while sent < 8 * bytes.len() {
        match client.stream.write(&bytes[sent % bytes.len()..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    client
}

/// The log goes to a stream that is full and never read.
pub fn stderr_blocked() -> Vec<Row> {
    let (stderr, unread) = UnixStream::pair().unwrap();
    let example = Subject::command("echo");
    let mut blocked = Command::new("sh");
    blocked.args(["-c", "exec \"$0\" \"$@\" 2>&0"]);
    blocked.arg(example.get_program()).args(example.get_args());
    blocked
        .env("RUST_LOG", "trace")
        .stdin(Stdio::from(OwnedFd::from(stderr)));
    let mut subject = Subject::start(&mut blocked);
    let addr = subject.addr();
    let clients = 4_000;
    at_once(4, move |thread| {
        (0..clients / 4).for_each(|number| ugly::come_and_go(addr, thread + number));
    });
    let start = Instant::now();
    subject.assert_echoes();
    let served = start.elapsed();
    let start = Instant::now();
    let status = subject.terminate();
    let exit = start.elapsed();
    drop(unread);
    vec![
        Row::ms(
            "standard error full and not read, log at trace, 4,000 clients: an echo",
            served,
            250,
        ),
        Row::seconds("exit after SIGTERM then", exit, 6.0),
        Row::exactly("exit status then", status.code().unwrap_or(-1), 0),
    ]
}
