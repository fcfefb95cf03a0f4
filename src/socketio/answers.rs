//! What clients answer, one of them or all that were asked, and why they do not.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::arguments::AnyArguments;
use super::polls::Polls;

/// The answer of one client.
///
/// ```
/// use std::time::Duration;
/// use wshub::socketio::SocketIo;
///
/// let mut io = SocketIo::new(());
/// io.on_connect("/", |_, socket, _auth| {
///     socket.emit_with_ack("your name?", (), Duration::from_secs(5), |_, answer| {
///         match answer.map(|answer| answer.get::<String>()) {
///             Ok(Ok(name)) => println!("{name} is here"),
///             Ok(Err(error)) => println!("not a name: {error}"),
///             Err(error) => println!("{error}"),
///         }
///     });
///     Ok(())
/// });
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) arguments: AnyArguments,
}

/// Why there is no answer.
///
/// ```
/// use std::time::Duration;
/// use wshub::socketio::{AckError, SocketIo};
///
/// let mut io = SocketIo::new(());
/// io.on_connect("/", |_, socket, _auth| {
///     socket.emit_with_ack("ready?", (), Duration::from_secs(5), |_, answer| match answer {
///         Ok(_) => println!("ready"),
///         Err(AckError::Timeout) => println!("not within 5 s"),
///         Err(error) => println!("{error}"),
///     });
///     Ok(())
/// });
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AckError {
    /// No answer came in time. One that comes later is ignored.
    Timeout,
    /// The client left before it answered, or the server that it was on did.
    Disconnected,
    /// The client was not asked, because [`Limits::max_pending_acks`](super::Limits::max_pending_acks) answers are
    /// awaited from it already. Or its answer found no room beside those that are held
    /// ([`Limits::max_answer_bytes`](super::Limits::max_answer_bytes)). Remedy: shorter timeouts, or a larger limit.
    TooMany,
    /// The client was not asked: the event cannot be sent, and the log says why.
    NotSent,
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AckError::Timeout => "no acknowledgement came in time",
            AckError::Disconnected => "the client left before it answered",
            AckError::TooMany => {
                "too many acknowledgements are awaited (max_pending_acks), or held (max_answer_bytes)"
            }
            AckError::NotSent => "the event cannot be sent",
        })
    }
}

impl std::error::Error for AckError {}

/// The answers of many clients; see [`Emitter::emit_with_ack`](super::Emitter::emit_with_ack).
///
/// ```
/// use wshub::socketio::AllAnswers;
///
/// fn sum(all: &AllAnswers) -> i32 {
///     if let Some(why) = all.error {
///         println!("not of everybody: {why}");
///     }
///     all.answers.iter().filter_map(|answer| answer.get::<i32>().ok()).sum()
/// }
/// # let _ = sum;
/// ```
///
/// ```
/// use wshub::socketio::AllAnswers;
///
/// fn votes_for(name: &str, ballot: &AllAnswers) -> usize {
///     let votes = ballot.answers.iter().filter_map(|answer| answer.get::<String>().ok());
///     votes.filter(|vote| vote == name).count()
/// }
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AllAnswers {
    /// The answers, in the order in which they came.
    pub answers: Vec<Answer>,
    /// Why an answer is missing, for the first one that is; `None` if every socket that was asked has answered.
    /// [`AckError::Timeout`] also if a server did not report in time.
    pub error: Option<AckError>,
    /// How many other servers did not report in time, or left the cluster before all of their sockets had answered. It
    /// is 1 where no server of Python answers over a bridge, and while this server has not attached to the backplane
    /// and knows no others.
    pub missing_servers: usize,
}

pub(crate) type OnAnswers = Box<dyn FnOnce(AllAnswers) + Send>;
pub(crate) type OpenPolls = Polls<Answer, AckError, OnAnswers>;

impl Answer {
    /// The answer as a type of yours, by the rules of [`SocketIo::on`](super::SocketIo::on).
    ///
    /// # Errors
    /// If it is not of that type; the text says what is there instead.
    pub fn get<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.arguments.read()
    }

    /// About how much memory it takes.
    pub(crate) fn size(&self) -> usize {
        let AnyArguments {
            values,
            attachments,
        } = &self.arguments;
        let attachments = attachments.iter().map(|bytes| bytes.len());
        attachments.chain(values.iter().map(size)).sum()
    }
}

/// About how much memory a value takes. Values are nested no deeper than JSON is read.
fn size(value: &Value) -> usize {
    let within = match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, it)| name.len() + size(it)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + within
}
