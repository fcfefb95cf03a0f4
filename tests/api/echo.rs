//! The two ways to run a server, from end to end over TCP.

use std::thread;

use crate::support::{AtEnd, Client};
use wshub::{Event, Prepared, Server};

#[test]
fn the_application_thread_echoes() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.handle());
    let client = thread::spawn(move || {
        let _over = AtEnd(|| handle.shutdown());
        let mut client = Client::connect(addr);
        client.send_text("hello");
        assert_eq!(client.read().text(), "hello");
        client.send_close(1000, "bye");
        assert_eq!(client.read().close(), (1000, ""));
        assert!(client.at_end());
    });
    let mut seen = Vec::new();
    for event in server.events() {
        match event {
            Event::Open(_) => seen.push("open".to_owned()),
            Event::Message(connection, message) => {
                seen.push(format!("{message:?}"));
                connection.send(message).unwrap();
            }
            Event::Close(_, close) => seen.push(format!(
                "{} {} {}",
                close.code, close.reason, close.was_clean
            )),
            other => panic!("{other:?}"),
        }
    }
    client.join().unwrap();
    assert_eq!(seen, ["open", r#"Text(5 bytes, "hello")"#, "1000 bye true"]);
}

#[test]
fn a_closure_per_connection_echoes() {
    let handle = wshub::serve("127.0.0.1:0", |mut ws| {
        while let Some(message) = ws.read()? {
            ws.send(message)?;
        }
        Ok(())
    })
    .unwrap();
    let mut client = Client::connect(handle.local_addr().unwrap());
    for len in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
        client.send_binary(&bytes);
        assert_eq!(client.read().payload, bytes);
    }
    handle.shutdown();
    assert_eq!(client.read().close().0, 1001);
    client.send_close(1001, "");
    assert_eq!(handle.wait().threads_left, 0);
}

/// Code that guards a secret compiles, and means the same, with every set of features.
#[test]
fn a_message_that_must_not_be_compressed_is_sent_with_every_set_of_features() {
    let handle = wshub::serve("127.0.0.1:0", |mut ws| {
        while let Some(message) = ws.read()? {
            let secret = Prepared::uncompressed(message.clone());
            ws.connection().send_uncompressed(message.clone())?;
            ws.connection().send_prepared(&secret).unwrap();
            ws.send_uncompressed(message)?;
        }
        Ok(())
    })
    .unwrap();
    let mut client = Client::connect(handle.local_addr().unwrap());
    client.send_text("a secret");
    for _ in 0..3 {
        assert_eq!(client.read().text(), "a secret");
    }
    handle.shutdown();
    handle.wait();
}
