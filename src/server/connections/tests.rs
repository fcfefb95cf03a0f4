//! The open connections of a server: what is given back, and what the application hears.

use super::open_connection::OpenConnection;
use super::*;
use crate::connection::CloseEvent;
use crate::connection::credit::Budget;
use crate::handshake::data::Data;
use crate::http::{Peer, Request};
use crate::outbox::Delivery;
use crate::outbox::leader_queue::LeaderQueue;
use crate::poller::Poller;
use crate::server::admission::slots::Slots;
use crate::server::inbox::InboxItem;
use crate::server::lifecycle::{Lifecycle, Participant};
use crate::testing::{Duplex, duplex};

struct Rig {
    connections: Arc<ConnectionServer>,
    slots: Slots,
    lifecycle: Arc<Lifecycle>,
}

impl Rig {
    fn new() -> Self {
        let options = Arc::new(Options::default());
        let limits = &options.limits;
        let (workers, slots) = (
            Arc::new(Workers::new(limits, 0)),
            Slots::new(limits.max_connections, None),
        );
        let bell = Poller::<()>::new().unwrap().bell().clone();
        let inbox = Inbox::new(Budget::new(limits, drop), bell, Arc::default());
        let inbox = Arc::new(inbox);
        let leader_queue = LeaderQueue::new(None);
        let collector = Collector::new(leader_queue.clone());
        let outboxes = OutboxServer {
            leader_queue,
            counters: Arc::default(),
            delivery: Delivery::Handler,
            owner: None,
        };
        Rig {
            lifecycle: Lifecycle::new(inbox.clone(), None),
            connections: ConnectionServer::new(
                options,
                workers,
                Arc::default(),
                inbox,
                collector,
                outboxes,
            ),
            slots,
        }
    }

    /// A connection after its 101, and its peer.
    fn open(&self) -> (OpenConnection, Duplex) {
        let (ours, peer) = duplex();
        let transport: Arc<dyn Transport> = Arc::new(ours);
        let opening = Opening {
            request: Request::parse(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap(),
            protocol: None,
            extension: None,
            data: Data::default(),
        };
        let (bounds, buffer) = (OwnBounds::default(), ReadBuffer::default());
        let driver = self
            .connections
            .driver(1, &transport, opening, bounds, buffer);
        let slot = self.slots.take(Peer::Unknown).unwrap();
        let present = self.lifecycle.register(Participant::Connection).unwrap();
        let open = OpenConnection::new(self.connections.clone(), &driver.connection, slot, present);
        (open, peer)
    }
}

#[test]
fn a_connection_that_is_dropped_gives_its_close_and_its_slot_back() {
    let rig = Rig::new();
    let (mut open, _peer) = rig.open();
    assert_eq!(rig.connections.members.everyone().len(), 1);
    let inbox = &rig.connections.inbox;
    inbox.put(open.take_open_item().expect("it is told once"));
    assert!(open.take_open_item().is_none());
    drop(open);
    assert!(rig.connections.members.everyone().is_empty());
    let Some(InboxItem::Open(_, slot)) = inbox.take() else {
        panic!("the application hears of it first");
    };
    let Some(InboxItem::End(_, end)) = inbox.take() else {
        panic!("every Open has its Close");
    };
    let (error, close) = *end;
    assert!(error.is_none());
    assert_eq!(close, CloseEvent::abnormal());
    assert_eq!(rig.slots.taken(), 1, "the application has it");
    drop(slot);
    assert_eq!(rig.slots.taken(), 0);
}

#[test]
fn of_a_connection_that_the_application_never_heard_of_nothing_is_left() {
    let rig = Rig::new();
    let (open, _peer) = rig.open();
    assert_eq!(rig.slots.taken(), 1);
    drop(open);
    assert!(rig.connections.inbox.take().is_none());
    assert_eq!(rig.slots.taken(), 0);
    assert!(rig.connections.members.everyone().is_empty());
}
