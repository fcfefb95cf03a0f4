//! A stream to another program that has to answer in time.

use std::io::{self, IoSlice, Read, Write};
use std::ops::Deref;
#[cfg(feature = "redis")]
use std::time::Duration;
use std::time::Instant;

use crate::patience::Patience;
#[cfg(feature = "redis")]
use crate::protocol::pace::Pace;
use crate::transport::{self, Transport};

/// So many bytes are worth the time that was given once more.
#[cfg(feature = "redis")]
const WORTH_A_ROUND: u128 = 64 << 10;

/// A stream with one deadline for all that is written and read.
pub(crate) struct DeadlineStream<T> {
    transport: T,
    patience: Patience,
}

impl<T> DeadlineStream<T> {
    pub fn until(transport: T, deadline: Instant) -> Self {
        DeadlineStream {
            transport,
            patience: Patience::until(deadline),
        }
    }

    /// From now on there is this time. Much data may take longer, as long as it comes at some pace.
    #[cfg(feature = "redis")]
    pub fn begin(&mut self, within: Duration) {
        let rate = WORTH_A_ROUND * 1000 / within.as_millis().max(1);
        let pace = Pace {
            patience: within,
            min_rate: (rate as usize).max(1),
        };
        self.patience = Patience::paced(Instant::now(), pace);
    }
}

impl<T: Deref<Target = dyn Transport>> Read for DeadlineStream<T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = transport::read(&*self.transport, into, Some(self.patience.deadline()));
            match &read {
                Ok(bytes) => self.patience.progressed(*bytes, Instant::now()),
                // If the process stood still, the other one was not slow.
                Err(error) if is_timeout(error) && self.patience.renew(Instant::now()) => continue,
                Err(_) => {}
            }
            return read;
        }
    }
}

impl<T: Deref<Target = dyn Transport>> Write for DeadlineStream<T> {
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

#[cfg(all(test, feature = "redis"))]
mod tests;
