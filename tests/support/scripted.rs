//! A stream that does as a script says: for a `WebSocket` over any `Read + Write`, without a thread.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

#[derive(Default)]
pub struct Scripted {
    reads: VecDeque<Result<Vec<u8>, ErrorKind>>,
    writes: VecDeque<Result<usize, ErrorKind>>,
    flushes: VecDeque<ErrorKind>,
    pub written: Vec<u8>,
    pause: Duration,
}

impl Scripted {
    /// Bytes of one read. After the last of the script comes the end of the stream.
    pub fn then(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.add_read(bytes);
        self
    }

    pub fn add_read(&mut self, bytes: impl AsRef<[u8]>) {
        self.reads.push_back(Ok(bytes.as_ref().to_vec()));
    }

    /// As many reads as there are bytes.
    pub fn then_bytewise(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref().iter();
        self.reads.extend(bytes.map(|&byte| Ok(vec![byte])));
        self
    }

    /// Every read takes so long.
    pub fn slowly(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    pub fn then_fails(mut self, kind: ErrorKind) -> Self {
        self.reads.push_back(Err(kind));
        self
    }

    pub fn add_read_failure(&mut self, kind: ErrorKind) {
        self.reads.push_back(Err(kind));
    }

    /// What the next write takes at most. After the last of the script, all.
    pub fn add_write(&mut self, outcome: Result<usize, ErrorKind>) {
        self.writes.push_back(outcome);
    }

    /// The next flush fails. After the last of the script, none does.
    pub fn add_flush_failure(&mut self, kind: ErrorKind) {
        self.flushes.push_back(kind);
    }

    pub fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }
}

impl Read for Scripted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        std::thread::sleep(self.pause);
        let Some(bytes) = self.reads.pop_front() else {
            return Ok(0);
        };
        let mut bytes = bytes?;
        let len = bytes.len().min(buffer.len());
        buffer[..len].copy_from_slice(&bytes[..len]);
        bytes.drain(..len);
        if !bytes.is_empty() {
            self.reads.push_front(Ok(bytes));
        }
        Ok(len)
    }
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.writes.pop_front().unwrap_or(Ok(usize::MAX))?;
        let len = room.min(bytes.len());
        self.written.extend(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushes
            .pop_front()
            .map_or(Ok(()), |kind| Err(kind.into()))
    }
}
