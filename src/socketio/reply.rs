//! What listeners return: an answer, or a refusal.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::arguments::{Written, write_ack};

/// Why a client may not join a namespace, or what is wrong with an event.
///
/// ```
/// use serde_json::json;
/// use wshub::socketio::Refused;
///
/// let refused = Refused::new("the room is full").with_data(json!({"free": "tomorrow"}));
/// assert_eq!(refused.message(), "the room is full");
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    message: String,
    data: Option<Value>,
}

impl Refused {
    /// With a text for the client.
    pub fn new(message: impl Into<String>) -> Self {
        Refused {
            message: message.into(),
            data: None,
        }
    }

    /// Adds data for the client's program; in JavaScript `error.data`.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The arguments of an acknowledgement that says so.
    pub(crate) fn to_answer(&self) -> Written {
        Written::without_attachments(format!("[{}]", self.to_json("error")))
    }

    /// The text under this key, and the data after it.
    pub(crate) fn to_json(&self, key: &str) -> String {
        let message = Value::from(self.message.as_str());
        match &self.data {
            Some(data) => format!(r#"{{"{key}":{message},"data":{data}}}"#),
            None => format!(r#"{{"{key}":{message}}}"#),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

/// What a listener returns: nothing, or an answer for a client that asked for one.
///
/// `()` answers without arguments; `Ok` with its value, as [`Emitter::emit`](super::Emitter::emit) sends arguments; and
/// an `Err` with `{"error": message, "data": …}`.
///
/// ```
/// use wshub::socketio::{Refused, SocketIo};
///
/// let mut io = SocketIo::new(());
/// io.on("/", "half", |_, _socket, (number,): (u32,)| {
///     if number % 2 == 0 { Ok(number / 2) } else { Err(Refused::new("an even number, please")) }
/// });
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
pub trait Reply {
    #[doc(hidden)]
    fn into_written(self) -> Result<ReplyText, Refused>;
}

/// An answer on its way.
#[doc(hidden)]
pub struct ReplyText(pub(crate) Result<Written, serde_json::Error>);

impl Reply for () {
    fn into_written(self) -> Result<ReplyText, Refused> {
        Ok(ReplyText(write_ack(&())))
    }
}

impl<T: Serialize> Reply for Result<T, Refused> {
    fn into_written(self) -> Result<ReplyText, Refused> {
        self.map(|answer| ReplyText(write_ack(&answer)))
    }
}
