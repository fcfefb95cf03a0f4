//! TLS over another transport: two directions that share one state, and a lock that is held while
//! bytes are encrypted or decrypted, never while anything waits.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

#[cfg(feature = "client")]
use rustls::pki_types::ServerName;
#[cfg(feature = "client")]
use rustls::{ClientConfig, ClientConnection};
use rustls::{Connection, ServerConfig, ServerConnection};

use super::ciphertext::UnsentCiphertext;
use super::failure::TlsFailure;
use super::session::TlsSession;
use crate::lock::{Guard, Mutex, TLS, lock};
use crate::transport::{self, How, Source, Transport, forward};

pub(crate) struct TlsTransport {
    below: Arc<dyn Transport>,
    session: Mutex<TlsSession, TLS>,
    /// Reading was ended from here: an end of the stream is no truncation then.
    read_ended: AtomicBool,
}

impl TlsTransport {
    /// The server's side, before its handshake.
    pub fn server(
        below: Arc<dyn Transport>,
        config: Arc<ServerConfig>,
    ) -> Result<Self, rustls::Error> {
        Ok(Self::new(below, ServerConnection::new(config)?.into()))
    }

    /// The client's side, before its handshake.
    #[cfg(feature = "client")]
    pub fn client(
        below: Arc<dyn Transport>,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, rustls::Error> {
        Ok(Self::new(
            below,
            ClientConnection::new(config, name)?.into(),
        ))
    }

    fn new(below: Arc<dyn Transport>, connection: Connection) -> Self {
        let session = TlsSession::new(connection, !below.never_calls_back());
        TlsTransport {
            below,
            session: Mutex::new(session),
            read_ended: AtomicBool::new(false),
        }
    }

    /// Blocks until the TLS handshake is done; on the thread that will read. Where the deadline has
    /// passed it may be called again.
    pub fn handshake(&self, deadline: Instant) -> Result<(), TlsFailure> {
        loop {
            let mut session = lock(&self.session);
            let advanced = session.advance();
            let is_done = !session.is_handshaking();
            let flushed = self.flush(session);
            advanced?;
            if is_done {
                return Ok(());
            }
            if !flushed? {
                transport::wait_writable(&*self.below, deadline)?;
                continue;
            }
            let session = lock(&self.session);
            let read = |room: &mut [u8]| transport::read(&*self.below, room, Some(deadline));
            if self.fill(session, read)? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            if let Some(plain) = lock(&self.session).find_plain_text() {
                return Err(TlsFailure::PlainText(plain));
            }
        }
    }

    /// Reads from the stream below, without the lock meanwhile; how much came.
    fn fill(
        &self,
        mut session: Guard<'_, TlsSession>,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut raw = std::mem::take(&mut session.raw);
        drop(session);
        let filled = raw.fill(read);
        lock(&self.session).raw = raw;
        filled
    }

    /// The chain that the peer has shown and that was verified, its own certificate first; DER.
    pub fn peer_certificates(&self) -> Box<[Vec<u8>]> {
        lock(&self.session).peer_certificates()
    }

    /// As [`TlsSession::flush`], over every kind of stream.
    fn flush(&self, mut session: Guard<'_, TlsSession>) -> io::Result<bool> {
        let flushed = session.flush(&*self.below);
        match session.outbound {
            None => flushed,
            Some(_) => {
                drop(session);
                self.send()
            }
        }
    }

    /// Has a stream of the user's own take what waits; true when nothing does any more. Where another thread does that,
    /// it goes on until then.
    fn send(&self) -> io::Result<bool> {
        loop {
            let next = self.with_unsent(UnsentCiphertext::take).flatten();
            let Some(mut bytes) = next else {
                return Ok(lock(&self.session).is_sent());
            };
            let written = self.below.try_write(&[IoSlice::new(&bytes)]);
            let count = written.as_ref().map_or(0, |&count| count.min(bytes.len()));
            bytes.drain(..count);
            let is_full = !bytes.is_empty();
            self.with_unsent(|unsent| unsent.put_back(bytes));
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) if !is_full => {}
                Ok(_) => return Ok(false),
                Err(error) if transport::would_wait(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    fn with_unsent<T>(&self, act: impl FnOnce(&mut UnsentCiphertext) -> T) -> Option<T> {
        lock(&self.session).outbound.as_mut().map(act)
    }

    /// As [`TlsSession::write`], over a stream of the user's own.
    fn write_without_lock(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.send()? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let written = lock(&self.session).write(buffers, &*self.below);
        // With the last of the ciphertext what is owed has left, too.
        let owed = match self.send()? {
            true => lock(&self.session).take_owed(),
            false => 0,
        };
        match written {
            Ok(written) => Ok(written + owed),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && owed > 0 => Ok(owed),
            Err(error) => Err(error),
        }
    }

    /// Plaintext that is there; `None` when there was none, and one `read` from below has brought more.
    fn read_some(
        &self,
        buffer: &mut [u8],
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Option<usize>> {
        let mut session = lock(&self.session);
        match session.decrypt(buffer, &*self.below) {
            Ok(Some(read)) => return Ok(Some(read)),
            Ok(None) => {}
            Err(error) => {
                // The peer is told why.
                let _ = self.flush(session);
                return Err(error);
            }
        }
        match self.fill(session, read)? {
            0 if self.read_ended.load(Ordering::Acquire) => Ok(Some(0)),
            // RFC 8446 6.1: without close_notify the end may be an attacker's.
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(None),
        }
    }
}

impl Transport for TlsTransport {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        loop {
            let read = |room: &mut [u8]| transport::read(&*self.below, room, deadline);
            if let Some(read) = self.read_some(buffer, read)? {
                return Ok(read);
            }
        }
    }

    /// Records without data are read past, but not for ever: others wait for their turn.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        const READS: usize = 4;
        for _ in 0..READS {
            if let Some(read) = self.read_some(buffer, |room| self.below.try_read(room))? {
                return Ok(read);
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut session = lock(&self.session);
        if session.outbound.is_none() {
            return session.write(buffers, &*self.below);
        }
        drop(session);
        self.write_without_lock(buffers)
    }

    forward!(this => &*this.below; wait_writable, wake_when_writable, peer_addr, peer, never_calls_back, clock);

    fn source(&self) -> Option<Source<'_>> {
        self.below.source().map(Source::buffered)
    }

    fn shutdown(&self, how: How) {
        if how != How::Write {
            self.read_ended.store(true, Ordering::Release);
        }
        if matches!(how, How::Write | How::Both) {
            let mut session = lock(&self.session);
            if session.end_writing() {
                // A stream that is full, or gone, ends without it.
                let _ = self.flush(session);
            }
        }
        self.below.shutdown(how);
    }
}

#[cfg(test)]
mod tests;
