//! The body of a request: where its head says that it ends (RFC 9112 6), and its bytes while they arrive (RFC 9112 7).

use super::head::HeadLimits;
use super::refusal::Refusal;
use super::request::{Request, Version};
use super::token::{is_token, is_token_byte};

/// Digits of a chunk's size, leading zeros included: all that 64 bits need.
const SIZE_DIGITS: usize = 16;
/// Bytes of chunk extensions that come for nothing. Beyond that, each byte of the body allows for one: a signature of
/// 90 bytes on each chunk of 64 KiB is common, a megabyte of extensions on an empty body is an attack.
const FREE_EXTENSIONS: usize = 16 * 1024;

/// Where the body of a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// With the head: there is none.
    Empty,
    /// After so many bytes; never 0.
    Length(u64),
    /// Where its last chunk says.
    Chunked,
}

impl Framing {
    /// RFC 9112 6.3: a length that is no number, a length beside a coding, or a coding that does not say where the
    /// body ends, is an error and may be an attack.
    pub(crate) fn of(request: &Request) -> Result<Self, Refusal> {
        let coded = request.header_bytes("transfer-encoding").is_some();
        let mut lengths = request.values("content-length");
        match (coded, lengths.next(), lengths.next()) {
            (false, None, _) => Self::of_none(request),
            (true, None, _) => Self::of_coding(request),
            (true, Some(_), _) => Err(Refusal::Malformed(
                "both Transfer-Encoding and Content-Length (RFC 9112 6.3)",
            )),
            (false, Some(_), Some(_)) => Err(Refusal::Malformed(
                "two Content-Length headers (RFC 9112 6.3)",
            )),
            (false, Some(length), None) => Self::of_length(length),
        }
    }

    /// Whether the client waits for a word before it sends the body (RFC 9110 10.1.1).
    ///
    /// # Errors
    ///
    /// 417 for anything else that it expects.
    pub(crate) fn is_waited_for(self, request: &Request) -> Result<bool, Refusal> {
        if self == Self::Empty || request.version() == Version::Http10 {
            return Ok(false);
        }
        let is_continue = |it: &[u8]| it.eq_ignore_ascii_case(b"100-continue");
        let mut expected = request.elements("expect").peekable();
        match (expected.peek().is_some(), expected.all(is_continue)) {
            (expects, true) => Ok(expects),
            (_, false) => Err(Refusal::Expectation),
        }
    }

    /// RFC 9112 6.3: no body. In HTTP/1.0 a method that is about its body has to say its length (RFC 1945 8.3):
    /// a client that sends a body and then ends its stream would seem to have sent none.
    fn of_none(request: &Request) -> Result<Self, Refusal> {
        let is_about_body = matches!(request.method(), "POST" | "PUT" | "PATCH");
        match is_about_body && request.version() == Version::Http10 {
            true => Err(Refusal::LengthRequired),
            false => Ok(Self::Empty),
        }
    }

    fn of_coding(request: &Request) -> Result<Self, Refusal> {
        // RFC 9112 6.1: a coding in HTTP/1.0 is faulty framing.
        if request.version() == Version::Http10 {
            return Err(Refusal::Malformed(
                "Transfer-Encoding in an HTTP/1.0 request (RFC 9112 6.1)",
            ));
        }
        let codings: Vec<&[u8]> = request.elements("transfer-encoding").collect();
        let chunked = codings
            .iter()
            .position(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        // Chunked once and last. No coding that is known has parameters.
        let is_framed = chunked.is_some_and(|at| at + 1 == codings.len())
            && codings.iter().all(|coding| is_token(coding));
        match (is_framed, chunked) {
            (true, Some(0)) => Ok(Self::Chunked),
            // RFC 9112 6.1: 501 for a coding that is not understood.
            (true, _) => Err(Refusal::TransferCoding),
            (false, _) => Err(Refusal::Malformed(
                "the last coding of Transfer-Encoding is not chunked (RFC 9112 6.3); send \
                 `Transfer-Encoding: chunked`, or Content-Length",
            )),
        }
    }

    fn of_length(length: &[u8]) -> Result<Self, Refusal> {
        if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
            return Err(Refusal::Malformed(
                "Content-Length is not a number (RFC 9112 6.3)",
            ));
        }
        let value = length.iter().fold(0_u64, |value, digit| {
            value
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        });
        Ok(match value {
            0 => Self::Empty,
            value => Self::Length(value),
        })
    }
}

/// Takes a body out of the bytes after a head, and refuses a bad one at its first bad byte.
///
/// It holds what has arrived and allocates nothing for what is only announced.
#[derive(Debug)]
pub(crate) struct BodyDecoder {
    state: BodyState,
    body: Vec<u8>,
    limits: BodyLimits,
    /// Bytes of chunk extensions so far.
    extensions: usize,
    trailers: Trailers,
}

