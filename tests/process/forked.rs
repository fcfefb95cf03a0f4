//! A process that forks after the start of a server: what its child does with the server is nothing to the clients.
//!
//! A test binary of its own, because it forks (which takes `unsafe`).
#![cfg(unix)]
#![allow(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

use std::os::unix::process::CommandExt;
use std::process::Command;

use support::Client;
use support::app::App;
use wshub::Server;

#[test]
fn m05_a_fork_leaves_the_clients_to_the_parent() {
    let app = App::echo(Server::builder());
    let mut client = Client::connect(app.addr);
    let handle = app.handle.clone();
    let mut forks = Command::new("true");
    // SAFETY: what runs between fork and exec takes no lock and allocates nothing: the handle sees that it is in
    // another process and does nothing.
    unsafe {
        forks.pre_exec(move || {
            handle.shutdown();
            handle.terminate();
            handle.wait();
            Ok(())
        });
    }
    assert!(forks.status().unwrap().success());
    client.send_text("still here");
    assert_eq!(client.read_message().text(), "still here");
    assert_eq!(app.handle.stats().connections, 1);
}
