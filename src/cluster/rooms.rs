//! The members that rooms have on this server, and what the rooms remember.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::census::Census;
use super::event::CatchUpError;
use super::history::{History, HistoryBounds, Missed, Post};
use super::id::{NodeId, PostId};
use super::report::{RoomReport, Unreported};
use crate::lock::{CENSUS, HISTORY, Mutex, ROOMS, lock};
use crate::{Broadcast, Connection, Group, Prepared, ReadyState};

/// A handle may be the last of its connection, and drop data of the application's: none is dropped under the lock.
pub(crate) struct ClusterRooms {
    all: Mutex<RoomTable, ROOMS>,
    history: Mutex<History, HISTORY>,
    census: Mutex<Census, CENSUS>,
}

struct RoomTable {
    rooms: HashMap<String, RoomMembers>,
    unreported: Unreported,
    /// When everything was last told anew.
    told_anew: Option<Duration>,
    /// How many joined since the ended ones were last taken out, and with how many that is done again.
    joined: usize,
    full: usize,
}

#[derive(Default)]
struct RoomMembers {
    by_number: BTreeMap<u64, Connection>,
    /// The same for broadcasts; `None` since a connection joined or left.
    group: Option<Arc<Group>>,
    /// How often a connection joined or left.
    changes: u64,
}

/// What was taken out, to be dropped without the lock.
#[derive(Default)]
struct Removed {
    connections: Vec<Connection>,
    groups: Vec<Arc<Group>>,
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
            census: Mutex::default(),
        }
    }

    /// False if it was in already, or has ended.
    pub fn join(&self, room: &str, connection: &Connection) -> bool {
        self.take_in(room, connection, &mut Removed::default())
    }

    fn take_in(&self, room: &str, connection: &Connection, removed: &mut Removed) -> bool {
        if connection.ready_state() == ReadyState::Closed {
            return false;
        }
        let mut all = lock(&self.all);
        all.make_room(removed);
        let members = all.rooms.entry(room.to_owned()).or_default();
        let before = members
            .by_number
            .insert(connection.id(), connection.clone());
        if before.is_none() {
            members.note_change(removed);
            all.unreported.note(room);
        }
        drop(all);
        before.is_none()
    }

    /// False if it was not in.
    pub fn leave(&self, room: &str, connection: &Connection) -> bool {
        let mut removed = Removed::default();
        let mut all = lock(&self.all);
        let RoomTable {
            rooms, unreported, ..
        } = &mut *all;
        let Some(members) = rooms.get_mut(room) else {
            return false;
        };
        members.remove(connection.id(), &mut removed);
        if !removed.connections.is_empty() {
            unreported.note(room);
        }
        if members.by_number.is_empty() {
            rooms.remove(room);
        }
        drop(all);
        !removed.connections.is_empty()
    }

    pub fn contains(&self, room: &str, connection: &Connection) -> bool {
        let all = lock(&self.all);
        let members = all.rooms.get(room);
        members.is_some_and(|members| members.by_number.contains_key(&connection.id()))
    }

    pub fn broadcast(
        &self,
        room: &str,
        message: &Prepared,
        except: Option<&Connection>,
    ) -> Broadcast {
        match (self.group(room, &mut Removed::default()), except) {
            (None, _) => Broadcast::default(),
            (Some(group), None) => group.broadcast_prepared(message),
            (Some(group), Some(except)) => group.broadcast_prepared_except(except, message),
        }
    }

    /// How many members have not ended.
    pub fn count(&self, room: &str) -> usize {
        let group = self.group(room, &mut Removed::default());
        group.map_or(0, |group| group.len())
    }

    /// How many members it has on the other nodes, as they have told.
    pub fn count_elsewhere(&self, room: &str) -> usize {
        lock(&self.census).members(room)
    }

    /// For the next heartbeat: what the others are to be told, as [`RoomCounts`](super::report::RoomCounts) has it;
    /// whether it begins anew; and whether something of theirs is missing here.
    pub fn report(&self) -> (Vec<u8>, bool, bool) {
        let mut all = lock(&self.all);
        let (counts, is_whole) = all.report();
        drop(all);
        (counts, is_whole, lock(&self.census).lacks())
    }

    /// The last report was published, or nobody knows.
    pub fn reported(&self, is_published: bool) {
        match is_published {
            true => lock(&self.census).asked(),
            false => lock(&self.all).unreported = Unreported::Everything,
        }
    }

    /// This node has attached.
    pub fn begin_census(&self) {
        lock(&self.census).begin();
    }

    /// Another node tells of its rooms. True if everything here is told anew because that node lacks it; at most once
    /// in this time.
    pub fn hear_report(
        &self,
        node: NodeId,
        report: &RoomReport<'_>,
        now: Duration,
        pause: Duration,
    ) -> bool {
        lock(&self.census).hear(node, report);
        report.lacks && lock(&self.all).tell_anew(now, pause)
    }

    /// Another node is gone.
    pub fn forget_node(&self, node: NodeId) {
        lock(&self.census).leave(node);
    }

    /// Sends a post to the members, and remembers it.
    pub fn post(&self, room: &str, post: Post) {
        let message = Prepared::new(post.message.clone());
        let mut removed = Removed::default();
        let mut history = lock(&self.history);
        history.push(room, post);
        // Under the lock of the history: a connection that joins later finds the post there, and those that joined
        // before are in the group.
        let group = self.group(room, &mut removed);
        drop(history);
        if let Some(group) = group {
            group.broadcast_prepared(&message);
        }
    }

    /// Remembers a post that was sent before this node joined.
    pub fn remember(&self, room: &str, post: Post) {
        lock(&self.history).push(room, post);
    }

    /// Something is missing, nobody knows of which room: what is remembered from before is not whole.
    pub fn forget_history(&self) {
        lock(&self.history).forget();
    }

    pub fn last(&self, room: &str, count: usize) -> Missed {
        lock(&self.history).last(room, count)
    }

    pub fn behind(&self, room: &str, id: PostId) -> Result<Missed, CatchUpError> {
        lock(&self.history).behind(room, id)
    }

    /// Takes in a connection that has got all posts up to this; returns what it has not got, which then comes first.
    pub fn join_behind(
        &self,
        room: &str,
        connection: &Connection,
        upto: u64,
    ) -> Result<Option<Missed>, CatchUpError> {
        let mut removed = Removed::default();
        let history = lock(&self.history);
        let missed = history.since(room, upto)?;
        if !missed.posts.is_empty() {
            return Ok(Some(missed));
        }
        self.take_in(room, connection, &mut removed);
        drop(history);
        Ok(None)
    }

    /// Forgets members that have ended, and rooms that are empty: peers choose the names.
    pub fn sweep(&self) {
        let mut removed = Removed::default();
        let mut all = lock(&self.all);
        all.sweep(&mut removed);
        drop(all);
    }

    fn group(&self, room: &str, removed: &mut Removed) -> Option<Arc<Group>> {
        let all = lock(&self.all);
        let members = all.rooms.get(room)?;
        if let Some(group) = &members.group {
            return Some(group.clone());
        }
        let connections: Vec<Connection> = members.by_number.values().cloned().collect();
        let changes = members.changes;
        drop(all);
        let mut group = Group::new();
        for connection in &connections {
            group.join(connection);
        }
        let group = Arc::new(group);
        let mut all = lock(&self.all);
        let members = all.rooms.get_mut(room);
        if let Some(members) = members.filter(|members| members.changes == changes) {
            let before = members.group.replace(group.clone());
            removed.groups.extend(before);
        }
        drop(all);
        removed.connections.extend(connections);
        Some(group)
    }
}

