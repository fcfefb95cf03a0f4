//! TCP: blocking reads with a deadline, writes that never block.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv, sockopt};

use super::socket::socket_methods;
use super::{How, Transport, forward, time_left};

/// A connection of the server: a TCP stream whose reads cost one system call, for which it owns the
/// socket's read timeout.
pub(crate) struct TcpTransport {
    stream: TcpStream,
    /// The SO_RCVTIMEO that is set, in milliseconds; 0: none. Only the reading thread touches it.
    read_timeout: AtomicU32,
}

impl TcpTransport {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        // BSDs hand the listener's non-blocking mode on to the connection; Linux does not.
        #[cfg(not(target_os = "linux"))]
        stream.set_nonblocking(false)?;
        // Frames leave in whole writes: waiting for more would only delay them. The listener could hand it on, but not
        // to streams that came in before it was set there, as they do at a socket that systemd gives.
        stream.set_nodelay(true)?;
        #[cfg(target_vendor = "apple")]
        sockopt::set_socket_nosigpipe(&stream, true)?;
        Ok(TcpTransport {
            stream,
            read_timeout: AtomicU32::new(0),
        })
    }

    /// Sets SO_RCVTIMEO, unless the one that is set serves, so that a busy connection makes no
    /// system call for its deadlines, though they change with every read. The kernel's timer costs a
    /// short echo 2.5 to 5 %; poll(2) before each read would be one more system call. For a first look
    /// any shorter one serves that is not too short: when it has run out, `again` sets the rest.
    fn arm(&self, wanted: Option<Duration>, again: bool) -> io::Result<()> {
        const LATE: Duration = Duration::from_millis(20);
        const SHORT: Duration = Duration::from_millis(500);
        let set = match self.read_timeout.load(Relaxed) {
            0 => None,
            millis => Some(Duration::from_millis(millis.into())),
        };
        let serves = match (set, wanted) {
            (None, None) => true,
            (Some(set), Some(wanted)) => {
                set <= wanted + LATE && (set >= wanted / 2 || (set >= SHORT && !again))
            }
            (Some(set), None) => set >= SHORT && !again,
            (None, Some(_)) => false,
        };
        if !serves {
            // A zero timeout is an error to std, and less than a microsecond would mean none to the system.
            let millis = wanted.map(|wanted| wanted.as_nanos().div_ceil(1_000_000).max(1));
            let millis = millis.map(|millis| u32::try_from(millis).unwrap_or(u32::MAX));
            let timeout = millis.map(|millis| Duration::from_millis(millis.into()));
            self.stream.set_read_timeout(timeout)?;
            self.read_timeout.store(millis.unwrap_or(0), Relaxed);
        }
        Ok(())
    }

    /// After the deadline: takes what is there.
    fn read_at_once(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(io::ErrorKind::TimedOut.into())
            }
            done => done,
        }
    }
}

impl Transport for TcpTransport {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let mut again = false;
        loop {
            let Ok(left) = time_left(deadline) else {
                return self.read_at_once(buffer);
            };
            self.arm(left, again)?;
            again = true;
            match recv(&self.stream, &mut *buffer, RecvFlags::empty()) {
                Ok((read, _)) => return Ok(read),
                // A signal, or the timeout that was set: time_left decides whether it was the deadline.
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    forward!(
        this => &this.stream;
        try_read, try_write, wait_writable, wake_when_writable, source, shutdown, peer_addr, never_calls_back,
    );
}

/// Leaves the socket's timeouts and its blocking mode as they are, and does not depend on them. Set `TCP_NODELAY` on it
/// ([`TcpStream::set_nodelay`]): frames leave in whole writes, and waiting for more would only delay them.
impl Transport for TcpStream {
    socket_methods!();

    fn shutdown(&self, how: How) {
        if how == How::Reset {
            let _ = sockopt::set_socket_linger(self, Some(Duration::ZERO));
            // Otherwise the peer reads an end first, until the last holder of the socket closes it.
            #[cfg(target_os = "linux")]
            let _ = rustix::net::connect_unspec(self);
        }
        let _ = TcpStream::shutdown(self, how.directions());
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        TcpStream::peer_addr(self).ok()
    }
}

#[cfg(test)]
mod tests;
