//! What clients send: packets, the events and acknowledgements in them, and how events are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::ack::{Ack, Question};
use super::answers::Answer;
use super::application::SocketIo;
use super::arguments::AnyArguments;
use super::engine::link::SessionLink;
use super::incoming::{IncomingEvent, SocketEvent};
use super::listeners::{ListenerOutcome, ReceivedArguments};
use super::packet::{Packet, PacketKind};
use super::reason::DisconnectReason;
use super::reply::Refused;
use super::socket::Socket;
use crate::Message;
use crate::lock::lock;
use crate::logging::log_line;

impl<S> SocketIo<S> {
    /// A message of a client's.
    pub(crate) fn receive(&mut self, link: &Arc<SessionLink>, message: Message) {
        match self.clients.read(link, message) {
            Ok(None) => {}
            Ok(Some(packet)) => self.take(link, packet),
            Err(error) => {
                log_line!(Debug, "a client is disconnected for what it sent: {error}");
                self.end_session(link, DisconnectReason::ParseError);
            }
        }
    }

    fn take(&mut self, link: &Arc<SessionLink>, packet: Packet) {
        let socket = self.clients.socket(link, &packet.namespace);
        match (packet.kind, socket) {
            (PacketKind::Connect, None) => self.connect(link, &packet.namespace, packet.data),
            (PacketKind::Disconnect, Some(socket)) => {
                self.leave(&socket, DisconnectReason::ClientNamespaceDisconnect);
            }
            (PacketKind::Event, Some(socket)) => {
                let question = packet.id.map(|id| question(&socket, id));
                let arguments = AnyArguments::of_packet(packet.data, packet.attachments);
                self.event(&socket, question, arguments);
            }
            (PacketKind::Ack, Some(socket)) => {
                let arguments = AnyArguments::of_packet(packet.data, packet.attachments);
                self.acknowledged(&socket, packet.id, Answer { arguments });
            }
            _ => {
                log_line!(
                    Debug,
                    "a client is disconnected: its packet has no place here"
                );
                self.end_session(link, DisconnectReason::ForcedServerClose);
            }
        }
    }

    fn event(
        &mut self,
        socket: &Socket<S>,
        question: Option<Arc<Question>>,
        mut arguments: AnyArguments,
    ) {
        let Some(name) = arguments.take_name() else {
            return;
        };
        let Some(listeners) = self.listeners.get_mut(socket.namespace()) else {
            return;
        };
        let received = ReceivedArguments {
            arguments: &arguments,
            question: question.clone(),
        };
        // All are called, and the first one answers.
        let outcomes = listeners.call(&mut self.state, socket, &name, &received);
        if outcomes.is_empty() && listeners.any.is_empty() && !self.is_looped {
            log_line!(Debug, "no listener for the event {:?}", shortened(&name));
        }
        let is_heard = !outcomes.is_empty();
        for (at, outcome) in outcomes.into_iter().enumerate() {
            self.conclude(&name, question.as_deref().filter(|_| at == 0), outcome);
        }
        if !is_heard {
            self.tell(|| {
                let event = IncomingEvent {
                    name,
                    arguments,
                    ack: Ack::new(question),
                };
                SocketEvent::Event(socket.clone(), event)
            });
        }
    }

    fn conclude(&self, event: &str, question: Option<&Question>, outcome: ListenerOutcome) {
        let event = shortened(event);
        let answer = match outcome {
            ListenerOutcome::Later => return,
            ListenerOutcome::Answer(Ok(written)) => written,
            ListenerOutcome::Answer(Err(error)) => {
                log_line!(
                    Error,
                    "the answer to the event {event:?} is no JSON: {error}"
                );
                Refused::new("the server has no answer").to_answer()
            }
            ListenerOutcome::Refused(refused) => refused.to_answer(),
            ListenerOutcome::WrongArguments(error) => {
                self.core.wrong_arguments.fetch_add(1, Relaxed);
                let error = error.to_string();
                let error = shortened(&error);
                self.core
                    .sessions
                    .limited_log
                    .warn(module_path!(), "arguments", || {
                        format!("wrong arguments of the event {event:?}: {error:?}")
                    });
                Refused::new(error).to_answer()
            }
        };
        if let Some(question) = question {
            question.answer(answer);
        }
    }

    fn acknowledged(&mut self, socket: &Socket<S>, id: Option<u64>, answer: Answer) {
        let take = |id| Some((id, lock(&self.core.acks).take(socket.member.key, id)?));
        match id.and_then(take) {
            Some((id, owner)) => self.settle(id, owner, Ok(answer)),
            None => log_line!(Debug, "an acknowledgement that was not asked for"),
        }
    }
}

fn question<S>(socket: &Socket<S>, id: u64) -> Arc<Question> {
    Arc::new(Question {
        core: socket.core.clone(),
        member: socket.member.clone(),
        id,
        is_answered: AtomicBool::new(false),
    })
}

/// Text of a client's, for the log and for answers.
fn shortened(text: &str) -> &str {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => text.get(..at).unwrap_or(text),
        None => text,
    }
}
