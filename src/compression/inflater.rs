//! From the payload of compressed messages to their content (RFC 7692 7.2.2), bounded in what comes out and what goes
//! in.

use super::deflater::{MAX_WINDOW_BITS, MIN_WINDOW_BITS};
use super::error::NotInflated;
use flate2::{Decompress, FlushDecompress, Status};

/// RFC 7692 7.2.2: what a sender leaves out at a message's end; then an empty final block. Only at the end of a block
/// do these end the data, so that no message can reach over into the next one.
const TAIL: [u8; 9] = [0x00, 0x00, 0xFF, 0xFF, 0x01, 0x00, 0x00, 0xFF, 0xFF];
/// Room for the first bytes of a message.
const FIRST: usize = 1 << 10;
/// What stays for the next message, however short the last one was.
const KEEP: usize = 64 << 10;

/// A decoder of DEFLATE data, of any window.
pub(crate) fn new_decoder() -> Decompress {
    Decompress::new_with_window_bits(false, MAX_WINDOW_BITS)
}

/// Inflates the compressed messages of one peer.
///
/// Between two messages nothing but the window is needed, and that only with context takeover: it is kept here as plain
/// bytes. The decoder, 47 KiB of tables, is held during a message only.
pub struct Inflater {
    decoder: Option<Decompress>,
    take_decoder: fn() -> Decompress,
    give_back: fn(Decompress),
    /// The end of what earlier messages held, for later ones to refer to.
    window: Vec<u8>,
    /// How much of it a message may refer to; 0 without context takeover.
    max_window: usize,
    output: Vec<u8>,
    max_message: usize,
    /// The longest message, of which this one is.
    allowed: u64,
    /// How much of what is in the output was handed out.
    handed_out: usize,
    /// How much of the message under way was handed out and forgotten.
    forgotten: u64,
    /// Compressed bytes of the message under way.
    taken: u64,
    /// The last thing the decoder saw was the end of a final block.
    ended: bool,
}

