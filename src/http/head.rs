//! The head of a request while it arrives: finding its end, and refusing what is malformed at its first bad byte.

use super::refusal::Refusal;
use super::token::is_token_byte;

/// Bytes of the longest head that is taken, whatever `max_head` says: its spans have 16 bits.
pub(crate) const WIDEST_HEAD: usize = u16::MAX as usize;

/// How large the head of a request may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadLimits {
    /// Bytes of the whole head, its blank line included. 16 KiB: a target of 8,000, and cookies of as much.
    pub(crate) max_head: usize,
    /// Bytes of the request target. 8,000: RFC 9112 3 wants request lines of that length to work.
    pub(crate) max_target: usize,
    /// Header lines. 100: what others count, several times what a browser sends.
    pub(crate) max_headers: usize,
}

impl HeadLimits {
    pub(crate) const WIDEST: Self = Self {
        max_head: WIDEST_HEAD,
        max_target: WIDEST_HEAD,
        max_headers: WIDEST_HEAD,
    };
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            max_head: 16 * 1024,
            max_target: 8000,
            max_headers: 100,
        }
    }
}

/// Whether a request, of which this much has come, asks for a head alone: the answer to HEAD has no body, be the
/// request refused or not (RFC 9110 9.3.2).
pub(crate) fn asks_for_head(received: &[u8]) -> bool {
    let received = received.strip_prefix(b"\r\n").unwrap_or(received);
    received.starts_with(b"HEAD ")
}

/// Finds the end of a head while it arrives, and refuses a bad one at its first bad byte.
///
/// Every byte is looked at once, however many reads bring the head.
#[derive(Clone, Debug)]
pub(crate) struct HeadScanner {
    limits: HeadLimits,
    /// How many bytes were looked at.
    seen: usize,
    /// Where the current line starts.
    line_start: usize,
    /// The number of the current line; 0 is the request line.
    line: usize,
    /// Whether the last byte was a CR.
    after_cr: bool,
    /// Whether the first byte was that of a TLS record.
    maybe_tls: bool,
    /// Spaces of the request line so far: none in the method, one in the target, two in the version.
    spaces: usize,
    /// Where the target, then the version starts.
    part_start: usize,
}

impl HeadScanner {
    /// A scanner for one head.
    pub(crate) fn new(limits: HeadLimits) -> Self {
        let max_head = limits.max_head.min(WIDEST_HEAD);
        Self {
            limits: HeadLimits { max_head, ..limits },
            seen: 0,
            line_start: 0,
            line: 0,
            after_cr: false,
            maybe_tls: false,
            spaces: 0,
            part_start: 0,
        }
    }

    /// Looks at what is new in `received`, which holds every byte since the connection's first one.
    ///
    /// `Some(length)` is the length of the head with its blank line; bytes after it are not looked at. `None` asks for
    /// more bytes, which never happens once `max_head` bytes are there.
    pub(crate) fn scan(&mut self, received: &[u8]) -> Result<Option<usize>, Refusal> {
        for &byte in received.get(self.seen..).unwrap_or_default() {
            self.seen += 1;
            if self.take(byte, received)? {
                return Ok(Some(self.seen));
            }
            if self.seen >= self.limits.max_head {
                return Err(Refusal::HeadTooLarge {
                    limit: self.limits.max_head,
                });
            }
        }
        Ok(None)
    }

    /// Takes one byte; true at the end of the head.
    fn take(&mut self, byte: u8, received: &[u8]) -> Result<bool, Refusal> {
        match (self.after_cr, byte) {
            (true, b'\n') => self.end_line(received),
            // RFC 9112 2.2: a bare CR is an error.
            (true, _) => Err(Refusal::Malformed(
                "a CR without its LF (RFC 9112 2.2); end lines with CRLF",
            )),
            (false, b'\r') => {
                self.after_cr = true;
                Ok(false)
            }
            // RFC 9112 2.2 allows to accept it, and so lets two parsers see two requests.
            (false, b'\n') => Err(Refusal::Malformed(
                "an LF without its CR (RFC 9112 2.2); end lines with CRLF",
            )),
            (false, _) => self.take_content(byte).map(|()| false),
        }
    }

    fn take_content(&mut self, byte: u8) -> Result<(), Refusal> {
        match self.line {
            0 => self.take_request_line_byte(byte),
            _ => self.take_header_byte(byte),
        }
    }

