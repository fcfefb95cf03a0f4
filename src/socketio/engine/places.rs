//! The places of sessions: how many there may be, in all and of one peer address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::lock::{Mutex, PLACES, lock};

/// Why no session can begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSession {
    /// As many as `max_sessions` are there.
    TooMany,
    /// As many as `max_sessions_per_address` are there of this address.
    TooManyOfAddress,
    /// The system has no random bytes.
    NoRandom,
    /// The server shuts down, and has told those that poll.
    ShuttingDown,
}

pub(crate) struct SessionPlaces {
    most: usize,
    most_of_address: Option<usize>,
    taken: Mutex<TakenPlaces, PLACES>,
}

#[derive(Default)]
struct TakenPlaces {
    all: usize,
    per_address: HashMap<IpAddr, usize>,
}

/// The place of a session. The list of sessions has it until the session is over, and the application until it has
/// heard of that: so what waits for a slow application is bounded, however fast sessions come and go.
pub(crate) struct SessionPlace {
    places: Arc<SessionPlaces>,
    address: Option<IpAddr>,
}

impl NoSession {
    /// What to do about it, for the log.
    pub fn remedy(self) -> &'static str {
        match self {
            NoSession::TooMany => "too many sessions: socketio::Limits::max_sessions",
            NoSession::TooManyOfAddress => {
                "too many sessions of one address: socketio::Limits::max_sessions_per_address"
            }
            NoSession::NoRandom => "the system has no random bytes",
            NoSession::ShuttingDown => "the server shuts down",
        }
    }
}

impl SessionPlaces {
    pub fn new(most: usize, most_of_address: Option<usize>) -> Arc<SessionPlaces> {
        Arc::new(SessionPlaces {
            most,
            most_of_address,
            taken: Mutex::default(),
        })
    }

    /// Takes a place for a session of this address.
    pub fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Arc<SessionPlace>, NoSession> {
        let mut taken = lock(&self.taken);
        self.has_room_beside(&taken, address)?;
        taken.all += 1;
        if let Some(address) = address {
            *taken.per_address.entry(address).or_default() += 1;
        }
        Ok(Arc::new(SessionPlace {
            places: self.clone(),
            address,
        }))
    }

    /// Whether there is a place now. It is asked again when one is taken.
    pub fn has_room_for(&self, address: Option<IpAddr>) -> Result<(), NoSession> {
        self.has_room_beside(&lock(&self.taken), address)
    }

    fn has_room_beside(
        &self,
        taken: &TakenPlaces,
        address: Option<IpAddr>,
    ) -> Result<(), NoSession> {
        if taken.all >= self.most {
            return Err(NoSession::TooMany);
        }
        let Some((address, most)) = address.zip(self.most_of_address) else {
            return Ok(());
        };
        let own = taken.per_address.get(&address).copied();
        match own.unwrap_or_default() < most {
            true => Ok(()),
            false => Err(NoSession::TooManyOfAddress),
        }
    }
}

impl Drop for SessionPlace {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.taken);
        taken.all -= 1;
        let own = self
            .address
            .and_then(|address| Some((address, taken.per_address.get_mut(&address)?)));
        if let Some((address, own)) = own {
            *own -= 1;
            if *own == 0 {
                taken.per_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests;
