//! What is left of a message in fragments whose first one failed, and a reader that owes without end.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use super::*;
use crate::transport::{duplex, inert};
use crate::websocket::retried::ToShared;
use crate::websocket::write_buffer::Masking;

#[test]
fn a_first_fragment_that_fails_keeps_no_message_back() {
    let limits = Limits {
        write_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let outgoing = WriteBuffer::new(Masking::Off, &limits, None);
    let (stream, _peer) = duplex();
    let shared = SharedWriter::new(Box::new(stream), &limits, outgoing);
    let failed = shared.send(Sending::FirstFragment, |_| Err(io::Error::other("no key")));
    assert!(failed.is_err());
    assert_eq!(shared.send(Sending::Message, |_| Ok(true)), Ok(()));
}

/// A peer that pings so often and reads the answers: amid each write its next ping comes.
struct Pinged {
    pings: usize,
    reader: OnceLock<Weak<SharedWriter>>,
    writes: AtomicUsize,
    /// When the reader tries again that has found the write side held after the last ping.
    tries_again: OnceLock<Option<Instant>>,
}

impl Pinged {
    /// It, and what is sent to it.
    fn new(pings: usize) -> (Arc<Pinged>, Arc<SharedWriter>) {
        let limits = Limits::default();
        let outgoing = WriteBuffer::new(Masking::Off, &limits, None);
        let stream = Arc::new(Pinged {
            pings,
            reader: OnceLock::new(),
            writes: AtomicUsize::new(0),
            tries_again: OnceLock::new(),
        });
        let shared = SharedWriter::new(Box::new(stream.clone()), &limits, outgoing);
        let shared = Arc::new(shared);
        stream.reader.set(Arc::downgrade(&shared)).unwrap();
        (stream, shared)
    }

    fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }
}

impl Transport for Arc<Pinged> {
    inert! { read, wait_writable, wake_when_writable, shutdown, peer_addr }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let left = self
            .pings
            .checked_sub(self.writes.fetch_add(1, Ordering::SeqCst));
        if let Some(left @ 1..) = left {
            let shared = self.reader.get().and_then(Weak::upgrade).unwrap();
            shared.owe(|owed| owed.pong = Some(b"ping".to_vec()));
            if left == 1 {
                self.tries_again.set(tries_again(&shared)).unwrap();
            }
        }
        Ok(buffers.iter().map(|buffer| buffer.len()).sum())
    }
}

/// What a reader does before it waits.
fn tries_again(shared: &SharedWriter) -> Option<Instant> {
    let mut answers = ToShared {
        shared,
        retrying: &mut None,
    };
    answers.retry().unwrap();
    answers.retry_at(Instant::now())
}

#[test]
fn f15_a_writer_does_not_answer_a_flood_of_pings_to_its_end() {
    const PINGS: usize = 10_000;
    let (stream, shared) = Pinged::new(PINGS);
    let sent = shared.send(Sending::Control, WriteBuffer::ping);
    assert_eq!(sent, Ok(()));
    let writes = stream.writes();
    assert!(writes < PINGS / 10, "{writes} writes before it came back");
    // What is left is for the reader, which tries before it waits.
    assert_eq!(shared.retry(), WriteAttempt::Done);
    assert!(stream.writes() > writes);
}

/// The flood ends amid the last write of a writer, and the reader has looked before that: it looks again soon.
#[test]
fn f15_what_a_writer_leaves_of_a_flood_is_tried_again_soon() {
    let (stream, shared) = Pinged::new(MOST_OWED as usize + 1);
    let sent = shared.send(Sending::Control, WriteBuffer::ping);
    assert_eq!(sent, Ok(()));
    assert!(!lock(&shared.side).owed.is_empty(), "the last is left");
    assert!(stream.tries_again.get().unwrap().is_some());
    assert_eq!(tries_again(&shared), None);
    assert!(lock(&shared.side).owed.is_empty());
}
