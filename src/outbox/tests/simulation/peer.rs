//! The peer of the connection: it reads what was written, and finds all of it valid and in order.

use super::*;

/// What the peer has understood of what was written.
pub(crate) struct Peer {
    pub receiver: Receiver,
    pub buffer: Vec<u8>,
    /// Bytes of the wire that it has read.
    pub read: usize,
    /// Numbers of the messages and of the pongs that came whole.
    pub got: Vec<u64>,
    pub pongs: Vec<u64>,
    pub closed: bool,
}

impl Peer {
    pub fn read(&mut self, written: &[u8]) {
        let fresh = &written[self.read..];
        assert!(
            !self.closed || fresh.is_empty(),
            "something after the Close"
        );
        self.buffer.extend(fresh);
        self.read = written.len();
        loop {
            let received = self.receiver.receive(&mut self.buffer);
            match received.expect("the server's frames are valid") {
                Received::NeedMore { keep } => {
                    self.buffer.truncate(keep.end);
                    self.buffer.drain(..keep.start);
                    return;
                }
                Received::Message(MessageRef::Binary(bytes)) => {
                    push_in_order(&mut self.got, number_of(bytes))
                }
                Received::Pong(bytes) => push_in_order(&mut self.pongs, number_of(bytes)),
                Received::Ping(_) => {}
                Received::Close(..) => self.closed = true,
                Received::Message(MessageRef::Text(text)) => panic!("nobody sent {text:?}"),
                Received::Part(part) => panic!("nobody sent {part:?}"),
            }
            let discard = self.receiver.take_discard();
            self.buffer.drain(..discard);
            if self.closed {
                return assert!(self.buffer.is_empty(), "something after the Close");
            }
        }
    }
}

pub(crate) fn push_in_order(numbers: &mut Vec<u64>, number: u64) {
    assert!(
        numbers.last().is_none_or(|last| *last < number),
        "out of order"
    );
    numbers.push(number);
}

/// A payload that tells its place in the order.
pub(crate) fn numbered(number: u64, len: usize) -> Vec<u8> {
    let mut payload = number.to_be_bytes().to_vec();
    payload.resize(len.max(8), 0x55);
    payload
}

pub(crate) fn number_of(payload: &[u8]) -> u64 {
    u64::from_be_bytes(*payload.first_chunk().expect("eight bytes"))
}
