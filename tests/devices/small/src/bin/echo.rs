//! Sends every message back: `echo 0.0.0.0:9001`.

use wshub::{Event, Limits, Server};

fn main() -> std::io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or("127.0.0.1:9001".into());
    let server = Server::builder().limits(Limits::small()).bind(addr)?;
    println!("listening on ws://{}/", server.local_addr()?);
    for event in server.events() {
        if let Event::Message(connection, message) = event {
            // The peer may have left meanwhile.
            let _ = connection.send(message);
        }
    }
    Ok(())
}
