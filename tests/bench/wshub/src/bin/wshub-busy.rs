//! `wshub-busy MICROSECONDS`: echo through an application thread that works for so long for each message.

use std::time::{Duration, Instant};

use wshub::Event;
use wshub_servers::{builder, listening};

fn main() -> std::io::Result<()> {
    let work = std::env::args().nth(1).and_then(|word| word.parse().ok());
    let work = Duration::from_micros(work.ok_or(std::io::ErrorKind::InvalidInput)?);
    let server = builder()?.bind("127.0.0.1:0")?;
    listening(server.local_addr()?);
    for event in server.events() {
        if let Event::Message(connection, message) = event {
            let begin = Instant::now();
            while begin.elapsed() < work {}
            // The peer may have left meanwhile: then its Close event is on the way.
            let _ = connection.send(message);
        }
    }
    Ok(())
}
