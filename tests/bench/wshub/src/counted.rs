//! The client of the programs that callgrind counts, `wshub-counted-events` and `wshub-counted-own`: a process of its own,
//! which is not counted. It sends so many messages of 20 bytes at once, so often.
//!
//! Rounds are alike: the instructions of one are those of many less those of few. `tests/bench/instructions` does that, for
//! the thread that echoes.

use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command};

const SIZE: usize = 20;

/// Runs `serve`, or the client that it starts, as the arguments say: `MESSAGES ROUNDS`, or `client ADDR MESSAGES ROUNDS`.
pub fn run(serve: impl FnOnce(&str, &str) -> Result<()>) -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["client", addr, messages, rounds] => client(addr, number(messages), number(rounds)),
        [messages, rounds] => serve(messages, rounds),
        _ => panic!("usage: MESSAGES ROUNDS"),
    }
}

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

/// Starts this program as the client.
pub fn spawn_client(addr: SocketAddr, messages: &str, rounds: &str) -> Result<Child> {
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
