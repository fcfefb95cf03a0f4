//! What the servers under test share.

use std::net::SocketAddr;

use wshub::Limits;

/// The defaults, but for the number of connections that a run may ask for.
pub fn limits() -> Limits {
    Limits {
        max_connections: 20_000,
        ..Limits::default()
    }
}

/// Tells the runner that connections are accepted, and where.
pub fn listening(addr: SocketAddr) {
    println!("listening on ws://{addr}/");
}
