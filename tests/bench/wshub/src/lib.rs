//! What the servers under test share.

use std::net::SocketAddr;

use wshub::{Limits, Server, ServerBuilder, Tls};

/// The defaults, but for the number of connections and the size of a message that a run may ask for.
fn limits() -> Limits {
    Limits {
        max_connections: 20_000,
        max_message: 16 << 20,
        // As by default, though it would follow `max_message`.
        outbound_per_connection: Some(2 << 20),
        ..Limits::default()
    }
}

/// With these limits; over TLS when the program was given a certificate and its key.
pub fn builder() -> std::io::Result<ServerBuilder> {
    let builder = Server::builder().limits(limits());
    let files: Vec<String> = std::env::args().skip(1).collect();
    match &files[..] {
        [certificate, key] => Ok(builder.tls(&Tls::from_pem_files(certificate, key)?)),
        _ => Ok(builder),
    }
}

/// Tells the runner that connections are accepted, and where.
pub fn listening(addr: SocketAddr) {
    println!("listening on ws://{addr}/");
}
