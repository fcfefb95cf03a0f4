//! Sending to many: a namespace, or rooms of it, from any thread.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::arguments::{Written, write_event};
use super::core::{Core, Disconnect, DisconnectScope};
use super::directory::{NamespaceClient, Reliability};
use super::engine::part::Part;
use super::packet::{PacketKind, encode, is_reserved};
use super::recovery::Audience;
use super::stats::SocketIoStats;
use crate::lock::lock;
use crate::logging::log_line;

/// Sends to all sockets of a namespace, or to rooms of it. Clones are cheap, and any thread may use them: what it sends
/// leaves at once, whatever the application thread does. It may outlive the server; then it reaches no socket.
///
/// ```
/// use wshub::socketio::SocketIo;
///
/// let io = SocketIo::new(());
/// let news = io.of("/news");
/// std::thread::spawn(move || {
///     news.emit("headline", "it rains");
///     news.to("sports").to("games").except("away").emit("score", (3, 1));
/// });
/// ```
///
/// The guide: [Socket.IO](crate::guide::socketio).
#[derive(Clone)]
pub struct Emitter {
    core: Arc<Core>,
    namespace: Arc<str>,
    rooms: Vec<String>,
    except: Vec<String>,
    delivery: Reliability,
}

impl Emitter {
    pub(super) fn new(core: Arc<Core>, namespace: Arc<str>) -> Self {
        Emitter {
            core,
            namespace,
            rooms: Vec::new(),
            except: Vec::new(),
            delivery: Reliability::Reliable,
        }
    }

    /// To this room only, or to this one as well where there is one already. A socket in several gets it once. The
    /// room of a socket's [`id`](super::Socket::id) has that socket alone.
    #[must_use]
    pub fn to(&self, room: impl Into<String>) -> Self {
        let mut emitter = self.clone();
        emitter.rooms.push(room.into());
        emitter
    }

    /// Not to the sockets in this room.
    #[must_use]
    pub fn except(&self, room: impl Into<String>) -> Self {
        let mut emitter = self.clone();
        emitter.except.push(room.into());
        emitter
    }

    /// Only to clients that can take it now: for what is worth nothing a moment later, the place of a mouse. One that
    /// is slow, or polls and has not come back yet, misses it.
    #[must_use]
    pub fn volatile(&self) -> Self {
        Emitter {
            delivery: Reliability::Volatile,
            ..self.clone()
        }
    }

    /// Sends an event, and says to how many sockets. A tuple or an array is the list of its arguments, `()` none, and
    /// anything else one argument; [`Bytes`](super::Bytes) go as binary data. Never blocks.
    ///
    /// It goes to no socket, and a line in the log (error) says why, if the event's name is reserved (`connect`,
    /// `disconnect` and their kin) or the arguments cannot be JSON, a map with keys that are no strings for example.
    pub fn emit(&self, event: &str, arguments: impl Serialize) -> usize {
        let Some(written) = written(event, &arguments) else {
            return 0;
        };
        let audience = Audience {
            rooms: self.rooms.clone(),
            except: self.except.clone(),
        };
        send_to(
            &self.core,
            &self.namespace,
            audience,
            written,
            self.delivery,
        )
    }

    /// The ids of the sockets that it would reach.
    pub fn sockets(&self) -> Vec<String> {
        let members = self.members();
        members.iter().map(|member| member.id.clone()).collect()
    }

    /// Has those that it reaches join a room.
    pub fn join_all(&self, room: &str) {
        let members = self.members();
        let mut directory = lock(&self.core.directory);
        for member in members {
            // A socket in too many rooms stays out of this one.
            let _ = directory.join(&member, room, self.core.limits.max_rooms);
        }
    }

    /// Has those that it reaches leave a room.
    pub fn leave_all(&self, room: &str) {
        let members = self.members();
        let mut directory = lock(&self.core.directory);
        for member in members {
            directory.leave(&member, room);
        }
    }

    /// Disconnects those that it reaches from the namespace.
    pub fn disconnect_all(&self) {
        for member in self.members() {
            disconnect(&self.core, &member, DisconnectScope::Socket);
        }
    }

    /// What the whole server counts.
    pub fn stats(&self) -> SocketIoStats {
        self.core.stats()
    }

    fn members(&self) -> Vec<Arc<NamespaceClient>> {
        lock(&self.core.directory).select(&self.namespace, &self.rooms, &self.except)
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("namespace", &self.namespace)
            .field("rooms", &self.rooms)
            .field("except", &self.except)
            .finish_non_exhaustive()
    }
}

/// The server disconnects a socket, or its whole session; its listener hears of it behind what it does now.
pub(super) fn disconnect(core: &Core, member: &NamespaceClient, scope: DisconnectScope) {
    core.disconnect(Disconnect {
        link: member.link.clone(),
        key: member.key,
        scope,
    });
}

/// Sends an event to its audience, and keeps it for those of them that come back.
pub(super) fn send_to(
    core: &Core,
    namespace: &Arc<str>,
    audience: Audience,
    written: Written,
    delivery: Reliability,
) -> usize {
    let mut directory = lock(&core.directory);
    let offset = match delivery {
        Reliability::Reliable => directory.next_offset(namespace),
        Reliability::Volatile => None,
    };
    let members = directory.select(namespace, &audience.rooms, &audience.except);
    let packet = match offset {
        None => event_packet(namespace, None, written),
        Some(offset) => {
            let packet = event_packet(namespace, None, written.with(&offset.to_string()));
            directory.keep(namespace, packet.clone(), audience, core.sessions.now());
            packet
        }
    };
    drop(directory);
    for member in &members {
        member.send(&packet, delivery, core);
    }
    members.len()
}

/// An event's arguments; `None` if it cannot be sent.
pub(super) fn written(event: &str, arguments: &impl Serialize) -> Option<Written> {
    if is_reserved(event) {
        log_line!(
            Error,
            "not sent: \"{event}\" means something else in Socket.IO; give the event another name"
        );
        return None;
    }
    match write_event(event, arguments) {
        Ok(written) => Some(written),
        Err(error) => {
            log_line!(
                Error,
                "not sent: the arguments of \"{event}\" are no JSON: {error}"
            );
            None
        }
    }
}

pub(super) fn event_packet(namespace: &str, id: Option<u64>, written: Written) -> Vec<Part> {
    let attachments = written.attachments.len();
    let text = encode(PacketKind::Event, namespace, id, &written.json, attachments);
    Part::of_packet(&text, written.attachments)
}
