//! permessage-deflate (RFC 7692) in one room: what a user sets, what the two sides agree on, which messages are
//! compressed and by whose compressor, and both coders. Without the feature `deflate` its absence stands here: nothing
//! of it is ever made, and what asks for it costs nothing.

#[cfg(not(feature = "deflate"))]
pub(crate) mod absent;
#[cfg(feature = "deflate")]
pub(crate) mod config;
#[cfg(feature = "deflate")]
pub(crate) mod deflater;
pub(crate) mod error;
#[cfg(feature = "deflate")]
pub(crate) mod inflater;
#[cfg(feature = "deflate")]
pub(crate) mod negotiation;
#[cfg(feature = "deflate")]
mod packing;
#[cfg(feature = "deflate")]
mod spares;

#[cfg(not(feature = "deflate"))]
pub(crate) use absent::{
    self as config, self as inflater, self as negotiation, Context, Packing, Variants,
};
#[cfg(feature = "deflate")]
pub use config::Compression;
pub(crate) use negotiation::Agreed;
#[cfg(feature = "deflate")]
pub(crate) use packing::{Context, Packing, Variants};
