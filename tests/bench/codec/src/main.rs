//! `codec parse|text|encode SIZE PASSES`: frames in memory through `protocol/` alone, as often as asked.
//!
//! Passes are alike, so that the instructions of one are those of three less those of one, halved: start-up and the
//! making of the input cancel out. `tests/bench/instructions` does that.

// The protocol's source as it is, without the server around it: it is private to wshub.
#[allow(dead_code)]
#[path = "../../../support/no_compression.rs"]
mod compression;
#[allow(dead_code)]
#[path = "../../../../src/protocol/mod.rs"]
mod protocol;
#[path = "../../../support/receiving.rs"]
mod receiving;

use core::time::Duration;
use protocol::Role;
use protocol::frame::EncodedHeader;
use protocol::opcode::Opcode;
use protocol::receive::{MessageRef, ReceiveLimits, Received, Receiver};
use protocol::send::Sender;
use receiving::receive_read;
use std::hint::black_box;

/// Bytes of one read, and of one write.
const IO: usize = 64 << 10;
/// Payload bytes of one pass.
const PASS: usize = 1 << 20;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [operation, size, passes] = &args[..] else {
        panic!("usage: codec parse|text|encode SIZE PASSES");
    };
    let size: usize = size.parse().expect("a size");
    let passes: usize = passes.parse().expect("a number of passes");
    let payload: Vec<u8> = (0..size).map(|i| b'a' + (i * 7 % 26) as u8).collect();
    let frames = PASS / size;
    let stream = match operation.as_str() {
        "parse" => masked(Opcode::Binary, &payload, frames),
        "text" => masked(Opcode::Text, &payload, frames),
        "encode" => Vec::new(),
        _ => panic!("parse, text or encode, not {operation}"),
    };
    // Once for all passes, so that zeroing it is no part of them.
    let mut buf = vec![0; 2 * IO + size];
    for _ in 0..passes {
        let bytes = match operation.as_str() {
            "encode" => encode(&payload, frames, &mut buf),
            _ => parse(&stream, &mut buf),
        };
        assert_eq!(bytes, frames * size);
    }
}

/// A client's frames, each with another key.
fn masked(opcode: Opcode, payload: &[u8], frames: usize) -> Vec<u8> {
    let mut stream = Vec::with_capacity(frames * (payload.len() + 14));
    for i in 0..frames as u32 {
        let key = (i.wrapping_mul(0x9e37_79b9) | 1).to_ne_bytes();
        let header = EncodedHeader::new(opcode, payload.len(), Some(key));
        stream.extend(header.as_slice());
        stream.extend(payload.iter().enumerate().map(|(i, b)| b ^ key[i & 3]));
    }
    stream
}

/// Reads `stream` into `buf` piece by piece and takes the messages out; returns their bytes.
fn parse(stream: &[u8], buf: &mut [u8]) -> usize {
    let limits = ReceiveLimits {
        max_message: 1 << 20,
        max_fragments: 100,
        accept_non_minimal_lengths: false,
    };
    let mut receiver = Receiver::new(Role::Server, limits);
    let (mut have, mut bytes) = (0, 0);
    for read in stream.chunks(IO) {
        have = receive_read(&mut receiver, buf, have, read, |found| match found {
            Received::Message(MessageRef::Text(text)) => bytes += black_box(text).len(),
            Received::Message(MessageRef::Binary(binary)) => bytes += black_box(binary).len(),
            other => panic!("{other:?}"),
        });
    }
    bytes
}

/// Collects messages as frames and copies them to `written`, as a write would; returns their bytes.
fn encode(payload: &[u8], frames: usize, written: &mut [u8]) -> usize {
    let sender = Sender::new(Duration::ZERO);
    let mut out = Vec::with_capacity(written.len());
    let mut bytes = 0;
    for _ in 0..frames {
        black_box(&sender)
            .frame(Opcode::Binary, black_box(payload), None, &mut out)
            .expect("no Close was sent");
        bytes += payload.len();
        if out.len() >= IO {
            written[..out.len()].copy_from_slice(&out);
            black_box(&mut *written);
            out.clear();
        }
    }
    bytes
}
