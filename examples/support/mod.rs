//! What the examples share: the address argument, the log, and an end on Ctrl-C or SIGTERM.

mod stderr;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use env_logger::{Builder, Env, Target};
use wshub::ServerHandle;

use stderr::Stderr;

/// For whoever reads standard output.
const PATIENCE: Duration = Duration::from_secs(1);

/// Turns the log on (RUST_LOG=info shows who came and who was refused), runs the example on the
/// address of the command line, and says in plain words what went wrong.
pub fn run(example: impl FnOnce(&str) -> io::Result<()>) -> ExitCode {
    let addr = std::env::args_os()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9001".into());
    let addr = addr.to_string_lossy();
    let served = start_log().and_then(|log| {
        let served = example(&addr);
        log.finish();
        served
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where there is nobody to tell, the exit status says it.
            let _ = writeln!(io::stderr(), "cannot serve on {addr}: {}", explain(&error));
            ExitCode::FAILURE
        }
    }
}

fn start_log() -> io::Result<Stderr> {
    let stderr = Stderr::start()?;
    Builder::from_env(Env::default().default_filter_or("warn"))
        .target(Target::Pipe(Box::new(stderr.clone())))
        .init();
    Ok(stderr)
}

/// Says where the server listens, and shuts it down gracefully on Ctrl-C or SIGTERM.
#[allow(dead_code)] // The example of TLS has another scheme.
pub fn announce(addr: SocketAddr, handle: ServerHandle) -> io::Result<()> {
    announce_as("ws", addr, handle)
}

/// As [`announce`], with the scheme of the URL.
pub fn announce_as(scheme: &str, addr: SocketAddr, handle: ServerHandle) -> io::Result<()> {
    ctrlc::set_handler(move || handle.shutdown()).map_err(io::Error::other)?;
    say(&format!("listening on {scheme}://{addr}/"));
    Ok(())
}

/// A line on standard output. Where that takes nothing (println would panic), or nobody reads it (println would wait for
/// ever), in the log: a server serves all the same.
pub fn say(line: &str) {
    let (tell, told) = channel();
    let text = format!("{line}\n");
    // Without a thread nothing is told.
    let _ =
        thread::Builder::new().spawn(move || tell.send(io::stdout().write_all(text.as_bytes())));
    match told.recv_timeout(PATIENCE) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::warn!("standard output: {error}; {line}"),
        Err(_) => log::warn!("standard output: nobody reads it; {line}"),
    }
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is taken by another program; stop that one, or give another address, 127.0.0.1:0 for any free port"
                .to_owned()
        }
        io::ErrorKind::InvalidInput => format!("{error}; give an address and a port, as in 127.0.0.1:9001"),
        io::ErrorKind::PermissionDenied => format!("{error}; ports below 1024 are for root, try 9001"),
        _ => error.to_string(),
    }
}
