//! UTF-8 checked as it arrives, so that impossible bytes are refused before their message is complete (RFC 6455 8.1).

use super::violation::Violation;

/// Checks `text`, the bytes of a message that have arrived, of which the first `verified` were checked before.
///
/// Returns how many bytes are now known to be whole characters; at most three bytes behind them begin a character
/// that may yet become valid. Fails as soon as no further byte could make the text valid.
pub fn check(text: &[u8], verified: usize) -> Result<usize, Violation> {
    let fresh = text.get(verified..).unwrap_or_default();
    match core::str::from_utf8(fresh) {
        Ok(_) => Ok(verified + fresh.len()),
        Err(error) if error.error_len().is_none() => Ok(verified + error.valid_up_to()),
        // RFC 6455 8.1: invalid UTF-8 MUST fail the connection.
        Err(_) => Err(Violation::InvalidUtf8),
    }
}
