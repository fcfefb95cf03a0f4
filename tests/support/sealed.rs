//! A transport of TLS's shape: bytes travel in records, both directions share one state behind one mutex, and what is
//! read may have to be answered by a record of its own. The mutex is never held across a call that blocks.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use wshub::Transport;
use wshub::testing::{Duplex, duplex};

/// Bytes of a record's content at most.
const RECORD: usize = 4 << 10;
const SEAL: u8 = 0x5a;
/// Every so many records the reader answers with an empty one, as after a key update.
const ANSWERED: usize = 8;

pub struct Sealed {
    stream: Duplex,
    session: Mutex<Session>,
}

#[derive(Default)]
struct Session {
    /// Bytes of a record that is not complete.
    sealed_in: Vec<u8>,
    plain_in: VecDeque<u8>,
    records_in: usize,
    /// Records that the stream has not taken yet.
    sealed_out: Vec<u8>,
    /// Content in them whose writer was told to wait: it offers the same again.
    unreported: usize,
}

pub fn sealed_pair() -> (Sealed, Sealed) {
    let (left, right) = duplex();
    let seal = |stream| Sealed {
        stream,
        session: Mutex::default(),
    };
    (seal(left), seal(right))
}

impl Session {
    fn seal(&mut self, content: &[u8]) {
        self.sealed_out.extend((content.len() as u16).to_be_bytes());
        self.sealed_out
            .extend(content.iter().map(|byte| byte ^ SEAL));
    }

    fn unseal(&mut self, bytes: &[u8]) {
        self.sealed_in.extend(bytes);
        while let Some(len) = self.sealed_in.first_chunk::<2>() {
            let end = 2 + usize::from(u16::from_be_bytes(*len));
            if self.sealed_in.len() < end {
                return;
            }
            let record: Vec<u8> = self.sealed_in.drain(..end).skip(2).collect();
            if record.is_empty() {
                continue;
            }
            self.plain_in.extend(record.iter().map(|byte| byte ^ SEAL));
            self.records_in += 1;
            if self.records_in % ANSWERED == 0 {
                self.seal(&[]);
            }
        }
    }

    fn flush(&mut self, stream: &Duplex) -> io::Result<()> {
        while !self.sealed_out.is_empty() {
            let written = stream.try_write(&[IoSlice::new(&self.sealed_out)])?;
            self.sealed_out.drain(..written);
        }
        Ok(())
    }
}

impl Sealed {
    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap()
    }
}

impl Transport for Sealed {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let mut sealed = [0; RECORD];
        loop {
            let mut session = self.session();
            if !session.plain_in.is_empty() {
                return session.plain_in.read(buffer);
            }
            drop(session);
            let read = Transport::read(&self.stream, &mut sealed, deadline)?;
            if read == 0 {
                return Ok(0);
            }
            let mut session = self.session();
            session.unseal(&sealed[..read]);
            // What reading makes it send leaves now, or with the next write.
            let _ = session.flush(&self.stream);
        }
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut session = self.session();
        session.flush(&self.stream)?;
        let mut reported = std::mem::take(&mut session.unreported);
        if reported == 0 {
            let bytes = buffers.iter().flat_map(|part| part.iter().copied());
            let content: Vec<u8> = bytes.take(RECORD).collect();
            if content.is_empty() {
                return Ok(0);
            }
            session.seal(&content);
            reported = content.len();
        }
        if let Err(error) = session.flush(&self.stream) {
            session.unreported = reported;
            return Err(error);
        }
        Ok(reported)
    }

    crate::support::delegated!(stream);
}

impl Read for Sealed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Transport::read(self, buffer, None)
    }
}

impl Write for Sealed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.try_write(&[IoSlice::new(bytes)]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait_writable(Instant::now() + Duration::from_secs(60))?;
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
