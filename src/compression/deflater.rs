//! From messages to the payload of compressed ones (RFC 7692 7.2.1).

use flate2::{Compress, Compression, FlushCompress};

/// RFC 7692 7.2.1: what the compressor ends a message with, and what is left out.
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The smallest window that can be written with: zlib's smallest one, 8, is broken for raw DEFLATE.
pub const MIN_WINDOW_BITS: u8 = 9;
/// The largest window there is.
pub const MAX_WINDOW_BITS: u8 = 15;

/// Compresses the messages for one peer, or, started over before each, for any.
#[derive(Debug)]
pub struct Deflater {
    compress: Compress,
    /// It holds something that a message could refer to.
    used: bool,
}

impl Deflater {
    /// Both are taken as the nearest they can be: `window_bits` 9 to 15, `level` 1 to 9.
    pub fn new(window_bits: u8, level: u8) -> Deflater {
        let window_bits = window_bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS);
        let level = Compression::new(u32::from(level.clamp(1, 9)));
        Deflater {
            compress: Compress::new_with_window_bits(level, false, window_bits),
            used: false,
        }
    }

    /// Forgets all earlier messages.
    pub fn start_over(&mut self) {
        if core::mem::take(&mut self.used) {
            self.compress.reset();
        }
    }

    /// Compresses a message. `None`, and everything is forgotten, if it does not become shorter: then the message has
    /// to be sent as it is, and later ones cannot refer to it.
    pub fn deflate(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        self.used = true;
        let compressed = self.try_deflate(message);
        if compressed.is_none() {
            self.start_over();
        }
        compressed
    }

    fn try_deflate(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let mut rest = message;
        let mut out = Vec::new();
        loop {
            if out.len() == out.capacity() {
                let most = most_room(message.len()).saturating_sub(out.len());
                match most.min(out.len() + message.len() / 4 + 64) {
                    0 => return None,
                    more => out.reserve_exact(more),
                }
            }
            let before = self.compress.total_in();
            let flush = FlushCompress::Sync;
            self.compress.compress_vec(rest, &mut out, flush).ok()?;
            let taken = usize::try_from(self.compress.total_in() - before).ok()?;
            rest = rest.get(taken..)?;
            // zlib.h: a flush is complete when there is room left behind it.
            if rest.is_empty() && out.len() < out.capacity() {
                break;
            }
            if taken == 0 && out.len() < out.capacity() {
                return None;
            }
        }
        let body = out.len().checked_sub(TAIL.len())?;
        if out.get(body..) != Some(&TAIL) || body >= message.len() {
            return None;
        }
        out.truncate(body);
        Some(out)
    }
}

/// As deflateBound in zlib.h, and the flush: a message that does not become shorter is compressed to its end all the
/// same. One given up halfway would leave its traces: a reset does not empty zlib-rs's buffer (0.6.8), which one such
/// message after the other fills, until it panics.
fn most_room(len: usize) -> usize {
    len + len.div_ceil(8) + len.div_ceil(64) + 32
}
