//! A closure on each connection's own thread, and no application thread at all: `/` echoes, `/upload` says how long a message
//! is that may be longer than memory, `/download?mib=1024` sends one.
//!
//! `cargo run --release --example per_connection -- 127.0.0.1:9001`

mod support;

use std::io::{self, ErrorKind, Read};
use std::process::ExitCode;
use std::time::Duration;

use wshub::{Error, HandlerResult, Session};

/// A client that says nothing for so long is told to go.
const SILENCE: Duration = Duration::from_secs(3600);
/// The longest message that is taken in pieces.
const LONGEST: u64 = 1 << 40;

fn main() -> ExitCode {
    support::run(|addr| {
        let handle = wshub::serve(addr, |mut ws| {
            let connection = ws.connection().clone();
            match connection.request().path() {
                "/upload" => take(&mut ws),
                "/download" => {
                    let mib = connection.request().query("mib");
                    match mib.map_or(Ok(1), |mib| mib.parse::<u32>()) {
                        Ok(mib) => give(&mut ws, u64::from(mib) << 20),
                        Err(_) => Ok(ws.close(1008, "mib is a number")?),
                    }
                }
                _ => echo(&mut ws),
            }
        })?;
        support::announce(handle.local_addr()?, handle.clone())?;
        handle.wait();
        Ok(())
    })
}

fn echo(ws: &mut Session<'_>) -> HandlerResult {
    loop {
        match ws.read_timeout(SILENCE) {
            Ok(Some(message)) => ws.send(message)?,
            Ok(None) => return Ok(()),
            Err(Error::Io(error)) if error.kind() == ErrorKind::TimedOut => {
                ws.close(1000, "nothing was said for an hour")?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Each message is read while it arrives. It could go to a file here.
fn take(ws: &mut Session<'_>) -> HandlerResult {
    while let Some(mut upload) = ws.read_stream(LONGEST)? {
        let len = io::copy(&mut upload, &mut io::sink())?;
        ws.send(format!("{len} bytes"))?;
    }
    Ok(())
}

/// One message, sent while it is made. It could come from a file.
fn give(ws: &mut Session<'_>, len: u64) -> HandlerResult {
    ws.send_stream(io::repeat(7).take(len))?;
    Ok(())
}
