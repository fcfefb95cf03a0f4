//! What wshub does, seen through its public face: one module per subject, one program for all of them.
//!
//! The tests run beside each other in one process. A test that counts what the whole process has, or changes it
//! (threads, descriptors, memory, signals, the log), is a program of its own in `tests/process`.

#[path = "../support/mod.rs"]
mod support;

mod admission;
mod advisories;
mod at_once;
mod backpressure;
mod bodies;
#[cfg(feature = "client")]
mod client;
mod clocked;
mod closing;
#[cfg(feature = "redis")]
mod cluster;
mod coalescing;
#[cfg(feature = "client")]
mod connect;
#[cfg(all(feature = "client", feature = "tls"))]
mod connect_tls;
mod cors;
mod crowded;
mod data;
#[cfg(feature = "deflate")]
mod deflate;
mod drain;
mod duplex;
mod echo;
#[cfg(feature = "socketio")]
mod engineio;
mod fairness;
mod frames;
mod giving_way;
mod groups;
mod half_close;
mod handshake;
#[cfg(feature = "redis")]
mod history;
mod hooks;
mod http;
mod keep_alive;
mod late_writing;
mod later;
mod leading;
mod limits;
mod lingering;
mod listeners;
mod metrics;
mod mounts;
mod order;
mod origin;
mod own_bounds;
mod own_handler;
mod pace;
mod panics;
mod parked;
#[cfg(feature = "socketio")]
mod polling;
mod proxied;
#[cfg(feature = "client")]
mod reconnecting;
#[cfg(feature = "redis")]
mod redis;
mod restart;
mod shutdown;
#[cfg(feature = "socketio")]
mod socketio;
#[cfg(all(feature = "socketio", feature = "redis"))]
mod socketio_cluster;
mod split;
mod streamed;
mod streams;
// On Windows a thread-local that does not end keeps every other thread from starting.
#[cfg(unix)]
mod thread_locals;
mod ticks;
#[cfg(feature = "tls")]
mod tls;
#[cfg(unix)]
mod unix;
mod users_streams;
mod waking;
mod websocket;
