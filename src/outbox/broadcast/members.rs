//! The members that broadcasts reach, and whether all of them can take a message in the same form.

use std::collections::HashMap;
use std::sync::Arc;

use super::Reached;
use crate::compression::Packing;
use crate::message::Prepared;
use crate::outbox::Outbox;

#[derive(Default)]
pub(crate) struct RunMembers {
    /// By address.
    outboxes: HashMap<usize, Arc<Outbox>>,
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
        if self.outboxes.insert(key(outbox), outbox.clone()).is_none() {
            self.packing += usize::from(outbox.packing.is_some());
            self.packs = outbox.packing.or(self.packs);
            self.reached = None;
        }
    }

    pub fn remove(&mut self, outbox: &Arc<Outbox>) {
        if self.outboxes.remove(&key(outbox)).is_some() {
            self.packing -= usize::from(outbox.packing.is_some());
            self.reached = None;
        }
    }

    pub fn reached(&mut self) -> Reached {
        let outboxes = &self.outboxes;
        let collect = || outboxes.values().cloned().collect();
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

fn key(outbox: &Arc<Outbox>) -> usize {
    Arc::as_ptr(outbox) as usize
}
