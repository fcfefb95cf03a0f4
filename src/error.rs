//! Errors by whose fault they are: the peer, the network, the caller.

use std::fmt;
use std::io;

use crate::http::Refusal;
use crate::message::Message;
use crate::protocol::close::CloseCode;
use crate::protocol::violation::Violation;

/// Why a connection was given up.
///
/// ```
/// use wshub::{Error, Event};
///
/// fn log(event: &Event) {
///     match event {
///         // A phone in a tunnel, a closed lid: nobody's fault.
///         Event::Error(connection, Error::PongTimeout) => println!("{} is out of reach", connection.id()),
///         Event::Error(connection, error) => eprintln!("{}: {error}", connection.id()),
///         _ => {}
///     }
/// }
/// ```
///
/// The guide: [events](crate::guide::events).
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke RFC 6455 or a limit. It was told by a Close frame with [`Violation::close_code`]. Remedy: mend
    /// the peer, or raise the limit, which the violation's own page names.
    Protocol(Violation),
    /// A message took longer than `assembly_timeout`, and came more slowly than [`min_rate`](crate::Limits::min_rate).
    /// Remedy: smaller messages, or a longer [`Limits::assembly_timeout`](crate::Limits::assembly_timeout).
    AssemblyTimeout,
    /// Nothing came from the peer for `ping_interval` and, after a ping, for `pong_timeout`: it is
    /// gone or its network is. Remedy: none; the peer may connect again.
    PongTimeout,
    /// The peer did not read what was sent to it: more than `outbound_per_connection` bytes waited, or one frame for
    /// longer than `write_timeout` while it read more slowly than [`min_rate`](crate::Limits::min_rate). Remedy: send
    /// less, or choose another [`Overflow`](crate::Overflow).
    SlowConsumer,
    /// Too little address space is left for what the peer sends (`ulimit -v`): an allocation that found none would end
    /// the process. Remedy: raise that, or lower [`Limits::max_message`](crate::Limits::max_message) or
    /// [`Limits::max_connections`](crate::Limits::max_connections).
    OutOfMemory,
    /// The connection has ended, or a close is under way: nothing more can be sent.
    Closed,
    /// Reading or writing failed, and not because the peer went away.
    Io(io::Error),
}

impl Error {
    /// What the peer is told, where it is told anything.
    pub(crate) fn close_code(&self) -> Option<CloseCode> {
        match self {
            Error::Protocol(violation) => Some(violation.close_code()),
            Error::AssemblyTimeout => Some(CloseCode::POLICY_VIOLATION),
            Error::SlowConsumer | Error::OutOfMemory => Some(CloseCode::TRY_AGAIN_LATER),
            Error::PongTimeout | Error::Closed | Error::Io(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Protocol(violation) => violation.fmt(f),
            Error::AssemblyTimeout => {
                f.write_str("the message was not complete within the assembly timeout")
            }
            Error::PongTimeout => {
                f.write_str("no answer to a ping: the peer or its network is gone")
            }
            Error::SlowConsumer => {
                f.write_str("the peer reads too slowly: what waits for it is too much or too old")
            }
            Error::OutOfMemory => {
                f.write_str("too little address space is left for the message (ulimit -v)")
            }
            Error::Closed => f.write_str("the connection is closed or closing"),
            Error::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Protocol(violation) => Some(violation),
            Error::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a message was not taken.
///
/// ```
/// use wshub::{Connection, SendErrorKind};
///
/// fn tell(connection: &Connection, text: &str) {
///     match connection.send(text).map_err(|error| error.kind()) {
///         Ok(()) => {}
///         // It has left meanwhile, or is about to: its `Close` says why.
///         Err(SendErrorKind::Closed) => {}
///         Err(kind) => eprintln!("{}: not sent: {kind}", connection.id()),
///     }
/// }
/// ```
///
/// The guide: [slow peers and large data](crate::guide::slow_peers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// The connection has ended, or a Close frame has been sent or queued (RFC 6455 5.5.1).
    /// Remedy: none, its `Close` event is on the way.
    Closed,
    /// Too much waits for the peer and the policy is [`Overflow::DropNewest`](crate::Overflow::DropNewest) or
    /// [`Overflow::Refuse`](crate::Overflow::Refuse), or there was no room within the time of
    /// [`send_timeout`](crate::Connection::send_timeout). The connection goes on. Remedy: drop the message, or send it
    /// later; with `Refuse`, when [`Event::Drained`](crate::Event::Drained) comes.
    Full,
    /// Too much waited for the peer: by [`Overflow::Disconnect`](crate::Overflow::Disconnect) this
    /// send ended the connection. Remedy: send less, or choose another [`Overflow`](crate::Overflow).
    SlowConsumer,
    /// The stream failed, or would block while no more may wait. Only over a stream of your own: see
    /// [`WebSocket::send`](crate::WebSocket::send). After [`WouldBlock`](io::ErrorKind::WouldBlock) or
    /// [`TimedOut`](io::ErrorKind::TimedOut) try again later. After any other kind the connection is gone.
    Io(io::ErrorKind),
}

/// A message that was not taken, given back. Drop it, or keep it for another connection.
///
/// ```
/// # use wshub::{Message, SendError};
/// fn keep(error: SendError) -> Message {
///     eprintln!("not sent: {error}");
///     error.into_message()
/// }
/// ```
///
/// The guide: [slow peers and large data](crate::guide::slow_peers).
#[derive(Clone, PartialEq, Eq)]
pub struct SendError {
    kind: SendErrorKind,
    message: Message,
}

impl SendError {
    pub(crate) fn new(kind: SendErrorKind, message: Message) -> Self {
        SendError { kind, message }
    }

    /// Why it was not taken.
    pub fn kind(&self) -> SendErrorKind {
        self.kind
    }

    /// The message as it was.
    pub fn into_message(self) -> Message {
        self.message
    }
}

impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendError({:?}, {:?})", self.kind, self.message)
    }
}

impl fmt::Display for SendErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendErrorKind::Closed => "the connection is closed or closing",
            SendErrorKind::Full => {
                "too much waits for the peer already; this message was not taken"
            }
            SendErrorKind::SlowConsumer => {
                "too much waits for the peer; the connection is given up"
            }
            SendErrorKind::Io(kind) => return kind.fmt(f),
        })
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl std::error::Error for SendErrorKind {}
impl std::error::Error for SendError {}

