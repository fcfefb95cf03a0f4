//! Close codes (RFC 6455 7.4).

use core::fmt;

/// Why a connection was closed, as a number of RFC 6455 7.4.
///
/// The named codes are those of the IANA registry. An application may use any number from 4000 to 4999 for its own
/// purposes; 3000 to 3999 are registered by libraries and frameworks. A browser's `close()` can send only 1000 and
/// 3000 to 4999.
///
/// [`NO_STATUS`](CloseCode::NO_STATUS) and [`ABNORMAL`](CloseCode::ABNORMAL) never travel: they only tell the
/// application what was seen, and sending them is an error. To choose your own code, take one of the application's
/// range: `CloseCode::from(4000)`.
///
/// ```
/// use wshub::CloseCode;
///
/// const SLOW_DOWN: u16 = 4001;
/// let code = CloseCode::from(SLOW_DOWN);
/// assert!(code.is_allowed_on_wire());
/// assert_eq!(code, 4001);
/// assert_eq!(CloseCode::GOING_AWAY.to_string(), "1001");
/// ```
///
/// The guide: [events](crate::guide::events).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled. The normal end.
    pub const NORMAL: CloseCode = CloseCode(1000);
    /// 1001: the endpoint goes away: a server shuts down, a browser leaves the page. A client may connect again later.
    pub const GOING_AWAY: CloseCode = CloseCode(1001);
    /// 1002: the peer broke the WebSocket protocol. The remedy is in the peer's WebSocket library, not in the data.
    pub const PROTOCOL_ERROR: CloseCode = CloseCode(1002);
    /// 1003: a kind of data that this endpoint does not take, for example binary where only text is understood.
    pub const UNSUPPORTED_DATA: CloseCode = CloseCode(1003);
    /// 1005: the Close frame carried no code. Only reported, never sent.
    pub const NO_STATUS: CloseCode = CloseCode(1005);
    /// 1006: the connection ended without a Close frame. Only reported, never sent.
    pub const ABNORMAL: CloseCode = CloseCode(1006);
    /// 1007: a text message (or a close reason) was not valid UTF-8. Send such data as binary.
    pub const INVALID_PAYLOAD: CloseCode = CloseCode(1007);
    /// 1008: a policy of this endpoint was broken, and no other code fits; among them a message in too many fragments.
    pub const POLICY_VIOLATION: CloseCode = CloseCode(1008);
    /// 1009: a message is longer than this endpoint takes. Send less at once, or raise the receiver's limit.
    pub const MESSAGE_TOO_BIG: CloseCode = CloseCode(1009);
    /// 1010: a client needs an extension that the server did not accept.
    pub const MANDATORY_EXTENSION: CloseCode = CloseCode(1010);
    /// 1011: the server met a condition it did not expect, for example a panic in a handler. See the server's log.
    pub const INTERNAL_ERROR: CloseCode = CloseCode(1011);
    /// 1012: the service restarts. A client may connect again after a random short delay.
    pub const SERVICE_RESTART: CloseCode = CloseCode(1012);
    /// 1013: too busy, or the peer reads too slowly. A client may connect again later.
    pub const TRY_AGAIN_LATER: CloseCode = CloseCode(1013);
    /// 1014: a gateway got a bad answer from the server behind it.
    pub const BAD_GATEWAY: CloseCode = CloseCode(1014);

    /// Whether a Close frame may carry this code: 1000 to 1003, 1007 to 1014 and 3000 to 4999.
    ///
    /// The rest is either for reports only (1005, 1006, 1015), reserved (1004, 1016 to 2999) or outside the range of
    /// close codes (RFC 6455 7.4.1 and 7.4.2, and the IANA registry for 1012 to 1014).
    pub const fn is_allowed_on_wire(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> CloseCode {
        CloseCode(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> u16 {
        code.0
    }
}

impl PartialEq<u16> for CloseCode {
    fn eq(&self, code: &u16) -> bool {
        self.0 == *code
    }
}

impl PartialEq<CloseCode> for u16 {
    fn eq(&self, code: &CloseCode) -> bool {
        *self == code.0
    }
}
