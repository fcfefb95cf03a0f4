//! How many arguments a value is.

use std::convert::Infallible;
use std::fmt;

use serde::ser::{Error, Impossible, Serialize, Serializer};

#[derive(Debug)]
pub(crate) enum Shape {
    None,
    One,
    List,
}

impl Shape {
    pub fn of(value: &impl Serialize) -> Shape {
        match value.serialize(ShapeSerializer) {
            Err(shape) => shape,
            Ok(never) => match never {},
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a shape")
    }
}

impl std::error::Error for Shape {}

impl Error for Shape {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Shape::One
    }
}

/// Takes the first call of a value for its answer: it fails with that, and nothing is written.
struct ShapeSerializer;

macro_rules! answers {
    ($($method:ident $(<$value:ident>)? ($($arg:ty),*) -> $ok:ident: $shape:ident;)*) => {
        $(fn $method $(<$value: Serialize + ?Sized>)? (self, $(_: $arg),*) -> Result<Self::$ok, Shape> {
            Err(Shape::$shape)
        })*
    };
}

impl Serializer for ShapeSerializer {
    type Ok = Infallible;
    type Error = Shape;
    type SerializeSeq = Impossible<Infallible, Shape>;
    type SerializeTuple = Impossible<Infallible, Shape>;
    type SerializeTupleStruct = Impossible<Infallible, Shape>;
    type SerializeTupleVariant = Impossible<Infallible, Shape>;
    type SerializeMap = Impossible<Infallible, Shape>;
    type SerializeStruct = Impossible<Infallible, Shape>;
    type SerializeStructVariant = Impossible<Infallible, Shape>;

    answers! {
        serialize_unit() -> Ok: None;
        serialize_tuple(usize) -> SerializeTuple: List;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct: List;
        serialize_bool(bool) -> Ok: One;
        serialize_i8(i8) -> Ok: One;
        serialize_i16(i16) -> Ok: One;
        serialize_i32(i32) -> Ok: One;
        serialize_i64(i64) -> Ok: One;
        serialize_u8(u8) -> Ok: One;
        serialize_u16(u16) -> Ok: One;
        serialize_u32(u32) -> Ok: One;
        serialize_u64(u64) -> Ok: One;
        serialize_f32(f32) -> Ok: One;
        serialize_f64(f64) -> Ok: One;
        serialize_char(char) -> Ok: One;
        serialize_str(&str) -> Ok: One;
        serialize_bytes(&[u8]) -> Ok: One;
        serialize_none() -> Ok: One;
        serialize_some<T>(&T) -> Ok: One;
        serialize_unit_struct(&'static str) -> Ok: One;
        serialize_newtype_struct<T>(&'static str, &T) -> Ok: One;
        serialize_unit_variant(&'static str, u32, &'static str) -> Ok: One;
        serialize_newtype_variant<T>(&'static str, u32, &'static str, &T) -> Ok: One;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant: One;
        serialize_seq(Option<usize>) -> SerializeSeq: One;
        serialize_map(Option<usize>) -> SerializeMap: One;
        serialize_struct(&'static str, usize) -> SerializeStruct: One;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant: One;
    }
}
