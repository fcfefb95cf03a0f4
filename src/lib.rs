//! A WebSocket server that you embed: plain threads and blocking calls, no async runtime.
//!
//! One thread of yours, the application thread, sees every event in order and broadcasts:
//!
//! ```no_run
//! use wshub::{Event, Server};
//!
//! fn main() -> std::io::Result<()> {
//!     let server = Server::bind("127.0.0.1:9001")?;
//!     for event in server.events() {
//!         match event {
//!             Event::Open(connection) => drop(connection.send("hello")),
//!             Event::Message(_, message) => drop(server.broadcast(message)),
//!             _ => {}
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! The [guide] has a chapter for each subject. Begin with [start](guide::start).
//!
//! # Where to look
//!
//! - Start: [`Server::bind`], or [`Server::builder`] for [limits](Limits), rules and hooks
//!   ([`ServerBuilder`]), and several addresses: [`ServerBuilder::listen`];
//!   Unix sockets: `ServerBuilder::listen_unix`; sockets from systemd: `ServerBuilder::inherited`.
//! - Events: [`Server::events`] with [`Event`], [`Message`], [`CloseEvent`], [`CloseCode`], [`Error`], [`Violation`].
//!   As callbacks: [`Server::run`] with a [`Handler`] or [`Listeners`]. On a schedule: [`Ticks`], [`Step`], [`Tick`].
//! - A closure for each connection: [`serve`], [`Session`].
//! - Sending: [`Connection`], [`Server::broadcast`], [`Group`], [`Prepared`]. What a slow peer misses: [`Overflow`],
//!   [`SendError`].
//! - The opening handshake: [`Request`], [`Accept`], [`Reject`], [`Refusal`], [`HookRequest`], [`secret_matches`].
//! - Plain requests: [`Response`], [`Status`], [`Cors`], [`Responder`].
//! - Messages larger than memory: [`Session::send_stream`], [`Session::read_stream`], [`MessageStream`].
//! - Without a server, over a stream of your own: [`WebSocket`], [`WebSocketReader`], [`WebSocketWriter`]. Streams:
//!   [`Transport`].
//! - Your own tests, without sockets: [`testing`], [`Server::attach`].
//! - Ending: [`ServerHandle::shutdown`], [`ServerHandle::terminate`], [`ShutdownReport`]; before a restart:
//!   [`ServerHandle::drain`], [`ServerBuilder::health`]. Counting: [`Stats`].
//! - Features of the crate: [a client](guide::client), [`wss://`](guide::tls), [compression](guide::compression),
//!   [the clients of Socket.IO](guide::socketio), [beside Flask](guide::flask), [many servers as one](guide::cluster).
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
// .clippy.toml: the log is written by `logging` alone.
#![deny(clippy::disallowed_macros, clippy::disallowed_methods)]

mod address_space;
mod atomic;
#[cfg(feature = "client")]
mod client;
mod clock;
#[cfg(feature = "redis")]
mod cluster;
mod compression;
mod connection;
mod copy;
mod descriptors;
#[cfg(any(feature = "client", feature = "redis"))]
mod dial;
mod error;
mod event;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod group;
pub mod guide;
mod handler;
mod handshake;
mod http;
mod limits;
mod lock;
mod logging;
mod message;
mod outbox;
mod overflow;
mod panics;
mod patience;
mod poller;
mod protocol;
#[cfg(test)]
mod seeded;
mod server;
#[cfg(feature = "socketio")]
pub mod socketio;
mod spawn;
mod stats;
pub mod testing;
mod tls;
mod transport;
mod websocket;

#[cfg(feature = "client")]
pub use client::{
    Client, ClientError, ClientEvent, ClientRequest, DisconnectCause, ProxyError, Reconnecting,
    ReconnectingWriter, connect,
};
#[cfg(feature = "redis")]
pub use cluster::{
    Backplane, BackplaneError, CatchUpError, Cluster, ClusterBuilder, ClusterError, ClusterEvent,
    ClusterNode, ConnectionId, Incoming, InvalidConnectionId, InvalidPostId, Local, NodeId, Post,
    PostId, Publisher, Redis, Room, Subscriber,
};
#[cfg(feature = "deflate")]
pub use compression::Compression;
pub use connection::{CloseEvent, Connection, MessageStream};
pub use error::{CloseError, Error, HandshakeError, SendError, SendErrorKind};
pub use event::{Event, Step, Tick};
pub use group::Group;
pub use handler::{Handler, Listeners, RunError};
pub use handshake::{Accept, secret_matches};
#[cfg(feature = "client")]
pub use handshake::{InvalidAnswer, InvalidUrl, Proxy};
pub use http::{
    Cors, InvalidHeader, InvalidStatus, Peer, Refusal, Reject, Request, Response, Status, Version,
};
pub use limits::{InvalidLimit, Limits};
pub use message::{Message, Prepared};
pub use outbox::{Broadcast, ReadyState};
pub use overflow::Overflow;
pub use poller::Source;
pub use protocol::close::CloseCode;
pub use protocol::violation::Violation;
#[cfg(unix)]
pub use server::UnixSocket;
pub use server::{
    Events, HandlerResult, HookRequest, RecvError, Responder, Server, ServerBuilder, ServerHandle,
    Session, ShutdownReport, Ticks, serve,
};
pub use stats::{Histogram, Stats};
#[cfg(all(feature = "client", feature = "tls"))]
pub use tls::{ClientTls, ClientTlsBuilder, TlsHandshakeError};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsBuilder, TlsError, TlsStream, TlsVersion};
pub use transport::{How, LingeringStream, Transport, Waker};
pub use websocket::{WebSocket, WebSocketReader, WebSocketWriter};

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests;
