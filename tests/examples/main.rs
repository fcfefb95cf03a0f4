//! The examples as a user runs them: each one a process, its output in a pipe.
//!
//! `cargo test` builds the examples; `cargo test --test examples` does not, so run `cargo build --examples` before it.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "redis")]
mod cluster;
mod download;
#[cfg(feature = "client")]
mod load;
mod servers;
mod service;
#[cfg(feature = "socketio")]
mod socketio;
#[cfg(feature = "tls")]
mod wss;
