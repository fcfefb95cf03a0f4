//! Acknowledgements that are awaited, each with its deadline, and what is to be done with them.

use std::collections::{BTreeMap, BTreeSet};

use core::time::Duration;

/// A socket awaits as many as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyAcks;

#[derive(Debug)]
pub struct Acks<T> {
    /// By socket and id.
    waiting: BTreeMap<(u64, u64), (Duration, T)>,
    deadlines: BTreeSet<(Duration, (u64, u64))>,
    next_id: u64,
}

impl<T> Default for Acks<T> {
    fn default() -> Self {
        Acks {
            waiting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            next_id: 0,
        }
    }
}

impl<T> Acks<T> {
    /// An id that was not given before.
    pub fn next_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Awaits one more of a socket, under this id; `then` comes back when it is there, or will not come.
    pub fn add(
        &mut self,
        socket: u64,
        id: u64,
        deadline: Duration,
        then: T,
        most: usize,
    ) -> Result<(), TooManyAcks> {
        if self.waiting.range((socket, 0)..=(socket, u64::MAX)).count() >= most {
            return Err(TooManyAcks);
        }
        self.waiting.insert((socket, id), (deadline, then));
        self.deadlines.insert((deadline, (socket, id)));
        Ok(())
    }

    /// An acknowledgement came; nothing for one that is not awaited, or came before.
    pub fn take(&mut self, socket: u64, id: u64) -> Option<T> {
        let (deadline, then) = self.waiting.remove(&(socket, id))?;
        // prevents: an acknowledgement that came holds those after it up
        self.deadlines.remove(&(deadline, (socket, id)));
        Some(then)
    }

    /// The socket is gone: none of its acknowledgements will come. Gives them with their ids.
    pub fn remove(&mut self, socket: u64) -> Vec<(u64, T)> {
        let ids = self.waiting.range((socket, 0)..=(socket, u64::MAX));
        let ids: Vec<u64> = ids.map(|((_, id), _)| *id).collect();
        ids.into_iter()
            .filter_map(|id| Some((id, self.take(socket, id)?)))
            .collect()
    }

    /// One whose deadline has passed, with its id.
    pub fn take_overdue(&mut self, now: Duration) -> Option<(u64, T)> {
        let (deadline, (socket, id)) = *self.deadlines.first()?;
        let then = (deadline <= now).then(|| self.take(socket, id)).flatten();
        Some((id, then?))
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }
}

#[cfg(test)]
mod tests;
