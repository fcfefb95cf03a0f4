//! What comes over the backplane to a node: put in order, it goes to the clients here and to the application.

use std::time::Duration;

use super::echo::OwnEcho;
use super::event::{ClusterEvent, ClusterNode};
use super::frame::{Body, Content, Head, decode};
use super::history::Post;
use super::id::{NodeId, PostId};
use super::news::BackplaneDirection;
use super::port::PortUser;
use super::relay::{CarrierEvent, LocalDelivery, Relay, message};
use super::report::RoomReport;
use super::roster::{Roster, RosterChange, Verdict};
use crate::lock::lock;
use crate::logging::log_line;

/// What a [`Subscriber`](crate::Subscriber) hands to the cluster.
///
/// ```
/// use wshub::Incoming;
///
/// /// Hands on what was published while this server was away, and returns when the cluster wants something else done.
/// fn replay(log: &[(std::time::Duration, Vec<u8>)], incoming: &mut Incoming<'_>) {
///     for (age, frame) in log {
///         if *age <= incoming.age() {
///             incoming.take(frame);
///         } else if incoming.wants_past() {
///             incoming.past(frame);
///         }
///     }
/// }
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
pub struct Incoming<'a> {
    relay: &'a Relay,
    roster: Roster,
    /// Attached now.
    hears: bool,
    /// It attached before.
    has_begun: bool,
    echo: OwnEcho,
    /// Frames that were not of this version.
    unreadable: u64,
}

impl<'a> Incoming<'a> {
    pub(crate) fn new(relay: &'a Relay) -> Self {
        Incoming {
            relay,
            roster: Roster::new(relay.id, relay.settings.heartbeat),
            hears: false,
            has_begun: false,
            echo: OwnEcho::default(),
            unreadable: 0,
        }
    }

    /// The subscriber has returned, or panicked; gives whether it was attached.
    pub(crate) fn detached(&mut self) -> bool {
        self.relay.port().set_hears(false);
        std::mem::replace(&mut self.hears, false)
    }

    /// Says that from now on everything comes that any node publishes. Call it once for each
    /// connection that a [`receive`](crate::Subscriber::receive) makes: before it this node publishes nothing.
    pub fn attached(&mut self) {
        let port = self.relay.port();
        self.hears = true;
        self.has_begun = true;
        self.echo.attached(port.age(), port.last_beat());
        self.roster.renew(port.age());
        lock(&self.relay.census).begin();
        self.relay.set_link(BackplaneDirection::In, Ok(()));
        port.set_hears(true);
    }

    /// How long to wait for the next frame at most, before this is called again; `None` when it is time to return.
    pub fn patience(&mut self) -> Option<Duration> {
        let heartbeat = self.relay.settings.heartbeat;
        let port = self.relay.port();
        if port.is_over() || port.is_deaf(&mut self.echo) {
            return None;
        }
        match port.is_leaving() {
            // The end comes without a frame.
            true => Some((heartbeat / 2).min(Duration::from_millis(50))),
            false => Some(heartbeat / 2),
        }
    }

    /// Bytes that a message has at most.
    pub(crate) fn max_message(&self) -> usize {
        self.relay.settings.max_message
    }

    /// How long ago this node joined: it wants what was published since.
    pub fn age(&self) -> Duration {
        self.relay.port().age()
    }

    /// True if the node wants calls of [`past`](Incoming::past): it keeps the history of rooms, and attaches for the
    /// first time.
    pub fn wants_past(&self) -> bool {
        self.relay.settings.history.posts > 0 && !self.has_begun
    }

    /// Takes a frame that was published before this node joined, for the history of rooms only. Call it in the order in
    /// which they were published, and before [`attached`](Incoming::attached). A backplane that keeps nothing never
    /// calls it.
    pub fn past(&mut self, frame: &[u8]) {
        let Ok((head, body)) = decode(frame) else {
            return;
        };
        if self.roster.remember(&head, self.age()) == Verdict::Stale {
            return;
        }
        if let Some(Body::Post {
            room,
            number,
            content,
        }) = body
        {
            let post = post(&head, number, &content);
            lock(&self.relay.rooms.history).push(room, post);
        }
    }

