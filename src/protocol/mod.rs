//! The WebSocket protocol (RFC 6455 sections 5 to 8) as plain values: bytes and time come in, bytes and events go out.
//!
//! Nothing here reads, writes, waits, locks, logs or asks for the time, so every rule of the RFC can be tested with
//! byte strings alone. Time is a [`core::time::Duration`] since the start of the connection. `Receiver` and `Sender`
//! share nothing; what the receiver owes the peer (a pong, the answer to a Close) is a value it returns.

pub mod close;
pub mod frame;
pub mod keepalive;
pub mod mask;
pub mod opcode;
pub mod receive;
pub mod send;
pub mod utf8;
pub mod violation;

/// Which end of the connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Receives masked frames only and sends unmasked ones (RFC 6455 5.1).
    Server,
    /// Receives unmasked frames only and sends masked ones (RFC 6455 5.1).
    Client,
}
