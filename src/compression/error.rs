//! What goes wrong with compression.

/// Why a client cannot go on with the extensions that the server chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidExtension {
    /// Another extension than the one that was offered, or more than one.
    NotOffered,
    /// Parameters that are unknown, doubled, out of range, or were not offered.
    #[cfg(feature = "deflate")]
    Parameters,
}

/// Why a compressed message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "deflate"),
    expect(dead_code, reason = "nothing is inflated")
)]
pub(crate) enum NotInflated {
    /// It inflates to more than the longest message.
    TooLong,
    /// It is not DEFLATE data, or not whole.
    Malformed,
}
