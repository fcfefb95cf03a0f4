//! wshub as it stands, its threads scheduled by a model checker.
//!
//! Why shuttle and not loom: what is to be checked are whole protocols of five and more threads with condition
//! variables that have deadlines, which loom's exhaustive search does not reach and whose deadlines it does not play;
//! and the reader's credit ([`server::inbox`]) rests on sequentially consistent flags (a store, then a load of the
//! other's), which loom takes for weaker ones and would fail without cause. The price: a schedule that nobody drew is
//! not seen, and every atomic counts as sequentially consistent, so a too weak `Ordering` is not found. wshub's few
//! atomics below SeqCst are counters, and a state that only grows.
//!
//! How the code comes in: `Cargo.toml` puts three played crates in the place of std, rustix and crossbeam-channel (see
//! `std/src/lib.rs`), so that src is compiled as it stands, line for line, without a word in it about the checker.
//!
//!     cargo run --manifest-path tests/model/Cargo.toml -- [--time SECONDS] [--seed SEED] [MODEL...]
//!
//! Each model runs for its share of the time (20 seconds in all); with a seed it runs once, the failing schedule again.
#![allow(dead_code, unused_imports)] // the whole crate, of which models use a part

#[path = "../../../src/address_space.rs"]
mod address_space;
#[path = "../../../src/clock.rs"]
mod clock;
#[path = "../../../src/connection.rs"]
mod connection;
#[path = "../../../src/copy.rs"]
mod copy;
#[path = "../../../src/no_deflate.rs"]
mod deflate;
#[path = "../../../src/error.rs"]
mod error;
#[path = "../../../src/event.rs"]
mod event;
#[path = "../../../src/group.rs"]
mod group;
#[path = "../../../src/handler.rs"]
mod handler;
#[path = "../../../src/handshake/mod.rs"]
mod handshake;
#[path = "../../../src/http/mod.rs"]
mod http;
#[path = "../../../src/limits.rs"]
mod limits;
#[path = "../../../src/lock/mod.rs"]
mod lock;
#[path = "../../../src/logging.rs"]
mod logging;
#[path = "../../../src/message.rs"]
mod message;
#[path = "../../../src/outbox/mod.rs"]
mod outbox;
#[path = "../../../src/patience.rs"]
mod patience;
#[path = "../../../src/protocol/mod.rs"]
mod protocol;
#[path = "../../../src/read_buffer.rs"]
mod read_buffer;
#[path = "../../../src/reading.rs"]
mod reading;
#[path = "../../../src/server/mod.rs"]
mod server;
#[path = "../../../src/stats.rs"]
mod stats;
#[path = "../../../src/testing/mod.rs"]
mod testing;
#[path = "../../../src/transport/mod.rs"]
mod transport;
#[path = "../../../src/websocket/mod.rs"]
mod websocket;

mod models;

pub use connection::{Connection, ReadyState};
pub use error::{CloseError, Error, SendError, SendErrorKind};
pub use event::{CloseEvent, Event};
pub use group::Group;
pub use handler::{Handler, Listeners, RunError};
pub use handshake::{Accept, secret_matches};
#[cfg(feature = "client")]
pub use handshake::{ClientRequest, InvalidAnswer, InvalidUrl};
pub use http::{InvalidHeader, InvalidStatus, Refusal, Reject, Request, Response, Version};
pub use limits::Limits;
pub use message::{Message, Prepared};
pub use outbox::Overflow;
pub use protocol::close::CloseCode;
pub use protocol::violation::Violation;
pub use server::{
    Broadcast, Events, HandlerResult, RecvError, Server, ServerBuilder, ServerHandle, Session,
    ShutdownReport, serve,
};
pub use stats::Stats;
pub use transport::{How, Transport, Waker};
#[cfg(feature = "client")]
pub use websocket::ClientError;
pub use websocket::{HandshakeError, WebSocket, WebSocketReader, WebSocketWriter};

fn main() -> std::process::ExitCode {
    models::run(std::env::args().skip(1))
}
