//! What the server and the client for the judges have in common.

use wshub::Compression;

/// Every message that shrinks is compressed: `takeover` with context takeover both ways, anything else without.
pub fn compression(kind: &str) -> Compression {
    let takeover = kind == "takeover";
    Compression {
        server_context_takeover: takeover,
        client_context_takeover: takeover,
        threshold: 0,
        ..Compression::default()
    }
}
