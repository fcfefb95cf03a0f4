//! The arguments of an event, or of an acknowledgement: a list in JSON that is made of, and into, types of a user's.
//!
//! A tuple is the list of arguments, `()` none, and anything else one argument.

mod located;
mod shape;

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::Value;

use located::{ErrorPath, Located, LocatedList};
use shape::Shape;

use super::bytes::{self, Bytes};
use super::decoder::{PLACEHOLDER, PLACEHOLDER_NUMBER};
use super::engine::part::Part;
use super::packet::{PacketKind, encode};

/// What a packet says as text, with its attachments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Written {
    /// Arguments are a list.
    pub json: String,
    pub attachments: Vec<Bytes>,
}

/// The arguments of an event of this name, which goes before them.
pub(crate) fn write_event(
    event: &str,
    arguments: &impl Serialize,
) -> Result<Written, serde_json::Error> {
    let (inner, attachments) = write_inner(arguments)?;
    let name = serde_json::to_string(event)?;
    let comma = if inner.is_empty() { "" } else { "," };
    Ok(Written {
        json: format!("[{name}{comma}{inner}]"),
        attachments,
    })
}

impl Written {
    pub fn without_attachments(json: String) -> Self {
        Written {
            json,
            attachments: Vec::new(),
        }
    }

    /// With one more argument after the others.
    pub fn with(mut self, text: &str) -> Self {
        self.json.pop();
        self.json.extend([",\"", text, "\"]"]);
        self
    }

    /// The messages that carry it in a packet of this kind.
    pub fn into_packet(self, kind: PacketKind, namespace: &str, id: Option<u64>) -> Vec<Part> {
        let text = encode(kind, namespace, id, &self.json, self.attachments.len());
        Part::of_packet(&text, self.attachments)
    }
}

/// The arguments of an acknowledgement.
pub(crate) fn write_ack(arguments: &impl Serialize) -> Result<Written, serde_json::Error> {
    let (inner, attachments) = write_inner(arguments)?;
    Ok(Written {
        json: format!("[{inner}]"),
        attachments,
    })
}

/// The list without its brackets.
fn write_inner(arguments: &impl Serialize) -> Result<(String, Vec<Bytes>), serde_json::Error> {
    let (written, attachments) = bytes::collect(|| serde_json::to_string(arguments));
    let mut json = written?;
    match Shape::of(arguments) {
        Shape::None => json.clear(),
        Shape::One => {}
        Shape::List => {
            json.pop();
            json.remove(0);
        }
    }
    Ok((json, attachments))
}

/// All arguments as they came, for a listener that takes any. It can be sent again as it is. In place of binary data
/// `values` has an object `{"_placeholder":true,"num":n}`, and `attachments` has the bytes at index `n`.
///
/// ```
/// # struct State;
/// use wshub::socketio::{AnyArguments, SocketIo};
///
/// let mut io = SocketIo::new(State);
/// io.on("/", "relay", |_, socket, any: AnyArguments| {
///     socket.broadcast().emit("relayed", any);
/// });
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct AnyArguments {
    /// The arguments.
    pub values: Vec<Value>,
    /// The binary data.
    pub attachments: Vec<Bytes>,
}

impl AnyArguments {
    /// The list in a packet that came, with its attachments.
    pub(crate) fn of_packet(data: Option<Value>, attachments: Vec<Vec<u8>>) -> Self {
        let values = match data {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        };
        AnyArguments {
            values,
            attachments: attachments.into_iter().map(Bytes::from).collect(),
        }
    }

    /// Takes the name of an event out, which is the first in its packet.
    pub(crate) fn take_name(&mut self) -> Option<String> {
        if self.values.is_empty() {
            return None;
        }
        Some(match self.values.remove(0) {
            Value::String(name) => name,
            number => number.to_string(),
        })
    }

    /// The arguments as a type of a user's.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        let path = ErrorPath::default();
        let list = List {
            arguments: self.values.clone(),
            path: &path,
        };
        bytes::with(&self.attachments, || T::deserialize(list)).map_err(|error| path.locate(error))
    }
}

impl<'de> Deserialize<'de> for AnyArguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(AnyArguments {
            values: Vec::deserialize(deserializer)?,
            attachments: bytes::at_hand(),
        })
    }
}

impl Serialize for AnyArguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_tuple(self.values.len())?;
        for value in &self.values {
            list.serialize_element(&WithBytes(value, &self.attachments))?;
        }
        list.end()
    }
}

/// A value with the binary data that its placeholders stand for.
struct WithBytes<'a>(&'a Value, &'a [Bytes]);

impl Serialize for WithBytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let WithBytes(value, attachments) = *self;
        match value {
            Value::Array(list) => {
                serializer.collect_seq(list.iter().map(|value| WithBytes(value, attachments)))
            }
            Value::Object(fields) => match attachment(fields, attachments) {
                Some(bytes) => bytes.serialize(serializer),
                None => serializer.collect_map(
                    fields
                        .iter()
                        .map(|(key, value)| (key, WithBytes(value, attachments))),
                ),
            },
            value => value.serialize(serializer),
        }
    }
}

fn attachment<'a>(
    placeholder: &serde_json::Map<String, Value>,
    attachments: &'a [Bytes],
) -> Option<&'a Bytes> {
    placeholder.get(PLACEHOLDER)?.as_bool().filter(|it| *it)?;
    let number = placeholder.get(PLACEHOLDER_NUMBER)?.as_u64()?;
    attachments.get(usize::try_from(number).ok()?)
}

/// A list of arguments that is read: a tuple takes as many as it has places, one that is missing is null, and those
/// that no place is for are left.
struct List<'a> {
    arguments: Vec<Value>,
    path: &'a ErrorPath,
}

/// Methods that read the first argument alone.
macro_rules! read_the_first {
    ($($method:ident($($name:ident: $kind:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($name: $kind,)* visitor: V) -> Result<V::Value, Self::Error> {
            let value = self.arguments.into_iter().next().unwrap_or_default();
            let first = Located { value, path: self.path };
            self.path.within(first.$method($($name,)* visitor), || "[0]".to_owned())
        })*
    };
}

impl<'de> Deserializer<'de> for List<'_> {
    type Error = serde_json::Error;

    read_the_first! {
        deserialize_any();
        deserialize_option();
        deserialize_newtype_struct(name: &'static str);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.arguments.resize(len, Value::Null);
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_seq(LocatedList::new(self.arguments, self.path))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit_struct identifier struct map ignored_any
    }
}

#[cfg(test)]
mod tests;
