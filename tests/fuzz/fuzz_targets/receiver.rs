//! Frames: wshub::fuzzing::receiver, and tungstenite as an oracle.
//!
//! Both receive the same bytes, in both roles; why one of them fails is not compared. The differences, all of them
//! wanted:
//! 1. wshub refuses with the first byte that shows a violation; tungstenite when the header, or the text, is complete.
//!    So where wshub has failed, tungstenite may still be waiting.
//! 2. A Close with a code that must not be sent is a violation to wshub; tungstenite reports it as one with 1002.
//! 3. 1014, registered at IANA, is a code like others to wshub; to tungstenite it is one that must not be sent.
//! 4. tungstenite takes lengths that are not minimal. wshub is told to do so here, but for control frames, whose length
//!    always fits: there it is a violation, and tungstenite goes on.
#![no_main]

use std::io::{self, ErrorKind, Read, Write};

use libfuzzer_sys::fuzz_target;
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message};
use wshub::Violation;
use wshub::fuzzing::{Seen, Stop, receive, receiver};

fuzz_target!(|data: &[u8]| {
    receiver(data);
    compare(true, data);
    compare(false, data);
});

fn compare(server: bool, data: &[u8]) {
    let (ours, end) = receive(server, data);
    let (theirs, failed) = ask_tungstenite(server, data);
    match end {
        Stop::More(_) => assert!(!failed && ours == theirs, "{ours:?} {theirs:?} {failed}"),
        Stop::Closed => match ours.split_last() {
            // Difference 3.
            Some((Seen::Close(Some(1014), _), before)) => assert!(theirs.starts_with(before)),
            _ => assert_eq!(ours, theirs),
        },
        // Difference 4.
        Stop::Violated(Violation::ControlTooLong) => assert!(theirs.starts_with(&ours)),
        Stop::Violated(_) => {
            let theirs = match &theirs[..] {
                // Difference 2.
                [all @ .., Seen::Close(Some(1002), _)] if ours.len() < theirs.len() => all,
                all => all,
            };
            assert_eq!(ours, theirs);
        }
    }
}

fn ask_tungstenite(server: bool, data: &[u8]) -> (Vec<Seen>, bool) {
    let role = if server { Role::Server } else { Role::Client };
    let config = WebSocketConfig::default()
        .max_message_size(Some(1 << 20))
        .max_frame_size(Some(1 << 20));
    let mut socket = WebSocket::from_raw_socket(Bytes(data), role, Some(config));
    let mut seen = Vec::new();
    loop {
        seen.push(match socket.read() {
            Ok(Message::Text(text)) => Seen::Text(text.as_str().to_owned()),
            Ok(Message::Binary(bytes)) => Seen::Binary(bytes.to_vec()),
            Ok(Message::Ping(payload)) => Seen::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Seen::Pong(payload.to_vec()),
            Ok(Message::Close(close)) => {
                let (code, reason) = close
                    .map(|close| (Some(close.code.into()), close.reason.as_str().to_owned()))
                    .unwrap_or_default();
                seen.push(Seen::Close(code, reason));
                return (seen, false);
            }
            Ok(Message::Frame(_)) => unreachable!("never read"),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return (seen, false),
            Err(_) => return (seen, true),
        });
    }
}

/// Holds bytes to read, then waits; takes whatever is written.
struct Bytes<'a>(&'a [u8]);

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.is_empty() {
            true => Err(ErrorKind::WouldBlock.into()),
            false => self.0.read(buffer),
        }
    }
}

impl Write for Bytes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
