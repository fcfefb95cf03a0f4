//! Two ends of a stream in memory, for tests and for connections inside one process.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar};
use std::time::{Duration, Instant};

use super::{How, Transport, Waker};
use crate::lock::{Guard, Mutex, PIPE, lock};

/// Bytes that one direction holds before its writer must wait.
const CAPACITY: usize = 64 << 10;

/// A connected pair of in-memory streams: what one end writes, the other reads.
///
/// Give one end to [`Server::attach`](crate::Server::attach) and speak WebSocket over the other.
///
/// ```
/// use std::io::{Read, Write};
///
/// let (mut left, mut right) = wshub::testing::duplex();
/// left.write_all(b"hello")?;
/// let mut got = [0; 5];
/// right.read_exact(&mut got)?;
/// assert_eq!(&got, b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn duplex() -> (Duplex, Duplex) {
    let (there, back) = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
    let left = Duplex {
        incoming: there.clone(),
        outgoing: back.clone(),
        timeout: None,
    };
    (
        left,
        Duplex {
            incoming: back,
            outgoing: there,
            timeout: None,
        },
    )
}

/// One end of a [`duplex`]. Dropping it ends both directions, as closing a socket does. What was
/// written before an end or a reset can still be read, as what has arrived over TCP; then comes
/// the end of the stream.
///
/// Each direction holds 64 KiB. As [`Read`] and [`Write`] it blocks for as long as
/// [`set_timeout`](Duplex::set_timeout) says; as [`Transport`] every wait has its own deadline.
///
/// ```
/// use std::io::{Read, Write};
/// use wshub::testing;
///
/// let (mut ours, mut theirs) = testing::duplex();
/// ours.write_all(b"over and out")?;
/// drop(ours);
/// let mut text = String::new();
/// theirs.read_to_string(&mut text)?;
/// assert_eq!(text, "over and out");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [testing](crate::guide::testing).
pub struct Duplex {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
    timeout: Option<Duration>,
}

impl Duplex {
    /// How long one read or write may wait before it fails with [`io::ErrorKind::TimedOut`]: a test
    /// then fails in place of hanging. Default `None`, for ever, as with a socket.
    ///
    /// ```
    /// use std::io::{ErrorKind, Read};
    /// use std::time::Duration;
    ///
    /// let (mut left, _right) = wshub::testing::duplex();
    /// left.set_timeout(Some(Duration::from_millis(1)));
    /// assert_eq!(left.read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
    /// ```
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    fn deadline(&self) -> Option<Instant> {
        self.timeout
            .and_then(|timeout| Instant::now().checked_add(timeout))
    }
}

#[derive(Default)]
struct Pipe {
    state: Mutex<PipeState, PIPE>,
    changed: Condvar,
}

#[derive(Default)]
struct PipeState {
    bytes: VecDeque<u8>,
    /// The writer sends nothing more.
    ended: bool,
    /// The reader takes nothing more.
    unread: bool,
    waker: Option<Waker>,
}

impl Pipe {
    fn change(&self, change: impl FnOnce(&mut PipeState)) {
        let mut state = lock(&self.state);
        change(&mut state);
        self.changed.notify_all();
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        drop(self.wait(deadline, |state| {
            !state.bytes.is_empty() || state.ended || state.unread
        })?);
        let mut taken = 0;
        self.change(|state| taken = state.bytes.read(buffer).unwrap_or(0));
        Ok(taken)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = lock(&self.state);
        if state.unread || state.ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut written = 0;
        for buffer in buffers {
            let room = CAPACITY - state.bytes.len();
            let part = buffer.get(..room).unwrap_or(buffer);
            state.bytes.extend(part);
            written += part.len();
        }
        if written == 0 && buffers.iter().any(|buffer| !buffer.is_empty()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.changed.notify_all();
        Ok(written)
    }

    /// Waits until `done`, and returns the state as it is then.
    fn wait(
        &self,
        deadline: Option<Instant>,
        done: impl Fn(&PipeState) -> bool,
    ) -> io::Result<Guard<'_, PipeState>> {
        let mut state = lock(&self.state);
        while !done(&state) {
            state = match deadline {
                None => state.wait(&self.changed),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    state.wait_timeout(&self.changed, left)
                }
            };
        }
        Ok(state)
    }

    fn is_writable(state: &PipeState) -> bool {
        state.bytes.len() < CAPACITY || state.unread || state.ended
    }
}

impl Transport for Duplex {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        self.incoming.read(buffer, deadline)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.outgoing.try_write(buffers)
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        self.outgoing
            .wait(Some(deadline), Pipe::is_writable)
            .map(drop)
    }

    fn wake_when_writable(&self, waker: &Waker) {
        let mut state = lock(&self.outgoing.state);
        if Pipe::is_writable(&state) {
            waker.wake();
        } else {
            state.waker = Some(waker.clone());
        }
    }

    fn shutdown(&self, how: How) {
        if how != How::Read {
            self.outgoing.change(|state| state.ended = true);
        }
        if how != How::Write {
            self.incoming.change(|state| state.unread = true);
        }
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn never_calls_back(&self) -> bool {
        true
    }
}

impl Read for Duplex {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.incoming.read(buffer, self.deadline())
    }
}

impl Write for Duplex {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        drop(self.outgoing.wait(self.deadline(), Pipe::is_writable)?);
        self.outgoing.try_write(&[IoSlice::new(bytes)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Duplex {
    fn drop(&mut self) {
        self.shutdown(How::Both);
    }
}
