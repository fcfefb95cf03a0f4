//! Echo, compressed, on each connection's own thread.

use wshub::Compression;
use wshub_servers::{builder, listening};

fn main() -> std::io::Result<()> {
    let handle =
        builder()?
            .compression(Compression::default())
            .serve("127.0.0.1:0", |mut ws| {
                while let Some(message) = ws.read()? {
                    ws.send(message)?;
                }
                Ok(())
            })?;
    listening(handle.local_addr()?);
    handle.wait();
    Ok(())
}