impl RoomTable {
    /// Keeps the members that ended fewer than those that have not, whichever thread sweeps.
    fn make_room(&mut self, removed: &mut Removed) {
        self.joined += 1;
        if self.joined > self.full.max(8) {
            self.sweep(removed);
            self.joined = 0;
            self.full = self.rooms.values().map(|it| it.by_number.len()).sum();
        }
    }

    fn sweep(&mut self, removed: &mut Removed) {
        for (room, members) in &mut self.rooms {
            for number in members.ended() {
                members.remove(number, removed);
                self.unreported.note(room);
            }
        }
        self.rooms
            .retain(|_, members| !members.by_number.is_empty());
    }

    fn report(&mut self) -> (Vec<u8>, bool) {
        let rooms = &self.rooms;
        let members = |name: &str| rooms.get(name).map_or(0, |it| it.by_number.len());
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

impl RoomMembers {
    fn remove(&mut self, number: u64, removed: &mut Removed) {
        if let Some(connection) = self.by_number.remove(&number) {
            removed.connections.push(connection);
            self.note_change(removed);
        }
    }

    fn note_change(&mut self, removed: &mut Removed) {
        self.changes += 1;
        removed.groups.extend(self.group.take());
    }

    fn ended(&self) -> Vec<u64> {
        let members = self.by_number.iter();
        members
            .filter(|(_, member)| member.ready_state() == ReadyState::Closed)
            .map(|(number, _)| *number)
            .collect()
    }
}
