//! Engine.IO alone: messages, as over a WebSocket, for clients that may have none.
//!
//! The clients of npm's `engine.io-client` 6 and of python-engineio 4 send messages by long polling if a WebSocket does
//! not get through, and go on over a WebSocket if it does.
//!
//! Start with [`EngineIo`]: a handler of yours, which [`ServerBuilder::engineio`](crate::ServerBuilder::engineio) gives
//! a place on a server. [`SocketIo`](super::SocketIo) has events, rooms and acknowledgements on top of the same.

pub(crate) mod carriers;
pub(crate) mod link;
pub(crate) mod mount;
mod no_session;
pub(crate) mod part;
pub(crate) mod protocol;
mod server;
pub(crate) mod sessions;
mod timer;

pub use server::{EngineHandler, EngineIo, EngineSocket};
