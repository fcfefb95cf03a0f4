//! The header of one frame: read from a peer's bytes, and written (RFC 6455 5.2).

use super::Role;
use super::opcode::Opcode;
use super::violation::Violation;

const FIN: u8 = 0x80;
const RSV: u8 = 0x70;
/// RFC 7692 6: the bit of a message's first frame that says the message is compressed.
const RSV1: u8 = 0x40;
const MASK: u8 = 0x80;
const LEN: u8 = 0x7F;
const LEN_16: u8 = 126;
const LEN_64: u8 = 127;

/// RFC 6455 5.5: the longest payload of a control frame, and the longest length that fits in the second byte.
pub const MAX_CONTROL: usize = 125;

/// The longest header: two bytes, a length of eight, a masking key of four.
pub const MAX_HEADER: usize = 14;

/// A frame's header as received, checked as far as a single frame can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// The last (or only) frame of its message.
    pub fin: bool,
    /// The first frame of a compressed message (RFC 7692 6).
    pub compressed: bool,
    /// The kind of frame.
    pub opcode: Opcode,
    /// The masking key; a client's frames have one.
    pub mask: Option<[u8; 4]>,
    /// The length of the payload as claimed: nothing is allocated for it.
    pub len: u64,
}

impl FrameHeader {
    /// Reads a header from the front of `bytes`; also returns its size. `None`: it is not complete.
    ///
    /// Refuses with the first byte that shows a violation, whether or not the rest has arrived. `compression`: it was
    /// negotiated, so that a message's first frame may have its bit set.
    #[inline]
    pub fn parse(
        bytes: &[u8],
        role: Role,
        accept_non_minimal: bool,
        compression: bool,
    ) -> Result<Option<(FrameHeader, usize)>, Violation> {
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        let (fin, opcode) = FrameHeader::parse_first(first, compression)?;
        let compressed = first & RSV1 != 0;
        let Some(&second) = bytes.get(1) else {
            return Ok(None);
        };
        let masked = parse_second(second, opcode, role)?;
        let Some((len, size)) = parse_len(bytes, second & LEN, accept_non_minimal)? else {
            return Ok(None);
        };
        if !masked {
            return Ok(Some((
                FrameHeader {
                    fin,
                    compressed,
                    opcode,
                    mask: None,
                    len,
                },
                size,
            )));
        }
        let mask = bytes
            .get(size..)
            .and_then(|rest| rest.first_chunk::<4>())
            .copied();
        match mask {
            None => Ok(None),
            mask => Ok(Some((
                FrameHeader {
                    fin,
                    compressed,
                    opcode,
                    mask,
                    len,
                },
                size + 4,
            ))),
        }
    }

    /// Reads what the first byte says: whether the frame is its message's last, and its opcode.
    #[inline]
    pub fn parse_first(first: u8, compression: bool) -> Result<(bool, Opcode), Violation> {
        // RFC 6455 5.2: a reserved bit that no extension defines MUST fail the connection.
        let compressed = compression && first & RSV == RSV1;
        if first & RSV != 0 && !compressed {
            return Err(Violation::ReservedBits);
        }
        // RFC 6455 5.2: an unknown opcode MUST fail the connection.
        let Some(opcode) = Opcode::parse(first) else {
            return Err(Violation::UnknownOpcode(first & 0x0F));
        };
        // RFC 7692 6.1: the bit MUST NOT be set on control frames, nor on a message's further frames.
        if compressed && !matches!(opcode, Opcode::Text | Opcode::Binary) {
            return Err(Violation::ReservedBits);
        }
        // RFC 6455 5.5: control frames MUST NOT be fragmented.
        let fin = first & FIN != 0;
        if opcode.is_control() && !fin {
            return Err(Violation::FragmentedControl);
        }
        Ok((fin, opcode))
    }
}

