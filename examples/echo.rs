//! Sends every message back to where it came from; all events arrive on this one thread.
//!
//! `cargo run --release --example echo -- 127.0.0.1:9001`

mod support;

use std::process::ExitCode;

use wshub::{Event, Server};

fn main() -> ExitCode {
    support::run(|addr| {
        let server = Server::bind(addr)?;
        support::announce(server.local_addr()?, server.handle())?;
        // Ends when the server has shut down.
        for event in server.events() {
            if let Event::Message(connection, message) = event {
                // The peer may have left meanwhile: then its Close event is on the way.
                let _ = connection.send(message);
            }
        }
        Ok(())
    })
}
