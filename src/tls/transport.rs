//! TLS over another transport: two directions that share one state, and a lock that is held while
//! bytes are encrypted or decrypted, never while anything waits.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

#[cfg(feature = "client")]
use rustls::pki_types::ServerName;
#[cfg(feature = "client")]
use rustls::{ClientConfig, ClientConnection};
use rustls::{Connection, ServerConfig, ServerConnection};

use crate::http::head::asks_for_head;
use crate::http::proxy_protocol;
use crate::lock::{Guard, Mutex, TLS, lock};
use crate::transport::{self, How, Source, Transport, forward};

/// Plaintext that is encrypted before the stream below has taken what came before it: a flush of
/// collected frames, or a message of 64 KiB with its header, in one write.
const AHEAD: usize = 66 << 10;
/// The longest record (RFC 8446 section 5.2).
const RECORD: usize = 5 + (16 << 10) + 256;
/// What one read from the stream below takes, at least and at most: an idle connection holds the
/// least, and the most is a message of 64 KiB in its records.
const READ: RangeInclusive<usize> = 512..=66 << 10;

/// The most that one connection's buffers hold: ciphertext that waits, what was read, the record
/// that rustls has of it, and its plaintext, of which rustls takes one record more when it has one.
pub(crate) const BUFFERS: usize = AHEAD + *READ.end() + 3 * RECORD;

pub(crate) struct TlsTransport {
    below: Arc<dyn Transport>,
    session: Mutex<TlsSession, TLS>,
    /// Reading was ended from here: an end of the stream is no truncation then.
    read_ended: AtomicBool,
}

struct TlsSession {
    connection: Connection,
    raw: UnreadCiphertext,
    /// The peer broke TLS; what it sent before that comes first.
    failure: Option<rustls::Error>,
    /// Bytes, none or one, that are encrypted and were not reported as written: the caller comes
    /// back for them, and so sees that ciphertext waits.
    owed: usize,
    /// close_notify was sent: nothing is written any more.
    write_ended: bool,
    /// Something came: what follows may begin with any byte.
    heard: bool,
    /// Ciphertext for a stream of the user's own. `None`: the stream is wshub's own.
    outbound: Option<Ciphertext>,
}

/// Ciphertext that is written without the lock, since that runs code of a user's.
#[derive(Default)]
struct Ciphertext {
    bytes: Vec<u8>,
    /// A thread writes what was here.
    taken: bool,
}

impl Ciphertext {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.taken
    }
}

/// What was read from below and not given to rustls: `bytes[start..end]`.
#[derive(Default)]
struct UnreadCiphertext {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl UnreadCiphertext {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    fn take(&mut self, count: usize) {
        self.start += count;
    }

    fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Reads, when everything was taken. A read that fills its room makes the next one's larger. The
    /// room stays, however short the reads that follow (the end of a long message is one), until
    /// nothing comes by the deadline, which is soon where the reader holds memory for nothing, too.
    fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        let full = self.end == self.bytes.len();
        self.clear();
        if full {
            let room = (2 * self.bytes.len()).clamp(*READ.start(), *READ.end());
            self.bytes.resize(room, 0);
        }
        let read = read(&mut self.bytes);
        match read {
            Ok(read) => self.end = read.min(self.bytes.len()),
            Err(_) => *self = UnreadCiphertext::default(),
        }
        read
    }
}

/// Why a TLS handshake failed.
#[derive(Debug)]
pub(crate) enum TlsFailure {
    /// The peer speaks no TLS.
    PlainText(PlainText),
    Tls(rustls::Error),
    /// The stream below failed or ended, or the deadline passed.
    Io(io::Error),
}

/// What a peer begins with that speaks no TLS.
#[derive(Debug)]
pub(crate) enum PlainText {
    Request {
        /// HEAD, whose answer has no body.
        asks_for_head: bool,
    },
    /// A header of the PROXY protocol, of a peer that is no trusted proxy: those of others were read before.
    ProxyHeader,
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

