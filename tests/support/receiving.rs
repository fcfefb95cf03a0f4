//! What a peer sends, read by read, through a receiver. Beside the protocol's source, where that is included as it is.

use crate::protocol::receive::{Received, Receiver};

/// Puts `read` after the first `have` bytes of `buf`, which earlier reads have left, and gives what is complete to
/// `each`; returns how many bytes are left there.
pub fn receive_read(
    receiver: &mut Receiver,
    buf: &mut [u8],
    have: usize,
    read: &[u8],
    mut each: impl FnMut(Received<'_>),
) -> usize {
    let end = have + read.len();
    buf[have..end].copy_from_slice(read);
    let mut start = 0;
    loop {
        match receiver.receive(&mut buf[start..end]) {
            Ok(Received::NeedMore { keep }) => {
                buf.copy_within(start + keep.start..start + keep.end, 0);
                return keep.len();
            }
            Ok(found) => each(found),
            Err(violation) => panic!("{violation}"),
        }
        start += receiver.take_discard();
    }
}
