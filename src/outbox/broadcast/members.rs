//! The members that broadcasts reach, and whether all of them can take a message in the same form.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::Reached;
use crate::compression::Packing;
use crate::message::Prepared;
use crate::outbox::Outbox;

#[derive(Default)]
pub(crate) struct RunMembers {
    outboxes: HashSet<ByAddress>,
    /// As the last broadcast saw them; `None` after a change.
    reached: Option<Reached>,
    /// Those that cannot take every frame: their stream refuses, they are closing, or have ended. While there are any,
    /// broadcasts go to each connection by itself, which says what becomes of them.
    troubled: usize,
    /// Those for which longer messages are compressed, all from the same length on.
    packing: usize,
    packs: Option<Packing>,
}

impl RunMembers {
    pub fn add(&mut self, outbox: &Arc<Outbox>) {
        if self.outboxes.insert(ByAddress(outbox.clone())) {
            self.packing += usize::from(outbox.packing.is_some());
            self.packs = outbox.packing.or(self.packs);
            self.reached = None;
        }
    }

    pub fn remove(&mut self, outbox: &Arc<Outbox>) {
        if self.outboxes.remove(&ByAddress(outbox.clone())) {
            self.packing -= usize::from(outbox.packing.is_some());
            self.reached = None;
        }
    }

    pub fn reached(&mut self) -> Reached {
        let collect = || {
            let outboxes = self.outboxes.iter().map(|it| it.0.clone());
            let mut reached: Vec<_> = outboxes.collect();
            // The system finds sockets that lie side by side faster than sockets here and there.
            reached.sort_unstable_by_key(|outbox| outbox.id);
            reached.into()
        };
        self.reached.get_or_insert_with(collect).clone()
    }

    pub fn note_trouble(&mut self, troubled: bool) {
        match troubled {
            true => self.troubled += 1,
            false => self.troubled -= 1,
        }
    }

    /// Whether all can take a message, and in the same form.
    pub fn take_alike(&self, message: &Prepared) -> bool {
        self.troubled == 0 && !self.pack(message)
    }

    fn pack(&self, message: &Prepared) -> bool {
        let packs = self.packs.filter(|_| self.packing > 0);
        message.may_be_compressed() && packs.is_some_and(|packs| packs.packs(message.len()))
    }
}

/// An Outbox as the key of a table, in which its address takes no room.
struct ByAddress(Arc<Outbox>);

impl Hash for ByAddress {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl PartialEq for ByAddress {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ByAddress {}
