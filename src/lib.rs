//! A WebSocket server you embed: plain threads, blocking sockets, no async runtime.
#![forbid(unsafe_code)]

#[cfg(not(unix))]
compile_error!("wshub runs on Unix: Linux (tested), macOS and the BSDs. Windows is not supported.");

mod connection;
mod error;
mod event;
mod group;
mod handler;
mod handshake;
mod limits;
mod lock;
mod message;
mod outbox;
mod protocol;
#[cfg(test)]
#[path = "protocol/tests.rs"]
mod protocol_tests;
mod server;
mod stats;
pub mod testing;
mod transport;

pub use connection::{Connection, ReadyState};
pub use error::{CloseError, Error, SendError, SendErrorKind};
pub use event::{CloseEvent, Event};
pub use group::Group;
pub use handler::{Handler, Listeners, RunError};
pub use handshake::{
    Accept, InvalidHeader, InvalidStatus, Refusal, Reject, Request, Response, Version,
};
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