    fn new(below: Arc<dyn Transport>, mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(AHEAD));
        let outbound = (!below.never_calls_back()).then(Ciphertext::default);
        TlsTransport {
            below,
            session: Mutex::new(TlsSession {
                connection,
                raw: UnreadCiphertext::default(),
                failure: None,
                owed: 0,
                write_ended: false,
                heard: false,
                outbound,
            }),
            read_ended: AtomicBool::new(false),
        }
    }

    /// Blocks until the TLS handshake is done; on the thread that will read. Where the deadline has
    /// passed it may be called again.
    pub fn handshake(&self, deadline: Instant) -> Result<(), TlsFailure> {
        loop {
            let mut session = lock(&self.session);
            let advanced = session.advance();
            let is_done = !session.connection.is_handshaking();
            let flushed = self.flush(session);
            advanced?;
            if is_done {
                return Ok(());
            }
            if !flushed? {
                transport::wait_writable(&*self.below, deadline)?;
                continue;
            }
            let mut raw = std::mem::take(&mut lock(&self.session).raw);
            let filled = raw.fill(|room| transport::read(&*self.below, room, Some(deadline)));
            let plain = {
                let mut session = lock(&self.session);
                session.raw = raw;
                let came = !session.raw.rest().is_empty();
                let first = came && !std::mem::replace(&mut session.heard, came);
                let rest = session.raw.rest();
                if first { plain_text(rest) } else { None }
            };
            match (filled?, plain) {
                (0, _) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                (_, Some(plain)) => return Err(TlsFailure::PlainText(plain)),
                (_, None) => {}
            }
        }
    }

    /// The chain that the peer has shown and that was verified, its own certificate first; DER.
    pub fn peer_certificates(&self) -> Box<[Vec<u8>]> {
        let session = lock(&self.session);
        let chain = session.connection.peer_certificates().unwrap_or_default();
        chain.iter().map(|one| one.to_vec()).collect()
    }
}

/// An HTTP method, or an answer, begins with a letter, or with an empty line in front; a TLS record does not.
fn plain_text(bytes: &[u8]) -> Option<PlainText> {
    let first = bytes.first()?;
    if proxy_protocol::begins(bytes) {
        return Some(PlainText::ProxyHeader);
    }
    let is_text = *first == b'\r' || first.is_ascii_alphabetic();
    is_text.then(|| PlainText::Request {
        asks_for_head: asks_for_head(bytes),
    })
}

impl TlsSession {
    /// Takes the handshake as far as the bytes that came allow.
    fn advance(&mut self) -> Result<(), TlsFailure> {
        while self.connection.is_handshaking() && !self.raw.rest().is_empty() {
            self.feed()?;
        }
        Ok(())
    }

    /// Plaintext for the reader, of all records that came as much as fits; `None` when more must be
    /// read from below first, 0 after the peer's close_notify.
    fn decrypt(&mut self, buffer: &mut [u8], below: &dyn Transport) -> io::Result<Option<usize>> {
        let mut filled = 0;
        while let Some(room @ [_, ..]) = buffer.get_mut(filled..) {
            match self.decrypt_some(room, below) {
                Ok(Some(read)) if read > 0 => filled += read,
                // An end and a failure are there at the next read, too.
                _ if filled > 0 => break,
                nothing => return nothing,
            }
        }
        Ok(Some(filled))
    }

    fn decrypt_some(
        &mut self,
        buffer: &mut [u8],
        below: &dyn Transport,
    ) -> io::Result<Option<usize>> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done.map(Some),
            }
            if let Some(failure) = &self.failure {
                return Err(io::Error::new(io::ErrorKind::InvalidData, failure.clone()));
            }
            if self.raw.rest().is_empty() {
                // rustls gives its buffer back when it is about to read.
                let _ = self.connection.read_tls(&mut NothingYet);
                return Ok(None);
            }
            match self.feed() {
                Ok(_) => {}
                Err(TlsFailure::Tls(failure)) => self.failure = Some(failure),
                Err(TlsFailure::Io(error)) => return Err(error),
                Err(TlsFailure::PlainText(_)) => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
            // An alert or an answer that the stream does not take, or one of the user's own, goes before
            // what is written next; whether the stream is gone, reading tells.
            let _ = self.flush(below);
        }
    }

    fn feed(&mut self) -> Result<(), TlsFailure> {
        match self.connection.read_tls(&mut self.raw.rest())? {
            // After close_notify: what follows it is for nobody.
            0 => self.raw.clear(),
            taken => self.raw.take(taken),
        }
        self.connection
            .process_new_packets()
            .map(drop)
            .map_err(TlsFailure::Tls)
    }

    /// Offers ciphertext to the stream below; true when none waits any more. One of the user's own gets it without the
    /// lock, by [`send`](TlsTransport::send).
    fn flush(&mut self, below: &dyn Transport) -> io::Result<bool> {
        if let Some(outbound) = &mut self.outbound {
            while self.connection.wants_write() {
                self.connection.write_tls(&mut outbound.bytes)?;
            }
            return Ok(outbound.is_empty());
        }
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut StreamBelow(below)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => return Ok(false),
                    _ => return Err(error),
                },
            }
        }
        Ok(true)
    }

    /// What a stream of the user's own is to take next. `None`: nothing waits, or another thread writes.
    fn begin_to_send(&mut self) -> Option<Vec<u8>> {
        let outbound = self.outbound.as_mut()?;
        if outbound.taken || outbound.bytes.is_empty() {
            return None;
        }
        outbound.taken = true;
        Some(std::mem::take(&mut outbound.bytes))
    }

    /// `rest` was not taken: it leaves before what came meanwhile.
    fn end_to_send(&mut self, mut rest: Vec<u8>) {
        if let Some(outbound) = &mut self.outbound {
            rest.append(&mut outbound.bytes);
            *outbound = Ciphertext {
                bytes: rest,
                taken: false,
            };
        }
    }

    fn is_sent(&self) -> bool {
        self.outbound.as_ref().is_none_or(Ciphertext::is_empty)
    }

    /// Encrypts what the stream below takes. A frame counts as written when its ciphertext has left:
    /// where some waits though all of `buffers` is encrypted, the last byte is owed, so that the
    /// writer comes back, and what waits has an owner with a deadline.
    fn write(&mut self, buffers: &[IoSlice<'_>], below: &dyn Transport) -> io::Result<usize> {
        if self.write_ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.connection.is_handshaking() || !self.flush(below)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let offered: usize = buffers.iter().map(|buffer| buffer.len()).sum();
        if offered == 0 {
            return Ok(0);
        }
        let mut taken = std::mem::take(&mut self.owed).min(offered);
        while taken < offered {
            taken += match taken {
                0 => self.connection.writer().write_vectored(buffers)?,
                _ => {
                    let rest = skip(buffers, taken);
                    self.connection.writer().write_vectored(&rest)?
                }
            };
            if !self.flush(below)? {
                return self.written_in_part(taken, offered);
            }
        }
        Ok(taken)
    }

    fn written_in_part(&mut self, taken: usize, offered: usize) -> io::Result<usize> {
        if taken < offered {
            return Ok(taken);
        }
        self.owed = 1;
        match offered.saturating_sub(1) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            written => Ok(written),
        }
    }
}

