//! `wshub-counted events|own MESSAGES ROUNDS`: echoes through the application thread, or on the connection's own one, for
//! callgrind to count instructions, so many messages of 20 bytes at once, so often. The client is a process of its own,
//! which is not counted.
//!
//! Rounds are alike: the instructions of one are those of many less those of few. `tests/bench/instructions` does that, for
//! the thread that echoes.

use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command};

use wshub::Event;
use wshub_servers::builder;

const SIZE: usize = 20;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["client", addr, messages, rounds] => client(addr, number(messages), number(rounds)),
        ["events", messages, rounds] => serve_events(messages, rounds),
        ["own", messages, rounds] => serve_own(messages, rounds),
        _ => panic!("usage: wshub-counted events|own MESSAGES ROUNDS"),
    }
}

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

/// Until the client has gone.
fn serve_events(messages: &str, rounds: &str) -> Result<()> {
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
}

/// As [`serve_events`].
fn serve_own(messages: &str, rounds: &str) -> Result<()> {
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
}

fn spawn_client(addr: SocketAddr, messages: &str, rounds: &str) -> Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["client", &addr.to_string(), messages, rounds])
        .spawn()
}

fn client(addr: &str, messages: usize, rounds: usize) -> Result<()> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    // Masked with zeros; the answer has no mask.
    let frame = [&[0x82, 0x80 | SIZE as u8, 0, 0, 0, 0], &[7; SIZE][..]].concat();
    let answer = [&[0x82, SIZE as u8], &[7; SIZE][..]].concat();
    let (sent, expected) = (frame.repeat(messages), answer.repeat(messages));
    let mut got = vec![0; expected.len()];
    for _ in 0..rounds {
        stream.write_all(&sent)?;
        stream.read_exact(&mut got)?;
        assert_eq!(got, expected);
    }
    // Close, without a code.
    stream.write_all(&[0x88, 0x80, 0, 0, 0, 0])?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}
