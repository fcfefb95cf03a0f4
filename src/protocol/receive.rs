//! From a peer's bytes to whole messages, in place on the caller's buffer (RFC 6455 5.4, 5.5, 6.2 and 8.1).
//!
//! The caller's buffer holds every byte that arrived and was not discarded. The `joined` bytes of the message under
//! assembly, unmasked, lie where its first frame's payload began; in front of them, and in a gap behind them, bytes no
//! longer needed; from `raw` on what was not parsed:
//!
//! ```text
//! | discard | joined bytes | gap | not parsed yet |
//! 0                              raw        buf.len()
//! ```
//!
//! A message in one frame is handed out where it is, whole or as it arrives: its bytes are unmasked in place and never
//! moved (moving them by the length of a header cost more than all else done to a long message). Payload of further
//! frames is moved onto the joined bytes. Text is checked as it arrives. A compressed message is inflated as it arrives,
//! into the inflater's own buffer: of its bytes none are joined here.

use super::Role;
use super::close::{self, CloseCode};
use super::frame::FrameHeader;
use super::inflate::Inflater;
use super::mask;
use super::opcode::Opcode;
use super::utf8;
use super::violation::Violation;
use core::ops::Range;

/// What a receiver accepts.
#[derive(Debug, Clone, Copy)]
pub struct ReceiveLimits {
    /// The longest message, in bytes.
    pub max_message: usize,
    /// The largest number of frames of one message, empty ones included; 0 counts as 1.
    pub max_fragments: u32,
    /// Takes lengths that are not in their shortest form, against RFC 6455 5.2.
    pub accept_non_minimal_lengths: bool,
}

