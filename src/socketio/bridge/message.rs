//! The messages of the queue of python-socketio 5.14 and later: an object in JSON each, on a channel that all processes
//! read. Binary data are strings in base64 beside the arguments, in which placeholders stand for them.

use core::fmt;
use core::time::Duration;

use serde_json::{Map, Value, json};

use crate::socketio::decoder::names_only_these;
use crate::socketio::engine::protocol::packet::{append_base64, decode_base64};
use crate::socketio::packet::{MAIN_NAMESPACE, is_reserved};
use crate::socketio::rooms::LONGEST_NAME;

/// Rooms that one message may name, and sockets that it may leave out: each is looked up.
const MAX_NAMES: usize = 1024;
/// Bytes of the names in a message: of rooms, sockets, namespaces and processes.
const MAX_NAME: usize = LONGEST_NAME;
/// Pieces of binary data in one event.
const MAX_ATTACHMENTS: usize = 256;
/// How a message of pickle, protocol 2 and later, begins.
const PICKLE: u8 = 0x80;

/// What one process tells the others.
#[derive(Debug, PartialEq)]
pub struct QueueMessage {
    /// The process that says so; of a callback, the one that it is for.
    pub host: String,
    pub method: QueueMethod,
}

#[derive(Debug, PartialEq)]
pub enum QueueMethod {
    Emit(QueuedEvent),
    /// A client of another process answers the event of this number.
    Callback {
        id: u64,
        arguments: Vec<Value>,
    },
    /// For a socket of whichever process.
    Order {
        namespace: String,
        sid: String,
        order: SocketOrder,
    },
    /// All leave this room.
    CloseRoom {
        namespace: String,
        room: String,
    },
    /// Of a bridge, which hears by it that it hears itself. Processes of Python do not look at it.
    Alive {
        /// How old the bridge was, in whole milliseconds.
        age: Duration,
    },
}

#[derive(Debug, PartialEq)]
pub enum SocketOrder {
    /// It leaves its namespace.
    Disconnect,
    EnterRoom(String),
    LeaveRoom(String),
}

/// An event to clients of all processes.
#[derive(Debug, PartialEq)]
pub struct QueuedEvent {
    pub namespace: String,
    pub event: String,
    pub arguments: Vec<Value>,
    pub attachments: Vec<Vec<u8>>,
    /// None of them: to all.
    pub rooms: Vec<String>,
    /// Sockets that do not get it.
    pub skipped: Vec<String>,
    pub reply_to: Option<ReplyAddress>,
}

/// Where an answer belongs, in the words of the process that asked.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplyAddress {
    host: String,
    room: Value,
    namespace: String,
    id: u64,
}

/// Why a message is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueError {
    TooLong {
        len: usize,
        limit: usize,
    },
    Pickle,
    NoJson,
    /// It has no such field, or not of this form.
    Field(&'static str),
    UnknownMethod,
    ReservedEvent,
    /// A socket did not get an event, because it owes so many answers.
    TooManyAcks,
    /// A socket did not join a room, because it is in so many.
    TooManyRooms,
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueueError::TooLong { len, limit } => write!(
                f,
                "a message of {len} bytes, where {limit} are allowed: see BridgeBuilder::max_message"
            ),
            QueueError::Pickle => f.write_str(
                "a pickle, which is not read: update python-socketio to 5.14 or later in all processes",
            ),
            QueueError::NoJson => {
                f.write_str("no JSON: is the channel used for something else? NaN is no JSON either")
            }
            QueueError::Field(field) => write!(f, "its field {field:?} is not as expected"),
            QueueError::UnknownMethod => f.write_str("its method is unknown"),
            QueueError::ReservedEvent => {
                f.write_str("the name of its event means something else in Socket.IO")
            }
            QueueError::TooManyAcks => f.write_str(
                "a socket that owes too many answers did not get its event: see socketio::Limits::max_pending_acks",
            ),
            QueueError::TooManyRooms => f.write_str(
                "a socket that is in too many rooms did not join another one: see socketio::Limits::max_rooms",
            ),
        }
    }
}

impl QueueMessage {
    /// Reads a message of the channel.
    pub fn decode(bytes: &[u8], max_message: usize) -> Result<Self, QueueError> {
        check_len(bytes, max_message)?;
        if bytes.first() == Some(&PICKLE) {
            return Err(QueueError::Pickle);
        }
        let mut fields = match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Fields(fields),
            _ => return Err(QueueError::NoJson),
        };
        Ok(QueueMessage {
            host: fields.name("host_id")?,
            method: fields.method()?,
        })
    }
}

