//! `wshub-counted-events MESSAGES ROUNDS`: echoes through the application thread, for callgrind to count instructions.

use std::io::Result;

use wshub::Event;
use wshub_servers::builder;
use wshub_servers::counted::{run, spawn_client};

fn main() -> Result<()> {
    run(|messages, rounds| {
        let server = builder()?.bind("127.0.0.1:0")?;
        let mut client = spawn_client(server.local_addr()?, messages, rounds)?;
        for event in server.events() {
            match event {
                Event::Message(connection, message) => _ = connection.send(message),
                Event::Close(..) => break,
                _ => {}
            }
        }
        assert!(client.wait()?.success(), "the client failed");
        Ok(())
    })
}
