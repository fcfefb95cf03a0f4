//! Messages of a session that are larger than what one wants to hold: sent while they are made, read while they arrive.

use std::io::{self, Read};
use std::time::Instant;

use super::Session;
use crate::connection::end::End;
use crate::connection::fragments::send_all;
use crate::connection::message_stream::{FirstPart, MessageStream, PartSource};
use crate::error::Error;
use crate::outbox::OutgoingStream;
use crate::protocol::violation::Violation;

/// Reads of what the peer sends that are made between two fragments.
const LOOKS: usize = 4;

impl Session<'_> {
    /// Sends one binary message of any length, also when the length is not known. Each read of `source` gives up to
    /// 64 KiB, which leave at once as a fragment. Returns the number of bytes sent. The message is not compressed.
    ///
    /// Each fragment waits as [`send`](Session::send) does, and between two fragments the peer's pings and Close are
    /// answered. The first message that comes during this is kept for [`read`](Session::read), and then the peer is not
    /// read from any more. What other threads send waits until the stream has ended, within
    /// [`outbound_per_connection`](crate::Limits::outbound_per_connection); beyond that [`Overflow`](crate::Overflow)
    /// decides.
    ///
    /// ```
    /// use std::fs::File;
    ///
    /// let handle = wshub::serve("127.0.0.1:0", |mut ws| {
    ///     ws.send_stream(File::open("/var/log/dmesg")?)?;
    ///     Ok(())
    /// })?;
    /// # handle.shutdown(); handle.wait();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The source's own; or [`BrokenPipe`](io::ErrorKind::BrokenPipe) when the connection is closed, closing or given
    /// up. A message that has begun cannot be taken back: then the connection is closed with 1011.
    pub fn send_stream(&mut self, source: impl Read) -> io::Result<u64> {
        self.flush();
        let outbox = self.driver.connection.outbox().clone();
        let mut stream = OutgoingStream::begin(&outbox);
        send_all(source, |fragment, payload| {
            self.attend();
            stream.send(fragment, payload)
        })
    }

    /// The next message while it arrives, of up to `max` bytes in place of [`max_message`](crate::Limits::max_message);
    /// a longer one ends the connection with 1009. Blocks until it has begun; `None` when the connection has ended. At
    /// most [`max_fragments`](crate::Limits::max_fragments) empty frames may follow each other.
    ///
    /// ```
    /// use std::io;
    ///
    /// let handle = wshub::serve("127.0.0.1:0", |mut ws| {
    ///     if let Some(mut upload) = ws.read_stream(4 << 30)? {
    ///         let bytes = io::copy(&mut upload, &mut io::sink())?; // a file, say
    ///         ws.send(format!("{bytes} bytes"))?;
    ///     }
    ///     Ok(())
    /// })?;
    /// # handle.shutdown(); handle.wait();
    /// # Ok::<(), io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`read`](Session::read). Those of the message itself: [`MessageStream`].
    pub fn read_stream(&mut self, max: u64) -> Result<Option<MessageStream<'_>>, Error> {
        if let Some(message) = self.ahead.take() {
            if message.len() as u64 > max {
                return self.refuse_longer_than(max).map_or(Ok(None), Err);
            }
            self.received(message.len());
            return Ok(Some(MessageStream::new(self, FirstPart::whole(message))));
        }
        self.driver.conversation.begin_parts(max);
        let begun = self.wait_for(None, |driver| driver.next_part(FirstPart::of))?;
        Ok(begun.map(|begun| {
            self.note_part(begun.bytes.len(), begun.is_last);
            MessageStream::new(self, begun)
        }))
    }

    /// Ends the connection for a message that has come; why.
    fn refuse_longer_than(&mut self, max: u64) -> Option<Error> {
        let limit = usize::try_from(max).unwrap_or(usize::MAX);
        let violation = Violation::MessageTooBig { limit };
        self.end(End::Failed(Error::Protocol(violation)))
    }

    fn note_part(&mut self, bytes: usize, is_last: bool) {
        self.bytes += bytes as u64;
        self.messages += u64::from(is_last);
    }

    /// Answers what the peer has sent by now, without waiting for it.
    fn attend(&mut self) {
        for _ in 0..LOOKS {
            if self.ended.is_some() || self.ahead.is_some() {
                break;
            }
            let more = match self.driver.next(|message| message.to_message()) {
                Ok(Some(message)) => {
                    self.ahead = Some(message);
                    break;
                }
                Ok(None) => self.driver.read_at_once(Instant::now()),
                Err(end) => Err(end),
            };
            match more {
                Ok((_, true)) => {}
                Ok((_, false)) => break,
                Err(end) => self.unreported = self.end(end),
            }
        }
        self.driver.flush_pongs();
    }
}

impl PartSource for Session<'_> {
    fn next_part(&mut self, bytes: &mut Vec<u8>) -> Result<bool, Error> {
        let before = bytes.len();
        let next = self.wait_for(None, |driver| {
            driver.next_part(|part| part.append_to(bytes))
        });
        let is_last = next?.ok_or(Error::Closed)?;
        self.note_part(bytes.len() - before, is_last);
        Ok(is_last)
    }
}
