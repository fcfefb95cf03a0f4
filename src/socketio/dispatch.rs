//! How an operation is carried out: on the sockets of this server, and by an adapter on those of others.

use std::sync::Arc;
use std::time::Duration;

use super::acks::TooManyAcks;
use super::answers::AckError;
use super::arguments::Written;
use super::core::{AckOwner, Core, DisconnectScope};
use super::directory::{Directory, SocketMove};
use super::gate::Reliability;
use super::namespace_client::NamespaceClient;
use super::operation::{AckRequest, Act, Emission, LocalTurn, Operation, PollNews};
use super::packet::PacketKind;
use super::recovery::Audience;
use crate::lock::{Guard, lock};
use crate::logging::log_line;
use crate::outbox::note_message_of_burst;

impl Core {
    /// Does it here and on the other servers. Returns how many sockets it reaches here now; `None` if it is not done.
    pub fn carry_out(&self, mut operation: Operation) -> Option<usize> {
        let Some(adapter) = self.adapter.get() else {
            return Some(self.apply(operation));
        };
        let mut named = self.name(&mut operation, false);
        match adapter.publish(&operation) {
            LocalTurn::Now => Some(self.apply_with(named, operation)),
            LocalTurn::OnReturn => Some(0),
            LocalTurn::Never(why) => {
                take_name_back(&mut named, &mut operation);
                drop(named);
                log_line!(Error, "not sent: {why}");
                None
            }
        }
    }

    /// Sends an event to one socket of this server, at once. The others are told where sockets move, for the client may
    /// have to find it there.
    pub fn send_to_one(&self, mut operation: Operation) {
        let mut named = self.name(&mut operation, true);
        if let (true, Some(adapter)) = (named.is_some(), self.adapter.get()) {
            if let LocalTurn::Never(_) = adapter.publish(&operation) {
                // The client has it, and if it misses it, is new on the others.
                take_name_back(&mut named, &mut operation);
            }
        }
        self.apply_with(named, operation);
    }

