//! The members that rooms have on this server, and what the rooms remember.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::event::CatchUpError;
use super::history::{History, HistoryBounds, Missed, Post};
use super::report::Unreported;
use crate::lock::{HISTORY, Mutex, ROOMS, lock};
use crate::{Broadcast, Connection, Group, Prepared, ReadyState};

/// A handle may be the last of its connection, and drop data of the application's: none is dropped under the lock.
pub(crate) struct ClusterRooms {
    all: Mutex<RoomTable, ROOMS>,
    pub history: Mutex<History, HISTORY>,
}

struct RoomTable {
    /// Who broadcasts holds a room meanwhile: it is copied where it changes then.
    rooms: HashMap<String, Arc<Group>>,
    unreported: Unreported,
    /// When everything was last told anew.
    told_anew: Option<Duration>,
    /// How many joined since the ended ones were last taken out, and with how many that is done again.
    joined: usize,
    full: usize,
}

impl ClusterRooms {
    pub fn new(bounds: HistoryBounds) -> Self {
        ClusterRooms {
            all: Mutex::new(RoomTable {
                rooms: HashMap::new(),
                unreported: Unreported::Everything,
                told_anew: None,
                joined: 0,
                full: 0,
            }),
            history: Mutex::new(History::new(bounds)),
        }
    }

    /// False if it was in already, or has ended.
    pub fn join(&self, room: &str, connection: &Connection) -> bool {
        self.take_in(room, connection, &mut Vec::new())
    }

    /// `ended`: takes what has ended of all rooms, to be dropped without a lock.
    fn take_in(&self, room: &str, connection: &Connection, ended: &mut Vec<Connection>) -> bool {
        if connection.ready_state() == ReadyState::Closed {
            return false;
        }
        let mut all = lock(&self.all);
        all.make_room(ended);
        let group = all.rooms.entry(room.to_owned()).or_default();
        // Asked first: a group that a broadcast holds is copied to be changed.
        let is_new = !group.holds(connection);
        if is_new {
            Arc::make_mut(group).insert(connection);
            all.unreported.note(room);
        }
        is_new
    }

    /// False if it was not in.
    pub fn leave(&self, room: &str, connection: &Connection) -> bool {
        let left = lock(&self.all).leave(room, connection);
        left.is_some()
    }

    pub fn contains(&self, room: &str, connection: &Connection) -> bool {
        let all = lock(&self.all);
        let group = all.rooms.get(room);
        group.is_some_and(|group| group.contains(connection))
    }

    pub fn broadcast(
        &self,
        room: &str,
        message: &Prepared,
        except: Option<&Connection>,
    ) -> Broadcast {
        match (self.group(room), except) {
            (None, _) => Broadcast::default(),
            (Some(group), None) => group.broadcast_prepared(message),
            (Some(group), Some(except)) => group.broadcast_prepared_except(except, message),
        }
    }

    /// How many members have not ended.
    pub fn count(&self, room: &str) -> usize {
        self.group(room).map_or(0, |group| group.len())
    }

    /// For the next heartbeat: what the others are to be told, as [`RoomCounts`](super::report::RoomCounts) has it, and
    /// whether it begins anew.
    pub fn report(&self) -> (Vec<u8>, bool) {
        lock(&self.all).report()
    }

    /// Nobody knows whether the last report was published.
    pub fn report_everything(&self) {
        lock(&self.all).unreported = Unreported::Everything;
    }

    /// Another node lacks what was told. True if everything is told anew for that; at most once in this time.
    pub fn tell_anew(&self, now: Duration, pause: Duration) -> bool {
        lock(&self.all).tell_anew(now, pause)
    }

    /// Sends a post to the members, and remembers it.
    pub fn post(&self, room: &str, post: Post) {
        let message = Prepared::new(post.message.clone());
        let mut history = lock(&self.history);
        history.push(room, post);
        // Under the lock of the history: a connection that joins later finds the post there, and those that joined
        // before are in the group.
        let group = self.group(room);
        drop(history);
        if let Some(group) = group {
            group.broadcast_prepared(&message);
        }
    }

    /// Takes in a connection that has got all posts up to this; returns what it has not got, which then comes first.
    pub fn join_behind(
        &self,
        room: &str,
        connection: &Connection,
        upto: u64,
    ) -> Result<Option<Missed>, CatchUpError> {
        let mut ended = Vec::new();
        let history = lock(&self.history);
        let missed = history.since(room, upto)?;
        if !missed.posts.is_empty() {
            return Ok(Some(missed));
        }
        self.take_in(room, connection, &mut ended);
        drop(history);
        Ok(None)
    }

    /// Forgets members that have ended, and rooms that are empty: peers choose the names.
    pub fn sweep(&self) {
        let mut ended = Vec::new();
        lock(&self.all).sweep(&mut ended);
    }

    fn group(&self, room: &str) -> Option<Arc<Group>> {
        lock(&self.all).rooms.get(room).cloned()
    }
}

impl RoomTable {
    fn leave(&mut self, room: &str, connection: &Connection) -> Option<Connection> {
        let group = self.rooms.get_mut(room)?;
        if !group.holds(connection) {
            return None;
        }
        let left = Arc::make_mut(group).remove(connection)?;
        if group.handles().is_empty() {
            self.rooms.remove(room);
        }
        self.unreported.note(room);
        Some(left)
    }

    /// Keeps the members that ended fewer than those that have not, whichever thread sweeps.
    fn make_room(&mut self, ended: &mut Vec<Connection>) {
        self.joined += 1;
        if self.joined > self.full.max(8) {
            self.sweep(ended);
            self.joined = 0;
            self.full = self.rooms.values().map(|it| it.handles().len()).sum();
        }
    }

    fn sweep(&mut self, ended: &mut Vec<Connection>) {
        for (room, group) in &mut self.rooms {
            if group.len() < group.handles().len() {
                ended.extend(Arc::make_mut(group).take_ended());
                self.unreported.note(room);
            }
        }
        self.rooms.retain(|_, group| !group.handles().is_empty());
    }

    fn report(&mut self) -> (Vec<u8>, bool) {
        let rooms = &self.rooms;
        let members = |name: &str| rooms.get(name).map_or(0, |it| it.handles().len());
        self.unreported.take(rooms.keys(), members)
    }

    fn tell_anew(&mut self, now: Duration, pause: Duration) -> bool {
        let is_due = |before| now.saturating_sub(before) >= pause;
        let is_due = self.told_anew.is_none_or(is_due);
        if is_due {
            self.told_anew = Some(now);
            self.unreported = Unreported::Everything;
        }
        is_due
    }
}

#[cfg(test)]
mod tests;