impl From<SendErrorKind> for Error {
    fn from(kind: SendErrorKind) -> Self {
        match kind {
            SendErrorKind::Closed => Error::Closed,
            SendErrorKind::Full | SendErrorKind::SlowConsumer => Error::SlowConsumer,
            SendErrorKind::Io(kind) => Error::Io(kind.into()),
        }
    }
}

/// Keeps the reason; the message is dropped.
impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        error.kind.into()
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::Io(error)
    }
}

/// Why a close was not started.
///
/// ```
/// use wshub::{CloseCode, CloseError, Request, testing};
///
/// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
/// let (connection, _sent) = testing::connection(request);
/// assert_eq!(connection.close(1006, ""), Err(CloseError::ReservedCode(CloseCode::from(1006))));
/// assert_eq!(connection.close(4000, "kicked"), Ok(()));
/// assert_eq!(connection.close(4000, "kicked"), Err(CloseError::Closed));
/// # Ok::<(), wshub::Refusal>(())
/// ```
///
/// The guide: [slow peers and large data](crate::guide::slow_peers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseError {
    /// RFC 6455 7.4 reserves the code: an endpoint must not send it. Use 1000 to 1003, 1007
    /// to 1014, or 3000 to 4999.
    ReservedCode(CloseCode),
    /// The connection is closed or closing already.
    Closed,
    /// The stream failed; only over a stream of your own, see
    /// [`WebSocket::close`](crate::WebSocket::close). There is nothing left to close.
    Io(io::ErrorKind),
}

impl CloseError {
    /// The code, if an endpoint may send it.
    pub(crate) fn unless_reserved(code: CloseCode) -> Result<CloseCode, CloseError> {
        match code.is_allowed_on_wire() {
            true => Ok(code),
            false => Err(CloseError::ReservedCode(code)),
        }
    }
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseError::ReservedCode(code) => {
                write!(
                    f,
                    "close code {code} must not be sent: use 1000 to 1003, 1007 to 1014 or 3000 to 4999"
                )
            }
            CloseError::Closed => f.write_str("the connection is closed or closing already"),
            CloseError::Io(kind) => kind.fmt(f),
        }
    }
}

impl std::error::Error for CloseError {}

/// Why a client got no WebSocket; see [`WebSocket::accept`](crate::WebSocket::accept).
///
/// ```
/// use std::io;
/// use wshub::{HandshakeError, WebSocket, testing};
///
/// let (ours, theirs) = testing::duplex();
/// drop(theirs); // a scanner that connects and leaves
/// match WebSocket::accept(ours) {
///     Err(HandshakeError::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof),
///     Err(HandshakeError::Refused(refusal)) => println!("{refusal}"),
///     other => panic!("{other:?}"),
/// }
/// ```
///
/// The guide: [client](crate::guide::client).
#[derive(Debug)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The client was refused. If [`Refusal::status`] is `Some`, it has a complete HTTP answer with that status. The
    /// text says what the client has to send, or what to set here. Remedy: drop the stream, and serve the next one.
    Refused(Refusal),
    /// The stream failed. With [`io::ErrorKind::InvalidInput`] a setting is wrong: a limit that nothing can work with,
    /// or a host, origin or subprotocol that can never match. The text says how to write it.
    Io(io::Error),
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeError::Refused(refusal) => refusal.fmt(f),
            HandshakeError::Io(error) => write!(f, "the opening handshake failed: {error}"),
        }
    }
}

impl std::error::Error for HandshakeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            HandshakeError::Refused(refusal) => Some(refusal),
            HandshakeError::Io(error) => Some(error),
        }
    }
}

impl From<Refusal> for HandshakeError {
    fn from(refusal: Refusal) -> Self {
        HandshakeError::Refused(refusal)
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        HandshakeError::Io(error)
    }
}
