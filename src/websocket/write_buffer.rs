//! A WebSocket's write buffer: messages and control frames become bytes here, masked in the role of the client, and
//! what the stream has not taken yet stays.

use std::io;
use std::time::Instant;

#[cfg(feature = "client")]
use super::keys::Keys;
use crate::compression::{Context, Packing};
use crate::connection::conversation::Answers;
use crate::connection::end::End;
use crate::limits::Limits;
use crate::message::Message;
use crate::protocol::close::CloseCode;
use crate::protocol::opcode::Opcode;
use crate::protocol::send::{Fragment, Sender};

/// What stays allocated when everything has been written.
const IDLE: usize = 64 << 10;

/// Whether frames are masked: a server's are not, a client's are (RFC 6455 5.1).
pub(crate) enum Masking {
    Off,
    #[cfg(feature = "client")]
    Keys(Box<Keys>),
}

impl Masking {
    fn next_key(&mut self) -> io::Result<Option<[u8; 4]>> {
        match self {
            Masking::Off => Ok(None),
            #[cfg(feature = "client")]
            Masking::Keys(keys) => keys.next().map(Some),
        }
    }
}

pub(crate) struct WriteBuffer {
    sender: Sender,
    masking: Masking,
    context: Context,
    epoch: Instant,
    /// From this many bytes per second on, the stream is fast enough that a Close after these bytes gets more time.
    min_rate: usize,
    bytes: Vec<u8>,
    /// How many of `bytes` the stream has taken.
    written: usize,
    /// The stream refused the rest. Until it has taken that, one pong at most is owed.
    stuck: bool,
    pong: Option<Vec<u8>>,
    /// Messages that were appended.
    messages: u64,
    /// A message has begun in fragments: no other one may come before its last.
    is_amid_message: bool,
}

impl WriteBuffer {
    pub fn new(masking: Masking, limits: &Limits, packing: Option<Packing>) -> Self {
        WriteBuffer {
            sender: Sender::new(limits.close_timeout),
            masking,
            context: Context::new(packing),
            epoch: Instant::now(),
            min_rate: limits.min_rate,
            bytes: Vec::new(),
            written: 0,
            stuck: false,
            pong: None,
            messages: 0,
            is_amid_message: false,
        }
    }

    /// Appends a message; false, and nothing appended, after a Close (RFC 6455 5.5.1).
    ///
    /// # Errors
    /// The operating system's, which gave no masking key.
    pub fn message(&mut self, message: &Message, compress: bool) -> io::Result<bool> {
        if self.is_amid_message {
            return Ok(false);
        }
        let appended = self.frame(message.opcode(), message.as_bytes(), compress)?;
        self.messages += u64::from(appended);
        Ok(appended)
    }

    /// As [`message`](WriteBuffer::message), a fragment of a binary one.
    pub fn fragment(&mut self, fragment: Fragment, payload: &[u8]) -> io::Result<bool> {
        if self.sender.close_sent() || self.is_amid_message == fragment.is_first {
            return Ok(false);
        }
        let key = self.masking.next_key()?;
        let Ok(header) = self.sender.fragment(fragment, payload.len(), key) else {
            return Ok(false);
        };
        header.append_frame_to(payload, &mut self.bytes);
        self.is_amid_message = !fragment.is_last;
        self.messages += u64::from(fragment.is_last);
        Ok(true)
    }

    /// A message in fragments has not been sent to its end.
    pub fn is_amid_message(&self) -> bool {
        self.is_amid_message
    }

    /// As [`message`](WriteBuffer::message), a ping.
    pub fn ping(&mut self) -> io::Result<bool> {
        self.frame(Opcode::Ping, &[], false)
    }

    fn frame(&mut self, opcode: Opcode, payload: &[u8], compress: bool) -> io::Result<bool> {
        if self.sender.close_sent() {
            return Ok(false);
        }
        let key = self.masking.next_key()?;
        let packed = match compress {
            true => self.context.pack(payload),
            false => None,
        };
        let payload = packed.as_deref().unwrap_or(payload);
        let Ok(mut header) = self.sender.header(opcode, payload.len(), key) else {
            return Ok(false);
        };
        if packed.is_some() {
            header = header.compressed();
        }
        header.append_frame_to(payload, &mut self.bytes);
        Ok(true)
    }

    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Answers a ping. While the stream takes nothing the latest ping wins (RFC 6455 5.5.3).
    pub fn pong(&mut self, payload: &[u8]) -> io::Result<()> {
        if self.stuck {
            self.pong = Some(payload.to_vec());
            return Ok(());
        }
        // RFC 6455 5.5.2: no pong is owed after a Close.
        self.frame(Opcode::Pong, payload, false).map(drop)
    }

    /// Starts or answers the closing handshake; nothing is sent after it. False if that was done before.
    pub fn close(&mut self, code: Option<CloseCode>, reason: &str) -> io::Result<bool> {
        if self.sender.close_sent() {
            return Ok(false);
        }
        let key = self.masking.next_key()?;
        let now = self.epoch.elapsed();
        self.pong = None;
        Ok(self.sender.close(code, reason, key, now, &mut self.bytes))
    }

    pub fn close_sent(&self) -> bool {
        self.sender.close_sent()
    }

    /// Bytes of frames that the stream has not taken.
    pub fn waiting(&self) -> usize {
        self.bytes.len() - self.written
    }

    pub fn is_empty(&self) -> bool {
        self.waiting() == 0 && self.pong.is_none()
    }

    /// Gives everything to `write`. After an error the rest waits, and leaves first the next time.
    pub fn write(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        loop {
            while let Some(rest) = self.bytes.get(self.written..).filter(|r| !r.is_empty()) {
                match write(rest) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => {
                        let written = written.min(rest.len());
                        self.written += written;
                        if self.sender.close_sent() {
                            let now = self.epoch.elapsed();
                            self.sender.progressed(written, self.min_rate, now);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.stuck = true;
                        return Err(error);
                    }
                }
            }
            self.bytes.clear();
            self.bytes.shrink_to(IDLE);
            self.written = 0;
            self.stuck = false;
            match self.pong.take() {
                Some(payload) => self.pong(&payload)?,
                None => return Ok(()),
            }
        }
    }

    /// The stream has failed: what waits is dropped.
    pub fn discard(&mut self) {
        self.bytes = Vec::new();
        self.written = 0;
        self.pong = None;
    }
}

impl Answers for WriteBuffer {
    fn pong(&mut self, payload: &[u8]) -> Result<(), End> {
        Ok(WriteBuffer::pong(self, payload)?)
    }

    fn ping(&mut self) -> Result<(), End> {
        WriteBuffer::ping(self)?;
        Ok(())
    }

    fn close_by(&self) -> Option<Instant> {
        let deadline = self.sender.close_deadline()?;
        self.epoch.checked_add(deadline)
    }
}