    fn take_request_line_byte(&mut self, byte: u8) -> Result<(), Refusal> {
        if self.maybe_tls {
            return match (self.seen, byte) {
                (2, 0x03) => Err(Refusal::TlsOnPlainPort),
                _ => Err(CONTROL_IN_REQUEST_LINE),
            };
        }
        match byte {
            b' ' => self.end_request_line_part(),
            0x21..=0x7e => self.take_visible(byte),
            // The content type of a TLS handshake record (RFC 8446 5.1); its next byte decides.
            0x16 if self.seen == 1 => {
                self.maybe_tls = true;
                Ok(())
            }
            // RFC 9112 3: method, target and version are visible ASCII.
            _ => Err(CONTROL_IN_REQUEST_LINE),
        }
    }

    fn take_visible(&self, byte: u8) -> Result<(), Refusal> {
        let limit = self.limits.max_target;
        match self.spaces {
            // RFC 9112 3.1: the method is a token.
            0 if !is_token_byte(byte) => Err(Refusal::Malformed(
                "the method is not a token (RFC 9112 3.1)",
            )),
            1 if self.seen - self.part_start > limit => Err(Refusal::TargetTooLong { limit }),
            _ => Ok(()),
        }
    }

    /// RFC 9112 3: single spaces between method, target and version; a target holds none.
    fn end_request_line_part(&mut self) -> Result<(), Refusal> {
        if self.spaces >= 2 || self.seen == self.part_start + 1 {
            return Err(NOT_A_REQUEST_LINE);
        }
        self.spaces += 1;
        self.part_start = self.seen;
        Ok(())
    }

    fn take_header_byte(&self, byte: u8) -> Result<(), Refusal> {
        let is_first = self.seen == self.line_start + 1;
        match byte {
            // RFC 9112 2.2 and 5.2: space before the first header, and folded lines.
            b' ' | b'\t' if is_first => Err(Refusal::Malformed(
                "a header line starts with a space (RFC 9112 5.2); write each header on one line",
            )),
            _ if is_first && self.line > self.limits.max_headers => Err(Refusal::TooManyHeaders {
                limit: self.limits.max_headers,
            }),
            b'\t' | 0x20..=0x7e | 0x80..=0xff => Ok(()),
            // RFC 9110 5.5: CTL and NUL are invalid in a value, and no part of a name either.
            _ => Err(Refusal::Malformed(
                "a control character in a header (RFC 9110 5.5)",
            )),
        }
    }

    /// Ends a line at its CRLF; true if it was the blank line after the headers.
    fn end_line(&mut self, received: &[u8]) -> Result<bool, Refusal> {
        self.after_cr = false;
        let end = self.seen.saturating_sub(2);
        match self.line {
            // RFC 9112 2.2: one empty line in front of the request line is ignored.
            0 if end == 0 => {
                self.line_start = self.seen;
                self.part_start = self.seen;
                return Ok(false);
            }
            0 => self.check_request_line(received.get(self.part_start..end).unwrap_or_default())?,
            _ if end == self.line_start => return Ok(true),
            _ => {}
        }
        self.line += 1;
        self.line_start = self.seen;
        Ok(false)
    }

    fn check_request_line(&self, version: &[u8]) -> Result<(), Refusal> {
        match (self.spaces, version) {
            // RFC 9110 2.5: a later minor version is taken for 1.1.
            (2, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9']) => Ok(()),
            // RFC 9110 15.6.6; the preface of HTTP/2 (RFC 9113 3.4) is one of these.
            (2, [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9']) => {
                Err(Refusal::HttpVersion)
            }
            _ => Err(NOT_A_REQUEST_LINE),
        }
    }
}

const CONTROL_IN_REQUEST_LINE: Refusal = Refusal::Malformed(
    "the request line holds a control character or is not ASCII (RFC 9112 3); percent-encode it",
);
pub(crate) const NOT_A_REQUEST_LINE: Refusal = Refusal::Malformed(
    "the first line is not `METHOD target HTTP/1.1` with single spaces (RFC 9112 3)",
);

/// The first line of a head without its CRLF, and what follows it.
pub(crate) fn split_line(head: &[u8]) -> (&[u8], &[u8]) {
    let end = head.iter().position(|&byte| byte == b'\r');
    let (line, rest) = head.split_at(end.unwrap_or(head.len()));
    (line, rest.strip_prefix(b"\r\n").unwrap_or(rest))
}
