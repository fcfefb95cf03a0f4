//! A message of Engine.IO as it is sent: encoded once for each transport, however many clients get it.

use std::sync::{Arc, OnceLock};

use super::protocol::packet::{append_binary, base64_len};
use super::protocol::queue::Carried;
use crate::socketio::Bytes;
use crate::{Message, Prepared};

/// Clones share the bytes.
#[derive(Clone)]
pub(crate) struct Part(Arc<Encoded>);

struct Encoded {
    content: PartContent,
    frame: OnceLock<Prepared>,
    base64: OnceLock<Vec<u8>>,
}

enum PartContent {
    /// With the digit of its type.
    Text(String),
    Binary(Arc<Vec<u8>>),
}

impl Part {
    /// A message that stands alone.
    pub fn of_message(message: Message) -> Part {
        let content = match message {
            Message::Text(text) => PartContent::Text(["4", &text].concat()),
            Message::Binary(bytes) => PartContent::Binary(Arc::new(bytes)),
        };
        Part::new(content)
    }

    /// A text and the attachments that belong to it, as the messages that carry them.
    pub fn of_packet(text: &str, attachments: Vec<Bytes>) -> Vec<Part> {
        let header = PartContent::Text(["4", text].concat());
        let attachments = attachments
            .into_iter()
            .map(|bytes| PartContent::Binary(bytes.into_shared()));
        let contents = std::iter::once(header).chain(attachments);
        contents.map(Part::new).collect()
    }

    fn new(content: PartContent) -> Part {
        Part(Arc::new(Encoded {
            content,
            frame: OnceLock::new(),
            base64: OnceLock::new(),
        }))
    }

    /// For a WebSocket.
    pub fn frame(&self) -> &Prepared {
        self.0.frame.get_or_init(|| {
            Prepared::new(match &self.0.content {
                PartContent::Text(text) => Message::from(text),
                PartContent::Binary(bytes) => Message::from(&***bytes),
            })
        })
    }
}

impl Carried for Part {
    fn control(text: String) -> Part {
        Part::new(PartContent::Text(text))
    }

    fn payload_len(&self) -> usize {
        match &self.0.content {
            PartContent::Text(text) => text.len(),
            PartContent::Binary(bytes) => 1 + base64_len(bytes.len()),
        }
    }

    fn append(&self, payload: &mut Vec<u8>) {
        match &self.0.content {
            PartContent::Text(text) => payload.extend_from_slice(text.as_bytes()),
            PartContent::Binary(bytes) => {
                payload.extend_from_slice(self.0.base64.get_or_init(|| {
                    let mut base64 = Vec::with_capacity(1 + base64_len(bytes.len()));
                    append_binary(&mut base64, bytes);
                    base64
                }))
            }
        }
    }
}
