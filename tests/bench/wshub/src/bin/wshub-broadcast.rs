//! Every message goes to every connection.

use wshub::Event;
use wshub_servers::{builder, listening};

fn main() -> std::io::Result<()> {
    let server = builder()?.bind("127.0.0.1:0")?;
    listening(server.local_addr()?);
    for event in server.events() {
        if let Event::Message(_, message) = event {
            server.broadcast(message);
        }
    }
    Ok(())
}
