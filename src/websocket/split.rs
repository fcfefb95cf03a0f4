//! How a WebSocket becomes two halves, for two threads.

use std::sync::Arc;

use super::shared::SharedWriter;
use super::sole::SoleWriter;
use super::stream_error::stream_failure;
use super::{WebSocket, WebSocketReader, WebSocketWriter};
use crate::error::SendErrorKind;
use crate::transport::{Guarded, Transport};

impl<S: Transport> WebSocket<S> {
    /// Two halves for two threads: one reads, one sends, and neither waits for the other. Pings are
    /// answered by whichever of them can write; the reader keeps the heartbeat
    /// ([`ping_interval`](crate::Limits::ping_interval), [`pong_timeout`](crate::Limits::pong_timeout)) and the other
    /// deadlines of [`Limits`](crate::Limits), whatever timeouts the stream had. Never blocks.
    ///
    /// ```
    /// use std::thread;
    /// use wshub::{WebSocket, testing};
    ///
    /// let (ours, theirs) = testing::duplex();
    /// let peer = thread::spawn(move || {
    ///     let mut peer = testing::Client::open(theirs, "/").unwrap();
    ///     let greeting = peer.read_message().unwrap();
    ///     peer.close(1000, "bye").unwrap();
    ///     greeting
    /// });
    /// let (mut reader, mut writer) = WebSocket::accept(ours)?.split();
    /// let sending = thread::spawn(move || writer.send("hello"));
    /// assert_eq!(reader.read()?, None);
    /// assert_eq!(reader.close_event().unwrap().reason, "bye");
    /// sending.join().unwrap()?;
    /// assert_eq!(peer.join().unwrap(), Some("hello".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn split(self) -> (WebSocketReader, WebSocketWriter) {
        split(self, |stream| Box::new(Guarded::new(stream)))
    }
}

pub(crate) fn split<S>(
    ws: WebSocket<S>,
    boxed: impl FnOnce(S) -> Box<dyn Transport>,
) -> (WebSocketReader, WebSocketWriter) {
    let WebSocket {
        writer,
        limits,
        mut talk,
    } = ws;
    let SoleWriter {
        stream,
        outgoing,
        failure,
        ..
    } = writer;
    talk.conversation.start_heartbeat(limits.ping_interval);
    let shared = Arc::new(SharedWriter::new(boxed(stream), &limits, outgoing));
    if let Some(error) = failure {
        shared.fail(stream_failure(error.kind()), None);
    }
    if talk.ended.is_some() {
        shared.fail(SendErrorKind::Closed, None);
    }
    let reader = WebSocketReader {
        shared: shared.clone(),
        talk,
        retrying: None,
    };
    (reader, WebSocketWriter { shared })
}
