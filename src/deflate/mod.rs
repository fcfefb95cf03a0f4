//! Compression of messages (RFC 7692), the parts of it that are not protocol: what a user sets, and who compresses.

mod config;
mod packing;
mod spares;

pub use config::Compression;
pub(crate) use packing::{Context, Packing, Variants};

pub(crate) use crate::handshake::deflate::Agreed;

use crate::protocol::Role;
use crate::protocol::inflate::{Decoder, Inflater};
use spares::Spares;

static DECODERS: Spares<Decoder> = Spares::new();

fn take_decoder() -> Decoder {
    DECODERS.take(|_| true).unwrap_or_default()
}

fn give_back(decoder: Decoder) {
    DECODERS.give_back(decoder);
}

impl Agreed {
    /// For what comes in, in this role.
    pub(crate) fn inflater(&self, role: Role, max_message: usize) -> Inflater {
        let peer = match role {
            Role::Server => self.client,
            Role::Client => self.server,
        };
        let window_bits = peer.context_takeover.then_some(peer.window_bits);
        Inflater::new(window_bits, max_message).with_decoders(take_decoder, give_back)
    }

    /// For what goes out, in this role.
    pub(crate) fn packing(&self, role: Role) -> Option<Packing> {
        let direction = match role {
            Role::Server => self.server,
            Role::Client => self.client,
        };
        Packing::new(direction, self.threshold, self.level)
    }
}
