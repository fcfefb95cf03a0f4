//! The thread of a bridge that listens: what other processes say is done to the sockets of this server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::message::{
    QueueError, QueueMessage, QueueMethod, QueuedEvent, ReplyAddress, SocketOrder,
};
use super::publisher::{BEAT, RESTS};
use super::queue::{BridgeQueue, BridgeThread};
use crate::cluster::news::BackplaneDirection;
use crate::cluster::redis::pubsub::{ChannelListener, PubSubSubscriber};
use crate::lock::lock;
use crate::panics;
use crate::socketio::answers::Answer;
use crate::socketio::arguments::{AnyArguments, write_event};
use crate::socketio::bytes::Bytes;
use crate::socketio::core::{Core, DisconnectScope};
use crate::socketio::directory::{NamespaceClient, Reliability};
use crate::socketio::emitter::disconnect;
use crate::socketio::operation::{AckRequest, Act, AnswerSink, Emission, Operation};
use crate::socketio::recovery::Audience;
use crate::socketio::socket::AckError;

/// The other processes, as one server in a poll.
pub(crate) const OTHERS: u128 = 0;

/// How long a client may take to answer a process that asks: as long as `call` waits in Python.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait for a message before it is seen whether the bridge leaves.
const TURN: Duration = Duration::from_secs(1);
/// A bridge that has heard nothing for so long, not even its own signs of life, is deaf.
const DEAF: Duration = Duration::from_secs(4);
/// As many times longer while it hears others: what it published may be far behind that.
const LAG: u32 = 3;

const _: () = assert!(BEAT.as_secs() < DEAF.as_secs());

pub(crate) fn listen(thread: &BridgeThread, mut subscriber: PubSubSubscriber) {
    let hear = || hear_all(thread.queue(), &mut subscriber);
    thread.work(BackplaneDirection::In, hear);
    // What the others owe does not come any more.
    if let Some(core) = thread.queue().core.upgrade() {
        core.end_polls_of(OTHERS);
    }
}

fn hear_all(queue: &Arc<BridgeQueue>, subscriber: &mut PubSubSubscriber) {
    let mut rest = RESTS.0;
    while !queue.is_leaving() {
        let mut listener = BridgeListener::new(queue);
        let heard = panics::catch(|| subscriber.hear(&mut listener));
        if queue.is_leaving() {
            return;
        }
        let reason = match heard {
            Ok(Ok(())) => "nothing comes back of what this server publishes".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the thread that listens panicked".to_owned(),
        };
        queue.set_link(BackplaneDirection::In, Err(&reason));
        if listener.is_attached {
            rest = RESTS.0;
        }
        queue.pause(rest);
        rest = (rest * 2).min(RESTS.1);
    }
}

struct BridgeListener<'a> {
    queue: &'a Arc<BridgeQueue>,
    is_attached: bool,
    /// When a message came last.
    heard: Instant,
    /// The last sign of life that came back, by its number.
    own_beat: u64,
    /// Since when a later one was published, and did not come back.
    unheard: Option<Instant>,
}

impl<'a> BridgeListener<'a> {
    fn new(queue: &'a Arc<BridgeQueue>) -> Self {
        BridgeListener {
            queue,
            is_attached: false,
            heard: Instant::now(),
            own_beat: 0,
            unheard: None,
        }
    }

    fn is_deaf(&mut self) -> bool {
        if self.queue.last_beat() <= self.own_beat {
            self.unheard = None;
            return false;
        }
        let unheard = *self.unheard.get_or_insert_with(Instant::now);
        unheard.max(self.heard).elapsed() > DEAF || unheard.elapsed() > LAG * DEAF
    }

