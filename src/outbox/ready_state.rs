//! Where a connection is in its life, as its Outbox tells it.

/// The state of a connection (WHATWG `readyState`, with its numbers). Use it for display: it may have changed by the
/// time you look.
///
/// ```
/// use wshub::{ReadyState, Request, testing};
///
/// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
/// let (connection, _sent) = testing::connection(request);
/// assert_eq!(connection.ready_state(), ReadyState::Open);
/// connection.close(1000, "")?;
/// assert!(connection.ready_state() > ReadyState::Open);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [events](crate::guide::events).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum ReadyState {
    /// The opening handshake is done; messages can be sent.
    Open = 1,
    /// A Close frame has been sent or queued; nothing more can be sent.
    Closing = 2,
    /// The connection has ended.
    Closed = 3,
}

impl ReadyState {
    pub(crate) fn from_u8(value: u8) -> Self {
        match value {
            1 => ReadyState::Open,
            2 => ReadyState::Closing,
            _ => ReadyState::Closed,
        }
    }
}
