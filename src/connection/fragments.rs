//! What a user's [`Read`] gives, as the fragments of one message.

use std::io::{self, Read};

use crate::error::SendErrorKind;
use crate::protocol::send::Fragment;

/// The longest fragment: what the socket takes at once, and a peer finds bearable.
const LONGEST: usize = 64 << 10;

/// Reads `source` to its end, and has `send` send what each read gives; how many bytes that were.
///
/// # Errors
/// The source's as it is; or why a fragment was not taken.
pub(crate) fn send_all(
    mut source: impl Read,
    mut send: impl FnMut(Fragment, &[u8]) -> Result<(), SendErrorKind>,
) -> io::Result<u64> {
    let mut room = vec![0; LONGEST];
    let mut sent = 0;
    let mut is_first = true;
    loop {
        let read = read(&mut source, &mut room)?;
        let is_last = read.is_empty();
        send(Fragment { is_first, is_last }, read).map_err(as_io_error)?;
        sent += read.len() as u64;
        is_first = false;
        if is_last {
            return Ok(sent);
        }
    }
}

fn read<'r>(source: &mut impl Read, room: &'r mut [u8]) -> io::Result<&'r [u8]> {
    loop {
        match source.read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(read) => {
                let claims_more =
                    || io::Error::other("the source claims more than it had room for");
                return room.get(..read).ok_or_else(claims_more);
            }
        }
    }
}

fn as_io_error(kind: SendErrorKind) -> io::Error {
    let of_stream = match kind {
        SendErrorKind::Io(kind) => kind,
        SendErrorKind::SlowConsumer => io::ErrorKind::TimedOut,
        SendErrorKind::Full => io::ErrorKind::ResourceBusy,
        SendErrorKind::Closed => io::ErrorKind::BrokenPipe,
    };
    io::Error::new(of_stream, kind.to_string())
}
