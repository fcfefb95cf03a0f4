//! TCP on Windows: sockets that never block, and threads that wait for them until they are ready, shut down or late.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::net::sockopt;

use super::{How, Source, Transport, Waker, forward, time_left};
use crate::poller::winsock::ThreadWait;

/// What the system keeps of what was sent: as much as it did before it chose by itself. Where it chooses, it takes
/// whatever a slow peer is sent.
const SEND_BUFFER: usize = 64 << 10;

/// A connection of the server, or of a client.
pub(crate) struct TcpTransport {
    stream: TcpStream,
    /// Nothing more is read. The socket is not told: it would reset the connection at the next bytes of the peer.
    read_ended: AtomicBool,
    /// Cut off: closing the socket resets it, and the peer is to read no end before.
    is_reset: AtomicBool,
}

impl TcpTransport {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // Frames leave in whole writes: waiting for more would only delay them.
        stream.set_nodelay(true)?;
        sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER)?;
        Ok(TcpTransport {
            stream,
            read_ended: AtomicBool::new(false),
            is_reset: AtomicBool::new(false),
        })
    }
}

impl Transport for TcpTransport {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        until_ready(&self.stream, PollFlags::IN, deadline, || {
            self.try_read(buffer)
        })
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.read_ended.load(SeqCst) {
            true => Ok(0),
            false => read_at_once(&self.stream, buffer),
        }
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.is_reset.load(SeqCst) {
            true => Err(io::ErrorKind::BrokenPipe.into()),
            false => write_at_once(&self.stream, buffers),
        }
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        let wait = ThreadWait::begin(&self.stream)?;
        match self.is_reset.load(SeqCst) {
            true => Ok(()),
            false => wait_writable(&wait, deadline),
        }
    }

    forward!(this => &this.stream; wake_when_writable, source, peer_addr, never_calls_back);

    fn shutdown(&self, how: How) {
        if how != How::Write {
            self.read_ended.store(true, SeqCst);
        }
        match how {
            How::Read => {}
            How::Write | How::Both => drop(self.stream.shutdown(Shutdown::Write)),
            How::Reset => {
                let _ = sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
                self.is_reset.store(true, SeqCst);
            }
        }
        note_shutdown(&self.stream, how);
    }
}

/// Sets the socket to its non-blocking mode, and leaves it so: Windows has no single call that does not block. Set
/// `TCP_NODELAY` on it ([`TcpStream::set_nodelay`]): frames leave in whole writes, and waiting for more would only
/// delay them. `shutdown` wakes those that wait for this very value, not for a clone of it.
impl Transport for TcpStream {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        until_ready(self, PollFlags::IN, deadline, || self.try_read(buffer))
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.set_nonblocking(true)?;
        read_at_once(self, buffer)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.set_nonblocking(true)?;
        write_at_once(self, buffers)
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        wait_writable(&ThreadWait::begin(self)?, deadline)
    }

    /// Never asked for: the system says when there is room.
    fn wake_when_writable(&self, _: &Waker) {}

    fn source(&self) -> Option<Source<'_>> {
        Some(Source::from(self))
    }

    fn shutdown(&self, how: How) {
        if how == How::Reset {
            let _ = sockopt::set_socket_linger(self, Some(Duration::ZERO));
        }
        let _ = TcpStream::shutdown(self, how.directions());
        note_shutdown(self, how);
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        TcpStream::peer_addr(self).ok()
    }

    fn never_calls_back(&self) -> bool {
        true
    }
}

fn read_at_once(mut stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let read = Read::read(&mut stream, buffer);
    if read.as_ref().is_err_and(is_blocked) {
        Source::from(stream).found_nothing();
    }
    read
}

fn write_at_once(mut stream: &TcpStream, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    let offered: usize = buffers.iter().map(|buffer| buffer.len()).sum();
    let written = stream.write_vectored(buffers);
    let is_full = match &written {
        Ok(written) => *written < offered,
        Err(error) => is_blocked(error),
    };
    if is_full {
        Source::from(stream).found_no_room();
    }
    written
}

fn note_shutdown(stream: &TcpStream, how: How) {
    // After the end of the one direction the other goes on.
    if how != How::Write {
        Source::from(stream).note_shutdown();
    }
}

fn is_blocked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Tries, and where nothing is there, tries again whenever something may be.
fn until_ready(
    stream: &TcpStream,
    event: PollFlags,
    deadline: Option<Instant>,
    mut attempt: impl FnMut() -> io::Result<usize>,
) -> io::Result<usize> {
    let first = attempt();
    if !first.as_ref().is_err_and(is_blocked) {
        return first;
    }
    time_left(deadline)?;
    let wait = ThreadWait::begin(stream)?;
    loop {
        // A shutdown before the wait began is found here, and ends the wait from now on.
        match attempt() {
            Err(error) if is_blocked(&error) => wait.until(event, time_left(deadline)?)?,
            done => return done,
        };
    }
}

fn wait_writable(wait: &ThreadWait<'_>, deadline: Instant) -> io::Result<()> {
    while !wait.until(PollFlags::OUT, time_left(Some(deadline))?)? {}
    Ok(())
}

#[cfg(test)]
mod tests;
