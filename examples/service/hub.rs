//! The hub: where it listens, what it answers, and how it ends.

use std::io::{self, ErrorKind};
use std::process::ExitCode;
use std::time::Duration;

use crate::{notify, support};
use wshub::{Event, Response, Server, ServerBuilder, ServerHandle};

pub fn main() -> ExitCode {
    let about = "A path is a Unix socket, and so is @name, an abstract one. Sockets from a unit of systemd go first.\n";
    support::run_with("[ADDRESS]", about, |addr| {
        let server = listen(addr)?.start()?;
        end_on_signals(server.handle(), drain_time()?)?;
        notify::tell("READY=1")?;
        match server.local_addr() {
            Ok(addr) => support::say(&format!("listening on ws://{addr}/")),
            Err(_) => support::say("listening on a Unix socket"),
        }
        for event in server.events() {
            if let Event::Message(connection, message) = event {
                // The peer may have left meanwhile: then its Close event is on the way.
                let _ = connection.send(message);
            }
        }
        Ok(())
    })
}

/// On the sockets of the unit; by hand on this address, or Unix socket.
fn listen(addr: &str) -> io::Result<ServerBuilder> {
    match hub().inherited() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            log::info!("{error}");
            match addr.starts_with(['/', '.', '@']) {
                true => hub().listen_unix(addr),
                false => hub().listen(addr),
            }
        }
        listening => listening,
    }
}

fn hub() -> ServerBuilder {
    Server::builder()
        .health("/healthz")
        .http(|request| match request.path() {
            // Which of two versions answers.
            "/process" => Response::text(format!("{}\n", std::process::id())),
            _ => Response::not_found(),
        })
}

fn drain_time() -> io::Result<Duration> {
    let Some(seconds) = std::env::var_os("DRAIN_SECONDS") else {
        return Ok(Duration::from_secs(20));
    };
    let seconds = seconds.to_str().and_then(|text| text.parse().ok());
    let text = "DRAIN_SECONDS is no number of seconds, as in DRAIN_SECONDS=20";
    let seconds = seconds.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, text))?;
    Ok(Duration::from_secs(seconds))
}

/// SIGTERM, as the service manager sends it: a drain; and at once when it is asked again.
fn end_on_signals(handle: ServerHandle, time: Duration) -> io::Result<()> {
    let mut asked = false;
    let stop = move || {
        match asked {
            false => {
                if let Err(error) = notify::tell("STOPPING=1") {
                    log::warn!("{error}");
                }
                handle.drain(time);
            }
            true => handle.terminate(),
        }
        asked = true;
    };
    ctrlc::set_handler(stop).map_err(io::Error::other)
}