/// How large the body of a request may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// Bytes of the body, its framing not counted.
    pub(crate) max_body: usize,
    /// What holds for a head holds for the trailers after a chunked body, too.
    pub(crate) head: HeadLimits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyState {
    /// So many bytes are left of a body without chunks.
    Whole(u64),
    /// In the size of a chunk, which has so many digits so far.
    Size {
        value: u64,
        digits: usize,
    },
    /// After the size of a chunk and a space.
    BehindSize(u64),
    /// In the extensions of a chunk of this size.
    Extension(u64),
    /// After the CR that ends the line of a chunk of this size.
    SizeLf(u64),
    /// So many bytes are left of a chunk.
    Chunk(u64),
    /// After a chunk, and after the CR there.
    ChunkCr,
    ChunkLf,
    Trailers(TrailerPlace),
    Complete,
}

/// Where in the trailers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TrailerPlace {
    LineStart,
    Name,
    Value,
    /// After the CR of a line.
    Lf,
    /// After the CR of the blank line that ends all.
    LastLf,
}

/// How much came of the trailers.
#[derive(Clone, Copy, Debug, Default)]
struct Trailers {
    bytes: usize,
    lines: usize,
}

const START_OF_CHUNK: BodyState = BodyState::Size {
    value: 0,
    digits: 0,
};

impl BodyDecoder {
    /// # Errors
    ///
    /// 413 if the head announces too much.
    pub(crate) fn new(framing: Framing, limits: BodyLimits) -> Result<Self, Refusal> {
        let limit = limits.max_body;
        let state = match framing {
            Framing::Empty => BodyState::Complete,
            Framing::Length(length) if length > limit as u64 => {
                return Err(Refusal::BodyTooLarge { limit });
            }
            Framing::Length(length) => BodyState::Whole(length),
            Framing::Chunked => START_OF_CHUNK,
        };
        Ok(Self {
            state,
            body: Vec::new(),
            limits,
            extensions: 0,
            trailers: Trailers::default(),
        })
    }

    /// True once nothing more belongs to the body.
    pub(crate) fn is_complete(&self) -> bool {
        self.state == BodyState::Complete
    }

    /// What has arrived.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The same.
    pub(crate) fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// Takes what belongs to the body from the front of `received`, and returns how much that is: less than all only
    /// where the body is complete.
    pub(crate) fn decode(&mut self, received: &[u8]) -> Result<usize, Refusal> {
        let mut rest = received;
        while let (false, [byte, behind @ ..]) = (self.is_complete(), rest) {
            (self.state, rest) = match self.state {
                BodyState::Whole(left) => match self.take_data(left, rest) {
                    (0, rest) => (BodyState::Complete, rest),
                    (left, rest) => (BodyState::Whole(left), rest),
                },
                BodyState::Chunk(left) => match self.take_data(left, rest) {
                    (0, rest) => (BodyState::ChunkCr, rest),
                    (left, rest) => (BodyState::Chunk(left), rest),
                },
                _ => (self.take_framing(*byte)?, behind),
            };
        }
        Ok(received.len() - rest.len())
    }

