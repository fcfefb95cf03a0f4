//! A stream of the user's own that is closed as the server closes its own.

use std::fmt;
use std::io::{self, Read, Write};
use std::ops::Deref;

use super::{LINGER, Transport, forward, linger};

/// A stream for a [`WebSocket`](crate::WebSocket) that is not split, whose last bytes reach the peer.
///
/// A TCP socket that is closed while something unread is in it, or still comes, is reset, and the reset may overtake
/// what was written: the peer then never sees the Close that tells it of its fault, or the answer that refuses it.
/// Dropping this makes the lingering close of RFC 9112 9.6, as a server does: it ends the sending direction,
/// reads away what comes, until the peer has ended its own, for at most one second and 64 KiB, and then closes the
/// stream. The drop blocks that long.
///
/// To end at once, `shutdown` it with [`How::Reset`](super::How::Reset) before. Over TLS wrap what
/// `Tls::accept` gives, not the stream below.
///
/// ```no_run
/// use std::net::TcpListener;
/// use std::time::Duration;
/// use wshub::{LingeringStream, WebSocket};
///
/// let (stream, _) = TcpListener::bind("127.0.0.1:9001")?.accept()?;
/// stream.set_nodelay(true)?;
/// stream.set_read_timeout(Some(Duration::from_secs(60)))?;
/// let mut ws = WebSocket::accept(LingeringStream::new(stream))?;
/// while let Some(message) = ws.read()? {
///     ws.send(message)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [design](crate::guide::design).
pub struct LingeringStream<S: Transport>(S);

impl<S: Transport> LingeringStream<S> {
    /// Lingers when it is dropped.
    pub fn new(stream: S) -> Self {
        LingeringStream(stream)
    }
}

impl<S: Transport> Drop for LingeringStream<S> {
    fn drop(&mut self) {
        let stream: &dyn Transport = &self.0;
        linger(stream, stream.now() + LINGER);
    }
}

impl<S: Transport> Deref for LingeringStream<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S: Transport + Read> Read for LingeringStream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut self.0, buffer)
    }
}

impl<S: Transport + Write> Write for LingeringStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<S: Transport> Transport for LingeringStream<S> {
    forward!(
        this => &this.0;
        read, try_read, try_write, wait_writable, wake_when_writable, source, shutdown, peer_addr, peer,
        clock,
    );
}

impl<S: Transport + fmt::Debug> fmt::Debug for LingeringStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LingeringStream").field(&self.0).finish()
    }
}
