//! What the load generator is made of; tests/scorecard measures with parts of it.

pub mod args;
pub mod broadcast;
pub mod burst;
pub mod connection;
pub mod deflate;
pub mod echo;
pub mod frame;
pub mod handshakes;
pub mod histogram;
pub mod idle;
pub mod mixed;
pub mod poller;
pub mod process;
pub mod report;
pub mod span;
pub mod stalled;
pub mod stream;
pub mod target;
