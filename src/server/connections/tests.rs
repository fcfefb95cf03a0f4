//! The open connections of a server, without the server: what is given back, and what the application hears.

use super::*;
use crate::connection::CloseEvent;
use crate::handshake::data::Data;
use crate::http::{Peer, Request};
use crate::server::admission::slots::Slots;
use crate::server::inbox::InboxItem;
use crate::server::lifecycle::Participant;
use crate::testing::{Duplex, duplex};

struct Rig {
    server: Arc<ConnectionServer>,
    slots: Slots,
    lifecycle: Arc<Lifecycle>,
}

impl Rig {
    fn new() -> Self {
        let options = Arc::new(Options::default());
        let workers = Arc::new(Workers::new(&options.limits, 0));
        let slots = Slots::new(&options.limits);
        let server =
            ConnectionServer::new(options, None, workers, Arc::default(), Arc::default()).unwrap();
        Rig {
            lifecycle: Lifecycle::new(server.inbox().clone(), None),
            server,
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
        let driver = self.server.driver(1, &transport, opening, bounds, buffer);
        let slot = self.slots.take(Peer::Unknown).unwrap();
        let present = self.lifecycle.register(Participant::Connection).unwrap();
        let open = OpenConnection::new(self.server.clone(), &driver.connection, slot, present);
        (open, peer)
    }
}

#[test]
fn a_connection_that_is_dropped_gives_its_close_and_its_slot_back() {
    let rig = Rig::new();
    let (mut open, _peer) = rig.open();
    assert_eq!(rig.server.members().everyone().len(), 1);
    let inbox = rig.server.inbox();
    inbox.put(open.open().expect("it is told once"));
    assert!(open.open().is_none());
    drop(open);
    assert!(rig.server.members().everyone().is_empty());
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
    assert!(rig.server.inbox().take().is_none());
    assert_eq!(rig.slots.taken(), 0);
    assert!(rig.server.members().everyone().is_empty());
}
