//! Slots: how many connections, or sessions of Socket.IO, there may be, in all and of one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::http::{Peer, Refusal};
use crate::lock::{Mutex, SLOTS, lock};

pub(crate) struct Slots {
    max: usize,
    max_per_address: Option<usize>,
    /// The holder that all slots share that count for no address.
    uncounted: Arc<SlotHolder>,
}

#[derive(Default)]
struct SlotCounts {
    count: usize,
    /// Kept only where there is a limit.
    per_address: HashMap<IpAddr, usize>,
}

/// A connection's place, from before its 101 until its Close was taken; or that of a session. It is given back by drop.
/// One word, for all that are connected have one.
pub(crate) struct Slot(Arc<SlotHolder>);

struct SlotHolder {
    taken: Arc<Mutex<SlotCounts, SLOTS>>,
    /// It counts for this one, where there is a limit.
    address: Option<IpAddr>,
}

impl Slots {
    pub fn new(max: usize, max_per_address: Option<usize>) -> Self {
        Slots {
            max,
            max_per_address,
            uncounted: Arc::new(SlotHolder {
                taken: Arc::default(),
                address: None,
            }),
        }
    }

    /// Slots in use: connections that live, and ended ones whose Close was not taken.
    pub fn taken(&self) -> usize {
        lock(&self.uncounted.taken).count
    }

    pub fn take(&self, peer: Peer) -> Result<Slot, Refusal> {
        let mut taken = lock(&self.uncounted.taken);
        let counted = self.counted_beside(&taken, peer)?;
        taken.count += 1;
        let Some(address) = counted else {
            return Ok(Slot(self.uncounted.clone()));
        };
        *taken.per_address.entry(address).or_default() += 1;
        Ok(Slot(Arc::new(SlotHolder {
            taken: self.uncounted.taken.clone(),
            address: Some(address),
        })))
    }

    /// Whether there is a slot now. It is asked again when one is taken.
    #[cfg_attr(not(feature = "socketio"), allow(dead_code))]
    pub fn has_room_for(&self, peer: Peer) -> Result<(), Refusal> {
        self.counted_beside(&lock(&self.uncounted.taken), peer)
            .map(drop)
    }

    /// The address that one more counts for, if there is room for it.
    fn counted_beside(&self, taken: &SlotCounts, peer: Peer) -> Result<Option<IpAddr>, Refusal> {
        if taken.count >= self.max {
            return Err(Refusal::Full);
        }
        let counted = self.max_per_address.zip(peer.counted_address());
        let Some((max, address)) = counted else {
            return Ok(None);
        };
        match taken.per_address.get(&address).copied().unwrap_or_default() < max {
            true => Ok(Some(address)),
            false => Err(Refusal::TooManyFromAddress),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = lock(&self.0.taken);
        taken.count -= 1;
        if let Some(address) = &self.0.address {
            if let Some(own) = taken.per_address.get_mut(address) {
                *own -= 1;
                if *own == 0 {
                    taken.per_address.remove(address);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
