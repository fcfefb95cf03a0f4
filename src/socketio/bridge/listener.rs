//! The thread of a bridge that listens: what other processes say is done to the sockets of this server.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::message::{
    QueueError, QueueMessage, QueueMethod, QueuedEvent, ReplyAddress, SocketOrder,
};
use super::process::BridgeProcess;
use crate::cluster::echo::OwnEcho;
use crate::cluster::news::BackplaneDirection;
use crate::cluster::port::PortUser;
use crate::cluster::redis::pubsub::{ChannelListener, PubSubSubscriber};
use crate::cluster::threads::{ListenEnd, Running};
use crate::lock::lock;
use crate::panics;
use crate::socketio::answers::{AckError, Answer};
use crate::socketio::arguments::{AnyArguments, write_event};
use crate::socketio::asking::NO_POLL;
use crate::socketio::bytes::Bytes;
use crate::socketio::core::{Core, DisconnectScope};
use crate::socketio::gate::Reliability;
use crate::socketio::namespace_client::NamespaceClient;
use crate::socketio::operation::{AckRequest, Act, Emission, Operation, PollNews};
use crate::socketio::recovery::Audience;
use crate::socketio::rooms::NotJoined;

/// The other processes, as one server in a poll.
pub(crate) const OTHERS: u128 = 0;

/// How long a client may take to answer a process that asks: as long as `call` waits in Python.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait for a message before it is seen whether the bridge leaves.
const TURN: Duration = Duration::from_secs(1);

pub(crate) fn listen(running: &Running<BridgeProcess>, mut subscriber: PubSubSubscriber) {
    let process = running.user();
    running.listen(|| {
        let listener = BridgeListener {
            process,
            is_attached: false,
            echo: OwnEcho::default(),
        };
        listener.listen(&mut subscriber)
    });
    // What the others owe does not come any more.
    if let Some(core) = process.core.upgrade() {
        core.end_polls_of(OTHERS);
    }
}

struct BridgeListener<'a> {
    process: &'a Arc<BridgeProcess>,
    is_attached: bool,
    echo: OwnEcho,
}

impl BridgeListener<'_> {
    fn listen(mut self, subscriber: &mut PubSubSubscriber) -> ListenEnd {
        let heard = panics::catch(|| subscriber.hear(&mut self));
        ListenEnd {
            was_attached: self.is_attached,
            reason: match heard {
                Ok(Ok(())) => "nothing comes back of what this server publishes".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the thread that listens panicked".to_owned(),
            },
        }
    }

    fn obey(&mut self, core: &Arc<Core>, message: QueueMessage) {
        let is_own = message.host == self.process.host;
        match message.method {
            QueueMethod::Alive { age } => {
                if is_own {
                    self.echo.came_back(age);
                }
                return;
            }
            QueueMethod::Callback { id, arguments } if is_own => answer(core, id, arguments),
            QueueMethod::Callback { .. } => return,
            _ if is_own => return,
            QueueMethod::Emit(event) => self.emit(core, event),
            QueueMethod::Order {
                namespace,
                sid,
                order,
            } => {
                if let Some(socket) = member(core, &namespace, &sid) {
                    carry_out(self.process, core, &socket, &order);
                }
            }
            QueueMethod::CloseRoom { namespace, room } => have_all_leave(core, namespace, room),
        }
        self.process.note_received();
    }

    fn emit(&self, core: &Arc<Core>, event: QueuedEvent) {
        let arguments = AnyArguments {
            values: event.arguments,
            attachments: event.attachments.into_iter().map(Bytes::from).collect(),
        };
        // A list of values is JSON.
        let Ok(written) = write_event(&event.event, &arguments) else {
            return;
        };
        let act = match event.reply_to {
            None => Act::Emit(Emission::new(written, Reliability::Reliable)),
            Some(address) => Act::Ask {
                written,
                wish: self.wish(address),
            },
        };
        core.apply(Operation {
            namespace: event.namespace.into(),
            audience: Audience {
                rooms: event.rooms,
                except: event.skipped,
            },
            act,
        });
    }

    fn wish(&self, address: ReplyAddress) -> AckRequest {
        let process = self.process.clone();
        AckRequest {
            poll: NO_POLL,
            timeout: ANSWER_PATIENCE,
            sink: Arc::new(move |news| reply(&process, &address, news)),
        }
    }
}

impl ChannelListener for BridgeListener<'_> {
    fn max_message(&self) -> usize {
        self.process.max_message
    }

    fn attached(&mut self) {
        let port = self.process.port();
        self.is_attached = true;
        self.echo.attached(port.age(), port.last_beat());
        self.process.set_link(BackplaneDirection::In, Ok(()));
        port.beat_soon();
    }

    fn patience(&mut self) -> Option<Duration> {
        let port = self.process.port();
        let goes_on = !port.is_leaving() && !port.is_deaf(&mut self.echo);
        goes_on.then_some(TURN)
    }

    fn take(&mut self, message: &[u8]) {
        self.echo.heard(self.process.port().age());
        let Some(core) = self.process.core.upgrade() else {
            return;
        };
        match QueueMessage::decode(message, self.process.max_message) {
            Ok(message) => self.obey(&core, message),
            Err(error) => self.process.refuse(&error),
        }
    }
}

/// A client of another process answers.
fn answer(core: &Core, poll: u64, values: Vec<Value>) {
    let attachments = Vec::new();
    let arguments = AnyArguments {
        values,
        attachments,
    };
    let answer = PollNews::Answered(Ok(Answer { arguments }));
    core.hear_of_poll(poll, Some(OTHERS), PollNews::Asked(1));
    core.hear_of_poll(poll, Some(OTHERS), answer);
}

fn carry_out(
    process: &BridgeProcess,
    core: &Core,
    socket: &Arc<NamespaceClient>,
    order: &SocketOrder,
) {
    match order {
        SocketOrder::Disconnect => core.disconnect(socket, DisconnectScope::Socket),
        SocketOrder::EnterRoom(room) => {
            let joined = lock(&core.directory).join(socket, room, core.limits.max_rooms);
            // A message with a name that is too long is not taken.
            if joined == Err(NotJoined::TooManyRooms) {
                process.refuse(&QueueError::TooManyRooms);
            }
        }
        SocketOrder::LeaveRoom(room) => lock(&core.directory).leave(socket, room),
    }
}

fn have_all_leave(core: &Core, namespace: String, room: String) {
    // Without its own room a socket could not be reached any more.
    if member(core, &namespace, &room).is_none() {
        core.apply(Operation {
            namespace: namespace.into(),
            audience: Audience::of_room(&room),
            act: Act::Leave(room),
        });
    }
}

/// The socket of this id, if it is of this server. Others may be in the room of its name.
pub(crate) fn member(core: &Core, namespace: &str, sid: &str) -> Option<Arc<NamespaceClient>> {
    let members = core.members(namespace, &Audience::of_room(sid));
    members.into_iter().find(|member| member.id == sid)
}

/// Takes the answer of a client of this server to the process that asked.
fn reply(process: &BridgeProcess, address: &ReplyAddress, news: PollNews) {
    match news {
        PollNews::Answered(Ok(Answer { arguments })) if arguments.attachments.is_empty() => {
            process.publish(address.encode(&arguments.values));
        }
        PollNews::Answered(Ok(_)) => process
            .cannot_tell("the answer of a client has binary data, for which Python has no form"),
        PollNews::Answered(Err(AckError::TooMany)) => process.refuse(&QueueError::TooManyAcks),
        // A process hears of answers, and of nothing else.
        PollNews::Asked(_) | PollNews::Answered(Err(_)) => {}
    }
}
