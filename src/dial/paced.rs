//! A stream to another program that has to answer in time, and may take longer for a long answer.

use std::io::{self, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use crate::patience::Patience;
use crate::protocol::pace::Pace;
use crate::transport::{self, Transport};

/// So many bytes are worth the time that was given once more.
const WORTH_A_ROUND: u128 = 64 << 10;

/// A stream with one deadline for all that is written and read from [`begin`](PacedStream::begin) on. Much data may
/// take longer, as long as it comes at some pace.
pub(crate) struct PacedStream {
    transport: Box<dyn Transport>,
    patience: Patience,
}

impl PacedStream {
    pub fn new(transport: Box<dyn Transport>) -> Self {
        PacedStream {
            transport,
            patience: Patience::until(Instant::now()),
        }
    }

    pub fn begin(&mut self, within: Duration) {
        let rate = WORTH_A_ROUND * 1000 / within.as_millis().max(1);
        let pace = Pace {
            patience: within,
            min_rate: (rate as usize).max(1),
        };
        self.patience = Patience::paced(Instant::now(), pace);
    }
}

impl Read for PacedStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = transport::read(&*self.transport, into, Some(self.patience.deadline()));
            match &read {
                Ok(bytes) => self.patience.progressed(*bytes, Instant::now()),
                // If the process stood still, Redis was not the slow one.
                Err(error) if is_timeout(error) && self.patience.renew(Instant::now()) => continue,
                Err(_) => {}
            }
            return read;
        }
    }
}

impl Write for PacedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.transport.try_write(&[IoSlice::new(bytes)]) {
                Ok(written) => {
                    self.patience.progressed(written, Instant::now());
                    return Ok(written);
                }
                Err(error) if transport::would_wait(&error) => {
                    transport::wait_for_room(&*self.transport, &mut self.patience, 0)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_timeout(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
}

#[cfg(test)]
mod tests;
