//! Events that many sockets are asked to answer, on any server: what came, and what is waited for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use core::time::Duration;

/// Where sockets are asked: `None` on this server, or the number of another one.
pub type PolledServer = Option<u128>;

/// `A` is an answer, `E` why there is none, `T` what is to be done with all of them.
#[derive(Debug)]
pub struct Polls<A, E, T> {
    open: BTreeMap<u64, Poll<A, E, T>>,
    /// Of all answers that are here.
    bytes: usize,
    deadlines: BTreeSet<(Duration, u64)>,
    done: VecDeque<PollResult<A, E, T>>,
    last: u64,
}

#[derive(Debug)]
struct Poll<A, E, T> {
    deadline: Duration,
    /// Servers that have not said how many sockets they ask.
    unheard: BTreeSet<PolledServer>,
    /// How many sockets of each server were asked, and have not answered.
    owing: BTreeMap<PolledServer, usize>,
    result: PollResult<A, E, T>,
}

/// What came until the end.
#[derive(Debug, PartialEq)]
pub struct PollResult<A, E, T> {
    pub answers: Vec<A>,
    /// Why the first one is missing.
    pub error: Option<E>,
    /// Other servers that did not say how many sockets they ask, or left while one of theirs had not answered.
    pub missing_servers: usize,
    pub then: T,
    bytes: usize,
}

impl<A, E, T> Default for Polls<A, E, T> {
    fn default() -> Self {
        Polls {
            open: BTreeMap::new(),
            bytes: 0,
            deadlines: BTreeSet::new(),
            done: VecDeque::new(),
            last: 0,
        }
    }
}

impl<A, E, T> Polls<A, E, T> {
    /// Begins one that asks the sockets of these servers; gives its number.
    pub fn open(
        &mut self,
        servers: impl IntoIterator<Item = PolledServer>,
        deadline: Duration,
        then: T,
    ) -> u64 {
        self.last += 1;
        self.deadlines.insert((deadline, self.last));
        let poll = Poll {
            deadline,
            unheard: servers.into_iter().collect(),
            owing: BTreeMap::new(),
            result: PollResult {
                answers: Vec::new(),
                error: None,
                missing_servers: 0,
                then,
                bytes: 0,
            },
        };
        self.open.insert(self.last, poll);
        self.last
    }

    /// A server asks so many. True if the poll is done.
    pub fn asked(&mut self, poll: u64, server: PolledServer, sockets: usize) -> bool {
        let Some(open) = self.open.get_mut(&poll) else {
            return false;
        };
        // A server that was not known to be there counts as well.
        open.unheard.remove(&server);
        if sockets > 0 {
            let owing = open.owing.entry(server).or_default();
            *owing = owing.saturating_add(sockets);
        }
        self.conclude_if_complete(poll)
    }

    /// How much memory the answers take that are here.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// One that a server asked answers with so many bytes, or will not. True if the poll is done.
    pub fn answered(
        &mut self,
        poll: u64,
        server: PolledServer,
        answer: Result<A, E>,
        bytes: usize,
    ) -> bool {
        let Some(open) = self.open.get_mut(&poll) else {
            return false;
        };
        let Some(owing) = open.owing.get_mut(&server) else {
            return false;
        };
        *owing -= 1;
        if *owing == 0 {
            open.owing.remove(&server);
        }
        match answer {
            Ok(answer) => {
                open.result.answers.push(answer);
                open.result.bytes += bytes;
                self.bytes += bytes;
            }
            Err(error) => _ = open.result.error.get_or_insert(error),
        }
        self.conclude_if_complete(poll)
    }

    /// A server is gone: what it and its sockets owe does not come, for this reason. True if a poll is done.
    // Without the feature `redis` there are no others.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    pub fn leave(&mut self, server: PolledServer, why: E) -> bool
    where
        E: Clone,
    {
        let mut concerned = Vec::new();
        for (poll, open) in &mut self.open {
            let is_unheard = open.unheard.remove(&server);
            let owes = open.owing.remove(&server).is_some();
            if is_unheard || owes {
                open.result.error.get_or_insert_with(|| why.clone());
                open.result.missing_servers += 1;
                concerned.push(*poll);
            }
        }
        let done = concerned
            .into_iter()
            .filter(|poll| self.conclude_if_complete(*poll));
        done.count() > 0
    }

    /// It ends now, for this reason unless there was another.
    pub fn end(&mut self, poll: u64, why: E) {
        if let Some(open) = self.open.get_mut(&poll) {
            open.result.error.get_or_insert(why);
            open.result.missing_servers += open.unheard.iter().flatten().count();
            self.conclude(poll);
        }
    }

    fn conclude_if_complete(&mut self, poll: u64) -> bool {
        let is_complete = |open: &Poll<A, E, T>| open.unheard.is_empty() && open.owing.is_empty();
        let is_complete = self.open.get(&poll).is_some_and(is_complete);
        if is_complete {
            self.conclude(poll);
        }
        is_complete
    }

    fn conclude(&mut self, poll: u64) {
        if let Some(open) = self.open.remove(&poll) {
            self.deadlines.remove(&(open.deadline, poll));
            self.done.push_back(open.result);
        }
    }

    /// One that is done, or whose deadline has passed, for this reason.
    pub fn take_done(&mut self, now: Duration, late: E) -> Option<PollResult<A, E, T>> {
        if self.done.is_empty() {
            let overdue = self.deadlines.first().filter(|(at, _)| *at <= now);
            let poll = overdue.map(|(_, poll)| *poll)?;
            self.end(poll, late);
        }
        let done = self.done.pop_front()?;
        self.bytes -= done.bytes;
        Some(done)
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }
}

#[cfg(test)]
mod tests;
