//! Engine.IO, protocol 4: a session between two programs that long polling carries, or a WebSocket, or first the one
//! and then the other. Without I/O: requests, messages and times come in as values, answers go out as values.

pub(crate) mod config;
pub(crate) mod handshake;
pub(crate) mod heartbeat;
pub(crate) mod output;
pub(crate) mod packet;
pub(crate) mod payload;
mod polling;
pub(crate) mod queue;
pub(crate) mod session;
mod untaken;
mod upgrade;