    fn obey(&mut self, core: &Arc<Core>, message: QueueMessage) {
        let is_own = message.host == self.queue.host;
        match message.method {
            QueueMethod::Alive { beat } => {
                if is_own {
                    self.own_beat = self.own_beat.max(beat);
                }
                return;
            }
            QueueMethod::Callback { id, arguments } if is_own => answer(core, id, arguments),
            QueueMethod::Callback { .. } => return,
            QueueMethod::Emit(_) | QueueMethod::Order { .. } if is_own => return,
            QueueMethod::Emit(event) => self.emit(core, event),
            QueueMethod::Order { namespace, order } => {
                carry_out(self.queue, core, &namespace, &order)
            }
        }
        self.queue.note_received();
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
        AckRequest {
            poll: 0,
            timeout: ANSWER_PATIENCE,
            sink: Arc::new(ReplySink {
                queue: self.queue.clone(),
                address,
            }),
        }
    }
}

impl ChannelListener for BridgeListener<'_> {
    fn max_message(&self) -> usize {
        self.queue.max_message
    }

    fn attached(&mut self) {
        self.is_attached = true;
        self.heard = Instant::now();
        self.queue.set_link(BackplaneDirection::In, Ok(()));
        self.own_beat = self.queue.begin_to_hear();
    }

    fn patience(&mut self) -> Option<Duration> {
        let goes_on = !self.queue.is_leaving() && !self.is_deaf();
        goes_on.then_some(TURN)
    }

    fn take(&mut self, message: &[u8]) {
        self.heard = Instant::now();
        let Some(core) = self.queue.core.upgrade() else {
            return;
        };
        match QueueMessage::decode(message, self.queue.max_message) {
            Ok(message) => self.obey(&core, message),
            Err(error) => self.queue.refuse(&error),
        }
    }
}

/// A client of another process answers.
fn answer(core: &Core, poll: u64, arguments: Vec<Value>) {
    core.asked(poll, Some(OTHERS), 1);
    core.answered(
        poll,
        Some(OTHERS),
        Ok(Answer {
            arguments,
            attachments: Vec::new(),
        }),
    );
}

fn carry_out(queue: &BridgeQueue, core: &Arc<Core>, namespace: &str, order: &SocketOrder) {
    match order {
        SocketOrder::Disconnect { sid } => {
            if let Some(member) = member(core, namespace, sid) {
                disconnect(core, &member, DisconnectScope::Socket);
            }
        }
        SocketOrder::EnterRoom { sid, room } => {
            let Some(member) = member(core, namespace, sid) else {
                return;
            };
            let most = core.limits.max_rooms;
            let joined = lock(&core.directory).join(&member, room, most);
            if joined.is_err() {
                queue.refuse(&QueueError::TooManyRooms);
            }
        }
        SocketOrder::LeaveRoom { sid, room } => {
            if let Some(member) = member(core, namespace, sid) {
                lock(&core.directory).leave(&member, room);
            }
        }
        SocketOrder::CloseRoom { room } => {
            // Without its own room a socket could not be reached any more.
            if member(core, namespace, room).is_none() {
                core.apply(Operation {
                    namespace: namespace.into(),
                    audience: Audience {
                        rooms: vec![room.clone()],
                        except: Vec::new(),
                    },
                    act: Act::Leave(room.clone()),
                });
            }
        }
    }
}

/// The socket of this id, if it is of this server. Others may be in the room of its name.
pub(crate) fn member(core: &Core, namespace: &str, sid: &str) -> Option<Arc<NamespaceClient>> {
    let room = [sid.to_owned()];
    let members = lock(&core.directory).select(namespace, &room, &[]);
    members.into_iter().find(|member| member.id == sid)
}

/// Takes the answers of clients of this server to the process that asked.
struct ReplySink {
    queue: Arc<BridgeQueue>,
    address: ReplyAddress,
}

impl AnswerSink for ReplySink {
    fn asked(&self, _: usize) {}

    fn answered(&self, answer: Result<Answer, AckError>) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(AckError::TooMany) => return self.queue.refuse(&QueueError::TooManyAcks),
            // A process hears of answers, and of nothing else.
            Err(_) => return,
        };
        match answer.attachments.is_empty() {
            true => self.queue.publish(self.address.encode(&answer.arguments)),
            false => self.queue.cannot_tell(
                "the answer of a client has binary data, for which Python has no form",
            ),
        }
    }
}