    /// Takes frames that came together: what the clients here get of them leaves together, too.
    pub(crate) fn take_all<'f>(&mut self, frames: impl ExactSizeIterator<Item = &'f [u8]>) {
        let relay = self.relay;
        let together = (frames.len() > 1).then(|| relay.server.send_together());
        frames.for_each(|frame| self.take(frame));
        drop(together);
    }

    /// A message came that has more bytes than are taken. The number of the next one tells that it is missing.
    #[cfg(feature = "redis")]
    pub(crate) fn passed_over(&mut self, most: usize) {
        let now = self.age();
        self.echo.heard(now);
        log_line!(
            Warn,
            "cluster: a message is passed over that has more than {most} bytes: is ClusterBuilder::max_message the \
             same on every node?"
        );
    }

    /// Takes a frame that came.
    pub fn take(&mut self, frame: &[u8]) {
        let now = self.age();
        self.echo.heard(now);
        let Ok((head, body)) = decode(frame) else {
            self.note_unreadable();
            return;
        };
        let verdict = self.roster.hear(&head, now);
        let changes = self.roster.take_changes();
        self.tell(changes);
        match body {
            _ if verdict == Verdict::Stale => {}
            Some(body) => self.deliver(&head, &body, now),
            // Of a kind that this version does not know.
            None => self.tell(vec![RosterChange::Missed {
                node: head.node,
                count: 1,
            }]),
        }
    }

    fn deliver(&mut self, head: &Head, body: &Body<'_>, now: Duration) {
        let relay = self.relay;
        let is_own = head.node == relay.id;
        match body {
            Body::Alive { connections, rooms } => {
                self.roster.beat(head.node, *connections, now);
                if is_own {
                    self.echo.came_back(head.age);
                    relay.rooms.sweep();
                } else if let Some(report) = rooms {
                    self.hear_report(head.node, report, now);
                }
                self.show_nodes();
            }
            // What is own has been done here, or is not for this node.
            Body::Bye | Body::Note { .. } if is_own => {}
            Body::Broadcast { .. } | Body::Carried { .. }
                if is_own && relay.settings.delivery == LocalDelivery::AtOnce => {}
            Body::Carried { to: Some(node), .. } | Body::Note { to: Some(node), .. }
                if *node != relay.id => {}
            Body::Close { connection, .. } if connection.node != relay.id => {}
            Body::Bye => self.roster.leave(head.node),
            Body::Broadcast {
                room,
                except,
                content,
            } => {
                let except = except.filter(|_| is_own);
                let except = except.and_then(|number| relay.server.connection(number));
                relay.deliver(*room, message(content), except.as_ref());
            }
            Body::Close {
                connection,
                code,
                reason,
            } => relay.close(*connection, *code, reason),
            Body::Post {
                room,
                number,
                content,
            } => relay.rooms.post(room, post(head, *number, content)),
            Body::Carried { bytes, .. } => relay.hand_on(head.node, CarrierEvent::Came(bytes)),
            Body::Note { content, .. } => relay.tell(ClusterEvent::Message {
                node: head.node,
                message: message(content),
            }),
        }
        let changes = self.roster.take_changes();
        self.tell(changes);
    }

    fn hear_report(&self, node: NodeId, report: &RoomReport<'_>, now: Duration) {
        let relay = self.relay;
        lock(&relay.census).hear(node, report);
        // That node lacks what was told of the rooms here.
        if report.lacks && relay.rooms.tell_anew(now, relay.settings.heartbeat) {
            relay.port().beat_soon();
        }
    }

    /// Tells the application what has changed, which it then finds so.
    fn tell(&self, changes: Vec<RosterChange>) {
        let is_missed = |change: &RosterChange| matches!(change, RosterChange::Missed { .. });
        if !changes.iter().all(is_missed) {
            self.show_nodes();
        }
        let own = self.relay.id;
        let settings = &self.relay.settings;
        let clients_miss_own =
            settings.delivery == LocalDelivery::InOneOrder || settings.history.posts > 0;
        if changes.iter().any(is_missed) {
            lock(&self.relay.rooms.history).forget();
        }
        for change in changes {
            if let RosterChange::Left(node) = change {
                lock(&self.relay.census).leave(node);
                self.relay.hand_on(node, CarrierEvent::Left);
            }
            self.relay.tell(match change {
                RosterChange::Joined(node) => ClusterEvent::NodeJoined(node),
                RosterChange::Left(node) => ClusterEvent::NodeLeft(node),
                // The clients here had theirs at once.
                RosterChange::Missed { node, .. } if node == own && !clients_miss_own => continue,
                RosterChange::Missed { node, count } => ClusterEvent::Gap {
                    node,
                    missing: count,
                },
            });
        }
    }

    /// This node first.
    fn show_nodes(&self) {
        let nodes = self.roster.nodes();
        let mut nodes: Vec<_> = nodes
            .map(|(id, connections)| ClusterNode { id, connections })
            .collect();
        nodes.sort_unstable_by_key(|node| (node.id != self.relay.id, node.id));
        self.relay.set_nodes(nodes);
    }

    fn note_unreadable(&mut self) {
        self.unreadable += 1;
        if self.unreadable.is_power_of_two() {
            log_line!(
                Warn,
                "cluster: {} frames of another version, or of somebody else: have all nodes run one version of wshub, and \
                 give each cluster a key of its own",
                self.unreadable
            );
        }
    }

    /// The node has left: to it all others are gone.
    pub(crate) fn end(&self) {
        let (own, others): (Vec<_>, Vec<_>) =
            (self.relay.nodes().into_iter()).partition(|node| node.id == self.relay.id);
        self.relay.set_nodes(own);
        for node in others {
            self.relay.hand_on(node.id, CarrierEvent::Left);
        }
        self.relay.hand_on(self.relay.id, CarrierEvent::Left);
    }
}

fn post(head: &Head, number: u64, content: &Content<'_>) -> Post {
    Post {
        id: PostId {
            node: head.node,
            number,
        },
        message: message(content),
    }
}

impl std::fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}
