//! Slots: how many connections there may be, in all and of one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::http::{Peer, Refusal};
use crate::limits::Limits;
use crate::lock::{Mutex, SLOTS, lock};

pub(crate) struct Slots {
    max: usize,
    max_per_address: Option<usize>,
    taken: Mutex<SlotCounts, SLOTS>,
}

#[derive(Default)]
struct SlotCounts {
    count: usize,
    /// Kept only where there is a limit.
    per_address: HashMap<IpAddr, usize>,
}

/// A connection's place, from before its 101 until its Close was taken. It is given back by drop.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    /// It counts for this one. Boxed, for few servers have such a limit, and all that are connected a slot.
    address: Option<Box<IpAddr>>,
}

impl Slots {
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Slots {
            max: limits.max_connections,
            max_per_address: limits.max_per_address,
            taken: Mutex::default(),
        })
    }

    /// Slots in use: connections that live, and ended ones whose Close was not taken.
    pub fn taken(&self) -> usize {
        lock(&self.taken).count
    }

    pub fn take(self: &Arc<Self>, peer: Peer) -> Result<Slot, Refusal> {
        let mut taken = lock(&self.taken);
        if taken.count >= self.max {
            return Err(Refusal::Full);
        }
        let counted = self.max_per_address.zip(peer.ip());
        if let Some((max, address)) = counted {
            let own = taken.per_address.entry(address).or_default();
            if *own >= max {
                return Err(Refusal::TooManyFromAddress);
            }
            *own += 1;
        }
        taken.count += 1;
        Ok(Slot {
            slots: self.clone(),
            address: counted.map(|(_, address)| Box::new(address)),
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = lock(&self.slots.taken);
        taken.count -= 1;
        if let Some(address) = &self.address {
            if let Some(own) = taken.per_address.get_mut(&**address) {
                *own -= 1;
                if *own == 0 {
                    taken.per_address.remove(&**address);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
