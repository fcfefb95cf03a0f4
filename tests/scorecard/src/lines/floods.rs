//! What peers announce and do not send, or send and nobody needs.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use scorecard::support::{Client, PATIENCE, frame};

use super::{MIB, at_once};
use crate::row::Row;
use crate::subject::Subject;

pub fn announced() -> Vec<Row> {
    let subject = Subject::example("echo");
    let mut clients: Vec<Client> = (0..1_000)
        .map(|_| Client::connect(subject.addr()))
        .collect();
    let before = subject.now().rss;
    // The pong comes when the header after the ping has been read.
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

/// Of the pings that one read brings only the last is answered: they come in small pieces, so that pongs are many.
pub fn pings() -> Vec<Row> {
    let mut subject = Subject::with("echo", &[]);
    let mut client = Client::connect(subject.addr());
    rustix::net::sockopt::set_socket_recv_buffer_size(&client.stream, 4096).unwrap();
    client.stream.set_nodelay(true).unwrap();
    let (piece, mut sent) = (frame(true, 9, &[7; 100]).repeat(20), 0_u64);
    let (before, mut most) = (subject.now().rss, 0);
    let begin = Instant::now();
    let mut flowed = begin;
    while client.stream.write_all(&piece).is_ok() {
        sent += 20;
        // A client's system may make room once more: then pongs flow again for a while.
        if sent % 20_000 == 0 || sent > 1_000_000 {
            most = most.max(subject.now().rss);
            match subject.stats() {
                [_, _, 0] => flowed = Instant::now(),
                _ if sent > 1_000_000 => thread::sleep(Duration::from_millis(10)),
                _ => {}
            }
        }
        assert!(begin.elapsed() < PATIENCE * 4, "pings are taken for ever");
    }
    let ended = flowed.elapsed();
    assert!(sent > 1_000_000, "the end came after {sent} pings");
    vec![
        Row::at_most(
            "1 million pings, pongs never read: memory grown",
            most.saturating_sub(before) as f64 / MIB,
            2.0,
            "MiB",
        ),
        Row::seconds("its end, once its pongs wait (for 10 s)", ended, 11.0),
    ]
}
