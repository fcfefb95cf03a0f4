//! What the servers under test share.

use std::net::SocketAddr;

use wshub::{Limits, Server, ServerBuilder};

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
    #[cfg(feature = "tls")]
    if let [certificate, key] = &std::env::args().skip(1).collect::<Vec<_>>()[..] {
        return Ok(builder.tls(&wshub::Tls::from_pem_files(certificate, key)?));
    }
    Ok(builder)
}

/// Tells the runner that connections are accepted, and where.
pub fn listening(addr: SocketAddr) {
    println!("listening on ws://{addr}/");
}
