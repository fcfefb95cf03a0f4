//! TLS over a stream of the user's own, for programs that accept connections themselves.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::handshake::refusal;
use super::secured::dismiss;
use super::server::Tls;
use super::transport::TlsTransport;
use crate::error::HandshakeError;
use crate::http::Refusal;
use crate::limits::YEAR;
use crate::patience::Patience;
use crate::transport::{self, Guarded, How, Transport, forward};

impl Tls {
    /// TLS as the server over a stream of your own, for [`WebSocket::accept`](crate::WebSocket::accept) or
    /// [`ServerBuilder::websocket`](crate::ServerBuilder::websocket). A bound server does this itself: see
    /// [`ServerBuilder::tls`](crate::ServerBuilder::tls).
    ///
    /// Blocks until the TLS handshake is done, at most for `timeout` (a server's own is 10 s for this and the opening
    /// handshake), and one second more after a client was refused. Call it on the connection's thread, not on the one
    /// that accepts.
    ///
    /// ```no_run
    /// use std::net::TcpListener;
    /// use std::time::Duration;
    /// use wshub::{Tls, WebSocket};
    ///
    /// let tls = Tls::from_pem_files("fullchain.pem", "privkey.pem")?;
    /// for stream in TcpListener::bind("0.0.0.0:9443")?.incoming() {
    ///     let (stream, tls) = (stream?, tls.clone());
    ///     std::thread::spawn(move || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///         stream.set_nodelay(true)?;
    ///         let mut stream = tls.accept(stream, Duration::from_secs(10))?;
    ///         stream.set_timeout(Some(Duration::from_secs(60)));
    ///         let mut ws = WebSocket::accept(stream)?;
    ///         while let Some(message) = ws.read()? {
    ///             ws.send(message)?;
    ///         }
    ///         Ok(())
    ///     });
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`HandshakeError::Refused`] where the client is at fault, and has been told as far as it can understand: it
    /// speaks no TLS ([`Refusal::PlainOnTlsPort`]), the handshake failed ([`Refusal::TlsHandshake`], whose text says
    /// what to do), it left or was too slow. [`HandshakeError::Io`] where the stream failed.
    pub fn accept(
        &self,
        stream: impl Transport,
        timeout: Duration,
    ) -> Result<TlsStream, HandshakeError> {
        let below: Arc<dyn Transport> = Arc::new(Guarded::new(stream));
        let mut patience = Patience::until(below.now() + timeout.min(YEAR));
        let peer = below.peer();
        match self
            .handshake(&below, &mut patience)
            .map_err(|failure| refusal(failure, peer))
        {
            Ok(transport) => Ok(TlsStream {
                transport,
                timeout: None,
            }),
            Err(Ok(refused)) => {
                dismiss(&*below, &refused, || {});
                Err(refused.refusal.into())
            }
            Err(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Refusal::PeerLeft.into())
            }
            Err(Err(error)) => Err(error.into()),
        }
    }
}

/// A stream that speaks TLS, made by [`Tls::accept`]. Feature `tls`. Dropping it ends both directions,
/// with close_notify where the stream takes it.
///
/// As [`Read`] and [`Write`] it blocks for as long as [`set_timeout`](TlsStream::set_timeout) says; as [`Transport`]
/// every wait has its own deadline, so that a `WebSocket` over it can be [split](crate::WebSocket::split). If the peer
/// ends without close_notify, a read fails with [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
///
/// ```no_run
/// use std::net::TcpListener;
/// use std::time::Duration;
/// use wshub::{Tls, WebSocket};
///
/// let tls = Tls::from_pem_files("cert.pem", "key.pem")?;
/// let (stream, _) = TcpListener::bind("127.0.0.1:9001")?.accept()?;
/// let mut socket = WebSocket::accept(tls.accept(stream, Duration::from_secs(10))?)?;
/// while let Some(message) = socket.read()? {
///     socket.send(message)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [TLS](crate::guide::tls).
pub struct TlsStream {
    transport: TlsTransport,
    timeout: Option<Duration>,
}

impl TlsStream {
    /// How long one read or write may wait before it fails with [`io::ErrorKind::TimedOut`]. Default `None`, for ever,
    /// as with a socket. Timeouts of the socket itself are ignored.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// As [`Request::client_certificates`](crate::Request::client_certificates), which is empty for a
    /// request that is read from this stream.
    #[must_use]
    pub fn client_certificates(&self) -> Box<[Vec<u8>]> {
        self.transport.peer_certificates()
    }

    fn deadline(&self) -> Option<Instant> {
        self.timeout.map(|timeout| self.now() + timeout.min(YEAR))
    }

    fn now(&self) -> Instant {
        let stream: &dyn Transport = &self.transport;
        stream.now()
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.transport.read(buffer, self.deadline())
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let deadline = self.deadline().unwrap_or_else(|| self.now() + YEAR);
        loop {
            match self.transport.try_write(&[IoSlice::new(bytes)]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    transport::wait_writable(&self.transport, deadline)?;
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for TlsStream {
    forward!(
        this => &this.transport;
        read, try_read, try_write, wait_writable, wake_when_writable, source, shutdown, peer_addr, peer,
        never_calls_back, clock,
    );
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        self.transport.shutdown(How::Both);
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("peer_addr", &self.transport.peer_addr())
            .finish_non_exhaustive()
    }
}
