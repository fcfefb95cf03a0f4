//! From messages to frames, and the sending half of the closing handshake (RFC 6455 5.1, 5.5.1, 6.1 and 7.1.2).

use super::close::{self, CloseCode};
use super::frame::{EncodedHeader, MAX_CONTROL, MAX_HEADER};
use super::mask;
use super::opcode::Opcode;
use core::fmt;
use core::time::Duration;

/// Nothing may be sent any more: the Close went out (RFC 6455 5.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AfterClose;

impl fmt::Display for AfterClose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the close frame was already sent")
    }
}

impl core::error::Error for AfterClose {}

/// The sending half of one connection.
///
/// Every message is one frame. Control frames have at most 125 bytes of payload: the caller sees to that.
///
/// `key` is what decides the role: a server MUST NOT mask and gives none (RFC 6455 5.1), a client MUST mask each frame
/// with a fresh key that nobody can guess (RFC 6455 5.3).
#[derive(Debug)]
pub struct Sender {
    close_wait: Duration,
    close_sent_at: Option<Duration>,
}

impl Sender {
    /// A sender at the start of a connection. `close_wait` is how long the peer has to finish after our Close.
    pub fn new(close_wait: Duration) -> Sender {
        Sender {
            close_wait,
            close_sent_at: None,
        }
    }

    /// The header of a whole message, ping or pong. A client masks the payload with
    /// [`EncodedHeader::mask`](EncodedHeader::mask).
    #[inline]
    pub fn header(
        &self,
        opcode: Opcode,
        payload_len: usize,
        key: Option<[u8; 4]>,
    ) -> Result<EncodedHeader, AfterClose> {
        debug_assert!(
            !matches!(opcode, Opcode::Close | Opcode::Continuation),
            "a Close is sent by `close`"
        );
        debug_assert!(
            !opcode.is_control() || payload_len <= MAX_CONTROL,
            "RFC 6455 5.5: at most 125 bytes"
        );
        // RFC 6455 5.5.1: the application MUST NOT send any more data frames after sending a Close frame.
        if self.close_sent() {
            return Err(AfterClose);
        }
        Ok(EncodedHeader::new(opcode, true, payload_len, key))
    }

    /// Appends a whole message, ping or pong to `out`.
    #[inline]
    pub fn frame(
        &self,
        opcode: Opcode,
        payload: &[u8],
        key: Option<[u8; 4]>,
        out: &mut Vec<u8>,
    ) -> Result<(), AfterClose> {
        let header = self.header(opcode, payload.len(), key)?;
        append(&header, payload, out);
        Ok(())
    }

    /// As [`frame`](Sender::frame), for a message whose payload is compressed (RFC 7692 6).
    pub fn compressed_frame(
        &self,
        opcode: Opcode,
        payload: &[u8],
        key: Option<[u8; 4]>,
        out: &mut Vec<u8>,
    ) -> Result<(), AfterClose> {
        let header = self.header(opcode, payload.len(), key)?.compressed();
        append(&header, payload, out);
        Ok(())
    }

    /// Appends a Close frame to `out`; `false`, and nothing appended, if one was sent before.
    ///
    /// The reason is cut to 123 bytes at a character. Without a code, or with one that must not be sent, the payload
    /// is empty.
    pub fn close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
        key: Option<[u8; 4]>,
        now: Duration,
        out: &mut Vec<u8>,
    ) -> bool {
        if self.close_sent() {
            return false;
        }
        self.close_sent_at = Some(now);
        let mut payload = [0; MAX_CONTROL];
        let len = close_payload(code, reason, &mut payload);
        let header = EncodedHeader::new(Opcode::Close, true, len, key);
        append(&header, payload.get(..len).unwrap_or_default(), out);
        true
    }

    /// Whether the Close was sent.
    #[inline]
    pub fn close_sent(&self) -> bool {
        self.close_sent_at.is_some()
    }

    /// To be called when this process itself stood still, and the deadline may have passed meanwhile: the peer gets
    /// the whole time again.
    pub fn resumed(&mut self, now: Duration) {
        if let Some(sent) = &mut self.close_sent_at {
            *sent = now;
        }
    }

    /// When to give up on the peer: `close_wait` after our Close (RFC 6455 7.1.1).
    pub fn close_deadline(&self) -> Option<Duration> {
        self.close_sent_at
            .map(|sent| sent.saturating_add(self.close_wait))
    }
}

#[inline]
fn append(header: &EncodedHeader, payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(MAX_HEADER + payload.len());
    header.append_to(out);
    let start = out.len();
    out.extend_from_slice(payload);
    // RFC 6455 5.3: a client's payload is masked with the key in its header.
    if let Some(key) = header.mask() {
        mask::apply(out.get_mut(start..).unwrap_or_default(), key, 0);
    }
}

/// RFC 6455 5.5.1: a code, then its reason; or nothing. RFC 6455 7.4.1: reserved codes MUST NOT be sent.
fn close_payload(code: Option<CloseCode>, reason: &str, payload: &mut [u8; MAX_CONTROL]) -> usize {
    let Some(code) = code.filter(|code| code.is_allowed_on_wire()) else {
        return 0;
    };
    let reason = close::truncate_reason(reason).as_bytes();
    let (head, tail) = payload.split_at_mut(2);
    head.copy_from_slice(&u16::from(code).to_be_bytes());
    tail[..reason.len()].copy_from_slice(reason);
    2 + reason.len()
}
