//! Echoes with a blocking closure on each connection's own thread: no application thread at all.
//!
//! `cargo run --release --example per_connection -- 127.0.0.1:9001`

mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    support::run(|addr| {
        let handle = wshub::serve(addr, |mut ws| {
            while let Some(message) = ws.read()? {
                ws.send(message)?;
            }
            Ok(())
        })?;
        support::announce(handle.local_addr()?, handle.clone())?;
        handle.wait();
        Ok(())
    })
}
