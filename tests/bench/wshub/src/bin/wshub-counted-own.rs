//! `wshub-counted-own MESSAGES ROUNDS`: echoes on the connection's own thread, for callgrind to count instructions.

use std::io::Result;

use wshub_servers::builder;
use wshub_servers::counted::{run, spawn_client};

fn main() -> Result<()> {
    run(|messages, rounds| {
        let handle = builder()?.serve("127.0.0.1:0", |mut ws| {
            while let Some(message) = ws.read()? {
                ws.send(message)?;
            }
            Ok(())
        })?;
        let mut client = spawn_client(handle.local_addr()?, messages, rounds)?;
        assert!(client.wait()?.success(), "the client failed");
        handle.shutdown();
        handle.wait();
        Ok(())
    })
}