/// Checks the second byte; says whether the frame is masked.
#[inline]
fn parse_second(second: u8, opcode: Opcode, role: Role) -> Result<bool, Violation> {
    let masked = second & MASK != 0;
    match role {
        // RFC 6455 5.1: a server MUST close the connection upon an unmasked frame.
        Role::Server if !masked => return Err(Violation::UnmaskedFrame),
        // RFC 6455 5.1: a client MUST close the connection upon a masked frame.
        Role::Client if masked => return Err(Violation::MaskedFrame),
        _ => {}
    }
    // RFC 6455 5.5: a control frame MUST have a payload of 125 bytes or less.
    if opcode.is_control() && second & LEN > MAX_CONTROL as u8 {
        return Err(Violation::ControlTooLong);
    }
    Ok(masked)
}

/// Reads the payload length in its three forms, and how many bytes of header it ends at.
#[inline]
fn parse_len(
    bytes: &[u8],
    short: u8,
    accept_non_minimal: bool,
) -> Result<Option<(u64, usize)>, Violation> {
    if short < LEN_16 {
        return Ok(Some((u64::from(short), 2)));
    }
    let rest = bytes.get(2..).unwrap_or_default();
    let (len, size, least) = if short == LEN_16 {
        let Some(len) = rest.first_chunk::<2>() else {
            return Ok(None);
        };
        (
            u64::from(u16::from_be_bytes(*len)),
            4,
            MAX_CONTROL as u64 + 1,
        )
    } else {
        let Some(len) = rest.first_chunk::<8>() else {
            return Ok(None);
        };
        (u64::from_be_bytes(*len), 10, u64::from(u16::MAX) + 1)
    };
    // RFC 6455 5.2: the most significant bit of the 64-bit form MUST be 0.
    if len > i64::MAX as u64 {
        return Err(Violation::LengthOverflow);
    }
    // RFC 6455 5.2: the minimal number of bytes MUST be used to encode the length.
    if len < least && !accept_non_minimal {
        return Err(Violation::NonMinimalLength);
    }
    Ok(Some((len, size)))
}

/// A frame's header as bytes on the stack, its length always in the shortest form.
#[derive(Debug, Clone, Copy)]
pub struct EncodedHeader {
    bytes: [u8; MAX_HEADER],
    size: u8,
}

impl EncodedHeader {
    /// Writes the header of a frame; `mask` is the key of a client's frame (RFC 6455 5.1), `None` for a server's.
    #[inline]
    pub fn new(
        opcode: Opcode,
        fin: bool,
        payload_len: usize,
        mask: Option<[u8; 4]>,
    ) -> EncodedHeader {
        let mut bytes = [0; MAX_HEADER];
        bytes[0] = if fin { FIN } else { 0 } | opcode.bits();
        // RFC 6455 5.2: the minimal number of bytes MUST be used to encode the length.
        let mut size = if payload_len <= MAX_CONTROL {
            bytes[1] = payload_len as u8;
            2
        } else if payload_len <= usize::from(u16::MAX) {
            bytes[1] = LEN_16;
            bytes[2..4].copy_from_slice(&(payload_len as u16).to_be_bytes());
            4
        } else {
            bytes[1] = LEN_64;
            bytes[2..10].copy_from_slice(&(payload_len as u64).to_be_bytes());
            10
        };
        if let Some(key) = mask {
            bytes[1] |= MASK;
            bytes[size..size + 4].copy_from_slice(&key);
            size += 4;
        }
        EncodedHeader {
            bytes,
            size: size as u8,
        }
    }

    /// The same for a message whose payload is compressed (RFC 7692 6).
    #[must_use]
    pub fn compressed(mut self) -> EncodedHeader {
        self.bytes[0] |= RSV1;
        self
    }

    /// The header's bytes, to be followed by the payload.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.size)).unwrap_or_default()
    }

    /// Appends the header to `out`.
    #[inline]
    pub fn append_to(&self, out: &mut Vec<u8>) {
        // All 14 bytes, then back to those in use: a copy of fixed size is cheaper than one that is measured first.
        let end = out.len() + usize::from(self.size);
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }

    /// The key the payload has to be masked with; `None` for a server's frame.
    #[inline]
    pub fn mask(&self) -> Option<[u8; 4]> {
        if self.bytes[1] & MASK == 0 {
            return None;
        }
        self.as_slice().last_chunk::<4>().copied()
    }
}
