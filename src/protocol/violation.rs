//! What a peer can do wrong, each with the close code that answers it (RFC 6455 7.1.7 and 7.4.1).

use super::close::CloseCode;
use core::fmt;

/// What a peer sent that ended its connection.
///
/// Each one costs that connection only: the peer gets a Close frame with [`close_code`](Violation::close_code), and
/// what it sends afterwards is ignored. The text of an error says in plain words what was wrong. Most of them mean
/// that the peer's WebSocket implementation is at fault, or that it does not speak WebSocket at all; the ones that a
/// setting of this side changes name that setting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A client sent an unmasked frame (close code 1002). Every frame of a client has to be masked, so the peer's
    /// library is broken, or something other than WebSocket was sent after the handshake.
    UnmaskedFrame,
    /// A server sent a masked frame (close code 1002). A server must not mask; seen by a client only.
    MaskedFrame,
    /// A reserved bit is set though no extension gave it a meaning (close code 1002). Typical cause: the peer
    /// compresses although compression was not negotiated.
    ReservedBits,
    /// A frame of a kind that is not defined (close code 1002); the value is its opcode, 3 to 7 or 11 to 15.
    UnknownOpcode(u8),
    /// A ping, pong or Close frame was sent in fragments (close code 1002).
    FragmentedControl,
    /// A ping, pong or Close frame has more than 125 bytes of payload (close code 1002). Send less in a ping, and
    /// keep the reason of a Close within 123 bytes.
    ControlTooLong,
    /// A frame's length is not written in the shortest of its three forms (close code 1002). If a peer that you
    /// cannot change does this, set [`accept_non_minimal_lengths`](crate::Limits::accept_non_minimal_lengths).
    NonMinimalLength,
    /// A frame's length has its highest bit set, which is not allowed (close code 1002).
    LengthOverflow,
    /// A message is longer than `limit` bytes (close code 1009). Send less at once, or raise
    /// [`max_message`](crate::Limits::max_message).
    MessageTooBig {
        /// The longest message that is accepted, in bytes.
        limit: usize,
    },
    /// A message came in more than `limit` frames, empty ones included (close code 1008). Send larger fragments, or
    /// raise [`max_fragments`](crate::Limits::max_fragments).
    TooManyFragments {
        /// The largest number of frames that one message may have.
        limit: u32,
    },
    /// A continuation frame came while no message was under way (close code 1002).
    UnexpectedContinuation,
    /// A new text or binary message began before the last fragment of the one under way (close code 1002).
    ExpectedContinuation,
    /// A text message or a close reason is not valid UTF-8 (close code 1007). Send such data as binary.
    InvalidUtf8,
    /// A Close frame's payload is one byte, half a code (close code 1002).
    TruncatedCloseCode,
    /// A Close frame carried this code, which must not be sent (close code 1002). An application's own codes are
    /// 4000 to 4999.
    InvalidCloseCode(u16),
}

impl Violation {
    /// The close code that tells the peer: 1002 for the protocol, 1007 for text that is not UTF-8, 1008 for too many
    /// fragments, 1009 for too many bytes.
    pub fn close_code(&self) -> CloseCode {
        match self {
            // RFC 6455 8.1 and 7.4.1.
            Violation::InvalidUtf8 => CloseCode::INVALID_PAYLOAD,
            Violation::TooManyFragments { .. } => CloseCode::POLICY_VIOLATION,
            Violation::MessageTooBig { .. } => CloseCode::MESSAGE_TOO_BIG,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::UnmaskedFrame => f.write_str("a client's frame was not masked"),
            Violation::MaskedFrame => f.write_str("a server's frame was masked"),
            Violation::ReservedBits => {
                f.write_str("a reserved bit was set without an extension that uses it")
            }
            Violation::UnknownOpcode(opcode) => write!(f, "unknown opcode {opcode}"),
            Violation::FragmentedControl => f.write_str("a control frame was fragmented"),
            Violation::ControlTooLong => f.write_str("a control frame was longer than 125 bytes"),
            Violation::NonMinimalLength => {
                f.write_str("a frame's length was not in its shortest form")
            }
            Violation::LengthOverflow => f.write_str("a frame's length had its highest bit set"),
            Violation::MessageTooBig { limit } => {
                write!(f, "a message was longer than {limit} bytes")
            }
            Violation::TooManyFragments { limit } => {
                write!(f, "a message came in more than {limit} fragments")
            }
            Violation::UnexpectedContinuation => {
                f.write_str("a continuation frame came without a message to continue")
            }
            Violation::ExpectedContinuation => {
                f.write_str("a new message began inside an unfinished one")
            }
            Violation::InvalidUtf8 => f.write_str("text was not valid UTF-8"),
            Violation::TruncatedCloseCode => f.write_str("a close frame held half a close code"),
            Violation::InvalidCloseCode(code) => write!(f, "close code {code} must not be sent"),
        }
    }
}

impl core::error::Error for Violation {}
