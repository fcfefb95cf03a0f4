//! How clients come into a namespace, and how they leave it.

use std::sync::Arc;

use serde_json::Value;

use super::answers::AckError;
use super::application::SocketIo;
use super::arguments::Written;
use super::core::{Disconnect, DisconnectScope};
use super::directory::SocketMove;
use super::engine::link::SessionLink;
use super::engine::part::Part;
use super::engine::sessions::{NoRandom, random_id};
use super::incoming::SocketEvent;
use super::namespace_client::NamespaceClient;
use super::packet::PacketKind;
use super::position::ClientPosition;
use super::reason::DisconnectReason;
use super::reply::Refused;
use super::socket::Socket;
use crate::lock::lock;

impl<S> SocketIo<S> {
    /// A client wants to join a namespace.
    pub(crate) fn connect(&mut self, link: &Arc<SessionLink>, name: &str, auth: Option<Value>) {
        if !self.clients.is_there(link) {
            return;
        }
        let Some((namespace, _)) = self.listeners.get_key_value(name) else {
            return self.refuse(link, name, &Refused::new("Invalid namespace"));
        };
        if self.clients.sockets(link).len() >= self.core.limits.max_namespaces {
            let refused = Refused::new("too many namespaces");
            return self.refuse(link, name, &refused);
        }
        let namespace = namespace.clone();
        let auth = auth.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        let Ok((socket, missed)) = self.new_socket(link, namespace, &auth) else {
            return self.refuse(link, name, &Refused::new("try again later"));
        };
        let listeners = self.listeners.get_mut(name);
        let asked = listeners.map(|it| it.ask(&mut self.state, &socket, &auth));
        match asked.unwrap_or(Ok(())) {
            Ok(()) => {
                self.let_in(link, &socket, &missed);
                self.tell(|| SocketEvent::Connect(socket, auth));
            }
            Err(refused) => {
                lock(&self.core.directory).remove(&socket.member);
                self.give_acks_up(&socket);
                self.refuse(link, name, &refused);
            }
        }
    }

    /// A socket that is new, or one that comes back with what it missed.
    fn new_socket(
        &self,
        link: &Arc<SessionLink>,
        namespace: Arc<str>,
        auth: &Value,
    ) -> Result<(Socket<S>, Vec<Vec<Part>>), NoRandom> {
        let id = random_id()?;
        let window = self.core.limits.recovery_window;
        let name = window.map(|_| random_id()).transpose()?;
        let before = auth["pid"].as_str().unwrap_or_default();
        let position = auth["offset"].as_str().filter(|it| !it.is_empty());
        let position = position.and_then(ClientPosition::parse);
        let sessions = &self.core.sessions;
        let now = sessions.now();
        let (member, missed) = self.core.with_directory(|directory| {
            let member = NamespaceClient::new(id, name, namespace, link.clone(), sessions);
            directory.add(member, before, position, now)
        });
        self.core.tell_move(member.is_recovered.then(|| SocketMove {
            namespace: member.namespace.clone(),
            name: before.to_owned(),
            left: None,
        }));
        let missed = missed.into_iter().map(|(written, position)| {
            let placed = written.with(&position.to_string());
            placed.into_packet(PacketKind::Event, &member.namespace, None)
        });
        let missed = missed.collect();
        let socket = Socket {
            member,
            core: self.core.clone(),
            pending: self.pending.clone(),
        };
        Ok((socket, missed))
    }

    fn let_in(&mut self, link: &SessionLink, socket: &Socket<S>, missed: &[Vec<Part>]) {
        self.clients.joined(link, socket.clone());
        let json = match &socket.member.recovery {
            Some(name) => format!(r#"{{"sid":"{}","pid":"{name}"}}"#, socket.id()),
            None => format!(r#"{{"sid":"{}"}}"#, socket.id()),
        };
        let welcome = packet(PacketKind::Connect, socket.namespace(), json);
        let sessions = &self.core.sessions;
        socket.member.let_in(&welcome, missed, sessions);
    }

    fn refuse(&self, link: &Arc<SessionLink>, namespace: &str, refused: &Refused) {
        let json = refused.to_json("message");
        let refusal = packet(PacketKind::ConnectError, namespace, json);
        link.send(&refusal, &self.core.sessions);
    }

    /// The server disconnects a socket, or its whole session.
    pub(crate) fn disconnect(&mut self, (member, scope): Disconnect) {
        let link = &member.link;
        for socket in self.clients.sockets(link) {
            if scope == DisconnectScope::Socket && socket.member.key != member.key {
                continue;
            }
            let goodbye = packet(PacketKind::Disconnect, socket.namespace(), String::new());
            link.send(&goodbye, &self.core.sessions);
            self.leave(&socket, DisconnectReason::ServerNamespaceDisconnect);
        }
        if scope == DisconnectScope::Session {
            self.end_session(link, DisconnectReason::ForcedServerClose);
        }
    }

    /// The server ends a session, after what it has sent. What the client has sent after this is not heard.
    pub(crate) fn end_session(&mut self, link: &Arc<SessionLink>, reason: DisconnectReason) {
        self.clients.note_over(link);
        link.close(reason, &self.core.sessions);
    }

    /// A session has ended.
    pub(crate) fn ended(&mut self, link: &SessionLink, reason: DisconnectReason) {
        for socket in self.clients.remove(link) {
            self.leave(&socket, reason);
        }
    }

    /// A socket leaves its namespace.
    pub(crate) fn leave(&mut self, socket: &Socket<S>, reason: DisconnectReason) {
        self.clients.left(&socket.member.link, socket.namespace());
        let now = self.core.sessions.now();
        let departed = self.core.with_directory(|directory| {
            directory.remove(&socket.member);
            let departed = reason.may_come_back().then_some(&socket.member);
            departed.and_then(|member| directory.depart(member, now))
        });
        self.core.tell_move(departed);
        self.give_acks_up(socket);
        if let Some(listeners) = self.listeners.get_mut(socket.namespace()) {
            listeners.tell_left(&mut self.state, socket, reason);
        }
        self.tell(|| SocketEvent::Disconnect(socket.clone(), reason));
    }

    fn give_acks_up(&mut self, socket: &Socket<S>) {
        let waiting = lock(&self.core.acks).remove(socket.member.key);
        for (id, owner) in waiting {
            self.settle(id, owner, Err(AckError::Disconnected));
        }
    }
}

/// A packet without attachments.
fn packet(kind: PacketKind, namespace: &str, json: String) -> Vec<Part> {
    Written::without_attachments(json).into_packet(kind, namespace, None)
}
