//! A large download beside a live feed, on one server and one thread: the download goes on at `Drained` and loses
//! nothing, the feed leaves out what a slow page would miss. Memory stays the same however large the file, and however
//! slow a client.
//!
//! `cargo run --release --example download -- 127.0.0.1:9001 1024`: 1,024 MiB for each client of `/download`. At the
//! end of each it says how fast that was, and by how much the memory of the process grew. `/download?by=thread` is the
//! same from a thread of its own, which waits for room.

mod support;

use std::collections::HashMap;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use wshub::{
    Accept, Connection, Event, Group, Limits, Message, Overflow, Server, ServerBuilder, Step,
};

const CHUNK: usize = 64 << 10;
/// What waits for one client at most: enough for the next chunks to be there when it has read these.
const WAITING: usize = 4 * CHUNK;
/// For a client that takes its time; one that takes nothing is given up sooner, see `Limits::write_timeout`.
const PATIENCE: Duration = Duration::from_secs(60);
const DEFAULT_MIB: u64 = 1024;

fn main() -> ExitCode {
    let about = "MIB is how much a download is: 1024 by default.\n";
    support::run_with("[ADDRESS [MIB]]", about, |addr| {
        let len = length()?;
        let server = builder().bind(addr)?;
        support::announce(server.local_addr()?, server.handle())?;
        serve(&server, len);
        Ok(())
    })
}

/// Of a download, in bytes: from the command line.
fn length() -> io::Result<u64> {
    let Some(given) = std::env::args().nth(2) else {
        return Ok(DEFAULT_MIB << 20);
    };
    let mib: Option<u64> = given.parse().ok();
    mib.and_then(|mib| mib.checked_mul(1 << 20)).ok_or_else(|| {
        io::Error::other(format!(
            "{given:?} is no number of MiB; give one as in 1024"
        ))
    })
}

fn builder() -> ServerBuilder {
    let limits = Limits {
        outbound_per_connection: Some(WAITING),
        ..Limits::default()
    };
    Server::builder().limits(limits).accept(|request| {
        // They only listen.
        let accept = Accept::new().with_max_message(1 << 10);
        Ok(match request.path() {
            "/download" => accept.with_overflow(Overflow::Refuse),
            _ => accept.with_overflow(Overflow::DropOldest),
        })
    })
}

/// One client's download.
struct Download {
    left: u64,
    /// What the connection had no room for.
    refused: Option<Message>,
    begun: Instant,
    memory: Option<u64>,
}

impl Download {
    fn new(len: u64) -> Self {
        Download {
            left: len,
            refused: None,
            begun: Instant::now(),
            memory: resident(),
        }
    }

    /// Sends as much as the connection takes; true when all of it is sent. A file would be read here, chunk by chunk.
    fn go_on(&mut self, connection: &Connection) -> bool {
        loop {
            let message = match self.refused.take() {
                Some(message) => message,
                None if self.left == 0 => return true,
                None => {
                    let len = self.left.min(CHUNK as u64);
                    self.left -= len;
                    chunk(len)
                }
            };
            if let Err(error) = connection.send(message) {
                self.refused = Some(error.into_message());
                return false;
            }
        }
    }
}

fn chunk(len: u64) -> Message {
    vec![7; len as usize].into()
}

fn serve(server: &Server, len: u64) {
    let mut downloads = HashMap::new();
    let mut feed = Group::new();
    for step in server.events().tick(Duration::from_secs(1)) {
        match step {
            Step::Tick(tick) => drop(feed.broadcast(format!("second {}", tick.number))),
            Step::Event(Event::Open(connection)) => match connection.request().path() {
                "/download" if connection.request().query("by").as_deref() == Some("thread") => {
                    by_thread(connection, len);
                }
                "/download" => {
                    downloads.insert(connection.id(), Download::new(len));
                    go_on(&mut downloads, &connection);
                }
                _ => drop(feed.join(&connection)),
            },
            Step::Event(Event::Drained(connection)) => go_on(&mut downloads, &connection),
            // It closes in order when it has all; before, its client went away.
            Step::Event(Event::Close(connection, _)) => {
                if let Some(download) = downloads.remove(&connection.id()) {
                    tell(&connection, &download, len);
                }
            }
            _ => {}
        }
    }
}

fn go_on(downloads: &mut HashMap<u64, Download>, connection: &Connection) {
    let download = downloads.get_mut(&connection.id());
    if download.is_some_and(|download| download.go_on(connection)) {
        let _ = connection.close(1000, "all of it");
    }
}

/// On a thread that may wait, no state has to be kept.
fn by_thread(connection: Connection, len: u64) {
    let client = connection.clone();
    let started = thread::Builder::new().spawn(move || {
        let mut left = len;
        while left > 0 {
            let next = left.min(CHUNK as u64);
            if client.send_timeout(chunk(next), PATIENCE).is_err() {
                return client.terminate();
            }
            left -= next;
        }
        let _ = client.close(1000, "all of it");
    });
    if started.is_err() {
        let _ = connection.close(1013, "no thread is free");
    }
}

fn tell(connection: &Connection, download: &Download, len: u64) {
    let (id, took) = (connection.id(), download.begun.elapsed().as_secs_f32());
    let sent = (len - download.left) >> 20;
    let grown = resident().zip(download.memory);
    let grown = grown.map_or("unknown".to_owned(), |(now, before)| {
        format!("{} KiB", now.saturating_sub(before) >> 10)
    });
    support::say(&format!(
        "connection {id}: {sent} MiB in {took:.1} s; the memory of the process grew by {grown}"
    ));
}

/// Resident bytes of this process, where the system tells.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wshub::testing::{self, Clock};
    use wshub::{Error, Request};

    /// Without a server: the connection only remembers what was sent.
    #[test]
    fn a_slow_client_gets_all_of_it_and_little_waits() {
        let request = Request::parse(b"GET /download HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let accept = Accept::new().with_overflow(Overflow::Refuse);
        let (client, got) = testing::accepted(request, accept);
        let mut download = Download::new(20 << 20);
        let mut bytes = 0;
        let mut all_sent = false;
        while !all_sent {
            got.stall();
            all_sent = download.go_on(&client);
            assert!(client.buffered_amount() < 3 << 20);
            got.resume();
            bytes += got.take_messages().iter().map(Message::len).sum::<usize>();
        }
        assert_eq!(bytes, 20 << 20);
    }

    /// A whole server in memory, and ten seconds that take no time.
    #[test]
    fn one_that_reads_nothing_is_given_up() {
        let server = builder().without_listener().unwrap();
        let clock = Clock::new();
        let (ours, theirs) = clock.duplex();
        server.attach(ours);
        let _reads_nothing = testing::Client::open(theirs, "/download").unwrap();
        let mut events = server.events();
        let opened = events.recv().unwrap();
        assert!(!Download::new(1 << 30).go_on(opened.connection()));
        clock.advance(Duration::from_secs(10));
        let given_up = events.recv().unwrap();
        assert!(
            matches!(given_up, Event::Error(_, Error::SlowConsumer)),
            "{given_up:?}"
        );
    }
}
