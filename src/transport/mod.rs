//! What a connection runs over: TCP, a Unix socket, the in-memory duplex, or a stream of the user's own.

pub(crate) mod clock;
mod forward;
mod guarded;
mod inert;
mod lingering;
mod memory;
mod parting;
#[cfg(unix)]
mod socket;
#[cfg(unix)]
mod tcp;
#[cfg(unix)]
pub(crate) mod unix;
#[cfg(windows)]
mod winsock;

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use crate::http::Peer;
use crate::patience::Patience;
use clock::TimeSource;

pub use crate::poller::{Source, Waker};
pub use clock::Clock;
pub(crate) use forward::forward;
pub(crate) use guarded::Guarded;
pub(crate) use inert::inert;
pub use lingering::LingeringStream;
pub use memory::{Duplex, duplex};
pub(crate) use parting::{LINGER, TrailingBytes, answer_refusal, linger, read_away};
#[cfg(unix)]
pub(crate) use tcp::TcpTransport;
#[cfg(windows)]
pub(crate) use winsock::TcpTransport;

/// A byte stream whose two directions are used by different threads at once, through a shared reference.
///
/// One thread reads; any thread writes, but never two at the same time. Deadlines are absolute: a wait that would pass
/// one returns [`io::ErrorKind::TimedOut`]; one that does so early is asked again. Implement it to run a connection
/// over a stream of your own with [`Server::attach`](crate::Server::attach), or to [split](crate::WebSocket::split) a
/// [`WebSocket`](crate::WebSocket). `TcpStream`, `UnixStream` and [`testing::Duplex`](crate::testing::Duplex) are
/// transports. One that panics costs a server that one connection. A server calls it on threads with a stack of
/// [`Limits::stack_size`](crate::Limits::stack_size) or of 2 MiB, and on the threads that send and take events. wshub
/// holds no lock during these calls: its methods, and its drop, may call the connection and the server. What they send
/// leaves after what is being written; a send that waits for that ends at its deadline.
///
/// ```
/// use std::io::{self, IoSlice};
/// use std::net::{SocketAddr, TcpStream};
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use std::time::Instant;
/// use wshub::{How, Source, Transport, Waker};
///
/// /// TCP that counts the bytes which peers sent.
/// struct Counted {
///     stream: TcpStream,
///     bytes: &'static AtomicU64,
/// }
///
/// impl Transport for Counted {
///     fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
///         let read = Transport::read(&self.stream, buffer, deadline)?;
///         self.bytes.fetch_add(read as u64, Relaxed);
///         Ok(read)
///     }
///
///     fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
///         self.stream.try_write(buffers)
///     }
///
///     fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
///         self.stream.wait_writable(deadline)
///     }
///
///     fn wake_when_writable(&self, waker: &Waker) {
///         self.stream.wake_when_writable(waker);
///     }
///
///     fn source(&self) -> Option<Source<'_>> {
///         self.stream.source()
///     }
///
///     fn shutdown(&self, how: How) {
///         Transport::shutdown(&self.stream, how);
///     }
///
///     fn peer_addr(&self) -> Option<SocketAddr> {
///         Transport::peer_addr(&self.stream)
///     }
/// }
/// ```
///
/// The guide: [design](crate::guide::design).
pub trait Transport: Send + Sync + 'static {
    /// Blocks until bytes came (their count), the peer sent its last (0), or `deadline` passed.
    /// [`shutdown`](Transport::shutdown) wakes it, unless it is [`How::Write`]. With a deadline that has passed it
    /// takes what is there: so the server asks for the rest after a read that filled its room.
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize>;

    /// Takes what is there without blocking; [`io::ErrorKind::WouldBlock`] if nothing is,
    /// [`io::ErrorKind::Interrupted`] to be asked again. The default is a [`read`](Transport::read) whose deadline has
    /// passed.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let now = self.clock().map_or_else(Instant::now, Clock::now);
        match self.read(buffer, Some(now)) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            done => done,
        }
    }

    /// Writes what fits without blocking; [`io::ErrorKind::WouldBlock`] when nothing does, 0 when the
    /// stream takes nothing more, ever.
    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Blocks until [`try_write`](Transport::try_write) would do something: write, or fail.
    fn wait_writable(&self, deadline: Instant) -> io::Result<()>;

    /// Called after [`try_write`](Transport::try_write) has refused, if there is no [`source`](Transport::source): the
    /// stream keeps the waker, and wakes it once as soon as there is room (at once if there is already) or the stream
    /// is shut down.
    fn wake_when_writable(&self, waker: &Waker);

    /// What the system watches for this stream. With a source, an open connection of a server that gives events holds
    /// no thread: it is read from when the source is readable, until [`try_read`](Transport::try_read) finds nothing.
    /// The default is none: then the connection keeps a thread of its own.
    fn source(&self) -> Option<Source<'_>> {
        None
    }

    /// Ends one or both directions; never blocks. Errors do not matter: the stream is dead then.
    fn shutdown(&self, how: How);

    /// The peer's address, if it has one.
    fn peer_addr(&self) -> Option<SocketAddr>;

    /// Where the peer is. The default is what [`peer_addr`](Transport::peer_addr) tells; a stream over a Unix socket
    /// says [`Peer::Unix`].
    fn peer(&self) -> Peer {
        self.peer_addr().map_or(Peer::Unknown, Peer::Address)
    }

    /// True for wshub's own streams: their writes and shutdowns call nobody back, so that a lock may be held meanwhile.
    #[doc(hidden)]
    fn never_calls_back(&self) -> bool {
        false
    }

    /// What the deadlines of its waits run on, where that is a clock of a test. A stream of yours around a
    /// [`testing::Duplex`](crate::testing::Duplex) hands on what that says: then the connection runs on the
    /// [`Clock`](crate::testing::Clock), too. The default is none, the system's clock.
    ///
    /// ```
    /// # use std::io::{self, IoSlice};
    /// # use std::net::SocketAddr;
    /// # use std::time::Instant;
    /// # use wshub::{How, Waker};
    /// use wshub::{Transport, testing};
    ///
    /// struct Logged<T>(T);
    ///
    /// impl<T: Transport> Transport for Logged<T> {
    ///     fn clock(&self) -> Option<&testing::Clock> {
    ///         self.0.clock()
    ///     }
    ///     // The other methods as well, with a line for the log.
    /// #   fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
    /// #       self.0.read(buffer, deadline)
    /// #   }
    /// #   fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> { self.0.try_write(buffers) }
    /// #   fn wait_writable(&self, deadline: Instant) -> io::Result<()> { self.0.wait_writable(deadline) }
    /// #   fn wake_when_writable(&self, waker: &Waker) { self.0.wake_when_writable(waker) }
    /// #   fn shutdown(&self, how: How) { self.0.shutdown(how) }
    /// #   fn peer_addr(&self) -> Option<SocketAddr> { self.0.peer_addr() }
    /// }
    ///
    /// let clock = testing::Clock::new();
    /// let (ours, _theirs) = clock.duplex();
    /// assert!(Logged(ours).clock().is_some());
    /// ```
    fn clock(&self) -> Option<&Clock> {
        None
    }
}

