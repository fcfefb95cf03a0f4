//! Binary data among the arguments of an event. In the JSON of a packet a placeholder stands for it, and the bytes go
//! beside: those that are written, or read, at the moment are kept by this thread.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::decoder::{PLACEHOLDER, PLACEHOLDER_NUMBER};

/// Binary data of an event or an acknowledgement, in JavaScript an `ArrayBuffer` or a `Buffer`, in Python `bytes`.
/// Clones share the bytes.
///
/// It may stand anywhere in what is sent, and anywhere in a type of yours that is received. It goes as an attachment
/// beside the JSON, and its clones in the same event as one; a `Vec<u8>` goes as a list of numbers.
///
/// ```
/// use wshub::socketio::Bytes;
///
/// let mut io = wshub::socketio::SocketIo::new(());
/// io.on("/", "upload", |_, _, (name, picture): (String, Bytes)| {
///     println!("{name}: {} bytes", picture.len());
///     Ok(picture) // comes back as the answer
/// });
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Bytes(Arc<Vec<u8>>);

thread_local! {
    /// The attachments of what is being written.
    static WRITTEN: RefCell<Option<Vec<Bytes>>> = const { RefCell::new(None) };
    /// The attachments of what is being read.
    static READ: RefCell<Vec<Bytes>> = const { RefCell::new(Vec::new()) };
}

/// Attachments are collected, or are at hand, until this is dropped.
struct Scope;

impl Drop for Scope {
    fn drop(&mut self) {
        WRITTEN.with_borrow_mut(Option::take);
        READ.with_borrow_mut(Vec::clear);
    }
}

/// What `write` writes, and the attachments that it has met.
pub(crate) fn collect<T>(write: impl FnOnce() -> T) -> (T, Vec<Bytes>) {
    WRITTEN.set(Some(Vec::new()));
    let _scope = Scope;
    (write(), WRITTEN.take().unwrap_or_default())
}

/// What `read` reads with these attachments at hand.
pub(crate) fn with<T>(attachments: &[Bytes], read: impl FnOnce() -> T) -> T {
    READ.set(attachments.to_vec());
    let _scope = Scope;
    read()
}

/// The attachments that are at hand.
pub(crate) fn at_hand() -> Vec<Bytes> {
    READ.with_borrow(Clone::clone)
}

impl Bytes {
    /// The bytes themselves, for what sends them.
    pub(crate) fn into_shared(self) -> Arc<Vec<u8>> {
        self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(Arc::new(bytes))
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Shows the length, never the bytes.
impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", self.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = WRITTEN.with_borrow_mut(|written| {
            let written = written.as_mut()?;
            // Else a client that names one attachment a thousand times has it sent a thousand times to all others.
            let known = written.iter().position(|it| Arc::ptr_eq(&it.0, &self.0));
            Some(known.unwrap_or_else(|| {
                written.push(self.clone());
                written.len() - 1
            }))
        });
        let Some(number) = number else {
            return serializer.serialize_bytes(self);
        };
        let mut placeholder = serializer.serialize_struct("Bytes", 2)?;
        placeholder.serialize_field(PLACEHOLDER, &true)?;
        placeholder.serialize_field(PLACEHOLDER_NUMBER, &number)?;
        placeholder.end()
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("binary data")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Bytes, A::Error> {
        let (mut is_placeholder, mut number) = (false, None);
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                PLACEHOLDER => is_placeholder = map.next_value()?,
                PLACEHOLDER_NUMBER => number = Some(map.next_value::<usize>()?),
                _ => return Err(A::Error::custom("an object in place of binary data")),
            }
        }
        let number = number.filter(|_| is_placeholder);
        let attachment = number.and_then(|at| READ.with_borrow(|read| read.get(at).cloned()));
        attachment.ok_or_else(|| A::Error::custom("an object in place of binary data"))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(bytes.into())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(bytes.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Bytes, A::Error> {
        let bytes = Vec::deserialize(SeqAccessDeserializer::new(list));
        bytes.map(Bytes::from)
    }
}
