//! Spare buffers of each thread: short messages that were sent leave theirs to the next ones of about their length, and
//! so does what was collected. An echo asks the allocator for nothing then, which took a tenth of its instructions.

use std::cell::{Cell, RefCell};

/// The largest buffer that is kept.
pub(crate) const LARGEST: usize = 128;
/// How many are kept beside the last one: for messages that are read together, and answers that leave together.
const OTHERS_KEPT: usize = 63;

thread_local! {
    static LAST: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static OTHERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer for so many bytes.
#[inline]
pub(crate) fn buffer(len: usize) -> Vec<u8> {
    if len <= LARGEST {
        let last = LAST.try_with(Cell::take).unwrap_or_default();
        if fits(&last, len) {
            return last;
        }
    }
    other(len)
}

/// The application may keep many messages: none holds much more than it needs.
#[inline]
fn fits(buffer: &Vec<u8>, len: usize) -> bool {
    (len..=2 * len).contains(&buffer.capacity())
}

/// One of the others, or a new one.
#[inline(never)]
fn other(len: usize) -> Vec<u8> {
    let other = match len <= LARGEST {
        true => OTHERS.try_with(|others| others.borrow_mut().pop()),
        false => Ok(None),
    };
    let other = other.ok().flatten().filter(|it| fits(it, len));
    other.unwrap_or_else(|| Vec::with_capacity(len))
}

/// Nobody needs this buffer any more.
#[inline]
pub(crate) fn put(mut buffer: Vec<u8>) {
    if (1..=LARGEST).contains(&buffer.capacity()) {
        buffer.clear();
        // A thread that ends keeps nothing.
        match LAST.try_with(|last| last.replace(buffer)) {
            Ok(before) if before.capacity() > 0 => put_beside(before),
            _ => {}
        }
    }
}

#[inline(never)]
fn put_beside(buffer: Vec<u8>) {
    let _ = OTHERS.try_with(|others| {
        let mut others = others.borrow_mut();
        if others.len() < OTHERS_KEPT {
            others.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests;