impl dyn Transport {
    /// The time that deadlines are made from.
    pub(crate) fn now(&self) -> Instant {
        self.clock().map_or_else(Instant::now, Clock::now)
    }

    pub(crate) fn time_source(&self) -> TimeSource {
        self.clock()
            .cloned()
            .map_or(TimeSource::System, TimeSource::Test)
    }
}

/// Which directions [`Transport::shutdown`] ends. Later versions may have more: let your stream treat one that it does
/// not know as [`Both`](How::Both).
///
/// ```
/// use std::net::{Shutdown, TcpStream};
/// use wshub::How;
///
/// /// `Transport::shutdown` of a stream that wraps a `TcpStream`.
/// fn shutdown(stream: &TcpStream, how: How) {
///     let how = match how {
///         How::Read => Shutdown::Read,
///         How::Write => Shutdown::Write,
///         _ => Shutdown::Both,
///     };
///     let _ = stream.shutdown(how);
/// }
/// ```
///
/// The guide: [events](crate::guide::events).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum How {
    /// Nothing more is read; what comes is thrown away. Writing goes on.
    Read,
    /// What was written still goes out, then the peer reads an end of stream.
    Write,
    /// Both; what was written still goes out.
    Both,
    /// Both at once; what was written and not yet sent is thrown away (TCP: RST).
    Reset,
}

