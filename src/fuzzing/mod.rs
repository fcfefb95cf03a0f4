//! What has to hold for any bytes whatever: each function here panics where it does not.
//!
//! Built for tests, and for the fuzzers of `tests/fuzz` (`--cfg fuzzing`), which look for bytes that break it. What
//! they find goes to `tests/fuzz/corpus`, and `cargo test` replays that folder.

mod body;
#[cfg(all(feature = "redis", feature = "socketio"))]
mod bridge;
#[cfg(feature = "redis")]
mod cluster;
mod head;
mod negotiation;
mod proxied;
mod receiver;
mod session;
#[cfg(feature = "socketio")]
mod socketio;

pub use body::body;
#[cfg(all(feature = "redis", feature = "socketio"))]
pub use bridge::queue_messages;
#[cfg(feature = "redis")]
pub use cluster::cluster_frames;
pub use head::head;
pub use negotiation::negotiation;
pub use proxied::proxied;
pub use receiver::{Seen, Stop, receive, receiver};
pub use session::session;
#[cfg(feature = "socketio")]
pub use socketio::{engine_packets, engine_session, socketio_packets};

/// Cuts `data` into pieces in a way that only depends on its bytes, so that a finding repeats.
fn pieces(data: &[u8]) -> Vec<&[u8]> {
    // FNV-1a, then xorshift.
    let mut state = data.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    }) | 1;
    let mut rest = data;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let most = [1, 3, 16, 200, 5000][(state >> 8) as usize % 5];
        let len = 1 + (state >> 16) as usize % most;
        let (piece, behind) = rest.split_at(len.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

#[cfg(test)]
mod tests;