/// Whether a message may be so long.
pub fn check_len(bytes: &[u8], max_message: usize) -> Result<(), QueueError> {
    match bytes.len() > max_message {
        true => Err(QueueError::TooLong {
            len: bytes.len(),
            limit: max_message,
        }),
        false => Ok(()),
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn method(&mut self) -> Result<QueueMethod, QueueError> {
        let method = match self.0.remove("method") {
            Some(Value::String(method)) => method,
            Some(_) => return Err(QueueError::UnknownMethod),
            None => {
                let age = Duration::from_millis(self.number("wshub")?);
                return Ok(QueueMethod::Alive { age });
            }
        };
        match &*method {
            "emit" => Ok(QueueMethod::Emit(self.event()?)),
            "callback" => Ok(QueueMethod::Callback {
                id: self.number("id")?,
                arguments: match self.0.remove("args") {
                    Some(Value::Array(list)) => list,
                    _ => return Err(QueueError::Field("args")),
                },
            }),
            "close_room" => Ok(QueueMethod::CloseRoom {
                room: self.name("room")?,
                namespace: self.namespace()?,
            }),
            method => {
                let (sid, order) = self.order(method)?;
                let namespace = self.namespace()?;
                Ok(QueueMethod::Order {
                    namespace,
                    sid,
                    order,
                })
            }
        }
    }

    fn order(&self, method: &str) -> Result<(String, SocketOrder), QueueError> {
        let (sid, room) = (|| self.name("sid"), || self.name("room"));
        Ok(match method {
            "disconnect" => (sid()?, SocketOrder::Disconnect),
            "enter_room" => (sid()?, SocketOrder::EnterRoom(room()?)),
            "leave_room" => (sid()?, SocketOrder::LeaveRoom(room()?)),
            _ => return Err(QueueError::UnknownMethod),
        })
    }

    fn event(&mut self) -> Result<QueuedEvent, QueueError> {
        let event = match self.0.remove("event") {
            Some(Value::String(event)) if is_reserved(&event) => {
                return Err(QueueError::ReservedEvent);
            }
            Some(Value::String(event)) => event,
            _ => return Err(QueueError::Field("event")),
        };
        let (arguments, attachments) = self.arguments()?;
        let rooms = self.names("room")?;
        // A list of no rooms reaches nobody, and none of them everybody.
        if rooms.as_ref().is_some_and(Vec::is_empty) {
            return Err(QueueError::Field("room"));
        }
        Ok(QueuedEvent {
            namespace: self.namespace()?,
            event,
            arguments,
            attachments,
            rooms: rooms.unwrap_or_default(),
            skipped: self.names("skip_sid")?.unwrap_or_default(),
            reply_to: self.reply_to()?,
        })
    }

    fn arguments(&mut self) -> Result<(Vec<Value>, Vec<Vec<u8>>), QueueError> {
        let invalid = QueueError::Field("data");
        let mut data = self.0.remove("data").ok_or(invalid.clone())?;
        let mut attachments = Vec::new();
        if self.0.get("binary") == Some(&Value::Bool(true)) {
            let Value::Array(mut list) = data else {
                return Err(invalid);
            };
            if list.is_empty() || list.len() > MAX_ATTACHMENTS + 1 {
                return Err(invalid);
            }
            for text in list.drain(1..) {
                let bytes = text.as_str().and_then(decode_base64);
                attachments.push(bytes.ok_or(invalid.clone())?);
            }
            data = list.pop().unwrap_or_default();
            if !names_only_these(&data, attachments.len()) {
                return Err(invalid);
            }
        }
        Ok((listed(data), attachments))
    }

    fn reply_to(&mut self) -> Result<Option<ReplyAddress>, QueueError> {
        let callback = self.0.remove("callback").unwrap_or_default();
        if callback.is_null() {
            return Ok(None);
        }
        let parts = serde_json::from_value::<(Value, Value, u64)>(callback).ok();
        let parts = parts.filter(|(room, ..)| room.is_null() || name(room.clone()).is_some());
        let named = parts.and_then(|(room, namespace, id)| Some((room, name(namespace)?, id)));
        let (room, namespace, id) = named.ok_or(QueueError::Field("callback"))?;
        Ok(Some(ReplyAddress {
            host: self.name("host_id")?,
            room,
            namespace,
            id,
        }))
    }

    fn namespace(&mut self) -> Result<String, QueueError> {
        match self.0.get("namespace") {
            None | Some(Value::Null) => Ok(MAIN_NAMESPACE.to_owned()),
            Some(_) => self.name("namespace"),
        }
    }

    fn name(&self, field: &'static str) -> Result<String, QueueError> {
        let named = self.0.get(field).cloned().and_then(name);
        named.ok_or(QueueError::Field(field))
    }

    /// One name, or a list of them; `None` where there is nothing.
    fn names(&mut self, field: &'static str) -> Result<Option<Vec<String>>, QueueError> {
        let list = match self.0.remove(field) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(list)) => list,
            Some(one) => vec![one],
        };
        if list.len() > MAX_NAMES {
            return Err(QueueError::Field(field));
        }
        let names = list.into_iter().filter(|it| !it.is_null()).map(name);
        let names: Option<Vec<String>> = names.collect();
        names.map(Some).ok_or(QueueError::Field(field))
    }

    fn number(&self, field: &'static str) -> Result<u64, QueueError> {
        let number = self.0.get(field).and_then(Value::as_u64);
        number.ok_or(QueueError::Field(field))
    }
}