impl How {
    /// The same for the sockets of the system.
    fn directions(self) -> Shutdown {
        match self {
            How::Read => Shutdown::Read,
            How::Write => Shutdown::Write,
            How::Both | How::Reset => Shutdown::Both,
        }
    }
}

/// Writes all of `bytes`, waiting for the peer where it must, as patiently as is said.
pub(crate) fn write_all(
    transport: &dyn Transport,
    bytes: &[u8],
    mut patience: Patience,
) -> io::Result<()> {
    write_all_waiting(transport, bytes, |written| {
        wait_for_room(transport, &mut patience, written)
    })
}

/// As [`write_all`]; `wait` waits for room, and hears how much was written since the last wait.
pub(crate) fn write_all_waiting(
    transport: &dyn Transport,
    mut bytes: &[u8],
    mut wait: impl FnMut(usize) -> io::Result<()>,
) -> io::Result<()> {
    let mut fresh = 0;
    while !bytes.is_empty() {
        match transport.try_write(&[IoSlice::new(bytes)]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                fresh += written;
            }
            Err(error) if would_wait(&error) => wait(std::mem::take(&mut fresh))?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Nothing is there, or there is no room, for now: of a call that does not block.
pub(crate) fn would_wait(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// Waits until there is room, or for the last try. `written`: since the last wait.
pub(crate) fn wait_for_room(
    transport: &dyn Transport,
    patience: &mut Patience,
    written: usize,
) -> io::Result<()> {
    patience.progressed(written, transport.now());
    match wait_writable(transport, patience.deadline()) {
        Err(error)
            if error.kind() == io::ErrorKind::TimedOut
                && patience.allows_another_try(transport.now()) =>
        {
            Ok(())
        }
        done => done,
    }
}

/// As [`Transport::read`]; a signal does not end it.
pub(crate) fn read(
    transport: &dyn Transport,
    buffer: &mut [u8],
    deadline: Option<Instant>,
) -> io::Result<usize> {
    loop {
        match transport.read(buffer, deadline) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                check_deadline(transport, deadline)?
            }
            done => return done,
        }
    }
}

/// How often what is read from may ask to be asked again: TLS does while records come that hold nothing.
pub(crate) const MOST_TRIES: usize = 1000;

/// As [`Transport::try_read`]. A stream that asks to be asked again for ever gives nothing.
pub(crate) fn read_now(transport: &dyn Transport, room: &mut [u8]) -> io::Result<usize> {
    for _ in 0..MOST_TRIES {
        match transport.try_read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// As [`Transport::wait_writable`]; a signal does not end it, and it never says after the deadline
/// that there is room, so that a loop around it ends whatever the transport says.
pub(crate) fn wait_writable(transport: &dyn Transport, deadline: Instant) -> io::Result<()> {
    loop {
        check_deadline(transport, Some(deadline))?;
        match transport.wait_writable(deadline) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

fn check_deadline(transport: &dyn Transport, deadline: Option<Instant>) -> io::Result<()> {
    match deadline.is_some_and(|deadline| deadline <= transport.now()) {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(()),
    }
}

/// The time that a wait by the system's clock has left; none is left after its deadline.
pub(crate) fn time_left(deadline: Option<Instant>) -> io::Result<Option<Duration>> {
    let Some(deadline) = deadline else {
        return Ok(None);
    };
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(Some(left)),
    }
}

#[cfg(test)]
mod tests;
