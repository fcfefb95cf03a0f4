//! The clients that are there: what each has sent so far, its sockets, and until when it has to join a namespace.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::decoder::Decoder;
use super::engine::link::SessionLink;
use super::limits::Limits;
use super::packet::{Packet, PacketError};
use super::socket::Socket;
use crate::Message;
use crate::server::admission::slots::Slot;

pub(crate) struct Clients<S> {
    clients: HashMap<u64, ClientState<S>>,
    /// Clients that have not joined a namespace yet, with the time until which they have to.
    joining: BTreeSet<(Duration, u64)>,
}

/// What one client has sent, and where it is.
struct ClientState<S> {
    link: Arc<SessionLink>,
    decoder: Decoder,
    sockets: HashMap<Arc<str>, Socket<S>>,
    /// Until when it has to join a namespace, where `Clients::joining` has it.
    join_by: Duration,
    /// The server has ended it: what it sent before it hears of that means nothing.
    is_over: bool,
    _slot: Arc<Slot>,
}

impl<S> Default for Clients<S> {
    fn default() -> Self {
        Clients {
            clients: HashMap::new(),
            joining: BTreeSet::new(),
        }
    }
}

impl<S> Clients<S> {
    pub fn add(
        &mut self,
        link: &Arc<SessionLink>,
        slot: Arc<Slot>,
        limits: &Limits,
        now: Duration,
    ) {
        let join_by = now + limits.connect_timeout;
        let client = ClientState {
            link: link.clone(),
            decoder: Decoder::new(limits.max_attachments, limits.max_attachment_bytes),
            sockets: HashMap::new(),
            join_by,
            is_over: false,
            _slot: slot,
        };
        self.joining.insert((join_by, link.key));
        self.clients.insert(link.key, client);
    }

    /// The client is gone; gives its sockets.
    pub fn remove(&mut self, link: &SessionLink) -> Vec<Socket<S>> {
        self.has_joined(link);
        let client = self.clients.remove(&link.key);
        let sockets = client.into_iter().flat_map(|client| client.sockets);
        sockets.map(|(_, socket)| socket).collect()
    }

    /// Reads a message of a client's; gives the packet that it completes. Nothing for a client that is gone,
    /// or whose session the server has ended.
    pub fn read(
        &mut self,
        link: &SessionLink,
        message: Message,
    ) -> Result<Option<Packet>, PacketError> {
        let client = self.clients.get_mut(&link.key);
        let Some(client) = client.filter(|client| !client.is_over) else {
            return Ok(None);
        };
        match message {
            Message::Text(text) => client.decoder.text(&text),
            Message::Binary(bytes) => client.decoder.binary(bytes),
        }
    }

    /// The server has ended the session of a client.
    pub fn note_over(&mut self, link: &SessionLink) {
        if let Some(client) = self.clients.get_mut(&link.key) {
            client.is_over = true;
        }
    }

    pub fn is_there(&self, link: &SessionLink) -> bool {
        self.clients.contains_key(&link.key)
    }

    /// The socket of a client in a namespace.
    pub fn socket(&self, link: &SessionLink, namespace: &str) -> Option<Socket<S>> {
        self.clients.get(&link.key)?.sockets.get(namespace).cloned()
    }

    pub fn sockets(&self, link: &SessionLink) -> Vec<Socket<S>> {
        let client = self.clients.get(&link.key).into_iter();
        client.flat_map(|it| it.sockets.values().cloned()).collect()
    }

    /// A client is in a namespace.
    pub fn joined(&mut self, link: &SessionLink, socket: Socket<S>) {
        self.has_joined(link);
        if let Some(client) = self.clients.get_mut(&link.key) {
            client
                .sockets
                .insert(socket.member.namespace.clone(), socket);
        }
    }

    fn has_joined(&mut self, link: &SessionLink) {
        if let Some(client) = self.clients.get(&link.key) {
            self.joining.remove(&(client.join_by, link.key));
        }
    }

    /// A client is in a namespace no longer.
    pub fn left(&mut self, link: &SessionLink, namespace: &str) {
        if let Some(client) = self.clients.get_mut(&link.key) {
            client.sockets.remove(namespace);
        }
    }

    /// A client that has joined no namespace in time; each once.
    pub fn take_overdue(&mut self, now: Duration) -> Option<Arc<SessionLink>> {
        let (_, key) = *self.joining.first().filter(|(by, _)| *by <= now)?;
        self.joining.pop_first();
        self.clients.get(&key).map(|client| client.link.clone())
    }

    /// When [`take_overdue`](Clients::take_overdue) has something.
    pub fn deadline(&self) -> Option<Duration> {
        self.joining.first().map(|(deadline, _)| *deadline)
    }
}
