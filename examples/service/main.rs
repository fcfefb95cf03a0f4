//! A service of systemd that restarts without losing a client: it takes the socket of its unit, says when it is ready
//! and when it stops, and parts from its clients one after the other.
//!
//! `cargo run --release --example service -- 127.0.0.1:9001`, or by hub.socket and hub@.service beside this file: copy
//! the program to /usr/local/bin/hub and the units to /etc/systemd/system, then
//!
//! ```sh
//! systemctl enable --now hub.socket
//! systemctl start hub@b && systemctl stop hub@a    # a new version beside the old one, then the other way round
//! ```
//!
//! DRAIN_SECONDS says how long it takes to part from its clients, 20 by default.

#[cfg(unix)]
mod hub;
#[cfg(unix)]
mod notify;
#[cfg(unix)]
#[path = "../support/mod.rs"]
mod support;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    hub::main()
}

#[cfg(not(unix))]
fn main() -> std::process::ExitCode {
    eprintln!("this example is a service of systemd: it is for Linux");
    std::process::ExitCode::FAILURE
}
