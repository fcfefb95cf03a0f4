//! Streams in memory, for tests of your own code without sockets.

pub use crate::transport::{Duplex, duplex};
