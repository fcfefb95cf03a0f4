//! Socket.IO: the clients of npm's `socket.io-client` 3 and 4, of python-socketio 5 and others, on plain threads and
//! one application thread. Feature `socketio`.
//!
//! Start with [`SocketIo`]: listeners and a state of yours, which
//! [`ServerBuilder::socketio`](crate::ServerBuilder::socketio) gives a place on a server. A listener gets the
//! [`Socket`] that an event came from; [`Emitter`] sends to many, and from other threads. What clients can make the
//! server hold is bounded by [`Limits`]. Tests of your own listeners need no network: [`testing`]. In place of
//! listeners, a loop of your own: [`SocketIo::events`]. The transport alone, without events and rooms: [`engine`].

mod ack;
mod acks;
mod answers;
mod application;
mod arguments;
mod asking;
#[cfg(feature = "redis")]
pub mod bridge;
mod bytes;
mod clients;
#[cfg(feature = "redis")]
mod cluster;
mod core;
pub(crate) mod decoder;
mod directory;
mod dispatch;
mod emitter;
pub mod engine;
mod events;
mod exchange;
mod gate;
mod incoming;
mod limits;
mod listeners;
mod membership;
mod namespace_client;
mod operation;
pub(crate) mod packet;
mod polls;
mod position;
mod reason;
mod recovery;
mod reply;
mod rooms;
mod socket;
mod stats;
pub mod testing;

pub use ack::Ack;
pub use answers::{AckError, AllAnswers, Answer};
pub use application::SocketIo;
pub use arguments::AnyArguments;
pub use bytes::Bytes;
pub use emitter::{Emitter, FetchedSockets};
pub use events::SocketEvents;
pub use incoming::{IncomingEvent, SocketEvent};
pub use limits::Limits;
pub use reason::DisconnectReason;
pub use reply::{Refused, Reply};
pub use socket::Socket;
pub use stats::SocketIoStats;
