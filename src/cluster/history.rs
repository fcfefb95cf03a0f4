//! What rooms remember: the last posts of each, bounded in number and in bytes of all together; the oldest go first.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::event::CatchUpError;
use super::id::PostId;
use crate::Message;

/// What a post takes beside its message and the name of its room, about.
const OVERHEAD: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HistoryBounds {
    /// Of each room. None are kept with 0.
    pub posts: usize,
    /// Of all rooms.
    pub bytes: usize,
}

/// A message that a room remembers; see [`Room::history`](crate::Room::history).
///
/// ```
/// use wshub::{Cluster, Local, Server};
///
/// let server = Server::builder().without_listener()?;
/// let room = Cluster::builder().history(10).join(&server, Local::new())?.group("news");
/// let id = room.post(|id| format!("{id}: it rains"))?;
/// for post in room.history(10) {
///     assert_eq!(post.id, id);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Post {
    /// Its name on every server.
    pub id: PostId,
    /// What was sent.
    pub message: Message,
}

/// Posts of one room, the oldest first.
#[derive(Debug)]
pub(crate) struct Missed {
    pub posts: Vec<Arc<Post>>,
    /// Where the history was then: what came later is asked for with [`History::since`].
    pub upto: u64,
}

/// Posts are counted from 1, those of all rooms together.
pub(crate) struct History {
    bounds: HistoryBounds,
    rooms: HashMap<Arc<str>, RoomHistory>,
    /// The room of each post that is kept.
    order: BTreeMap<u64, Arc<str>>,
    bytes: usize,
    last: u64,
    /// The last that was dropped of rooms that are not in `rooms`.
    forgotten: u64,
}

struct RoomHistory {
    posts: VecDeque<(u64, Arc<Post>)>,
    /// The last that was dropped.
    dropped: u64,
}

impl History {
    pub fn new(bounds: HistoryBounds) -> Self {
        History {
            bounds,
            rooms: HashMap::new(),
            order: BTreeMap::new(),
            bytes: 0,
            last: 0,
            forgotten: 0,
        }
    }

    pub fn push(&mut self, room: &str, post: Post) {
        if self.bounds.posts == 0 {
            return;
        }
        self.last += 1;
        self.bytes += weight(room, &post);
        let name = match self.rooms.get_key_value(room) {
            Some((name, _)) => name.clone(),
            None => Arc::from(room),
        };
        let history = self.rooms.entry(name.clone()).or_insert(RoomHistory {
            posts: VecDeque::new(),
            dropped: self.forgotten,
        });
        history.posts.push_back((self.last, Arc::new(post)));
        let is_full = history.posts.len() > self.bounds.posts;
        self.order.insert(self.last, name);
        if is_full {
            self.drop_oldest_of(room);
        }
        while self.bytes > self.bounds.bytes {
            let Some((_, room)) = self.order.first_key_value() else {
                break;
            };
            let room = room.clone();
            self.drop_oldest_of(&room);
        }
    }

    /// The last `count` posts, or as many as are kept.
    pub fn last(&self, room: &str, count: usize) -> Missed {
        let kept = self.rooms.get(room).map_or(0, |room| room.posts.len());
        self.behind_the_first(room, kept.saturating_sub(count))
    }

    /// What came after a post.
    pub fn behind(&self, room: &str, id: PostId) -> Result<Missed, CatchUpError> {
        let posts = &self.rooms.get(room).ok_or(CatchUpError::Gone)?.posts;
        // The one that is asked for is most often among the last.
        let place = posts.iter().rposition(|(_, post)| post.id == id);
        let place = place.ok_or(CatchUpError::Gone)?;
        Ok(self.behind_the_first(room, place + 1))
    }

    /// What came since the history was there.
    pub fn since(&self, room: &str, upto: u64) -> Result<Missed, CatchUpError> {
        let known = self.rooms.get(room);
        if known.map_or(self.forgotten, |room| room.dropped) > upto {
            return Err(CatchUpError::Gone);
        }
        let seen = known.map_or(0, |room| {
            room.posts.partition_point(|(number, _)| *number <= upto)
        });
        Ok(self.behind_the_first(room, seen))
    }

    /// Something is missing, of whichever room.
    pub fn forget(&mut self) {
        self.rooms.clear();
        self.order.clear();
        self.bytes = 0;
        self.forgotten = self.last;
    }

    fn behind_the_first(&self, room: &str, count: usize) -> Missed {
        let posts = self.rooms.get(room).map(|room| &room.posts);
        let posts = posts.into_iter().flatten().skip(count);
        Missed {
            posts: posts.map(|(_, post)| post.clone()).collect(),
            upto: self.last,
        }
    }

    fn drop_oldest_of(&mut self, room: &str) {
        let Some(history) = self.rooms.get_mut(room) else {
            return;
        };
        if let Some((number, post)) = history.posts.pop_front() {
            history.dropped = number;
            self.order.remove(&number);
            self.bytes -= weight(room, &post);
        }
        if history.posts.is_empty() {
            self.forgotten = self.forgotten.max(history.dropped);
            self.rooms.remove(room);
        }
    }
}

fn weight(room: &str, post: &Post) -> usize {
    OVERHEAD + room.len() + post.message.len()
}

#[cfg(test)]
mod tests;
