//! Packets of Socket.IO, protocol 5: a type, a namespace, the id of an acknowledgement, and data in JSON, of which
//! attachments are cut out.

use core::fmt;

use serde_json::Value;

/// Names that mean something of their own at one end or the other: no event has them.
const RESERVED_EVENTS: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// The namespace of a client that names none.
pub const MAIN_NAMESPACE: &str = "/";

/// With the protocol's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    Connect = 0,
    Disconnect = 1,
    Event = 2,
    Ack = 3,
    ConnectError = 4,
}

/// An event or an acknowledgement that has attachments has a number that is higher by this.
const BINARY: u8 = 3;

/// A packet that came.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    pub kind: PacketKind,
    pub namespace: String,
    pub id: Option<u64>,
    /// An object or nothing for a Connect, a list for an Event, whose first is its name, and for an Ack.
    pub data: Option<Value>,
    /// How many attachments it has: binary messages that follow its text.
    pub due: usize,
    /// Those that have come.
    pub attachments: Vec<Vec<u8>>,
}

/// Why a text is no packet; a client that sends one is disconnected with "parse error".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketError {
    /// It does not begin with a digit from 0 to 6.
    UnknownType,
    /// The number of attachments is missing, zero or none.
    IllegalAttachments,
    /// More attachments than [`Limits::max_attachments`](super::Limits::max_attachments).
    TooManyAttachments,
    /// More bytes of attachments than [`Limits::max_attachment_bytes`](super::Limits::max_attachment_bytes).
    AttachmentsTooLarge,
    /// What follows is not JSON, or nests too deep.
    InvalidJson,
    /// The data is not of the form that this type has.
    InvalidPayload,
    /// The event has a name that is reserved.
    ReservedEvent,
    /// The id of the acknowledgement does not fit in 64 bits, or is missing.
    InvalidId,
    /// A text came where an attachment was due.
    AttachmentExpected,
    /// Binary data came where none was due.
    UnexpectedAttachment,
    /// The data names an attachment that there is not.
    UnknownAttachment,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PacketError::UnknownType => "unknown packet type",
            PacketError::IllegalAttachments => "no number of attachments",
            PacketError::TooManyAttachments => {
                "too many attachments (socketio::Limits::max_attachments)"
            }
            PacketError::AttachmentsTooLarge => {
                "the attachments are too large (socketio::Limits::max_attachment_bytes)"
            }
            PacketError::InvalidJson => "the data is no JSON",
            PacketError::InvalidPayload => "the data has not the form of this packet",
            PacketError::ReservedEvent => "the name of the event is reserved",
            PacketError::InvalidId => "no id of an acknowledgement",
            PacketError::AttachmentExpected => "text in place of an attachment",
            PacketError::UnexpectedAttachment => "an attachment of nothing",
            PacketError::UnknownAttachment => "the data names an attachment that does not come",
        })
    }
}

/// Whether an event may not have this name.
pub fn is_reserved(event: &str) -> bool {
    RESERVED_EVENTS.contains(&event)
}

impl Packet {
    /// Reads the text of a packet.
    pub fn decode(text: &str, max_attachments: usize) -> Result<Self, PacketError> {
        let mut rest = text.chars();
        let (kind, is_binary) = match rest.next() {
            Some('0') => (PacketKind::Connect, false),
            Some('1') => (PacketKind::Disconnect, false),
            Some('2') => (PacketKind::Event, false),
            Some('3') => (PacketKind::Ack, false),
            Some('4') => (PacketKind::ConnectError, false),
            Some('5') => (PacketKind::Event, true),
            Some('6') => (PacketKind::Ack, true),
            _ => return Err(PacketError::UnknownType),
        };
        let rest = rest.as_str();
        let (due, rest) = match is_binary {
            true => attachments(rest, max_attachments)?,
            false => (0, rest),
        };
        let (namespace, rest) = namespace(rest);
        let (id, rest) = id(rest)?;
        let data = match rest {
            "" => None,
            json => Some(serde_json::from_str(json).map_err(|_| PacketError::InvalidJson)?),
        };
        check(kind, id, data.as_ref())?;
        Ok(Packet {
            kind,
            namespace: namespace.to_owned(),
            id,
            data,
            due,
            attachments: Vec::new(),
        })
    }
}

fn attachments(text: &str, most: usize) -> Result<(usize, &str), PacketError> {
    let (count, rest) = text
        .split_once('-')
        .ok_or(PacketError::IllegalAttachments)?;
    let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || count.bytes().all(|byte| byte == b'0') {
        return Err(PacketError::IllegalAttachments);
    }
    match count.parse() {
        Ok(count) if count <= most => Ok((count, rest)),
        _ => Err(PacketError::TooManyAttachments),
    }
}

/// The comma after it may be missing where nothing follows.
fn namespace(text: &str) -> (&str, &str) {
    match text.starts_with('/') {
        true => text.split_once(',').unwrap_or((text, "")),
        false => (MAIN_NAMESPACE, text),
    }
}

fn id(text: &str) -> Result<(Option<u64>, &str), PacketError> {
    let len = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(len).unwrap_or_default();
    if digits.is_empty() {
        return Ok((None, rest));
    }
    let id = digits.parse().map_err(|_| PacketError::InvalidId)?;
    Ok((Some(id), rest))
}

fn check(kind: PacketKind, id: Option<u64>, data: Option<&Value>) -> Result<(), PacketError> {
    let is_right = match kind {
        PacketKind::Connect => data.is_none_or(Value::is_object),
        PacketKind::Disconnect => data.is_none(),
        PacketKind::ConnectError => data.is_none_or(|data| data.is_object() || data.is_string()),
        PacketKind::Event => match data.and_then(Value::as_array).map(|list| list.first()) {
            Some(Some(Value::String(name))) if is_reserved(name) => {
                return Err(PacketError::ReservedEvent);
            }
            Some(Some(name)) => name.is_string() || name.is_number(),
            _ => false,
        },
        PacketKind::Ack if id.is_none() => return Err(PacketError::InvalidId),
        PacketKind::Ack => data.is_some_and(Value::is_array),
    };
    match is_right {
        true => Ok(()),
        false => Err(PacketError::InvalidPayload),
    }
}

/// The text of a packet to be sent; `json` is its data, `attachments` how many binary messages follow it.
pub fn encode(
    kind: PacketKind,
    namespace: &str,
    id: Option<u64>,
    json: &str,
    attachments: usize,
) -> String {
    let mut text = String::with_capacity(namespace.len() + json.len() + 24);
    let binary = if attachments > 0 { BINARY } else { 0 };
    text.push(char::from(b'0' + kind as u8 + binary));
    if attachments > 0 {
        text.extend([&*attachments.to_string(), "-"]);
    }
    if namespace != MAIN_NAMESPACE {
        text.extend([namespace, ","]);
    }
    if let Some(id) = id {
        text.push_str(&id.to_string());
    }
    text.push_str(json);
    text
}

#[cfg(test)]
mod tests;
