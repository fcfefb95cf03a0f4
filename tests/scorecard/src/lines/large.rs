//! What waits for peers that read nothing or slowly, and messages that are longer than memory.

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use scorecard::support::{Client, frame};

use super::{MIB, all_of, start_clients};
use crate::row::Row;
use crate::subject::Subject;

const STALLED: usize = 100;
const PIECE: usize = 64 << 10;
const DOWNLOAD_MIB: usize = 256;

/// The example's bound is four chunks of 64 KiB, and it keeps the one that was refused.
pub fn refused() -> Vec<Row> {
    let subject = Subject::start(Subject::command("download").arg(DOWNLOAD_MIB.to_string()));
    let addr = subject.addr();
    download(addr);
    let before = subject.now().rss;
    let never_read: Vec<Client> = (0..STALLED)
        .map(|_| Client::connect_with(addr, "/download", ""))
        .collect();
    let begin = Instant::now();
    download(addr);
    let took = begin.elapsed();
    let each = each(&subject, before);
    drop(never_read);
    vec![
        Row::at_most(
            "100 downloads that nobody reads (Overflow::Refuse): memory for each",
            each,
            400.0,
            "KiB",
        ),
        Row::seconds("256 MiB for one that reads, beside them", took, 5.0),
    ]
}

fn download(addr: SocketAddr) {
    let mut client = Client::connect_with(addr, "/download", "");
    let mut bytes = 0;
    loop {
        let frame = client.read();
        if frame.opcode == 8 {
            break client.send_close(1000, "");
        }
        bytes += frame.payload.len();
    }
    assert_eq!(bytes, DOWNLOAD_MIB << 20);
}

/// One that asks faster than it listens is not read from while half of its bound waits, so it cannot ask on.
pub fn asked() -> Vec<Row> {
    let subject = Subject::example("echo");
    let (addr, before) = (subject.addr(), subject.now().rss);
    let never_read = all_of(STALLED, &start_clients(STALLED, addr, ask_until_stopped));
    let each = each(&subject, before);
    let mut client = Client::connect(addr);
    let begin = Instant::now();
    client.send_text("here");
    assert_eq!(client.read_message().text(), "here");
    let took = begin.elapsed();
    let asked: usize = never_read.iter().map(|(_, bytes)| bytes).sum();
    vec![
        Row::at_most(
            format!(
                "100 that ask for echoes, {:.0} MiB each, and read none: memory for each",
                asked as f64 / STALLED as f64 / MIB
            ),
            each / 1024.0,
            2.5,
            "MiB",
        ),
        Row::ms("an echo beside them", took, 250),
    ]
}

/// A client, and how many bytes of messages it could send.
fn ask_until_stopped(mut client: Client) -> (Client, usize) {
    let patience = Some(Duration::from_millis(500));
    client.stream.set_write_timeout(patience).unwrap();
    let message = frame(true, 2, &[7; PIECE]);
    let mut sent = 0;
    while sent < 64 << 20 {
        match client.stream.write_all(&message) {
            Ok(()) => sent += PIECE,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    (client, sent)
}

/// Read while they arrive, and sent while they are made.
pub fn streamed() -> Vec<Row> {
    let subject = Subject::example("per_connection");
    let addr = subject.addr();
    // What a connection's buffers take at all.
    up_and_down(addr, 16);
    let before = subject.now().rss;
    up_and_down(addr, 1024);
    let grown = subject.now().peak_rss.saturating_sub(before) as f64 / MIB;
    vec![Row::at_most(
        "a message of 1 GiB taken, and one sent: memory grown",
        grown,
        1.0,
        "MiB",
    )]
}

fn up_and_down(addr: SocketAddr, mib: usize) {
    let mut client = Client::connect_with(addr, "/upload", "");
    let pieces = (mib << 20) / PIECE;
    let [first, next, last] =
        [(false, 2), (false, 0), (true, 0)].map(|(fin, opcode)| frame(fin, opcode, &[7; PIECE]));
    client.stream.write_all(&first).unwrap();
    (2..pieces).for_each(|_| client.stream.write_all(&next).unwrap());
    client.stream.write_all(&last).unwrap();
    let told = format!("{} bytes", mib << 20);
    assert_eq!(client.read_message().text(), told);

    let mut client = Client::connect_with(addr, &format!("/download?mib={mib}"), "");
    assert_eq!(client.read_length(), mib << 20);
}

/// By how many KiB it grew for each stalled client.
fn each(subject: &Subject, before: u64) -> f64 {
    subject.now().rss.saturating_sub(before) as f64 / STALLED as f64 / 1024.0
}
