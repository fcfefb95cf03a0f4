//! Two ends of a stream in memory, for tests and for connections inside one process.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Weak};
use std::time::{Duration, Instant};

use super::{Clock, How, Transport, Waker};
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
    pair(None)
}

pub(crate) fn pair(clock: Option<&Clock>) -> (Duplex, Duplex) {
    let (there, back) = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
    let end = |incoming: &Arc<Pipe>, outgoing: &Arc<Pipe>| Duplex {
        end: Arc::new(DuplexEnd {
            incoming: incoming.clone(),
            outgoing: outgoing.clone(),
        }),
        clock: clock.cloned(),
        timeout: None,
    };
    (end(&there, &back), end(&back, &there))
}

/// One end of a [`duplex`]. Dropping it ends both directions, as closing a socket does. What was written before an end
/// or a reset can still be read, as what has arrived over TCP; then comes the end of the stream.
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
    end: Arc<DuplexEnd>,
    /// What its waits as a [`Transport`] run on.
    clock: Option<Clock>,
    timeout: Option<Duration>,
}

/// What a clock sees of one end.
pub(crate) struct DuplexEnd {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
}

impl DuplexEnd {
    /// A thread that serves this end waits in it, or none will any more. Only one end of a pair is served.
    pub fn is_settled(&self) -> bool {
        let incoming = lock(&self.incoming.state);
        let (served, reads, unread) = (
            incoming.served,
            incoming.reader.is_waiting(),
            incoming.unread,
        );
        drop(incoming);
        let outgoing = lock(&self.outgoing.state);
        let waits = match served {
            true => reads || outgoing.writer.is_waiting(),
            false => outgoing.served,
        };
        waits || (unread && outgoing.ended)
    }

    /// Until when the reading and the writing thread wait in it.
    pub fn deadlines(&self) -> [Option<Instant>; 2] {
        let reader = lock(&self.incoming.state).reader.deadline();
        let writer = lock(&self.outgoing.state).writer.deadline();
        [reader, writer]
    }

    /// Wakes the threads that wait in it, to look at the clock.
    pub fn wake(&self) {
        self.incoming.change(|_| ());
        self.outgoing.change(|_| ());
    }
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

    pub(crate) fn downgrade(&self) -> Weak<DuplexEnd> {
        Arc::downgrade(&self.end)
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
    /// A server, or a half, has read from it.
    served: bool,
    /// The threads of theirs that wait, for a clock to know.
    reader: ClockedWait,
    writer: ClockedWait,
}

impl PipeState {
    fn wait_of(&mut self, side: Side) -> &mut ClockedWait {
        match side {
            Side::Reader => &mut self.reader,
            Side::Writer => &mut self.writer,
        }
    }
}

/// Whether a thread waits by a clock, which has nothing to do before a deadline.
#[derive(Clone, Copy, Default)]
enum ClockedWait {
    #[default]
    None,
    Until(Option<Instant>),
}

impl ClockedWait {
    fn is_waiting(self) -> bool {
        matches!(self, ClockedWait::Until(_))
    }

    fn deadline(self) -> Option<Instant> {
        match self {
            ClockedWait::Until(deadline) => deadline,
            ClockedWait::None => None,
        }
    }
}

#[derive(Clone, Copy)]
enum Side {
    Reader,
    Writer,
}

impl Pipe {
    fn change(&self, change: impl FnOnce(&mut PipeState)) {
        let mut state = lock(&self.state);
        change(&mut state);
        self.notify(&mut state);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// The threads that wait look again: until then they have something to do.
    fn notify(&self, state: &mut PipeState) {
        (state.reader, state.writer) = Default::default();
        self.changed.notify_all();
    }

    fn read(
        &self,
        buffer: &mut [u8],
        deadline: Option<Instant>,
        clock: Option<&Clock>,
    ) -> io::Result<usize> {
        let comes = |state: &PipeState| !state.bytes.is_empty() || state.ended || state.unread;
        drop(self.wait(Side::Reader, deadline, clock, comes)?);
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
        self.notify(&mut state);
        Ok(written)
    }

    /// Waits until `done`, and returns the state as it is then.
    fn wait(
        &self,
        side: Side,
        deadline: Option<Instant>,
        clock: Option<&Clock>,
        done: impl Fn(&PipeState) -> bool,
    ) -> io::Result<Guard<'_, PipeState>> {
        let now = || clock.map_or_else(Instant::now, Clock::now);
        let mut state = lock(&self.state);
        while !done(&state) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if let Some(clock) = clock {
                *state.wait_of(side) = ClockedWait::Until(deadline);
                clock.note();
            }
            state = match left {
                None => state.wait(&self.changed),
                Some(left) => state.wait_timeout(&self.changed, left),
            };
            *state.wait_of(side) = ClockedWait::None;
        }
        Ok(state)
    }

    fn is_writable(state: &PipeState) -> bool {
        state.bytes.len() < CAPACITY || state.unread || state.ended
    }
}

impl Transport for Duplex {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let incoming = &self.end.incoming;
        if self.clock.is_some() {
            lock(&incoming.state).served = true;
        }
        incoming.read(buffer, deadline, self.clock.as_ref())
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.end.outgoing.try_write(buffers)
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        let (outgoing, clock) = (&self.end.outgoing, self.clock.as_ref());
        let room = outgoing.wait(Side::Writer, Some(deadline), clock, Pipe::is_writable);
        room.map(drop)
    }

    fn wake_when_writable(&self, waker: &Waker) {
        let mut state = lock(&self.end.outgoing.state);
        if Pipe::is_writable(&state) {
            waker.wake();
        } else {
            state.waker = Some(waker.clone());
        }
    }

    fn shutdown(&self, how: How) {
        if how != How::Read {
            self.end.outgoing.change(|state| state.ended = true);
        }
        if how != How::Write {
            self.end.incoming.change(|state| state.unread = true);
        }
        if let Some(clock) = &self.clock {
            clock.note();
        }
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn never_calls_back(&self) -> bool {
        true
    }

    fn clock(&self) -> Option<&Clock> {
        self.clock.as_ref()
    }
}

impl Read for Duplex {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.end.incoming.read(buffer, self.deadline(), None)
    }
}

impl Write for Duplex {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let (outgoing, deadline) = (&self.end.outgoing, self.deadline());
        drop(outgoing.wait(Side::Writer, deadline, None, Pipe::is_writable)?);
        outgoing.try_write(&[IoSlice::new(bytes)])
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
