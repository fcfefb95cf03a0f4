//! `src/compression` as it is without the feature `deflate`, for a program that includes the protocol's source alone.

#[path = "../../src/compression/absent.rs"]
pub(crate) mod absent;

pub(crate) use absent::{self as inflater, self as negotiation};

pub(crate) mod error {
    pub(crate) enum InvalidExtension {}

    pub(crate) enum NotInflated {
        TooLong,
        Malformed,
    }
}
