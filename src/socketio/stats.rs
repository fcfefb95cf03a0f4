//! What is counted.

/// A snapshot of the counters of Socket.IO; connections and requests are in [`wshub::Stats`](crate::Stats).
///
/// ```
/// let io = wshub::socketio::SocketIo::new(());
/// let stats = io.stats();
/// assert_eq!((stats.sessions, stats.dropped, stats.wrong_arguments), (0, 0, 0));
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketIoStats {
    /// Sessions now: clients, by polling or over a WebSocket.
    pub sessions: usize,
    /// Sockets now: one for each namespace that a client is in.
    pub sockets: usize,
    /// Messages that clients missed, because they took too little under a policy that drops, or because the messages
    /// were volatile.
    pub dropped: u64,
    /// Events whose arguments did not fit the types of their listeners.
    pub wrong_arguments: u64,
}
