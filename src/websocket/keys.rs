//! A client's masking keys: one for each frame, from the operating system (RFC 6455 5.3).

use std::io;

/// Random bytes that are fetched at once: a system call per frame would cost more than the frame.
const POOL: usize = 256;

/// A source of random bytes: the operating system, or what a test puts in its place.
pub(crate) type RandomSource = fn(&mut [u8]) -> io::Result<()>;

/// Fills `bytes` from the operating system's generator.
pub(crate) fn from_system(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(io::Error::from)
}

pub(crate) struct Keys {
    source: RandomSource,
    pool: [u8; POOL],
    used: usize,
}

impl Keys {
    pub fn new(source: RandomSource) -> Self {
        Keys {
            source,
            pool: [0; POOL],
            used: POOL,
        }
    }

    /// A key that was never given before. Where the source fails there is none: a weak one would
    /// let a page choose the bytes on the wire (RFC 6455 10.3).
    pub fn next(&mut self) -> io::Result<[u8; 4]> {
        if self.used == POOL {
            (self.source)(&mut self.pool)?;
            self.used = 0;
        }
        let rest = self.pool.get(self.used..).unwrap_or_default();
        let key = rest.first_chunk::<4>().copied();
        self.used += 4;
        key.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests;
