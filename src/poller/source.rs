//! What the poller can watch.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};

use std::sync::Arc;

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::Bell;

/// What the system watches for a [`Transport`](crate::Transport): it is readable when a read finds something, bytes or
/// the end, and writable when a write finds room.
///
/// ```
/// use std::net::TcpStream;
/// use wshub::Source;
///
/// fn watched(stream: &TcpStream) -> Source<'_> {
///     Source::from(stream)
/// }
/// ```
///
/// The guide: [design](crate::guide::design).
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    fd: BorrowedFd<'a>,
    /// A read that does not fill its room has taken all that was there.
    short_read_is_last: bool,
}

impl<'a> From<&'a TcpStream> for Source<'a> {
    fn from(stream: &'a TcpStream) -> Self {
        Source {
            fd: stream.as_fd(),
            short_read_is_last: true,
        }
    }
}

impl<'a> From<&'a TcpListener> for Source<'a> {
    fn from(listener: &'a TcpListener) -> Self {
        Source::from(listener.as_fd())
    }
}

/// Unix alone. A read ends at a descriptor that the peer has sent along, whatever is behind it.
impl<'a> From<&'a UnixStream> for Source<'a> {
    fn from(stream: &'a UnixStream) -> Self {
        Source::from(stream.as_fd())
    }
}

impl<'a> From<&'a UnixListener> for Source<'a> {
    fn from(listener: &'a UnixListener) -> Self {
        Source::from(listener.as_fd())
    }
}

/// Unix alone.
impl<'a> From<BorrowedFd<'a>> for Source<'a> {
    fn from(fd: BorrowedFd<'a>) -> Self {
        Source {
            fd,
            short_read_is_last: false,
        }
    }
}

impl Source<'_> {
    /// The same source, under a stream that holds bytes back, as TLS does.
    pub(crate) fn buffered(self) -> Self {
        Source {
            short_read_is_last: false,
            ..self
        }
    }

    /// The next edge is reported unasked.
    pub(crate) fn found_nothing(self) {}

    pub(crate) fn short_read_is_last(&self) -> bool {
        self.short_read_is_last
    }
}

/// What a poller knows of its sockets beside the system: nothing, on Unix.
pub(crate) struct Sockets;

impl Sockets {
    pub fn new(_: &Arc<Bell>) -> Self {
        Sockets
    }

    pub fn watch(
        &self,
        source: Source<'_>,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<Registered> {
        let fd = source.fd.as_raw_fd();
        registry.register(&mut SourceFd(&fd), token, interests)?;
        Ok(Registered(fd))
    }

    /// True if there are some of which the system does not report that they were shut down here.
    pub fn has_shut(&self) -> bool {
        false
    }

    pub fn take_shut(&self) -> Vec<Token> {
        Vec::new()
    }
}

/// A source that is watched. The value beside it keeps its descriptor open.
pub(crate) struct Registered(RawFd);

impl Registered {
    /// The system reports the next edge without being asked.
    pub fn note_reported(&self, _: &Event) {}

    pub fn deregister(self, registry: &Registry) {
        // It fails only if the user's stream has closed its descriptor: then nothing is watched.
        let _ = registry.deregister(&mut SourceFd(&self.0));
    }
}
