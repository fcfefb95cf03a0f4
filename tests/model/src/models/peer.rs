//! A client over a line, and what the application sees of it.

use std::thread::{self, JoinHandle};

use super::line::{Line, Seen, frames};
use crate::{Event, Message};

pub const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A client's frame with a mask of zeros.
pub fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

/// What stands behind the opening handshake's answer; `None` before its end.
pub fn behind_head(written: &[u8]) -> Option<&[u8]> {
    let at = written.windows(4).position(|four| four == b"\r\n\r\n")?;
    written
        .starts_with(b"HTTP/1.1 101")
        .then(|| &written[at + 4..])
}

pub fn seen(line: &Line) -> Vec<Seen> {
    behind_head(&line.0.written())
        .map(frames)
        .unwrap_or_default()
}

/// A client that opens, sends texts `a1`, ..., and answers a Close.
pub fn client(line: &Line, texts: u32) -> JoinHandle<()> {
    let line = line.clone();
    thread::spawn(move || {
        line.0.feed(REQUEST);
        if line
            .0
            .wait_written(|written| behind_head(written).is_some())
        {
            for number in 1..=texts {
                line.0.feed(&masked(1, format!("a{number}").as_bytes()));
            }
            if line.0.wait_written(holds_close) {
                line.0.feed(&masked(8, &1001u16.to_be_bytes()));
            }
        }
        line.0.wait_shut();
        line.0.end();
    })
}

fn holds_close(written: &[u8]) -> bool {
    let frames = behind_head(written).map(frames).unwrap_or_default();
    frames.iter().any(|seen| matches!(seen, Seen::Close(_)))
}

/// What the application saw of one connection, checked against the contract's order.
#[derive(Default)]
pub struct Seat {
    pub open: bool,
    pub messages: Vec<String>,
    error: bool,
    pub closed: bool,
}

impl Seat {
    pub fn see(&mut self, event: &Event) {
        assert!(!self.closed, "an event behind the Close");
        match event {
            Event::Open(_) => assert!(!std::mem::replace(&mut self.open, true)),
            Event::Message(_, Message::Text(text)) => {
                self.messages.push(text.trim_end().to_owned())
            }
            Event::Error(..) => assert!(!std::mem::replace(&mut self.error, true)),
            Event::Close(..) => self.closed = true,
            _ => panic!("no such event"),
        }
        assert!(self.open, "an event before the Open");
    }
}
