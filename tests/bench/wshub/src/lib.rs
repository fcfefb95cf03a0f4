//! What the servers under test share.

use std::net::SocketAddr;

use wshub::Limits;

/// The defaults, but for the number of connections and the size of a message that a run may ask for.
pub fn limits() -> Limits {
    Limits {
        max_connections: 20_000,
        max_message: 16 << 20,
        // As by default, though it would follow `max_message`.
        outbound_per_connection: Some(2 << 20),
        ..Limits::default()
    }
}

/// Tells the runner that connections are accepted, and where.
pub fn listening(addr: SocketAddr) {
    println!("listening on ws://{addr}/");
}
