//! The arguments of an event, or of an acknowledgement: a list in JSON that is made of, and into, types of a user's.
//!
//! A tuple is the list of arguments, `()` none, and anything else one argument.

mod located;

use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::ser::{self, Impossible, Serialize, SerializeTuple, Serializer};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::Value;

use located::{ErrorPath, Located, LocatedList};

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

    /// With one more argument behind the others.
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
    let shape = match arguments.serialize(Shape::One) {
        Ok(shape) | Err(shape) => shape,
    };
    let (written, attachments) = bytes::collect(|| serde_json::to_string(arguments));
    let mut json = written?;
    match shape {
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

impl<'a> List<'a> {
    /// The first one alone.
    fn one<T>(
        self,
        read: impl FnOnce(Located<'a>) -> Result<T, serde_json::Error>,
    ) -> Result<T, serde_json::Error> {
        let value = self.arguments.into_iter().next().unwrap_or_default();
        let path = self.path;
        path.within(read(Located { value, path }), || "[0]".to_owned())
    }

    fn elements(self) -> LocatedList<'a> {
        LocatedList::new(self.arguments, self.path)
    }
}

impl<'de> Deserializer<'de> for List<'_> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.one(|it| it.deserialize_any(visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.arguments.resize(len, Value::Null);
        visitor.visit_seq(self.elements())
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
        visitor.visit_seq(self.elements())
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.one(|it| it.deserialize_option(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.one(|it| it.deserialize_newtype_struct(name, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.one(|it| it.deserialize_enum(name, variants, visitor))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit_struct identifier struct map ignored_any
    }
}

/// Asks a value how many arguments it is. It answers with its first call, and nothing is written.
#[derive(Debug, PartialEq)]
enum Shape {
    None,
    One,
    List,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a shape")
    }
}

impl std::error::Error for Shape {}

impl ser::Error for Shape {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Shape::One
    }
}

macro_rules! one_argument {
    ($($method:ident($($arg:ty),*);)*) => {
        $(fn $method(self, $(_: $arg),*) -> Result<Shape, Shape> {
            Ok(Shape::One)
        })*
    };
}

impl Serializer for Shape {
    type Ok = Shape;
    type Error = Shape;
    type SerializeSeq = Impossible<Shape, Shape>;
    type SerializeTuple = Impossible<Shape, Shape>;
    type SerializeTupleStruct = Impossible<Shape, Shape>;
    type SerializeTupleVariant = Impossible<Shape, Shape>;
    type SerializeMap = Impossible<Shape, Shape>;
    type SerializeStruct = Impossible<Shape, Shape>;
    type SerializeStructVariant = Impossible<Shape, Shape>;

    one_argument! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    fn serialize_unit(self) -> Result<Shape, Shape> {
        Ok(Shape::None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Shape, Shape> {
        Ok(Shape::One)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<Shape, Shape> {
        Ok(Shape::One)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Shape, Shape> {
        Ok(Shape::One)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Shape> {
        Err(Shape::One)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Shape> {
        Err(Shape::List)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Shape> {
        Err(Shape::List)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Shape> {
        Err(Shape::One)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Shape> {
        Err(Shape::One)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Shape> {
        Err(Shape::One)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Shape> {
        Err(Shape::One)
    }
}

#[cfg(test)]
mod tests;
