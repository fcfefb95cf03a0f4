#![doc = include_str!("../README.md")]
//! ## Where to look
//!
//! - Start: [`Server::bind`], or [`Server::builder`] for [limits](Limits), rules and hooks
//!   ([`ServerBuilder`]), and several addresses: [`ServerBuilder::listen`]. Your own tests, without sockets:
//!   [`testing`], [`Server::attach`].
//! - Choosing a form. State that connections share, or a loop of your own: [`Server::events`], with
//!   [`Events::try_recv`] and [`Events::recv_timeout`]. The same as callbacks: [`Server::run`] with a
//!   [`Handler`] or [`Listeners`]. On a schedule beside them: [`Events::tick`], [`Ticks`], [`Step`], [`Tick`],
//!   [`Server::run_with_tick`]. Connections that have nothing to do with each other: [`serve`] and its
//!   [`Session`], without a hop to another thread.
//! - Without a server, over a stream of your own: [`WebSocket`], its halves [`WebSocketReader`] and
//!   [`WebSocketWriter`]; the client's role with the feature `client`. Streams: [`Transport`].
//! - A client, with the feature `client`: `connect`, `Client`, `ClientRequest`, `Proxy`, `ClientError`; one that
//!   connects again: `Reconnecting`, `Reconnecting::with`, `ClientEvent`. With the feature `tls`, too: `ClientTls`.
//! - What happens: [`Event`], [`Message`], [`CloseEvent`], [`CloseCode`], [`Error`], [`Violation`].
//! - Who is there: [`Server::connections`]; what the `accept` hook keeps with a connection: [`Accept::with_data`],
//!   [`Connection::data`].
//! - Sending: [`Connection`], [`Server::broadcast`], [`Group`], [`Prepared`]; what a slow peer
//!   misses: [`Overflow`], [`SendError`].
//! - What hooks get, the server included: [`HookRequest`].
//! - The opening handshake: [`Request`], [`Accept`], [`Reject`], [`Refusal`],
//!   [`secret_matches`]; plain requests: [`Response`], [`Status`], [`Cors`], [`Responder`].
//! - `wss://`, with the feature `tls`: `Tls`, `TlsBuilder`, `ServerBuilder::tls`; over a stream of your own:
//!   `TlsStream`.
//! - Compression, with the feature `deflate`: `Compression`, `ServerBuilder::compression`,
//!   `Connection::send_uncompressed`.
//! - The clients of Socket.IO, with the feature `socketio`: `socketio::SocketIo`, `ServerBuilder::socketio`.
//! - Many servers as one, with the feature `redis`: `Cluster`, `Room`, `ClusterEvent`; what carries it: `Redis`,
//!   `Local`, `Backplane`.
//! - Ending: [`ServerHandle::shutdown`], [`ServerHandle::terminate`], [`Server::shutdown`], [`ShutdownReport`];
//!   counting: [`Stats`].
//! - Threads: one for each opening handshake, for each connection of [`serve`] and for each stream that
//!   cannot be watched, of [`Limits::stack_size`], kept a while for the next one; one that accepts; one
//!   that stands in for the application while it is away from its events; with an `http` hook one that
//!   watches connections between their requests, and requests whose answers come later; and where there
//!   is a logger, one that logs for these and how connections end. These have stacks of 2 MiB.
#![forbid(unsafe_code)]
// .clippy.toml: the log is written by `logging` alone.
#![deny(clippy::disallowed_macros, clippy::disallowed_methods)]

#[cfg(not(unix))]
compile_error!("wshub runs on Unix: Linux (tested), macOS and the BSDs. Windows is not supported.");

mod address_space;
#[cfg(feature = "client")]
mod client;
mod clock;
#[cfg(feature = "redis")]
mod cluster;
mod compression;
mod connection;
mod copy;
mod descriptors;
mod error;
mod event;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod group;
mod handler;
mod handshake;
mod http;
mod limits;
mod lock;
mod logging;
mod message;
mod outbox;
mod patience;
mod poller;
mod protocol;
#[cfg(test)]
mod seeded;
mod server;
#[cfg(feature = "socketio")]
pub mod socketio;
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
    Backplane, BackplaneError, Cluster, ClusterBuilder, ClusterError, ClusterEvent, ClusterNode,
    ConnectionId, Incoming, InvalidConnectionId, Local, NodeId, Publisher, Redis, Room, Subscriber,
};
#[cfg(feature = "deflate")]
pub use compression::Compression;
pub use connection::{CloseEvent, Connection};
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
pub use outbox::{Broadcast, Overflow, ReadyState};
pub use poller::Source;
pub use protocol::close::CloseCode;
pub use protocol::violation::Violation;
pub use server::{
    Events, HandlerResult, HookRequest, RecvError, Responder, Server, ServerBuilder, ServerHandle,
    Session, ShutdownReport, Ticks, serve,
};
pub use stats::Stats;
#[cfg(all(feature = "client", feature = "tls"))]
pub use tls::{ClientTls, ClientTlsBuilder, TlsHandshakeError};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsBuilder, TlsError, TlsStream, TlsVersion};
pub use transport::{How, LingeringStream, Transport, Waker};
pub use websocket::{WebSocket, WebSocketReader, WebSocketWriter};
