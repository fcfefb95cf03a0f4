//! Echo, compressed, through the application thread: the events of all connections arrive in one loop.

use wshub::{Compression, Event};
use wshub_servers::{builder, listening};

fn main() -> std::io::Result<()> {
    let server = builder()?
        .compression(Compression::default())
        .bind("127.0.0.1:0")?;
    listening(server.local_addr()?);
    for event in server.events() {
        if let Event::Message(connection, message) = event {
            // The peer may have left meanwhile: then its Close event is on the way.
            let _ = connection.send(message);
        }
    }
    Ok(())
}
