//! Reads a value as a type of a user's, and says where in the value it is not of that type.

use std::cell::RefCell;
use std::iter::Enumerate;
use std::vec::IntoIter;

use serde::de::{
    DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor, value::StringDeserializer,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// The way from the outermost value to the one that could not be read, innermost first.
#[derive(Debug, Default)]
pub(crate) struct ErrorPath(RefCell<Vec<String>>);

impl ErrorPath {
    pub fn within<T, E>(&self, read: Result<T, E>, step: impl FnOnce() -> String) -> Result<T, E> {
        if read.is_err() {
            self.0.borrow_mut().push(step());
        }
        read
    }

    /// The error with the place where it is: `[0].user.name: invalid type: …`.
    pub fn locate(&self, error: serde_json::Error) -> serde_json::Error {
        let mut steps = self.0.take();
        if steps.is_empty() {
            return error;
        }
        steps.reverse();
        serde_json::Error::custom(format!("{}: {error}", steps.concat()))
    }
}

/// A value that is read, and the path that it leaves.
pub(crate) struct Located<'a> {
    pub value: Value,
    pub path: &'a ErrorPath,
}

/// The elements of a list.
pub(crate) struct LocatedList<'a> {
    values: Enumerate<IntoIter<Value>>,
    path: &'a ErrorPath,
}

struct LocatedMap<'a> {
    fields: serde_json::map::IntoIter,
    /// The field whose key was read.
    begun: Option<(String, Value)>,
    path: &'a ErrorPath,
}

impl<'a> LocatedList<'a> {
    pub fn new(values: Vec<Value>, path: &'a ErrorPath) -> Self {
        LocatedList {
            values: values.into_iter().enumerate(),
            path,
        }
    }
}

impl<'de> SeqAccess<'de> for LocatedList<'_> {
    type Error = serde_json::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Self::Error> {
        let Some((at, value)) = self.values.next() else {
            return Ok(None);
        };
        let path = self.path;
        let read = seed.deserialize(Located { value, path });
        path.within(read, || format!("[{at}]")).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.values.len())
    }
}

impl<'de> MapAccess<'de> for LocatedMap<'_> {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Self::Error> {
        let Some((key, value)) = self.fields.next() else {
            return Ok(None);
        };
        let name = StringDeserializer::new(key.clone());
        let read = seed.deserialize(name);
        let read = self.path.within(read, || format!(".{key}"))?;
        self.begun = Some((key, value));
        Ok(Some(read))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, Self::Error> {
        let path = self.path;
        let (key, value) = self.begun.take().unwrap_or_default();
        let read = seed.deserialize(Located { value, path });
        path.within(read, || format!(".{key}"))
    }
}

impl<'de> Deserializer<'de> for Located<'_> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.value {
            Value::Array(values) => {
                let len = values.len();
                let mut list = LocatedList::new(values, self.path);
                let read = visitor.visit_seq(&mut list)?;
                match list.values.len() {
                    0 => Ok(read),
                    // As serde_json has it.
                    _ => Err(Self::Error::invalid_length(len, &"fewer elements in array")),
                }
            }
            Value::Object(fields) => visitor.visit_map(LocatedMap {
                fields: fields.into_iter(),
                begun: None,
                path: self.path,
            }),
            value => value.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.value.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct tuple tuple_struct map identifier struct seq ignored_any
    }
}
