//! How a conversation ends, and what follows from that: what the peer is told, what the application is told, and how
//! the stream parts.

use std::io;

use crate::error::Error;
use crate::protocol::close::CloseCode;
use crate::transport::How;

/// Why no more messages come.
#[derive(Debug)]
pub(crate) enum End {
    /// The peer's Close frame came.
    Closed(Option<CloseCode>, String),
    /// The peer ended its direction of the stream without a Close frame. It may still read.
    HalfClosed,
    /// The stream was cut off.
    Lost,
    /// This side gives the connection up.
    Failed(Error),
    /// As [`Failed`](End::Failed), and the application has been told why.
    Reported,
}

/// What still has to leave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StillToSend {
    /// A Close frame, if none was sent before, after all that waits.
    Close(Option<CloseCode>, String),
    /// What was sent before, to a peer that may still read.
    Answers,
    /// Nothing: there is no peer to be told.
    Nothing,
}

/// How the stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// In one direction first: the peer may still read our last bytes.
    Linger,
    /// At once; what the stream has taken still goes out.
    Cut,
    /// At once, and what waits in the socket is dropped.
    Reset,
}

impl End {
    /// How it ended where reading failed for good.
    pub fn of_read(error: &io::Error) -> End {
        match error.kind() {
            // TLS without close_notify: what came is whole, and its answer is sealed.
            io::ErrorKind::UnexpectedEof => End::HalfClosed,
            _ => End::Lost,
        }
    }

    /// What the peer is still to be told (RFC 6455 7).
    pub fn still_to_send(&self) -> StillToSend {
        match self {
            // RFC 6455 5.5.1: the answer echoes the code.
            End::Closed(code, _) => StillToSend::Close(*code, String::new()),
            // A peer that is too slow was told when that was decided, if there was a way to tell it.
            End::HalfClosed | End::Failed(Error::SlowConsumer) => StillToSend::Answers,
            End::Failed(error) => match error.close_code() {
                Some(code) => StillToSend::Close(Some(code), error.to_string()),
                None => StillToSend::Nothing,
            },
            End::Reported | End::Lost => StillToSend::Nothing,
        }
    }

    /// How the stream parts. `all_left`: nothing of what was still to be sent waits any more.
    pub fn stream_end(&self, all_left: bool) -> StreamEnd {
        match self {
            End::Closed(..) | End::Failed(_) | End::Reported if all_left => StreamEnd::Linger,
            End::Failed(_) | End::Reported => StreamEnd::Reset,
            // If an answer did not leave, the sending side has cut the stream already.
            End::Closed(..) | End::HalfClosed | End::Lost => StreamEnd::Cut,
        }
    }

    /// What the application is told. `all_left`: nothing of what was still to be sent waits any more.
    pub fn outcome(self, all_left: bool) -> (Option<Error>, CloseEvent) {
        match self {
            End::Closed(code, reason) => {
                let close = CloseEvent {
                    code: code.unwrap_or(CloseCode::NO_STATUS),
                    reason,
                    was_clean: all_left,
                };
                (None, close)
            }
            End::Failed(error) => (Some(error), CloseEvent::abnormal()),
            End::HalfClosed | End::Lost | End::Reported => (None, CloseEvent::abnormal()),
        }
    }
}

/// Without a masking key nothing can be sent.
impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        End::Failed(Error::Io(error))
    }
}

impl StreamEnd {
    /// Which directions of the stream end now.
    pub fn how(self) -> How {
        match self {
            StreamEnd::Linger => How::Write,
            StreamEnd::Cut => How::Both,
            StreamEnd::Reset => How::Reset,
        }
    }
}

/// How a connection ended (WHATWG `CloseEvent`, RFC 6455 7.1).
///
/// ```
/// use wshub::testing::{self, Client};
/// use wshub::{CloseCode, Event, Server};
///
/// let server = Server::builder().without_listener()?;
/// let (ours, theirs) = testing::duplex();
/// server.attach(ours);
/// let mut client = Client::open(theirs, "/")?;
/// client.close(1000, "done")?;
/// for event in server.events() {
///     if let Event::Close(connection, close) = event {
///         println!("{} left: {} {:?}", connection.id(), close.code, close.reason);
///         assert_eq!(close.code, CloseCode::NORMAL);
///         assert!(close.was_clean);
///         break;
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [events](crate::guide::events).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseEvent {
    /// The code of the peer's Close frame; 1005 when it carried none, 1006 when no Close frame came
    /// or wshub gave the connection up.
    pub code: CloseCode,
    /// The peer's reason, often empty. It is the peer's text: escape it where you show it.
    pub reason: String,
    /// True when the closing handshake was completed: both sides sent a Close frame.
    pub was_clean: bool,
}

impl CloseEvent {
    /// A clean end with the peer's code and reason: for tests of a handler.
    ///
    /// ```
    /// use wshub::CloseEvent;
    ///
    /// let mut close = CloseEvent::new(4000, "done");
    /// assert!(close.was_clean);
    /// close.was_clean = false; // its Close came, and ours did not leave
    /// ```
    pub fn new(code: impl Into<CloseCode>, reason: impl Into<String>) -> Self {
        CloseEvent {
            code: code.into(),
            reason: reason.into(),
            was_clean: true,
        }
    }

    /// The end of a connection whose peer vanished, or that was given up: 1006, and not clean.
    pub fn abnormal() -> Self {
        CloseEvent {
            code: CloseCode::ABNORMAL,
            reason: String::new(),
            was_clean: false,
        }
    }
}

#[cfg(test)]
mod tests;
