//! What peers announce and do not send, or send and nobody needs.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::{Duration, Instant};

use scorecard::support::{Client, frame};

use super::{MIB, at_once};
use crate::row::Row;
use crate::subject::Subject;

pub fn announced() -> Vec<Row> {
    let subject = Subject::example("echo");
    let mut clients: Vec<Client> = (0..1_000)
        .map(|_| Client::connect(subject.addr()))
        .collect();
    let before = subject.now().rss;
    // The pong comes when the header behind the ping has been read.
    let header = &frame(true, 2, &vec![0; 1 << 20])[..14];
    let bytes = [&frame(true, 9, b""), header].concat();
    for client in &mut clients {
        client.stream.write_all(&bytes).unwrap();
    }
    for client in &mut clients {
        assert_eq!(client.read().opcode, 10);
    }
    let each = subject.now().rss.saturating_sub(before) as f64 / 1_000.0 / 1024.0;
    vec![Row::at_most(
        "1,000 x \"1 MiB announced, nothing sent\": memory for each",
        each,
        16.0,
        "KiB",
    )]
}

/// A message may have 1,024 fragments: then comes 1008, whatever they hold.
pub fn empty_fragments() -> Vec<Row> {
    let subject = Subject::example("echo");
    let addr = subject.addr();
    let flood = move |clients: usize| {
        let codes = at_once(4, move |_| {
            let mut bytes = frame(false, 1, b"");
            bytes.extend(frame(false, 0, b"").repeat(1_999));
            let code = |_| {
                let mut client = Client::connect(addr);
                client.stream.write_all(&bytes).unwrap();
                client.read_message().close().0
            };
            (0..clients / 4)
                .map(code)
                .filter(|code| *code == 1008)
                .count()
        });
        codes.iter().sum::<usize>()
    };
    flood(400);
    let before = subject.now().rss as f64;
    let closed = flood(5_000);
    let grown = (subject.now().rss as f64 - before) / MIB;
    vec![
        Row::exactly(
            "10 million empty fragments, 2,000 a client: closed with 1008",
            closed,
            5_000,
        ),
        Row::at_most("memory grown meanwhile", grown, 2.0, "MiB"),
    ]
}

pub fn pings() -> Vec<Row> {
    let subject = Subject::example("echo");
    let mut client = Client::connect(subject.addr());
    let before = subject.now().rss;
    rustix::net::sockopt::set_socket_recv_buffer_size(&client.stream, 4096).unwrap();
    let (pings, mut sent, begin) = (frame(true, 9, &[7; 100]).repeat(1_000), 0, Instant::now());
    while sent < 1_000 {
        client
            .stream
            .write_all(&pings)
            .expect("the server takes a million pings");
        sent += 1;
    }
    let flooded = begin.elapsed();
    let mut most = subject.now().rss;
    // Once its pong has waited for 10 s the server is done with it.
    while begin.elapsed() < Duration::from_secs(30) {
        most = most.max(subject.now().rss);
        match client.stream.write_all(&frame(true, 9, b"?")) {
            Ok(()) => thread::sleep(Duration::from_millis(10)),
            Err(error) => {
                let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
                assert!(gone.contains(&error.kind()), "{error}");
                break;
            }
        }
    }
    let ended = begin.elapsed();
    assert!(flooded < ended);
    vec![
        Row::at_most(
            "1 million pings, pongs never read: memory grown",
            most.saturating_sub(before) as f64 / MIB,
            2.0,
            "MiB",
        ),
        Row::seconds(
            "its end, after the first (pongs may wait 10 s)",
            ended,
            12.0,
        ),
    ]
}
