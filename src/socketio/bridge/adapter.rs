//! What this server does, in messages for the other processes.

use std::sync::Arc;
use std::time::Duration;

use super::listener::{OTHERS, member};
use super::message::{OwnEvent, SocketOrder, close_room};
use super::process::BridgeProcess;
use crate::cluster::port::PortUser;
use crate::socketio::arguments::Written;
use crate::socketio::core::Core;
use crate::socketio::operation::{Act, Adapter, Emission, LocalTurn, Operation, PollNews};
use crate::socketio::recovery::Audience;

pub(crate) struct BridgeAdapter(Arc<BridgeProcess>);

impl BridgeAdapter {
    pub fn new(process: Arc<BridgeProcess>) -> Self {
        BridgeAdapter(process)
    }

    fn emit(&self, operation: &Operation, written: &Written, callback: Option<u64>) {
        let event = OwnEvent {
            namespace: &operation.namespace,
            json: &written.json,
            attachments: &written.attachments,
            rooms: &operation.audience.rooms,
            skipped: &operation.audience.except,
            callback,
        };
        if let Some(message) = event.encode(&self.0.host) {
            self.0.publish(message);
        }
    }

    /// An order for each of the sockets that are named, of those that are not of this server.
    fn order(&self, core: &Core, operation: &Operation, order: &SocketOrder) {
        let Operation {
            namespace,
            audience: Audience { rooms, except },
            ..
        } = operation;
        if rooms.is_empty() || !except.is_empty() {
            return self.0.cannot_tell(
                "Python knows orders for sockets by their ids alone: join_all, leave_all and disconnect_all of \
                 io.to(id)",
            );
        }
        for sid in rooms {
            if member(core, namespace, sid).is_none() {
                self.0.publish(order.encode(&self.0.host, namespace, sid));
            }
        }
    }
}

impl Adapter for BridgeAdapter {
    fn publish(&self, operation: &Operation) -> LocalTurn {
        let core = self.0.core.upgrade();
        let Some(core) = core.filter(|_| !self.0.port().is_leaving()) else {
            return LocalTurn::Now;
        };
        match &operation.act {
            Act::Emit(Emission { written, .. }) => {
                if !is_for_own_sockets(&core, operation) {
                    self.emit(operation, written, None);
                }
            }
            Act::Ask { written, wish } => match is_for_own_sockets(&core, operation) {
                true => core.hear_of_poll(wish.poll, Some(OTHERS), PollNews::Asked(0)),
                false => self.emit(operation, written, Some(wish.poll)),
            },
            Act::Join(room) => self.order(&core, operation, &SocketOrder::EnterRoom(room.clone())),
            Act::Leave(room) if is_just(&operation.audience, room) => {
                let message = close_room(&self.0.host, &operation.namespace, room);
                self.0.publish(message);
            }
            Act::Leave(room) => self.order(&core, operation, &SocketOrder::LeaveRoom(room.clone())),
            Act::Disconnect => self.order(&core, operation, &SocketOrder::Disconnect),
        }
        LocalTurn::Now
    }

    fn others(&self) -> Vec<u128> {
        match self.0.port().is_leaving() {
            true => Vec::new(),
            false => vec![OTHERS],
        }
    }

    /// Servers of Python do not say which sockets they have.
    fn fetch(&self, _: &str, _: &Audience, _: Duration) -> (Vec<String>, usize) {
        (Vec::new(), self.others().len())
    }
}

/// Whether it goes to sockets of this server by their ids, and so to none of others.
fn is_for_own_sockets(core: &Core, operation: &Operation) -> bool {
    let rooms = &operation.audience.rooms;
    let is_own = |room: &String| member(core, &operation.namespace, room).is_some();
    !rooms.is_empty() && rooms.iter().all(is_own)
}

/// Whether it is all that are in this room.
fn is_just(audience: &Audience, room: &str) -> bool {
    audience.except.is_empty() && matches!(&audience.rooms[..], [only] if only == room)
}