    /// Names what clients may find when they come back to any server. The lock is held until it is sent: the packets of
    /// an origin have one order everywhere, that of their numbers.
    fn name(&self, operation: &mut Operation, at_once: bool) -> Option<Guard<'_, Directory>> {
        let Act::Emit(emission) = &mut operation.act else {
            return None;
        };
        // Mostly one is alone, or keeps nothing, and that costs no lock.
        let may_move = self.adapter.get().is_some() && self.limits.recovery_window.is_some();
        if emission.delivery == Reliability::Volatile || !may_move {
            return None;
        }
        let mut directory = lock(&self.directory);
        // Where packets have no names, as with a bridge, the adapter is called without the lock.
        emission.name = Some(directory.name_for_all(&operation.namespace, at_once)?);
        Some(directory)
    }

    /// Tells the other servers of a socket that left or came back.
    pub fn tell_move(&self, told: Option<SocketMove>) {
        if let (Some(told), Some(adapter)) = (told, self.adapter.get()) {
            adapter.tell_move(&told);
        }
    }

    /// Does it to the sockets of this server, whatever server it comes from. Returns how many they are.
    pub fn apply(&self, operation: Operation) -> usize {
        self.apply_with(None, operation)
    }

    fn apply_with(&self, named: Option<Guard<'_, Directory>>, operation: Operation) -> usize {
        let Operation {
            namespace,
            audience,
            act,
        } = operation;
        match act {
            Act::Emit(emission) => {
                let directory = named.unwrap_or_else(|| lock(&self.directory));
                self.send(directory, &namespace, audience, emission)
            }
            Act::Ask { written, wish } => self.ask(&namespace, &audience, written, &wish),
            Act::Join(room) => self.arrange(&namespace, &audience, |directory, member| {
                // A socket in too many rooms stays out of this one, and all do if its name is too long.
                let _ = directory.join(member, &room, self.limits.max_rooms);
            }),
            Act::Leave(room) => self.arrange(&namespace, &audience, |directory, member| {
                directory.leave(member, &room);
            }),
            Act::Disconnect => {
                let members = self.members(&namespace, &audience);
                for member in &members {
                    self.disconnect(member, DisconnectScope::Socket);
                }
                members.len()
            }
        }
    }

    pub fn members(&self, namespace: &str, audience: &Audience) -> Vec<Arc<NamespaceClient>> {
        lock(&self.directory).select(namespace, audience)
    }

    /// The ids of the sockets of this server.
    pub fn ids(&self, namespace: &str, audience: &Audience) -> Vec<String> {
        let members = self.members(namespace, audience);
        members.iter().map(|member| member.id.clone()).collect()
    }

    /// Sends an event to its audience, and keeps it for those of them that come back.
    fn send(
        &self,
        mut directory: Guard<'_, Directory>,
        namespace: &Arc<str>,
        audience: Audience,
        emission: Emission,
    ) -> usize {
        let Emission {
            written,
            delivery,
            name,
        } = emission;
        let now = self.sessions.now();
        let members = directory.select(namespace, &audience);
        let position = match delivery {
            Reliability::Reliable => directory.keep(namespace, name, &written, audience, now),
            Reliability::Volatile => None,
        };
        let Some(position) = position else {
            drop(directory);
            let packet = written.into_packet(PacketKind::Event, namespace, None);
            note_message_of_burst();
            for member in &members {
                member.send(&packet, delivery, &self.sessions);
            }
            return members.len();
        };
        let placed = written.with(&position.to_string());
        let packet = placed.into_packet(PacketKind::Event, namespace, None);
        // Under the lock: what a client has is what its position says.
        let line_up = |member: &Arc<NamespaceClient>| member.put_in_line(&packet, &self.sessions);
        let lined_up: Vec<_> = members.iter().map(line_up).collect();
        drop(directory);
        note_message_of_burst();
        for (member, held) in members.iter().zip(lined_up) {
            member.see_to(held, &self.sessions);
        }
        members.len()
    }

    /// Sends an event that is to be answered; all get it under one id.
    fn ask(
        &self,
        namespace: &Arc<str>,
        audience: &Audience,
        written: Written,
        wish: &AckRequest,
    ) -> usize {
        let members = self.members(namespace, audience);
        let deadline = self.sessions.now().saturating_add(wish.timeout);
        let id = lock(&self.acks).next_id();
        let packet = written.into_packet(PacketKind::Event, namespace, Some(id));
        (wish.sink)(PollNews::Asked(members.len()));
        for member in &members {
            let sink = AckOwner::Poll(wish.sink.clone());
            match self.await_ack(member, id, deadline, sink) {
                Ok(()) => member.send(&packet, Reliability::Reliable, &self.sessions),
                Err(TooManyAcks) => (wish.sink)(PollNews::Answered(Err(AckError::TooMany))),
            }
            // One that left before nobody gives up.
            if !member.is_in() && lock(&self.acks).take(member.key, id).is_some() {
                (wish.sink)(PollNews::Answered(Err(AckError::Disconnected)));
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

    /// Does something in the directory to each socket of this server; gives how many they are.
    fn arrange(
        &self,
        namespace: &str,
        audience: &Audience,
        act: impl Fn(&mut Directory, &NamespaceClient),
    ) -> usize {
        let mut directory = lock(&self.directory);
        let members = directory.select(namespace, audience);
        for member in &members {
            act(&mut directory, member);
        }
        members.len()
    }
}

/// What was named goes to no other server.
fn take_name_back(named: &mut Option<Guard<'_, Directory>>, operation: &mut Operation) {
    if let (Some(directory), Act::Emit(emission)) = (named, &mut operation.act) {
        if let Some(name) = emission.name.take() {
            directory.take_name_back(&operation.namespace, name);
        }
    }
}