/// A room of Python's may be a number.
fn name(value: Value) -> Option<String> {
    match value {
        Value::String(name) if name.len() <= MAX_NAME => Some(name),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The arguments of an event. `None` alone is none of them: Python emits so an event without data.
fn listed(data: Value) -> Vec<Value> {
    match data {
        Value::Array(list) if matches!(list[..], [Value::Null]) => Vec::new(),
        Value::Array(list) => list,
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// An event of this server to clients of the others.
#[derive(Clone, Copy)]
pub struct OwnEvent<'a, B> {
    pub namespace: &'a str,
    /// `["event",argument,…]`, placeholders where binary data is.
    pub json: &'a str,
    pub attachments: &'a [B],
    pub rooms: &'a [String],
    pub skipped: &'a [String],
    /// The number by which an answer is known, if one is wanted.
    pub callback: Option<u64>,
}

impl<B: AsRef<[u8]>> OwnEvent<'_, B> {
    /// The message; `None` if that is no event.
    pub fn encode(&self, host: &str) -> Option<Vec<u8>> {
        let (event, arguments) = split(self.json)?;
        let data = match self.attachments {
            [] => format!("[{arguments}]"),
            attachments => format!("[[{arguments}]{}]", in_base64(attachments)),
        };
        let room = match self.rooms {
            [] => Value::Null,
            [room] => json!(room),
            rooms => json!(rooms),
        };
        let skipped = match self.skipped {
            [] => Value::Null,
            skipped => json!(skipped),
        };
        let callback = match self.callback {
            None => Value::Null,
            Some(id) => json!([&room, self.namespace, id]),
        };
        let text = format!(
            r#"{{"method":"emit","event":{event},"data":{data},"binary":{},"namespace":{},"room":{room},"skip_sid":{skipped},"callback":{callback},"host_id":{}}}"#,
            !self.attachments.is_empty(),
            json!(self.namespace),
            json!(host),
        );
        Some(text.into_bytes())
    }
}

/// The elements of a list after others.
fn in_base64(attachments: &[impl AsRef<[u8]>]) -> String {
    let mut text = Vec::new();
    for bytes in attachments {
        text.extend(b",\"");
        append_base64(&mut text, bytes.as_ref());
        text.push(b'"');
    }
    // It is ASCII.
    String::from_utf8(text).unwrap_or_default()
}

/// The name of an event in its list, and the arguments after it.
fn split(json: &str) -> Option<(Value, &str)> {
    let inner = json.strip_prefix('[')?.strip_suffix(']')?;
    let mut values = serde_json::Deserializer::from_str(inner).into_iter::<Value>();
    let event = values.next()?.ok()?;
    let rest = inner.get(values.byte_offset()..)?;
    Some((event, rest.strip_prefix(',').unwrap_or(rest)))
}

impl ReplyAddress {
    /// The message by which a client of this server answers.
    pub fn encode(&self, arguments: &[Value]) -> Vec<u8> {
        let message = json!({
            "method": "callback", "host_id": self.host, "sid": self.room, "namespace": self.namespace, "id": self.id,
            "args": arguments,
        });
        message.to_string().into_bytes()
    }
}

impl SocketOrder {
    pub fn encode(&self, host: &str, namespace: &str, sid: &str) -> Vec<u8> {
        let (method, room) = match self {
            SocketOrder::Disconnect => ("disconnect", None),
            SocketOrder::EnterRoom(room) => ("enter_room", Some(room)),
            SocketOrder::LeaveRoom(room) => ("leave_room", Some(room)),
        };
        let mut message =
            json!({"method": method, "sid": sid, "namespace": namespace, "host_id": host});
        if let Some(room) = room {
            message["room"] = json!(room);
        }
        message.to_string().into_bytes()
    }
}

/// The order that all leave a room.
pub fn close_room(host: &str, namespace: &str, room: &str) -> Vec<u8> {
    json!({"method": "close_room", "room": room, "namespace": namespace, "host_id": host})
        .to_string()
        .into_bytes()
}

/// A sign of life, which a bridge hears of itself.
pub fn alive(host: &str, age: Duration) -> Vec<u8> {
    json!({"wshub": age.as_millis() as u64, "host_id": host})
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests;
