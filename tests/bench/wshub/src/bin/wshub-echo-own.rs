//! Echo on each connection's own thread.

use wshub::Server;
use wshub_servers::{limits, listening};

fn main() -> std::io::Result<()> {
    let handle = Server::builder()
        .limits(limits())
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
