//! A spare buffer of each thread: a short message that was sent leaves its own to the next one of about its length. The
//! echo of several messages of one read asks the allocator for nothing then, which took a tenth of its instructions.

use std::cell::Cell;

/// The largest buffer that is kept.
const LARGEST: usize = 128;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An empty buffer for so many bytes.
#[inline]
pub(crate) fn buffer(len: usize) -> Vec<u8> {
    if len <= LARGEST {
        let spare = SPARE.try_with(Cell::take).unwrap_or_default();
        // The application may keep many messages: none holds much more than it needs.
        if (len..=2 * len).contains(&spare.capacity()) {
            return spare;
        }
        put(spare);
    }
    Vec::with_capacity(len)
}

/// Nobody needs this buffer any more.
#[inline]
pub(crate) fn put(mut buffer: Vec<u8>) {
    if (1..=LARGEST).contains(&buffer.capacity()) {
        buffer.clear();
        // A thread that ends keeps nothing.
        let _ = SPARE.try_with(|spare| spare.set(buffer));
    }
}

#[cfg(test)]
mod tests;
