//! The listeners of a namespace, and what they make of what comes.

use std::collections::HashMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ack::{self, Question};
use super::arguments::{AnyArguments, Written};
use super::reason::DisconnectReason;
use super::reply::{Refused, Reply, ReplyText};
use super::socket::Socket;

pub(crate) type OnConnect<S> =
    Box<dyn FnMut(&mut S, &Socket<S>, &Value) -> Result<(), Refused> + Send>;
pub(crate) type OnEvent<S> =
    Box<dyn FnMut(&mut S, &Socket<S>, &ReceivedArguments<'_>) -> ListenerOutcome + Send>;
pub(crate) type OnAny<S> = Box<dyn FnMut(&mut S, &Socket<S>, &str, &[Value]) + Send>;
pub(crate) type OnDisconnect<S> = Box<dyn FnMut(&mut S, &Socket<S>, DisconnectReason) + Send>;
#[cfg(feature = "redis")]
pub(crate) type OnClusterEvent<S> = Box<dyn FnMut(&mut S, crate::ClusterEvent) + Send>;

pub(crate) struct NamespaceListeners<S> {
    pub connect: Vec<OnConnect<S>>,
    events: HashMap<String, Vec<OnEvent<S>>>,
    pub any: Vec<OnAny<S>>,
    pub disconnect: Vec<OnDisconnect<S>>,
}

/// An event that came.
pub(crate) struct ReceivedArguments<'a> {
    pub arguments: &'a AnyArguments,
    /// The answer that the client wants.
    pub question: Option<Arc<Question>>,
}

/// What a listener made of an event.
pub(crate) enum ListenerOutcome {
    Answer(Result<Written, serde_json::Error>),
    Refused(Refused),
    /// It has the [`Ack`](super::Ack) and answers by that.
    Later,
    /// The arguments are not of the listener's types.
    WrongArguments(serde_json::Error),
}

impl<S> Default for NamespaceListeners<S> {
    fn default() -> Self {
        NamespaceListeners {
            connect: Vec::new(),
            events: HashMap::new(),
            any: Vec::new(),
            disconnect: Vec::new(),
        }
    }
}

impl<S> NamespaceListeners<S> {
    /// Adds a listener for an event, with arguments of its own type.
    pub fn add<A: DeserializeOwned, R: Reply>(
        &mut self,
        event: &str,
        mut listener: impl FnMut(&mut S, &Socket<S>, A) -> R + Send + 'static,
    ) {
        let hear = move |state: &mut S, socket: &Socket<S>, received: &ReceivedArguments<'_>| {
            let read = || received.arguments.read();
            let (arguments, has_ack) = ack::with(received.question.clone(), read);
            let arguments = match arguments {
                Ok(arguments) => arguments,
                Err(error) => return ListenerOutcome::WrongArguments(error),
            };
            let reply = listener(state, socket, arguments);
            if has_ack {
                return ListenerOutcome::Later;
            }
            match reply.into_written() {
                Ok(ReplyText(written)) => ListenerOutcome::Answer(written),
                Err(refused) => ListenerOutcome::Refused(refused),
            }
        };
        let events = self.events.entry(event.to_owned()).or_default();
        events.push(Box::new(hear));
    }

    /// Whether a client may join: asks up to the first listener that refuses.
    pub fn ask(&mut self, state: &mut S, socket: &Socket<S>, auth: &Value) -> Result<(), Refused> {
        let mut asked = self.connect.iter_mut();
        asked.try_for_each(|listener| listener(state, socket, auth))
    }

    /// Calls the listeners of every event, and then those of this one; gives what each of these made of it.
    pub fn call(
        &mut self,
        state: &mut S,
        socket: &Socket<S>,
        name: &str,
        received: &ReceivedArguments<'_>,
    ) -> Vec<ListenerOutcome> {
        for listener in &mut self.any {
            listener(state, socket, name, &received.arguments.values);
        }
        let called = self.events.get_mut(name).into_iter().flatten();
        called
            .map(|listener| listener(state, socket, received))
            .collect()
    }

    pub fn tell_left(&mut self, state: &mut S, socket: &Socket<S>, reason: DisconnectReason) {
        for listener in &mut self.disconnect {
            listener(state, socket, reason);
        }
    }
}