impl TlsTransport {
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
            let next = lock(&self.session).begin_to_send();
            let Some(mut bytes) = next else {
                return Ok(lock(&self.session).is_sent());
            };
            let written = self.below.try_write(&[IoSlice::new(&bytes)]);
            let count = written.as_ref().map_or(0, |&count| count.min(bytes.len()));
            bytes.drain(..count);
            let is_full = !bytes.is_empty();
            lock(&self.session).end_to_send(bytes);
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) if !is_full => {}
                Ok(_) => return Ok(false),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => return Ok(false),
                    _ => return Err(error),
                },
            }
        }
    }

    /// As [`TlsSession::write`], over a stream of the user's own.
    fn write_without_lock(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.send()? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let written = lock(&self.session).write(buffers, &*self.below);
        // With the last of the ciphertext what is owed has left, too.
        let owed = match self.send()? {
            true => std::mem::take(&mut lock(&self.session).owed),
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
        let mut raw = {
            let mut session = lock(&self.session);
            match session.decrypt(buffer, &*self.below) {
                Ok(Some(read)) => return Ok(Some(read)),
                Ok(None) => std::mem::take(&mut session.raw),
                Err(error) => {
                    // The peer is told why.
                    let _ = self.flush(session);
                    return Err(error);
                }
            }
        };
        let filled = raw.fill(read);
        lock(&self.session).raw = raw;
        match filled? {
            0 if self.read_ended.load(Ordering::Acquire) => Ok(Some(0)),
            // RFC 8446 section 6.1: without close_notify the end may be an attacker's.
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(None),
        }
    }
}

/// `buffers` without the first `count` bytes.
fn skip<'a>(buffers: &'a [IoSlice<'a>], mut count: usize) -> Vec<IoSlice<'a>> {
    let rest = buffers.iter().map(|buffer| {
        let rest = buffer.get(count..).unwrap_or_default();
        count = count.saturating_sub(buffer.len());
        IoSlice::new(rest)
    });
    rest.filter(|buffer| !buffer.is_empty()).collect()
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

    forward!(this => &*this.below; wait_writable, wake_when_writable, peer_addr, never_calls_back, clock);

    fn source(&self) -> Option<Source<'_>> {
        self.below.source().map(Source::buffered)
    }

    fn shutdown(&self, how: How) {
        if how != How::Write {
            self.read_ended.store(true, Ordering::Release);
        }
        if matches!(how, How::Write | How::Both) {
            let mut session = lock(&self.session);
            if !std::mem::replace(&mut session.write_ended, true) {
                session.connection.send_close_notify();
                // A stream that is full, or gone, ends without it.
                let _ = self.flush(session);
            }
        }
        self.below.shutdown(how);
    }
}

/// The stream below, as rustls writes to it.
struct StreamBelow<'a>(&'a dyn Transport);

impl Write for StreamBelow<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream from which nothing comes now.
struct NothingYet;

impl Read for NothingYet {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl From<io::Error> for TlsFailure {
    fn from(error: io::Error) -> Self {
        TlsFailure::Io(error)
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsFailure::PlainText(_) => f.write_str("plain text where TLS was expected"),
            TlsFailure::Tls(error) => error.fmt(f),
            TlsFailure::Io(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
