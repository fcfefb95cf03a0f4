//! Messages that are larger than what one wants to hold, over a stream of the user's own and its halves: sent while
//! they are made, read while they arrive.

use std::io::{self, Read, Write};

use super::shared::{Sending, SharedWriter};
use super::write_buffer::WriteBuffer;
use super::{WebSocket, WebSocketReader, WebSocketWriter};
use crate::connection::fragments::send_all;
use crate::connection::message_stream::{FirstPart, MessageStream, PartSource};
use crate::error::{Error, SendErrorKind};
use crate::protocol::close::CloseCode;
use crate::protocol::send::{Fragment, UNFINISHED};

impl<S: Read + Write> WebSocket<S> {
    /// Sends one binary message of any length, also when the length is not known. Each read of `source` gives up to
    /// 64 KiB, which leave at once as a fragment. Returns the number of bytes sent. The message is not compressed.
    ///
    /// Nothing is read during that: pings wait for [`read`](WebSocket::read). [`split`](WebSocket::split) it if that
    /// takes too long.
    ///
    /// ```
    /// use std::thread;
    /// use wshub::{WebSocket, testing};
    ///
    /// let (ours, theirs) = testing::duplex();
    /// let peer = thread::spawn(move || testing::Client::open(theirs, "/").unwrap().read_message().unwrap());
    /// let mut ws = WebSocket::accept(ours)?;
    /// assert_eq!(ws.send_stream(&b"a file, say"[..])?, 11);
    /// assert_eq!(peer.join().unwrap().unwrap().as_bytes(), b"a file, say");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The source's own; the stream's, a timeout of its write, too; or [`BrokenPipe`](io::ErrorKind::BrokenPipe) when
    /// the connection is closed or closing. A message that has begun cannot be taken back: then the connection is
    /// closed with 1011.
    pub fn send_stream(&mut self, source: impl Read) -> io::Result<u64> {
        let sent = send_all(source, |fragment, payload| {
            self.send_frame(|outgoing| outgoing.fragment(fragment, payload))
        });
        if self.writer.outgoing.is_amid_message() {
            let _ = self.close(CloseCode::INTERNAL_ERROR, UNFINISHED);
        }
        sent
    }

    /// The next message while it arrives, of up to `max` bytes in place of [`max_message`](crate::Limits::max_message);
    /// a longer one ends the connection with 1009. Blocks until it has begun; `None` when the connection has ended.
    ///
    /// ```
    /// use std::io::Read;
    /// use std::thread;
    /// use wshub::{WebSocket, testing};
    ///
    /// let (ours, theirs) = testing::duplex();
    /// let peer = thread::spawn(move || {
    ///     let mut peer = testing::Client::open(theirs, "/").unwrap();
    ///     peer.send_fragments(2, &[b"one ", b"and ", b"two"]).unwrap();
    ///     peer
    /// });
    /// let mut ws = WebSocket::accept(ours)?;
    /// let mut text = String::new();
    /// if let Some(mut upload) = ws.read_stream(1 << 30)? {
    ///     upload.read_to_string(&mut text)?;
    /// }
    /// assert_eq!(text, "one and two");
    /// # drop(peer.join());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`read`](WebSocket::read). Those of the message itself: [`MessageStream`]; where the stream timed out,
    /// nothing is lost, and it may be read on.
    pub fn read_stream(&mut self, max: u64) -> Result<Option<MessageStream<'_>>, Error> {
        self.talk.conversation.begin_parts(max);
        let begun =
            self.read_with(|conversation, answers| conversation.next_part(answers, FirstPart::of))?;
        Ok(begun.map(|begun| MessageStream::new(self, begun)))
    }
}

impl<S: Read + Write> PartSource for WebSocket<S> {
    fn next_part(&mut self, bytes: &mut Vec<u8>) -> Result<bool, Error> {
        let next = self.read_with(|conversation, answers| {
            conversation.next_part(answers, |part| part.append_to(bytes))
        });
        next?.ok_or(Error::Closed)
    }
}

impl WebSocketReader {
    /// The next message while it arrives, of up to `max` bytes in place of
    /// [`max_message`](crate::Limits::max_message); a longer one ends the connection with 1009. Blocks until it has
    /// begun; `None` when the connection has ended. Otherwise as [`read`](WebSocketReader::read).
    ///
    /// # Errors
    /// As [`read`](WebSocketReader::read). Those of the message itself: [`MessageStream`].
    pub fn read_stream(&mut self, max: u64) -> Result<Option<MessageStream<'_>>, Error> {
        self.talk.conversation.begin_parts(max);
        let begun = self.read_with(None, |conversation, answers| {
            conversation.next_part(answers, FirstPart::of)
        })?;
        Ok(begun.map(|begun| MessageStream::new(self, begun)))
    }
}

impl PartSource for WebSocketReader {
    fn next_part(&mut self, bytes: &mut Vec<u8>) -> Result<bool, Error> {
        let next = self.read_with(None, |conversation, answers| {
            conversation.next_part(answers, |part| part.append_to(bytes))
        });
        next?.ok_or(Error::Closed)
    }
}

impl WebSocketWriter {
    /// Sends one binary message of any length, also when the length is not known. Each read of `source` gives up to 64
    /// KiB, which leave at once as a fragment; each waits as [`send`](WebSocketWriter::send) does. Returns the number
    /// of bytes sent. The message is not compressed.
    ///
    /// The reader answers pings during that. A message of another clone waits for the end of this one, for at most
    /// [`write_timeout`](crate::Limits::write_timeout), and is then given back with
    /// [`SendErrorKind::Full`](crate::SendErrorKind::Full).
    ///
    /// # Errors
    /// The source's own; or why a fragment was not taken: [`BrokenPipe`](io::ErrorKind::BrokenPipe) when the connection
    /// has ended or is closing, [`TimedOut`](io::ErrorKind::TimedOut) when the peer did not read,
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy) when a clone was amid a stream for all of that time, the stream's
    /// otherwise. A message that has begun cannot be taken back: then the connection is closed with 1011.
    pub fn send_stream(&mut self, source: impl Read) -> io::Result<u64> {
        let mut stream = OutgoingFragments::new(&self.shared);
        send_all(source, |fragment, payload| stream.send(fragment, payload))
    }
}

/// The place of a message that is sent in fragments. If it is dropped before the last fragment, the connection is
/// closed with 1011: the peer would wait for the rest for ever.
pub(crate) struct OutgoingFragments<'a> {
    shared: &'a SharedWriter,
    is_amid: bool,
}

impl<'a> OutgoingFragments<'a> {
    pub fn new(shared: &'a SharedWriter) -> Self {
        OutgoingFragments {
            shared,
            is_amid: false,
        }
    }

    pub fn send(&mut self, fragment: Fragment, payload: &[u8]) -> Result<(), SendErrorKind> {
        let sending = match fragment.is_first {
            true => Sending::FirstFragment,
            false => Sending::Fragment,
        };
        let add = |outgoing: &mut WriteBuffer| outgoing.fragment(fragment, payload);
        self.shared.send(sending, add)?;
        self.is_amid = !fragment.is_last;
        if fragment.is_last {
            self.shared.end_message();
        }
        Ok(())
    }
}

impl Drop for OutgoingFragments<'_> {
    fn drop(&mut self) {
        if self.is_amid {
            let code = Some(CloseCode::INTERNAL_ERROR);
            let close = |outgoing: &mut WriteBuffer| outgoing.close(code, UNFINISHED);
            // It may be closing already, or the peer may not read.
            let _ = self.shared.send(Sending::Control, close);
            self.shared.end_message();
        }
    }
}
