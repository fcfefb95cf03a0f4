//! `load COMMAND --port PORT [--option value]...`: one measured run against a server on this machine, as one JSON line.
//!
//! A single thread over epoll. Every message carries a number; the number, length and content of everything that comes
//! back is checked, and whatever is wrong ends the run with exit status 1.

use load::args::{Args, Result};
use load::report::Report;
use load::{broadcast, burst, deflate, echo, handshakes, idle, mixed, stalled};

const USAGE: &str = "load COMMAND --port PORT [--option value]...

  echo        --connections 64 --depth 1 --idle 0 --seconds 1 --warmup 0.25
              --depth messages under way on each connection, --idle connections beside them that say nothing
  broadcast   --subscribers 100 --window 1 --seconds 1 --warmup 0.25
              --window messages under way to all of them, the publisher included
  burst       --total 256M
              one connection, messages as fast as their echoes come
  handshakes  --total 4000 --under-way 32
              connect, upgrade, one echo, close
  idle        --connections 1000 --settle 0.7
              what open connections weigh
  stalled     --subscribers 50 --stalled 5 --rate 1000 --clean 2 --seconds 12
              a broadcast without, then with subscribers that never read
  mixed       --connections 1000 --rate 10 --seconds 3 --warmup 0.5
              one connection times its echoes while others send --rate messages a second each
  deflate     --connections 16 --seconds 1 --warmup 0.25
              compressed JSON texts, one under way on each connection

echo and idle: --tls FILE: over TLS, with a server called localhost whose certificate this is
all: --size BYTES (K, M), --binary, --pid of the server, --raw (unmasked frames, for the limits)";

type Command = fn(&Args) -> Result<Report>;

fn run() -> Result<Report> {
    let mut words = std::env::args().skip(1);
    let command: Command = match words.next().as_deref() {
        Some("echo") => echo::run,
        Some("broadcast") => broadcast::run,
        Some("burst") => burst::run,
        Some("handshakes") => handshakes::run,
        Some("idle") => idle::run,
        Some("stalled") => stalled::run,
        Some("mixed") => mixed::run,
        Some("deflate") => deflate::run,
        _ => return Err(USAGE.into()),
    };
    let args = Args::parse(words)?;
    let report = command(&args)?;
    args.all_used()?;
    Ok(report)
}

fn main() -> std::process::ExitCode {
    match run() {
        Ok(report) => {
            println!("{report}");
            std::process::ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}
