//! Echoes of compressed messages: JSON texts, one under way on each connection, no message referring to another.

use crate::args::{Args, Result};
use crate::poller::{Interest, Poller};
use crate::report::Report;
use crate::span::WarmSpan;
use crate::stream::Stream;
use crate::target::Target;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n\r\n";
/// The end of a message that is not sent (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub fn run(args: &Args) -> Result<Report> {
    let mut target = Target::new(args, 1 << 10)?;
    target.request = target.request.trim_end().to_string() + "\r\n" + OFFER;
    let count = args.count("connections", 16)?;
    let seconds = args.seconds("seconds", 1.0)?;
    let warmup = args.seconds("warmup", 0.25)?;

    let text = json(target.size);
    let frame = compressed(&text);
    let mut poller = Poller::new()?;
    let mut clients = Vec::new();
    for token in 0..count {
        let mut stream = target.connect()?;
        poller.add(&stream, token, Interest::IN)?;
        stream
            .write_all(&frame)
            .map_err(|e| format!("write: {e}"))?;
        clients.push((stream, Vec::new()));
    }
    let mut inflate = Decompress::new(false);
    let (mut buf, mut out) = (vec![0; 256 << 10], Vec::with_capacity(text.len() + 1));
    let (mut messages, mut bytes, mut ready) = (0, 0, Vec::new());
    let mut span = WarmSpan::begin(target.pid, warmup, seconds);
    loop {
        if span.starts() {
            (messages, bytes) = (0, 0);
        } else if messages > 0 && span.is_over() {
            break;
        }
        poller.wait(&mut ready, Duration::from_secs(10))?;
        if ready.is_empty() {
            return Err("no echo for 10 s".into());
        }
        for &(token, _) in &ready {
            let (stream, have) = &mut clients[token];
            receive(stream, &mut buf, have)?;
            let Some((head, payload)) = whole(have)? else {
                continue;
            };
            if head & 0x40 == 0 {
                return Err("an echo came without compression".into());
            }
            out.clear();
            inflate.reset(false);
            let sync = FlushDecompress::Sync;
            for part in [payload, &TAIL] {
                inflate
                    .decompress_vec(part, &mut out, sync)
                    .map_err(|e| format!("inflate: {e}"))?;
            }
            if out != text {
                return Err("a message came with other content".into());
            }
            (messages, bytes) = (messages + 1, bytes + have.len());
            have.clear();
            stream
                .write_all(&frame)
                .map_err(|e| format!("write: {e}"))?;
        }
    }
    let mut report = Report::default();
    span.stop().report(&mut report, messages);
    report.put("wire_bytes", bytes as f64 / messages as f64);
    Ok(report)
}

fn json(size: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for i in 0.. {
        let (name, value, tenth) = (i % 13, i * 31 % 97, i * 17 % 10);
        let object = format!(
            "{{\"id\":{},\"name\":\"sensor-{name}\",\"value\":{value}.{tenth},\"unit\":\"celsius\"}},",
            i * 7919 % 1000
        );
        text.extend(object.as_bytes());
        if text.len() >= size {
            break;
        }
    }
    text.truncate(size);
    text
}

/// A client's frame of it.
fn compressed(text: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(text.len() + 64);
    Compress::new(Compression::default(), false)
        .compress_vec(text, &mut payload, FlushCompress::Sync)
        .expect("room for all");
    payload.truncate(payload.len() - TAIL.len());
    let mut frame = vec![0xc1];
    match payload.len() {
        n @ 0..=125 => frame.push(0x80 | n as u8),
        n => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(n).expect("below 64 KiB").to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().enumerate().map(|(i, b)| b ^ MASK[i & 3]));
    frame
}

fn receive(stream: &mut Stream, buf: &mut [u8], have: &mut Vec<u8>) -> Result<()> {
    match stream.read(buf) {
        Ok(0) => Err("closed by the server".into()),
        Ok(n) => {
            have.extend_from_slice(&buf[..n]);
            Ok(())
        }
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(e) => Err(format!("read: {e}")),
    }
}

/// First byte and payload of the one frame that is under way, once it is whole.
fn whole(have: &[u8]) -> Result<Option<(u8, &[u8])>> {
    let (size, len) = match have {
        [_, 126, a, b, ..] => (4, usize::from(u16::from_be_bytes([*a, *b]))),
        [_, len @ 0..=125, ..] => (2, usize::from(*len)),
        [_, 127..=255, ..] => return Err("a frame of over 64 KiB".into()),
        _ => return Ok(None),
    };
    match have.len().checked_sub(size + len) {
        None => Ok(None),
        Some(0) => Ok(Some((have[0], &have[size..]))),
        Some(_) => Err("something behind the echo".into()),
    }
}
