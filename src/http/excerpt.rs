//! A peer's text in messages and logs: escaped, and cut short.

/// Characters of a peer's text that are shown.
const EXCERPT_CHARS: usize = 64;

/// A peer's text as it may be shown: escaped, on one line, at most 64 characters of it.
pub(crate) fn excerpt(text: &[u8]) -> String {
    excerpt_of(text, EXCERPT_CHARS)
}

/// As [`excerpt`], with at most so many characters.
pub(crate) fn excerpt_of(text: &[u8], most: usize) -> String {
    // A character has at most 4 bytes, so this is enough of them; the rest is not looked at.
    let enough = text.get(..most * 4 + 4).unwrap_or(text);
    let decoded = String::from_utf8_lossy(enough);
    let mut chars = decoded.chars();
    let mut shown: String = chars
        .by_ref()
        .take(most)
        .flat_map(char::escape_debug)
        .collect();
    if chars.next().is_some() {
        shown.push_str("...");
    }
    shown
}