/// What [`Receiver::receive`] found; its slices lie in the caller's buffer, those of a compressed message in the
/// receiver.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'b> {
    /// Nothing is complete. Only these bytes of the buffer still matter: drop all before and behind them, read more
    /// bytes behind them, and call again with a buffer that begins with them.
    NeedMore {
        /// Which bytes to keep.
        keep: Range<usize>,
    },
    /// A whole text message.
    Text(&'b str),
    /// A whole binary message.
    Binary(&'b [u8]),
    /// A ping: a pong with this payload is owed (RFC 6455 5.5.2).
    Ping(&'b [u8]),
    /// A pong, asked for or not (RFC 6455 5.5.3).
    Pong(&'b [u8]),
    /// The peer's Close, with its reason: a Close is owed if none was sent (RFC 6455 5.5.1). Nothing comes after it.
    Close(Option<CloseCode>, &'b str),
}

/// The receiving half of one connection.
///
/// Call [`receive`](Receiver::receive), then [`take_discard`](Receiver::take_discard), until it says `NeedMore`.
#[derive(Debug)]
pub struct Receiver {
    role: Role,
    limits: ReceiveLimits,
    stage: Stage,
    /// The data frame whose payload is arriving.
    frame: Option<Frame>,
    /// Whether the message under assembly is text.
    text: bool,
    /// How many of its joined bytes are known to be whole characters.
    verified: usize,
    /// How many frames of it have begun.
    fragments: u32,
    /// Bytes in front that are no longer needed.
    discard: usize,
    /// Bytes behind those that belong to the message under assembly.
    joined: usize,
    /// Where the bytes begin that were not parsed.
    raw: usize,
    /// A frame's first bytes wait for the rest.
    tail: bool,
    /// Takes compressed messages, where that was negotiated.
    inflater: Option<Inflater>,
    /// Whether the message under assembly is compressed.
    compressed: bool,
}

/// Where in the stream of messages the receiver is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Between two messages; `joined` and `raw` are 0.
    Between,
    /// A message has begun.
    Assembling,
    /// After a Close or a violation.
    Ended,
}

/// A data frame whose header was parsed and whose payload is arriving.
#[derive(Debug, Clone, Copy)]
struct Frame {
    fin: bool,
    mask: Option<[u8; 4]>,
    taken: usize,
    left: usize,
}

/// What one step of [`Receiver::receive`] found, as places in the buffer.
enum Step {
    NeedMore {
        keep: Range<usize>,
    },
    Message {
        payload: Range<usize>,
    },
    /// A compressed message, whole in the inflater.
    Inflated,
    Control {
        opcode: Opcode,
        payload: Range<usize>,
    },
}

impl Receiver {
    /// A receiver at the start of a connection, right after the opening handshake.
    pub fn new(role: Role, limits: ReceiveLimits) -> Receiver {
        Receiver {
            role,
            limits: ReceiveLimits {
                max_fragments: limits.max_fragments.max(1),
                ..limits
            },
            stage: Stage::Between,
            frame: None,
            text: false,
            verified: 0,
            fragments: 0,
            discard: 0,
            joined: 0,
            raw: 0,
            tail: false,
            inflater: None,
            compressed: false,
        }
    }

    /// The same, and takes compressed messages if there is an inflater (RFC 7692).
    #[must_use]
    pub fn with_inflater(self, inflater: Option<Inflater>) -> Receiver {
        Receiver { inflater, ..self }
    }

    /// Finds the next event in `buf`: all bytes that have arrived and have not been discarded.
    ///
    /// Before the next call drop [`take_discard`](Receiver::take_discard) bytes from the front of the buffer; bytes
    /// may be added behind it, and it is truncated only as `NeedMore` says. After a Close or a violation the receiver
    /// ignores whatever comes.
    #[inline]
    pub fn receive<'b>(&'b mut self, buf: &'b mut [u8]) -> Result<Received<'b>, Violation> {
        match self.find_whole_message(buf) {
            Some(whole) => self.take_whole_message(whole, buf),
            // The last look at what a read gave finds this nearly always.
            None if buf.is_empty() && self.stage == Stage::Between => {
                Ok(Received::NeedMore { keep: 0..0 })
            }
            None => self.receive_in_parts(buf),
        }
    }

    /// How many bytes to drop from the front of the buffer before the next call of `receive`. 0 after `NeedMore`.
    #[inline]
    pub fn take_discard(&mut self) -> usize {
        core::mem::take(&mut self.discard)
    }

    /// A message, or a frame, has begun and is not complete.
    ///
    /// Exact after `NeedMore`; after an event it tells of the message only, for the bytes behind are not looked at.
    #[inline]
    pub fn is_assembling(&self) -> bool {
        self.stage == Stage::Assembling || self.tail
    }

    /// Memory is held that only the next compressed message needs.
    pub fn is_oversized(&self) -> bool {
        self.stage != Stage::Assembling
            && self.inflater.as_ref().is_some_and(Inflater::is_oversized)
    }

    /// Gives that memory back.
    pub fn trim(&mut self) {
        if self.stage != Stage::Assembling {
            if let Some(inflater) = &mut self.inflater {
                inflater.trim();
            }
        }
    }

    /// The most frequent case: a message in one frame, all of it in the buffer. Whatever is unusual, or wrong, is
    /// left for `receive_in_parts` to look at again.
    #[inline]
    fn find_whole_message(&self, buf: &[u8]) -> Option<Whole> {
        if self.stage != Stage::Between {
            return None;
        }
        let accept_non_minimal = self.limits.accept_non_minimal_lengths;
        let parsed = FrameHeader::parse(buf, self.role, accept_non_minimal, false);
        let (header, start) = parsed.ok()??;
        let text = header.opcode == Opcode::Text;
        if !header.fin || !(text || header.opcode == Opcode::Binary) {
            return None;
        }
        let len = usize::try_from(header.len).ok()?;
        if len > self.limits.max_message || len > buf.len() - start {
            return None;
        }
        Some(Whole {
            text,
            mask: header.mask,
            start,
            len,
        })
    }

    #[inline]
    fn take_whole_message<'b>(
        &mut self,
        whole: Whole,
        buf: &'b mut [u8],
    ) -> Result<Received<'b>, Violation> {
        let end = whole.start + whole.len;
        self.discard = end;
        self.tail = false;
        let payload = buf.get_mut(whole.start..end).unwrap_or_default();
        if let Some(key) = whole.mask {
            mask::apply(payload, key, 0);
        }
        if !whole.text {
            return Ok(Received::Binary(payload));
        }
        match core::str::from_utf8(payload) {
            Ok(text) => Ok(Received::Text(text)),
            // RFC 6455 8.1: invalid UTF-8 MUST fail the connection.
            Err(_) => Err(self.end_with(Violation::InvalidUtf8)),
        }
    }

    /// The general case: fragments, frames that are still arriving, control frames, and everything wrong.
    #[inline(never)]
    fn receive_in_parts<'b>(&'b mut self, buf: &'b mut [u8]) -> Result<Received<'b>, Violation> {
        let found = match self.step(buf) {
            Ok(Step::NeedMore { keep }) => Ok(Received::NeedMore { keep }),
            Ok(Step::Message { payload }) => {
                message(self.text, buf.get(payload).unwrap_or_default())
            }
            Ok(Step::Inflated) => {
                let inflated = self.inflater.as_ref().map(Inflater::output);
                message(self.text, inflated.unwrap_or_default())
            }
            Ok(Step::Control { opcode, payload }) => {
                control(opcode, buf.get(payload).unwrap_or_default())
            }
            Err(violation) => Err(violation),
        };
        // RFC 6455 1.4 and 7.1.7: after a Close, and after a failure, any further data is ignored.
        if matches!(found, Err(_) | Ok(Received::Close(..))) {
            self.stage = Stage::Ended;
        }
        found
    }

    fn step(&mut self, buf: &mut [u8]) -> Result<Step, Violation> {
        self.tail = false;
        if self.stage == Stage::Ended {
            self.end();
            return Ok(Step::NeedMore { keep: 0..0 });
        }
        self.discard = 0;
        debug_assert!(
            self.raw <= buf.len(),
            "the caller dropped bytes that are still needed"
        );
        loop {
            let found = match self.frame.take() {
                Some(frame) => self.take_payload(frame, buf)?,
                None => self.take_header(buf)?,
            };
            if let Some(step) = found {
                return Ok(step);
            }
        }
    }

    /// Joins the payload bytes that have arrived of a data frame.
    fn take_payload(
        &mut self,
        mut frame: Frame,
        buf: &mut [u8],
    ) -> Result<Option<Step>, Violation> {
        let arrived = frame.left.min(buf.len().saturating_sub(self.raw));
        let end = self.raw + arrived;
        if let Some(key) = frame.mask {
            mask::apply(
                buf.get_mut(self.raw..end).unwrap_or_default(),
                key,
                frame.taken,
            );
        }
        if self.compressed {
            self.inflate(buf.get(self.raw..end).unwrap_or_default())?;
            self.discard = end;
        } else {
            let behind = self.discard + self.joined;
            if self.raw != behind {
                buf.copy_within(self.raw..end, behind);
            }
            self.joined += arrived;
        }
        self.raw = end;
        frame.taken += arrived;
        frame.left -= arrived;
        if frame.left == 0 && frame.fin {
            return self.finish_message().map(Some);
        }
        self.check_text(buf)?;
        if frame.left == 0 {
            return Ok(None);
        }
        self.frame = Some(frame);
        Ok(Some(self.need_more(buf)))
    }

    fn finish_message(&mut self) -> Result<Step, Violation> {
        let payload = self.joined_bytes();
        self.discard = self.raw;
        self.joined = 0;
        self.raw = 0;
        self.stage = Stage::Between;
        match &mut self.inflater {
            Some(inflater) if self.compressed => inflater.finish().map(|()| Step::Inflated),
            _ => Ok(Step::Message { payload }),
        }
    }

    fn inflate(&mut self, compressed: &[u8]) -> Result<(), Violation> {
        match &mut self.inflater {
            Some(inflater) => inflater.push(compressed),
            None => Err(Violation::ReservedBits),
        }
    }

    fn joined_bytes(&self) -> Range<usize> {
        self.discard..self.discard + self.joined
    }

    /// Refuses text that cannot become valid, before its message is complete (RFC 6455 8.1).
    fn check_text(&mut self, buf: &[u8]) -> Result<(), Violation> {
        if self.text {
            let joined = match &self.inflater {
                Some(inflater) if self.compressed => inflater.output(),
                _ => buf.get(self.joined_bytes()).unwrap_or_default(),
            };
            self.verified = utf8::check(joined, self.verified)?;
        }
        Ok(())
    }

    /// Reads the next header, and the whole frame when it is a control frame.
    fn take_header(&mut self, buf: &mut [u8]) -> Result<Option<Step>, Violation> {
        let compression = self.inflater.is_some();
        let fresh = buf.get(self.raw..).unwrap_or_default();
        if let Some(&first) = fresh.first() {
            self.check_order(FrameHeader::parse_first(first, compression)?.1)?;
        }
        let accept_non_minimal = self.limits.accept_non_minimal_lengths;
        let parsed = FrameHeader::parse(fresh, self.role, accept_non_minimal, compression)?;
        let Some((header, size)) = parsed else {
            return Ok(Some(self.need_more(buf)));
        };
        if header.opcode.is_control() {
            return Ok(Some(self.take_control(header, size, buf)));
        }
        self.begin_frame(header, size)?;
        Ok(None)
    }

    /// RFC 6455 5.4: fragments of messages MUST NOT be interleaved, and a continuation needs something to continue.
    fn check_order(&self, opcode: Opcode) -> Result<(), Violation> {
        match (opcode, self.stage) {
            (Opcode::Continuation, Stage::Between) => Err(Violation::UnexpectedContinuation),
            (Opcode::Text | Opcode::Binary, Stage::Assembling) => {
                Err(Violation::ExpectedContinuation)
            }
            _ => Ok(()),
        }
    }

    /// Starts a data frame, its message within the limits as far as the header tells.
    fn begin_frame(&mut self, header: FrameHeader, size: usize) -> Result<(), Violation> {
        if header.opcode != Opcode::Continuation {
            self.text = header.opcode == Opcode::Text;
            self.verified = 0;
            self.fragments = 0;
            self.compressed = header.compressed;
            if let (true, Some(inflater)) = (self.compressed, &mut self.inflater) {
                inflater.begin();
            }
        }
        // RFC 6455 10.4: implementations SHOULD limit the size of frames and of the message after reassembly.
        if self.fragments >= self.limits.max_fragments {
            return Err(Violation::TooManyFragments {
                limit: self.limits.max_fragments,
            });
        }
        let too_big = Violation::MessageTooBig {
            limit: self.limits.max_message,
        };
        let Ok(left) = usize::try_from(header.len) else {
            return Err(too_big);
        };
        let room = match &self.inflater {
            Some(inflater) if self.compressed => inflater.room(),
            _ => self.limits.max_message.saturating_sub(self.joined),
        };
        if left > room {
            return Err(too_big);
        }
        self.stage = Stage::Assembling;
        self.fragments += 1;
        self.raw += size;
        if self.joined == 0 {
            self.discard = self.raw;
        }
        self.frame = Some(Frame {
            fin: header.fin,
            mask: header.mask,
            taken: 0,
            left,
        });
        Ok(())
    }

    /// RFC 6455 5.5: control frames may come between the fragments of a message; they leave it as it is.
    fn take_control(&mut self, header: FrameHeader, size: usize, buf: &mut [u8]) -> Step {
        let start = self.raw + size;
        // A control frame has at most 125 bytes: the header was refused otherwise.
        let end = start + header.len as usize;
        let Some(payload) = buf.get_mut(start..end) else {
            return self.need_more(buf);
        };
        if let Some(key) = header.mask {
            mask::apply(payload, key, 0);
        }
        if self.joined == 0 {
            self.discard = end;
        }
        self.raw = end - self.discard;
        Step::Control {
            opcode: header.opcode,
            payload: start..end,
        }
    }

    /// Moves the bytes of an incomplete header or control frame down to the joined ones, if there are any, and waits
    /// for more.
    fn need_more(&mut self, buf: &mut [u8]) -> Step {
        let raw = self.raw.min(buf.len());
        let tail = buf.len() - raw;
        self.tail = tail > 0;
        if self.joined == 0 {
            self.discard = raw;
        }
        let joined = self.joined_bytes();
        if self.tail && raw != joined.end {
            buf.copy_within(raw.., joined.end);
        }
        self.raw = self.joined;
        self.discard = 0;
        Step::NeedMore {
            keep: joined.start..joined.end + tail,
        }
    }

    #[cold]
    fn end_with(&mut self, violation: Violation) -> Violation {
        self.end();
        violation
    }

    fn end(&mut self) {
        self.stage = Stage::Ended;
        self.frame = None;
        self.joined = 0;
        self.raw = 0;
    }
}

/// A message that lies whole in the buffer, in one frame.
struct Whole {
    text: bool,
    mask: Option<[u8; 4]>,
    start: usize,
    len: usize,
}

fn message(text: bool, payload: &[u8]) -> Result<Received<'_>, Violation> {
    if !text {
        return Ok(Received::Binary(payload));
    }
    match core::str::from_utf8(payload) {
        Ok(text) => Ok(Received::Text(text)),
        // RFC 6455 8.1: invalid UTF-8, a character cut off at the end included, MUST fail the connection.
        Err(_) => Err(Violation::InvalidUtf8),
    }
}

fn control(opcode: Opcode, payload: &[u8]) -> Result<Received<'_>, Violation> {
    match opcode {
        Opcode::Ping => Ok(Received::Ping(payload)),
        Opcode::Close => close::parse(payload).map(|(code, reason)| Received::Close(code, reason)),
        _ => Ok(Received::Pong(payload)),
    }
}