    /// Of at most `left` bytes: how many are left then, and what follows them.
    fn take_data<'a>(&mut self, left: u64, received: &'a [u8]) -> (u64, &'a [u8]) {
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let (data, rest) = received.split_at(most.min(received.len()));
        self.body.extend_from_slice(data);
        (left - data.len() as u64, rest)
    }

    /// Takes a byte that is none of the body's own; what comes after it.
    fn take_framing(&mut self, byte: u8) -> Result<BodyState, Refusal> {
        match (self.state, byte) {
            (BodyState::Size { value, digits }, _) => self.take_size(value, digits, byte),
            // RFC 9112 7.1.1: spaces stand in front of an extension alone.
            (BodyState::BehindSize(size), b' ' | b'\t' | b';') => self.take_extension(size, byte),
            (BodyState::BehindSize(_), _) => Err(BAD_SIZE),
            (BodyState::Extension(size), b'\r') => Ok(BodyState::SizeLf(size)),
            (BodyState::Extension(size), b'\t' | 0x20..=0x7e | 0x80..=0xff) => {
                self.take_extension(size, byte)
            }
            (BodyState::Extension(_), _) => Err(Refusal::Malformed(
                "a control character in a chunk extension (RFC 9112 7.1.1)",
            )),
            (BodyState::SizeLf(size), b'\n') => self.begin_chunk(size),
            (BodyState::SizeLf(_), _) => Err(BAD_LINE_END),
            (BodyState::ChunkCr, b'\r') => Ok(BodyState::ChunkLf),
            (BodyState::ChunkLf, b'\n') => Ok(START_OF_CHUNK),
            (BodyState::ChunkCr | BodyState::ChunkLf, _) => Err(Refusal::Malformed(
                "no CRLF behind a chunk (RFC 9112 7.1); send as many bytes as its size says",
            )),
            (BodyState::Trailers(place), _) => self.take_trailer(place, byte),
            (state @ (BodyState::Whole(_) | BodyState::Chunk(_) | BodyState::Complete), _) => {
                Ok(state)
            }
        }
    }

    fn take_size(&mut self, value: u64, digits: usize, byte: u8) -> Result<BodyState, Refusal> {
        match (char::from(byte).to_digit(16), byte) {
            (Some(digit), _) if digits < SIZE_DIGITS => Ok(BodyState::Size {
                value: value << 4 | u64::from(digit),
                digits: digits + 1,
            }),
            (None, b'\r') if digits > 0 => Ok(BodyState::SizeLf(value)),
            (None, b' ' | b'\t' | b';') if digits > 0 => self.take_extension(value, byte),
            _ => Err(BAD_SIZE),
        }
    }

    /// Takes a byte of what stands between a size and its CRLF. Nobody here knows an extension: they are read over.
    fn take_extension(&mut self, size: u64, byte: u8) -> Result<BodyState, Refusal> {
        self.extensions += 1;
        if self.extensions > FREE_EXTENSIONS.saturating_add(self.body.len()) {
            return Err(Refusal::Malformed(
                "the chunk extensions are longer than the body (RFC 9112 7.1.1); leave them out",
            ));
        }
        Ok(match (self.state, byte) {
            (BodyState::Extension(_), _) | (_, b';') => BodyState::Extension(size),
            _ => BodyState::BehindSize(size),
        })
    }

    fn begin_chunk(&self, size: u64) -> Result<BodyState, Refusal> {
        let limit = self.limits.max_body;
        let room = limit.saturating_sub(self.body.len());
        match size {
            0 => Ok(BodyState::Trailers(TrailerPlace::LineStart)),
            size if size > room as u64 => Err(Refusal::BodyTooLarge { limit }),
            size => Ok(BodyState::Chunk(size)),
        }
    }

    /// Trailers are read over: none changes what a request means (RFC 9110 6.5.1).
    fn take_trailer(&mut self, place: TrailerPlace, byte: u8) -> Result<BodyState, Refusal> {
        self.count_trailer(place, byte)?;
        Ok(BodyState::Trailers(match (place, byte) {
            (TrailerPlace::LineStart, b'\r') => TrailerPlace::LastLf,
            (TrailerPlace::LastLf, b'\n') => return Ok(BodyState::Complete),
            (TrailerPlace::Lf, b'\n') => TrailerPlace::LineStart,
            (TrailerPlace::Lf | TrailerPlace::LastLf, _) => return Err(BAD_LINE_END),
            (TrailerPlace::LineStart | TrailerPlace::Name, _) if is_token_byte(byte) => {
                TrailerPlace::Name
            }
            (TrailerPlace::Name, b':') => TrailerPlace::Value,
            (TrailerPlace::Value, b'\r') => TrailerPlace::Lf,
            (TrailerPlace::Value, b'\t' | 0x20..=0x7e | 0x80..=0xff) => TrailerPlace::Value,
            _ => {
                return Err(Refusal::Malformed(
                    "a trailer is no header line (RFC 9112 7.1.2); write `Name: value`",
                ));
            }
        }))
    }

    fn count_trailer(&mut self, place: TrailerPlace, byte: u8) -> Result<(), Refusal> {
        let HeadLimits {
            max_head,
            max_headers,
            ..
        } = self.limits.head;
        self.trailers.bytes += 1;
        self.trailers.lines += usize::from(place == TrailerPlace::LineStart && byte != b'\r');
        if self.trailers.lines > max_headers {
            return Err(Refusal::TooManyHeaders { limit: max_headers });
        }
        match self.trailers.bytes > max_head {
            true => Err(Refusal::HeadTooLarge { limit: max_head }),
            false => Ok(()),
        }
    }
}

const BAD_SIZE: Refusal = Refusal::Malformed(
    "the size of a chunk is not 1 to 16 hex digits, with `;` before an extension (RFC 9112 7.1)",
);
const BAD_LINE_END: Refusal =
    Refusal::Malformed("a CR without its LF in a chunked body (RFC 9112 7.1); end lines with CRLF");

#[cfg(test)]
mod tests;
