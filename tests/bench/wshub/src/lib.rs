//! What the servers under test share.

pub mod counted;

use std::net::SocketAddr;

#[cfg(feature = "socketio")]
use wshub::socketio::SocketIo;
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

/// Echoes on each connection's own thread, for as long as it may.
pub fn serve_own(builder: ServerBuilder) -> std::io::Result<()> {
    let handle = builder.serve("127.0.0.1:0", |mut ws| {
        while let Some(message) = ws.read()? {
            ws.send(message)?;
        }
        Ok(())
    })?;
    listening(handle.local_addr()?);
    handle.wait();
    Ok(())
}

/// A client says how many ticks of how many bytes go to all.
#[cfg(feature = "socketio")]
pub fn on_broadcast(io: &mut SocketIo<()>) {
    io.on(
        "/",
        "broadcast",
        |_, socket, (ticks, size): (u32, usize)| {
            let text = "x".repeat(size);
            for number in 0..ticks {
                socket.all().emit("tick", (number, &text));
            }
        },
    );
}
