//! What the examples share: the address argument, the log, and an end on Ctrl-C or SIGTERM.

mod stderr;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::thread::Builder;
use std::time::Duration;

use env_logger::{Env, Target};
use wshub::ServerHandle;

use stderr::Stderr;

/// For the program that reads standard output.
const PATIENCE: Duration = Duration::from_secs(1);
/// Of threads that only write: where address space is short (`ulimit -v`), the usual two megabytes are much.
const STACK: usize = 64 << 10;

/// Turns the log on (RUST_LOG=info shows who came and who was refused), runs the example on the
/// address of the command line, and says in plain words what went wrong.
#[allow(dead_code)] // Some examples take more than an address.
pub fn run(example: impl FnOnce(&str) -> io::Result<()>) -> ExitCode {
    run_with("[ADDRESS]", "", example)
}

/// As [`run`], for an example that takes these arguments, and says this about them in `--help`.
pub fn run_with(
    arguments: &str,
    about: &str,
    example: impl FnOnce(&str) -> io::Result<()>,
) -> ExitCode {
    let given: Vec<_> = std::env::args_os().skip(1).collect();
    let addr = given.first().map(|addr| addr.to_string_lossy());
    match addr.as_deref() {
        Some("-h" | "--help") => {
            say(&usage(arguments, about));
            return ExitCode::SUCCESS;
        }
        Some(option) if option.starts_with('-') => {
            return misused(&format!("there is no option {option}"), arguments, about);
        }
        _ if given.len() > arguments.split(' ').count() => {
            return misused("too many arguments", arguments, about);
        }
        _ => {}
    }
    let served = start_log().and_then(|log| {
        let served = example(addr.as_deref().unwrap_or("127.0.0.1:9001"));
        log.finish();
        served
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn usage(arguments: &str, about: &str) -> String {
    format!(
        "usage: {} {arguments}\n\
         ADDRESS is where to listen: 127.0.0.1:9001 by default, 127.0.0.1:0 for any free port,\n\
         0.0.0.0:9001 for everybody in this machine's networks.\n\
         {about}With RUST_LOG=info in the environment it logs each connection and each refusal. Ctrl-C ends it.",
        env!("CARGO_CRATE_NAME")
    )
}

fn misused(problem: &str, arguments: &str, about: &str) -> ExitCode {
    fail(&format!("{problem}\n{}", usage(arguments, about)));
    ExitCode::from(2)
}

/// Where there is nobody to tell, the exit status says it.
fn fail(text: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::FAILURE
}

fn start_log() -> io::Result<Stderr> {
    let stderr = Stderr::start()?;
    env_logger::Builder::from_env(Env::default().default_filter_or("warn"))
        .target(Target::Pipe(Box::new(stderr.clone())))
        .init();
    Ok(stderr)
}

/// Says where the server listens, and shuts it down on Ctrl-C or SIGTERM: gracefully, and at once when it is asked
/// again.
#[allow(dead_code)] // The example of TLS says another URL.
pub fn announce(addr: SocketAddr, handle: ServerHandle) -> io::Result<()> {
    stop_on_signals(handle)?;
    say(&format!("listening on ws://{addr}/"));
    Ok(())
}

/// As [`announce`], and says where the page is.
#[allow(dead_code)] // Some examples have no page.
pub fn announce_page(addr: SocketAddr, handle: ServerHandle) -> io::Result<()> {
    announce(addr, handle)?;
    say(&format!("open http://localhost:{}/", addr.port()));
    Ok(())
}

/// Shuts the server down on Ctrl-C or SIGTERM: gracefully, and at once when it is asked again.
pub fn stop_on_signals(handle: ServerHandle) -> io::Result<()> {
    let mut asked = false;
    let stop = move || {
        match asked {
            false => handle.shutdown(),
            true => handle.terminate(),
        }
        asked = true;
    };
    ctrlc::set_handler(stop).map_err(io::Error::other)
}

/// A line on standard output. Where that takes nothing (println would panic), or nobody reads it (println would wait
/// for ever), in the log: a server serves all the same.
pub fn say(line: &str) {
    let (tell, told) = channel();
    let text = format!("{line}\n");
    let write = move || io::stdout().write_all(text.as_bytes());
    let waiter = Builder::new().stack_size(STACK);
    let started = waiter.spawn(move || tell.send(write()));
    match (started, told.recv_timeout(PATIENCE)) {
        (_, Ok(Ok(()))) => {}
        (_, Ok(Err(error))) => log::warn!("standard output: {error}; {line}"),
        (Err(error), _) => log::warn!("standard output: no thread to write to it, {error}; {line}"),
        (Ok(_), Err(_)) => log::warn!("standard output: nobody reads it; {line}"),
    }
}
