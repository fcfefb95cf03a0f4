//! Which messages are compressed, and by whose compressor.
//!
//! A compressor is 372 KiB at most. Without context takeover none belongs to a connection: a sender takes one of a
//! few that the process keeps, outside of every lock, and gives it back. With context takeover each connection has its
//! own, and frames leave in the order in which it made them.

use std::sync::OnceLock;

use flate2::Decompress;

use super::deflater::{Deflater, MAX_WINDOW_BITS, MIN_WINDOW_BITS};
use super::inflater::{Inflater, new_decoder};
use super::negotiation::{Agreed, Direction};
use super::spares::Spares;

static SPARES: Spares<Spare> = Spares::new();
static DECODERS: Spares<Decompress> = Spares::new();

struct Spare {
    window_bits: u8,
    level: u8,
    deflater: Deflater,
}

impl Agreed {
    /// For what a peer sends that compresses so.
    pub(crate) fn inflater(&self, peer: Direction, max_message: usize) -> Inflater {
        let take = || DECODERS.take(|_| true).unwrap_or_else(new_decoder);
        let window_bits = peer.context_takeover.then_some(peer.window_bits);
        Inflater::new(window_bits, max_message).with_decoders(take, |it| DECODERS.give_back(it))
    }

    /// For what is sent by a side that compresses so.
    pub(crate) fn packing(&self, own: Direction) -> Option<Packing> {
        Packing::new(own, self.threshold, self.level)
    }
}

/// How one side of a connection compresses what it sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packing {
    window_bits: u8,
    context_takeover: bool,
    level: u8,
    threshold: usize,
}

impl Packing {
    /// `None` where the agreed window is too small to be written with: then nothing is compressed, as is always
    /// allowed.
    pub fn new(direction: Direction, threshold: usize, level: u8) -> Option<Self> {
        (direction.window_bits >= MIN_WINDOW_BITS).then_some(Packing {
            window_bits: direction.window_bits,
            context_takeover: direction.context_takeover,
            level,
            threshold,
        })
    }

    /// Whether its messages refer to earlier ones, so that each has to be compressed in its place.
    pub fn keeps_context(&self) -> bool {
        self.context_takeover
    }

    /// Whether a message of this length is compressed.
    pub fn packs(&self, len: usize) -> bool {
        len >= self.threshold
    }

    /// Compresses a message that refers to no other. `None`: it is too short, does not shrink, or is for a
    /// [`Context`] to compress.
    pub fn pack(&self, payload: &[u8]) -> Option<Vec<u8>> {
        match self.packs_alone(payload.len()) {
            true => self.pack_with_spare(payload),
            false => None,
        }
    }

    fn packs_alone(&self, len: usize) -> bool {
        self.packs(len) && !self.context_takeover
    }

    fn pack_with_spare(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let fits =
            |spare: &Spare| (spare.window_bits, spare.level) == (self.window_bits, self.level);
        let mut spare = SPARES.take(fits).unwrap_or_else(|| Spare {
            window_bits: self.window_bits,
            level: self.level,
            deflater: Deflater::new(self.window_bits, self.level),
        });
        let packed = spare.deflater.deflate(payload);
        spare.deflater.start_over();
        SPARES.give_back(spare);
        packed
    }
}

/// One sender's compression, in the order in which it sends.
#[derive(Debug)]
pub(crate) struct Context {
    packing: Option<Packing>,
    /// Its own compressor, where messages refer to earlier ones; made with the first one.
    own: Option<Box<Deflater>>,
}

impl Context {
    pub fn new(packing: Option<Packing>) -> Self {
        Context { packing, own: None }
    }

    /// No message will be sent any more.
    pub fn forget(&mut self) {
        self.own = None;
    }

    /// Compresses the message that is sent next, and has to be sent then. `None`: it is too short, or does not shrink.
    pub fn pack(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let packing = self.packing?;
        if !packing.context_takeover || !packing.packs(payload.len()) {
            return packing.pack(payload);
        }
        let new = || Box::new(Deflater::new(packing.window_bits, packing.level));
        let own = self.own.get_or_insert_with(new);
        own.deflate(payload)
    }
}

/// The compressed forms of one message, one for each window, each made when the first connection needs it.
#[derive(Debug, Default)]
pub(crate) struct Variants([OnceLock<Option<Box<[u8]>>>; FORMS]);

const FORMS: usize = (MAX_WINDOW_BITS - MIN_WINDOW_BITS + 1) as usize;

impl Variants {
    /// What `finish` made of the compressed payload; `None` as for [`Packing::pack`].
    pub fn get(
        &self,
        packing: Packing,
        payload: &[u8],
        finish: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Option<&[u8]> {
        if !packing.packs_alone(payload.len()) {
            return None;
        }
        let index = packing.window_bits.checked_sub(MIN_WINDOW_BITS)?;
        let variant = self.0.get(usize::from(index))?;
        variant
            .get_or_init(|| {
                let packed = packing.pack_with_spare(payload)?;
                Some(finish(&packed).into_boxed_slice())
            })
            .as_deref()
    }
}

#[cfg(test)]
mod tests;