impl Inflater {
    /// `window_bits`: the peer's largest window where it refers to earlier messages, `None` where it does not. Who
    /// agreed on 8 may write with 9, as zlib did.
    pub fn new(window_bits: Option<u8>, max_message: usize) -> Inflater {
        Inflater {
            decoder: None,
            take_decoder: new_decoder,
            give_back: drop,
            window: Vec::new(),
            max_window: window_bits
                .map_or(0, |bits| 1 << bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS)),
            output: Vec::new(),
            max_message,
            allowed: max_message as u64,
            handed_out: 0,
            forgotten: 0,
            taken: 0,
            ended: false,
        }
    }

    /// The same, with decoders that others use, too.
    #[must_use]
    pub fn with_decoders(self, take: fn() -> Decompress, give_back: fn(Decompress)) -> Inflater {
        Inflater {
            take_decoder: take,
            give_back,
            ..self
        }
    }

    /// A message begins.
    pub fn begin(&mut self) {
        if self.output.capacity() > KEEP && self.output.len() < self.output.capacity() / 4 {
            self.output = Vec::new();
        }
        self.output.clear();
        self.allowed = self.max_message as u64;
        self.forgotten = 0;
        self.taken = 0;
        self.ended = false;
    }

    /// The message under way may have so many bytes.
    pub fn allow(&mut self, bytes: u64) {
        self.allowed = bytes;
    }

    /// So much in front of what is there is handed out.
    pub fn hand_out(&mut self, bytes: usize) {
        self.handed_out = bytes;
    }

    /// What was handed out is needed no more but to be referred to.
    pub fn forget_what_was_handed_out(&mut self) {
        let bytes = core::mem::take(&mut self.handed_out);
        if bytes == 0 {
            return;
        }
        self.remember(bytes);
        self.forgotten = self.forgotten.saturating_add(bytes as u64);
        self.output.drain(..bytes.min(self.output.len()));
    }

    /// Inflates what has arrived of the message.
    ///
    /// RFC 7692 7.2.3.4: a sender may end blocks as final ones. What follows such a block is a new run of blocks.
    pub fn push(&mut self, mut compressed: &[u8]) -> Result<(), NotInflated> {
        if compressed.is_empty() {
            return Ok(());
        }
        if self.taken == 0 {
            self.start_decoder()?;
        }
        self.taken = self.taken.saturating_add(compressed.len() as u64);
        loop {
            self.make_room();
            let len = self.output.len();
            let (status, taken) = self.decode(compressed)?;
            let stuck = taken == 0 && self.output.len() == len;
            compressed = compressed.get(taken..).unwrap_or_default();
            if self.output.len() as u64 > self.left() {
                return Err(NotInflated::TooLong);
            }
            let full = self.output.len() == self.output.capacity();
            match status {
                Status::StreamEnd => self.end_run(),
                _ if full => continue,
                _ if stuck && !compressed.is_empty() => return Err(NotInflated::Malformed),
                _ => {}
            }
            if compressed.is_empty() {
                return Ok(());
            }
        }
    }

    /// The message is complete: what was pushed has to be whole blocks.
    pub fn finish(&mut self) -> Result<(), NotInflated> {
        // No payload at all is how some compressors write an empty message after another one.
        if self.taken > 0 && !self.ended {
            let len = self.output.len();
            self.make_room();
            let done = self.decode(&TAIL)?;
            if done != (Status::StreamEnd, TAIL.len()) || self.output.len() != len {
                return Err(NotInflated::Malformed);
            }
        }
        if let Some(decoder) = self.decoder.take() {
            (self.give_back)(decoder);
        }
        self.remember(self.output.len());
        Ok(())
    }

    /// What the message under way, or the last one, holds so far.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// How many more compressed bytes the message under way may have: data that does not shrink grows a little, most of
    /// all in short blocks, and each fragment may end with an empty one.
    pub fn room(&self) -> u64 {
        let most = self.allowed.saturating_add(self.allowed / 4);
        most.saturating_add(FIRST as u64).saturating_sub(self.taken)
    }

    /// How much of what the message may have has not been forgotten.
    fn left(&self) -> u64 {
        self.allowed.saturating_sub(self.forgotten)
    }

    /// Memory is held that only the next message needs.
    pub fn is_oversized(&self) -> bool {
        self.output.capacity() > 0
    }

    /// Gives that memory back; between two messages only.
    pub fn trim(&mut self) {
        self.output = Vec::new();
        self.window.shrink_to_fit();
    }

    /// The decoder at the start of a run of blocks, with the window in its back.
    fn start_decoder(&mut self) -> Result<(), NotInflated> {
        let decoder = self.decoder.get_or_insert_with(self.take_decoder);
        decoder.reset(false);
        if self.window.is_empty() {
            return Ok(());
        }
        let set = decoder.set_dictionary(&self.window);
        set.map(drop).map_err(|_| NotInflated::Malformed)
    }

    fn end_run(&mut self) {
        self.ended = true;
        if let Some(decoder) = &mut self.decoder {
            decoder.reset(false);
        }
    }

    /// One call of the decoder: how it went, and how many bytes it took.
    fn decode(&mut self, compressed: &[u8]) -> Result<(Status, usize), NotInflated> {
        let Some(decoder) = &mut self.decoder else {
            return Ok((Status::Ok, compressed.len()));
        };
        let before = decoder.total_in();
        let status = decoder
            .decompress_vec(compressed, &mut self.output, FlushDecompress::None)
            .map_err(|_| NotInflated::Malformed)?;
        let taken = usize::try_from(decoder.total_in() - before).unwrap_or_default();
        self.ended &= taken == 0;
        Ok((status, taken))
    }

    /// Sees to room for at least one byte, and for no more than twice what is there: a byte beyond the limit shows
    /// that a message is too long.
    fn make_room(&mut self) {
        let len = self.output.len();
        if len == self.output.capacity() {
            let most = usize::try_from(self.left().saturating_add(1)).unwrap_or(usize::MAX);
            let wanted = len.saturating_mul(2).max(FIRST).min(most).max(len + 1);
            self.output.reserve_exact(wanted - len);
        }
    }

    /// Keeps the end of all that came so far, up to here in the output, for the next message to refer to.
    fn remember(&mut self, end: usize) {
        let from = end.saturating_sub(self.max_window);
        let fresh = self.output.get(from..end).unwrap_or_default();
        let old = (self.window.len() + fresh.len()).saturating_sub(self.max_window);
        self.window.drain(..old.min(self.window.len()));
        self.window.extend_from_slice(fresh);
    }
}

impl core::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Inflater")
            .field("max_window", &self.max_window)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
