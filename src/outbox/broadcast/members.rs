//! The members that broadcasts reach, and whether all of them can take a message in the same form.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::Reached;
use crate::compression::Packing;
use crate::message::Prepared;
use crate::outbox::{Outbox, Run};

#[derive(Default)]
pub(crate) struct RunMembers {
    outboxes: HashSet<ByAddress>,
    /// As the last broadcast saw them; `None` after a change.
    reached: Option<Reached>,
    /// Those that the run goes to. All others joined after its frames, or have ended.
    of_run: Reached,
    /// Those for which longer messages are compressed, all from the same length on.
    packing: usize,
    packs: Option<Packing>,
}

/// What a run is with its newest frame.
pub(crate) struct Pushed {
    pub bytes: usize,
    pub members: usize,
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

    /// Appends a message to the run, for all members. Where it has to be sent to each member by itself, returns the
    /// members instead.
    pub fn push(&mut self, run: &Run, message: &Prepared) -> Result<Pushed, Reached> {
        let reached = self.reached();
        let pushed = match self.packs(message) {
            true => None,
            false => run.push(message.frame()),
        };
        let Some(bytes) = pushed else {
            return Err(reached);
        };
        let members = reached.len();
        // prevents: the run goes to its first members alone
        if !Arc::ptr_eq(&self.of_run, &reached) {
            self.of_run = reached;
        }
        Ok(Pushed { bytes, members })
    }

    pub fn of_run(&self) -> Reached {
        self.of_run.clone()
    }

    /// The run is empty.
    pub fn forget_run(&mut self) {
        self.of_run = Arc::default();
    }

    /// Some members get the message compressed, and others may not.
    fn packs(&self, message: &Prepared) -> bool {
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
