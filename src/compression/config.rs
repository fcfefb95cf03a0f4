//! What a user sets about compression.

use super::deflater::{MAX_WINDOW_BITS, MIN_WINDOW_BITS};

/// What the library allocates for a compressor, with the largest window, and for a decompressor.
const DEFLATER: usize = 372 << 10;
const INFLATER: usize = 47 << 10;

/// How messages are compressed, if the peer can: permessage-deflate (RFC 7692), with the feature `deflate`.
///
/// Given to [`ServerBuilder::compression`](crate::ServerBuilder::compression), or in the role of the client to
/// `ClientRequest::with_compression`. Nothing is compressed without it. The names say "server" and "client" by role, on
/// both sides. A number out of its range is taken as the nearest one in it.
///
/// Compression costs time and memory, and it can give secrets away: an attacker who can have text compressed together
/// with a secret learns from the length whether a guess was right (CRIME, BREACH; RFC 7692 8). Send what is
/// secret with [`Connection::send_uncompressed`](crate::Connection::send_uncompressed).
///
/// [`max_message`](crate::Limits::max_message) bounds a received message after decompression: one that inflates to more
/// ends its connection with 1009 as soon as it does.
///
/// ```
/// use wshub::{Compression, Server};
///
/// let compression = Compression { threshold: 4096, ..Compression::default() };
/// let server = Server::builder().compression(compression).bind("127.0.0.1:0")?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [compression](crate::guide::compression).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// The server's messages may refer to its earlier ones (RFC 7692 7.1.1). Default false: each connection
    /// would have a compressor of its own, 372 KiB with the largest window and 245 KiB with the smallest, a broadcast
    /// would be compressed for each of them, and one message could give another one away. With true, short messages of
    /// the same kind shrink far more; set a lower `threshold` then.
    ///
    /// A connection whose messages may be dropped or refused ([`Overflow`](crate::Overflow), all but `Disconnect`)
    /// never does so: later messages could refer to a dropped one.
    pub server_context_takeover: bool,
    /// The client's messages may refer to its earlier ones. Default false; with true the server keeps up to 32 KiB of
    /// each connection's last messages.
    pub client_context_takeover: bool,
    /// The server's window, 9 to 15: it refers back at most two to the power of this, in bytes (RFC 7692
    /// 7.1.2). Default 15. A client may ask for less. One that asks for 8, with which nothing can be compressed
    /// reliably, gets its connection without compression.
    pub server_max_window_bits: u8,
    /// The client's window, 9 to 15. Default 15. A smaller one saves memory with `client_context_takeover`. Only
    /// clients that offer it can be limited.
    pub client_max_window_bits: u8,
    /// Messages of fewer bytes are sent as they are. Default 1,024: a shorter message fits into one packet anyway, and
    /// shrinks little because it has little to refer to.
    pub threshold: usize,
    /// From 1, the fastest, to 9, the smallest. Default 2: for JSON it saves nearly what 6 saves (within a twentieth),
    /// in less than half the time at 16 KiB and less than a third at 64 KiB.
    pub level: u8,
}

impl Default for Compression {
    fn default() -> Self {
        Compression {
            server_context_takeover: false,
            client_context_takeover: false,
            server_max_window_bits: MAX_WINDOW_BITS,
            client_max_window_bits: MAX_WINDOW_BITS,
            threshold: 1024,
            level: 2,
        }
    }
}

impl Compression {
    /// The most memory that compression takes for one connection, while it is busy.
    pub(crate) fn memory_per_connection(&self) -> usize {
        let deflater = match self.server_context_takeover {
            true => DEFLATER,
            false => 0,
        };
        let window = match self.client_context_takeover {
            true => 1 << MAX_WINDOW_BITS,
            false => 0,
        };
        INFLATER + window + deflater
    }

    /// The same, but no message of the server refers to earlier ones.
    pub(crate) fn without_server_context(&self) -> Self {
        Compression {
            server_context_takeover: false,
            ..self.clone()
        }
    }

    /// With every number in its range.
    pub(crate) fn bounded(&self) -> Self {
        let bits = |bits: u8| bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS);
        Compression {
            server_max_window_bits: bits(self.server_max_window_bits),
            client_max_window_bits: bits(self.client_max_window_bits),
            level: self.level.clamp(1, 9),
            ..self.clone()
        }
    }
}
