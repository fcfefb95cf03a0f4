//! A large download beside a live feed, on one server and one thread: the download goes on at `Drained` and loses
//! nothing, the feed leaves out what a slow page would miss. Memory stays the same however large the file, and however
//! slow a client.
//!
//! `cargo run --release --example download -- 127.0.0.1:9001 1024`: 1,024 MiB for each client of `/download`. At the
//! end of each it says how fast that was, and by how much the memory of the process grew.

mod support;

use std::collections::HashMap;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use wshub::{Accept, Connection, Event, Message, Overflow, Server, Step};

const CHUNK: usize = 64 << 10;
const DEFAULT_MIB: u64 = 1024;

fn main() -> ExitCode {
    let mib = std::env::args().nth(2);
    let mib = mib.map_or(Ok(DEFAULT_MIB), |mib| mib.parse());
    let Ok(mib) = mib else {
        support::say("MIB is a number");
        return ExitCode::FAILURE;
    };
    let about = "MIB is how much a download is: 1024 by default. ";
    support::run_with("[ADDRESS] [MIB]", about, |addr| {
        let server = Server::builder()
            .accept(|request| {
                Ok(match request.path() {
                    "/download" => Accept::new().with_overflow(Overflow::Refuse),
                    _ => Accept::new().with_overflow(Overflow::DropOldest),
                })
            })
            .bind(addr)?;
        support::announce(server.local_addr()?, server.handle())?;
        serve(&server, mib << 20);
        Ok(())
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
                    vec![7; len as usize].into()
                }
            };
            if let Err(error) = connection.send(message) {
                self.refused = Some(error.into_message());
                return false;
            }
        }
    }
}

fn serve(server: &Server, len: u64) {
    let mut downloads = HashMap::new();
    let mut feed = wshub::Group::default();
    for step in server.events().tick(Duration::from_secs(1)) {
        match step {
            Step::Tick(tick) => drop(feed.broadcast(format!("second {}", tick.number))),
            Step::Event(Event::Open(connection)) => match connection.request().path() {
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
