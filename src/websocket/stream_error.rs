//! What an error of the stream means: wait, the peer is gone, or the stream has failed.

use std::io;

use crate::error::SendErrorKind;

/// The stream can do nothing now, and may later.
pub(crate) fn must_wait(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// The peer went away without a Close frame: an end, not a failure of the stream.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof
    )
}

pub(crate) fn io_kind(error: io::Error) -> SendErrorKind {
    SendErrorKind::Io(error.kind())
}

/// What a send says of a stream that has failed.
pub(crate) fn stream_failure(kind: io::ErrorKind) -> SendErrorKind {
    match is_gone(&kind.into()) {
        true => SendErrorKind::Closed,
        false => SendErrorKind::Io(kind),
    }
}
