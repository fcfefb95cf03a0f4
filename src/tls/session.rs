//! One TLS connection as rustls keeps it: decrypts what was read, encrypts what is written, and never waits.

use std::io::{self, IoSlice, Read, Write};

use rustls::Connection;

use super::ciphertext::{READ, UnreadCiphertext, UnsentCiphertext};
use super::failure::{PlainText, TlsFailure};
use crate::transport::{self, Transport};

/// Plaintext that is encrypted before the stream below has taken what came before it: a flush of
/// collected frames, or a message of 64 KiB with its header, in one write.
pub(crate) const AHEAD: usize = 66 << 10;
/// The longest record (RFC 8446 5.2).
const RECORD: usize = 5 + (16 << 10) + 256;

/// The most that one connection's buffers hold: ciphertext that waits, what was read, the record
/// that rustls has of it, and its plaintext, of which rustls takes one record more when it has one.
pub(crate) const BUFFERS: usize = AHEAD + *READ.end() + 3 * RECORD;

pub(crate) struct TlsSession {
    pub connection: Connection,
    /// Given away while the stream below is read from.
    pub raw: UnreadCiphertext,
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
    pub outbound: Option<UnsentCiphertext>,
}

impl TlsSession {
    /// Before the handshake. `calls_back`: the stream below runs code of a user's.
    pub fn new(mut connection: Connection, calls_back: bool) -> Self {
        connection.set_buffer_limit(Some(AHEAD));
        TlsSession {
            connection,
            raw: UnreadCiphertext::default(),
            failure: None,
            owed: 0,
            write_ended: false,
            heard: false,
            outbound: calls_back.then(UnsentCiphertext::default),
        }
    }

    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// What a peer that speaks no TLS has begun with; only its very first bytes tell.
    pub fn find_plain_text(&mut self) -> Option<PlainText> {
        let rest = self.raw.rest();
        let came = !rest.is_empty();
        let is_first = came && !std::mem::replace(&mut self.heard, came);
        PlainText::in_front_of(rest).filter(|_| is_first)
    }

    /// The chain that the peer has shown and that was verified, its own certificate first; DER.
    pub fn peer_certificates(&self) -> Box<[Vec<u8>]> {
        let chain = self.connection.peer_certificates().unwrap_or_default();
        chain.iter().map(|one| one.to_vec()).collect()
    }

    /// Takes the handshake as far as the bytes that came allow.
    pub fn advance(&mut self) -> Result<(), TlsFailure> {
        while self.connection.is_handshaking() && !self.raw.rest().is_empty() {
            self.feed()?;
        }
        Ok(())
    }

    /// Plaintext for the reader, of all records that came as much as fits; `None` when more must be
    /// read from below first, 0 after the peer's close_notify.
    pub fn decrypt(
        &mut self,
        buffer: &mut [u8],
        below: &dyn Transport,
    ) -> io::Result<Option<usize>> {
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
    /// lock, by `TlsTransport::send`.
    pub fn flush(&mut self, below: &dyn Transport) -> io::Result<bool> {
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
                Err(error) if transport::would_wait(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    pub fn is_sent(&self) -> bool {
        self.outbound
            .as_ref()
            .is_none_or(UnsentCiphertext::is_empty)
    }

    /// Encrypts what the stream below takes. A frame counts as written when its ciphertext has left:
    /// where some waits though all of `buffers` is encrypted, the last byte is owed, so that the
    /// writer comes back, and what waits has an owner with a deadline.
    pub fn write(&mut self, buffers: &[IoSlice<'_>], below: &dyn Transport) -> io::Result<usize> {
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
        let mut taken = self.take_owed().min(offered);
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

    /// Nothing is owed any more: how much more was written.
    pub fn take_owed(&mut self) -> usize {
        std::mem::take(&mut self.owed)
    }

    /// Nothing is written any more; true if close_notify is to leave for that.
    pub fn end_writing(&mut self) -> bool {
        let ends = !std::mem::replace(&mut self.write_ended, true);
        if ends {
            self.connection.send_close_notify();
        }
        ends
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
