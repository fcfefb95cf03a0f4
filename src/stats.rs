//! What the server counts, and the snapshot that [`Server::stats`](crate::Server::stats) returns.

pub(crate) mod exposition;
mod histogram;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use crate::atomic::AtomicU64;
use crate::lock::{COUNTS, Mutex, lock};
use histogram::Durations;
pub use histogram::Histogram;

/// A snapshot of the server's counters. Totals count since the server was bound.
///
/// ```
/// let server = wshub::Server::bind("127.0.0.1:0")?;
/// let stats = server.stats();
/// println!("{} of {} threads serve a connection", stats.connections, stats.threads);
/// for (reason, count) in &stats.refused {
///     println!("{count} refused: {reason}");
/// }
/// assert_eq!((stats.opened, stats.dropped), (0, 0));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [deployment](crate::guide::deployment).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections now, those included whose `Close` the application has not taken.
    pub connections: usize,
    /// Opening handshakes and plain requests under way now.
    pub handshakes: usize,
    /// Plain requests among them: whose `http` hook runs, or whose answer is not read yet.
    pub answering: usize,
    /// Handshakes among them that wait for the `accept` hook, which runs for `max_handshakes` others.
    pub waiting_for_accept: usize,
    /// Connections now that wait for a next plain request, without a thread.
    pub idle_connections: usize,
    /// Plain requests now whose answer comes [later](crate::Response::later), or has come and is not read yet.
    pub waiting_requests: usize,
    /// Threads of the pool now, idle ones included.
    pub threads: usize,
    /// Connections opened in all.
    pub opened: u64,
    /// Requests and connections that were refused, by reason (`"origin"`, `"host"`, `"full"`, …); as `"answer"`, plain
    /// requests whose answer the peer did not take in whole.
    pub refused: BTreeMap<&'static str, u64>,
    /// Messages received, also those that no event shows, because their connection was given up or
    /// terminated before they were taken.
    pub messages_in: u64,
    /// Bytes of payload received in messages.
    pub bytes_in: u64,
    /// Messages taken for sending, one for each connection a broadcast went to.
    pub messages_out: u64,
    /// Bytes of payload taken for sending.
    pub bytes_out: u64,
    /// Messages dropped for slow peers by any policy, or unsent when their connection ended.
    pub dropped: u64,
    /// Connections now whose peer does not take what is sent.
    pub stalled: usize,
    /// Connections now whose reader waits for the application to take events.
    pub waiting_for_application: usize,
    /// Bytes of messages now that wait for the application.
    pub inbound_bytes: usize,
    /// Bytes now that wait for peers, and what belongs to them.
    pub outbound_bytes: usize,
    /// Plain HTTP requests answered.
    pub http_requests: u64,
    /// Hooks and handlers that panicked, and handlers that returned an error.
    pub handler_failures: u64,
    /// TLS handshakes completed.
    pub tls_sessions: u64,
    /// How long opening handshakes took that ended with a 101, TLS and hooks included. On a connection that served
    /// plain requests before, the time begins with the handshake's request.
    pub handshake_time: Histogram,
    /// How long events were in the channel to the application thread. Events that this thread reads itself skip the
    /// channel, and are not counted.
    pub channel_time: Histogram,
    /// How long messages waited in an Outbox until their peer took them. Those that the socket took at once did not
    /// wait, and are not counted.
    pub outbox_time: Histogram,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub opened: AtomicU64,
    pub messages_in: AtomicU64,
    pub bytes_in: AtomicU64,
    pub messages_out: AtomicU64,
    pub bytes_out: AtomicU64,
    pub dropped: AtomicU64,
    pub http_requests: AtomicU64,
    pub handler_failures: AtomicU64,
    pub tls_sessions: AtomicU64,
    pub handshake_time: Durations,
    pub channel_time: Durations,
    pub outbox_time: Durations,
    refused: Mutex<BTreeMap<&'static str, u64>, COUNTS>,
}

impl Counters {
    pub fn refuse(&self, reason: &'static str) {
        *lock(&self.refused).entry(reason).or_default() += 1;
    }

    pub fn received(&self, messages: u64, bytes: u64) {
        self.messages_in.fetch_add(messages, Relaxed);
        self.bytes_in.fetch_add(bytes, Relaxed);
    }

    pub fn sent(&self, messages: u64, bytes: u64) {
        self.messages_out.fetch_add(messages, Relaxed);
        self.bytes_out.fetch_add(bytes, Relaxed);
    }

    /// What is counted here; the hub adds what it knows itself.
    pub fn snapshot(&self) -> Stats {
        Stats {
            opened: self.opened.load(Relaxed),
            refused: lock(&self.refused).clone(),
            messages_in: self.messages_in.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            messages_out: self.messages_out.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            http_requests: self.http_requests.load(Relaxed),
            handler_failures: self.handler_failures.load(Relaxed),
            tls_sessions: self.tls_sessions.load(Relaxed),
            handshake_time: self.handshake_time.snapshot(),
            channel_time: self.channel_time.snapshot(),
            outbox_time: self.outbox_time.snapshot(),
            ..Stats::default()
        }
    }
}
