//! wshub as it stands, its threads scheduled by a model checker.
//!
//! Why shuttle and not loom: what is to be checked are whole protocols of five and more threads with condition
//! variables that have deadlines, which loom's exhaustive search does not reach and whose deadlines it does not play;
//! and the reader's credit ([`server::inbox`]) rests on sequentially consistent flags (a store, then a load of the
//! other's), which loom takes for weaker ones and would fail without cause. The price: a schedule that nobody drew is
//! not seen, and every atomic counts as sequentially consistent, so a too weak `Ordering` is not found. wshub's few
//! atomics below SeqCst are counters, and a state that only grows.
//!
//! How the code comes in: `Cargo.toml` puts played crates in the place of std, mio, rustix and crossbeam-channel (see
//! `std/src/lib.rs`), so that src is compiled as it stands, line for line, without a word in it about the checker.
//!
//!     cargo run --manifest-path tests/model/Cargo.toml -- [--time SECONDS] [--seed SEED] [MODEL...]
//!
//! Each model runs for its share of the time (20 seconds in all); with a seed it runs once, the failing schedule again.
#![allow(dead_code, unused_imports)] // the whole crate, of which models use a part

/// src, whose modules are found as if they were at the root.
#[path = "../../../src"]
mod wshub {
    pub(crate) mod address_space;
    pub(crate) mod atomic;
    pub(crate) mod clock;
    pub(crate) mod compression;
    pub(crate) mod connection;
    pub(crate) mod copy;
    pub(crate) mod descriptors;
    pub(crate) mod error;
    pub(crate) mod event;
    pub(crate) mod group;
    pub(crate) mod handler;
    pub(crate) mod handshake;
    pub(crate) mod http;
    pub(crate) mod limits;
    pub(crate) mod lock;
    pub(crate) mod logging;
    pub(crate) mod message;
    pub(crate) mod outbox;
    pub(crate) mod overflow;
    pub(crate) mod panics;
    pub(crate) mod patience;
    pub(crate) mod poller;
    pub(crate) mod protocol;
    pub(crate) mod server;
    pub(crate) mod spawn;
    pub(crate) mod stats;
    pub(crate) mod testing;
    pub(crate) mod tls;
    pub(crate) mod transport;
    pub(crate) mod websocket;
}

use wshub::{
    address_space, atomic, clock, compression, connection, copy, descriptors, error, event, group,
    handler, handshake, http, limits, lock, logging, message, outbox, overflow, panics, patience,
    poller, protocol, server, spawn, stats, testing, tls, transport, websocket,
};

mod models;

pub use connection::{CloseEvent, Connection};
pub use error::{CloseError, Error, HandshakeError, SendError, SendErrorKind};
pub use event::Event;
pub use group::Group;
pub use handler::{Handler, Listeners, RunError};
pub use handshake::{Accept, secret_matches};
pub use http::{InvalidHeader, InvalidStatus, Refusal, Reject, Request, Response, Version};
pub use limits::Limits;
pub use message::{Message, Prepared};
pub use outbox::{Broadcast, ReadyState};
pub use overflow::Overflow;
pub use protocol::close::CloseCode;
pub use protocol::violation::Violation;
pub use server::{
    Events, HandlerResult, RecvError, Server, ServerBuilder, ServerHandle, Session, ShutdownReport,
    serve,
};
pub use stats::Stats;
pub use transport::{How, Source, Transport, Waker};
pub use websocket::{WebSocket, WebSocketReader, WebSocketWriter};

fn main() -> std::process::ExitCode {
    models::run(std::env::args().skip(1))
}
