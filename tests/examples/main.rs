//! The examples as a user runs them: each one a process, its output in a pipe.
//!
//! `cargo test` builds the examples; `cargo test --test examples` does not, so run `cargo build --examples` before it.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

// The tests that stand in an example, as in the programs of users. With `test = true` in `Cargo.toml` the example itself
// would not be built.
#[allow(dead_code)]
#[path = "../../examples/download.rs"]
mod inside_download;
#[cfg(feature = "client")]
#[allow(dead_code)]
#[path = "../../examples/follow.rs"]
mod inside_follow;

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "redis")]
mod cluster;
mod download;
#[cfg(feature = "client")]
mod follow;
#[cfg(feature = "client")]
mod load;
mod per_connection;
mod servers;
mod service;
#[cfg(feature = "socketio")]
mod socketio;
#[cfg(feature = "tls")]
mod wss;
