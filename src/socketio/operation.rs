//! What is done to many sockets at once, as a value: to those of this server, and of the servers that an adapter
//! connects with it.

use std::sync::Arc;
use std::time::Duration;

use super::acks::TooManyAcks;
use super::answers::Answer;
use super::arguments::Written;
use super::core::{AckOwner, Core, DisconnectScope};
use super::directory::{NamespaceClient, Reliability};
use super::emitter::{disconnect, event_packet};
use super::recovery::Audience;
use super::socket::AckError;
use crate::lock::lock;

/// Something that is done to the sockets of an audience.
pub(super) struct Operation {
    pub namespace: Arc<str>,
    pub audience: Audience,
    pub act: Act,
}

pub(super) enum Act {
    Emit {
        written: Written,
        delivery: Reliability,
    },
    /// An event that every one of them is to answer.
    Ask {
        written: Written,
        wish: AckWish,
    },
    Join(String),
    Leave(String),
    Disconnect,
}

/// Answers that are wanted, for so long.
pub(super) struct AckWish {
    /// The number of the poll, on the server that asks.
    pub poll: u64,
    pub timeout: Duration,
    pub sink: Arc<dyn AnswerSink>,
}

/// What takes the answers that the sockets of this server give.
pub(super) trait AnswerSink: Send + Sync {
    /// So many are asked. Told once, before their answers.
    fn asked(&self, sockets: usize);
    /// Told once for each of them.
    fn answered(&self, answer: Result<Answer, AckError>);
}

/// What connects this server with others. Called without a lock, by any thread.
pub(super) trait Adapter: Send + Sync {
    /// Has the other servers do what is done here.
    fn publish(&self, operation: &Operation) -> LocalTurn;
    /// The numbers of the other servers, whose answers are waited for.
    fn others(&self) -> Vec<u128>;
    /// The ids of the sockets of an audience on the other servers, and how many servers have not said theirs. Waits so
    /// long at most.
    fn fetch(
        &self,
        namespace: &str,
        audience: &Audience,
        timeout: Duration,
    ) -> (Vec<String>, usize);
}

/// When an operation that was published is done here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Without the feature `redis` nothing is published.
#[cfg_attr(not(feature = "redis"), allow(dead_code))]
pub(super) enum LocalTurn {
    Now,
    /// When it comes back, in the one order of all servers.
    OnReturn,
    /// Not at all: it cannot be published, and the log says why.
    Never,
}

impl Core {
    /// Does it here and on the other servers. Returns how many sockets it reaches here now; `None` if it is not done.
    pub fn carry_out(&self, operation: Operation) -> Option<usize> {
        let published = self.adapter.get().map(|it| it.publish(&operation));
        match published {
            None | Some(LocalTurn::Now) => Some(self.apply(operation)),
            Some(LocalTurn::OnReturn) => Some(0),
            Some(LocalTurn::Never) => None,
        }
    }

    /// Does it to the sockets of this server, whatever server it comes from. Returns how many they are.
    pub fn apply(&self, operation: Operation) -> usize {
        let Operation {
            namespace,
            audience,
            act,
        } = operation;
        match act {
            Act::Emit { written, delivery } => self.send(&namespace, audience, written, delivery),
            Act::Ask { written, wish } => self.ask(&namespace, &audience, written, &wish),
            Act::Join(room) => self.join(&namespace, &audience, &room),
            Act::Leave(room) => self.leave(&namespace, &audience, &room),
            Act::Disconnect => {
                let members = self.members(&namespace, &audience);
                for member in &members {
                    disconnect(self, member, DisconnectScope::Socket);
                }
                members.len()
            }
        }
    }

    pub fn members(&self, namespace: &str, audience: &Audience) -> Vec<Arc<NamespaceClient>> {
        lock(&self.directory).select(namespace, &audience.rooms, &audience.except)
    }

    /// The ids of the sockets of this server.
    pub fn ids(&self, namespace: &str, audience: &Audience) -> Vec<String> {
        let members = self.members(namespace, audience);
        members.iter().map(|member| member.id.clone()).collect()
    }

    /// Sends an event to its audience, and keeps it for those of them that come back.
    fn send(
        &self,
        namespace: &Arc<str>,
        audience: Audience,
        written: Written,
        delivery: Reliability,
    ) -> usize {
        let mut directory = lock(&self.directory);
        let offset = match delivery {
            Reliability::Reliable => directory.next_offset(namespace),
            Reliability::Volatile => None,
        };
        let members = directory.select(namespace, &audience.rooms, &audience.except);
        let packet = match offset {
            None => event_packet(namespace, None, written),
            Some(offset) => {
                let packet = event_packet(namespace, None, written.with(&offset.to_string()));
                directory.keep(namespace, packet.clone(), audience, self.sessions.now());
                packet
            }
        };
        drop(directory);
        for member in &members {
            member.send(&packet, delivery, self);
        }
        members.len()
    }

    /// Sends an event that is to be answered; all get it under one id.
    fn ask(
        &self,
        namespace: &Arc<str>,
        audience: &Audience,
        written: Written,
        wish: &AckWish,
    ) -> usize {
        let members = self.members(namespace, audience);
        let deadline = self.sessions.now().saturating_add(wish.timeout);
        let id = lock(&self.acks).next_id();
        let packet = event_packet(namespace, Some(id), written);
        wish.sink.asked(members.len());
        for member in &members {
            let sink = AckOwner::Poll(wish.sink.clone());
            match self.await_ack(member, id, deadline, sink) {
                Ok(()) => member.send(&packet, Reliability::Reliable, self),
                Err(TooManyAcks) => wish.sink.answered(Err(AckError::TooMany)),
            }
            // One that left before nobody gives up.
            if !member.is_in() && lock(&self.acks).take(member.key, id).is_some() {
                wish.sink.answered(Err(AckError::Disconnected));
            }
        }
        self.sessions.timer.note_application(deadline);
        members.len()
    }

    pub fn await_ack(
        &self,
        member: &NamespaceClient,
        id: u64,
        deadline: Duration,
        owner: AckOwner,
    ) -> Result<(), TooManyAcks> {
        let most = self.limits.max_pending_acks;
        lock(&self.acks).add(member.key, id, deadline, owner, most)
    }

    fn join(&self, namespace: &str, audience: &Audience, room: &str) -> usize {
        let members = self.members(namespace, audience);
        let mut directory = lock(&self.directory);
        for member in &members {
            // A socket in too many rooms stays out of this one.
            let _ = directory.join(member, room, self.limits.max_rooms);
        }
        members.len()
    }

    fn leave(&self, namespace: &str, audience: &Audience, room: &str) -> usize {
        let members = self.members(namespace, audience);
        let mut directory = lock(&self.directory);
        for member in &members {
            directory.leave(member, room);
        }
        members.len()
    }
}
