//! The rooms of wshub that stand alone, and their tests.
#![allow(dead_code, unused_imports, unexpected_cfgs)] // what the rest of wshub uses of them

mod copy;
mod compression;
mod handshake;
mod http;
mod lock;
mod message;
mod overflow;
mod protocol;
#[cfg(test)]
mod seeded;

pub use handshake::*;
pub use http::*;
pub use message::*;
pub use protocol::close::CloseCode;
pub use protocol::violation::Violation;
