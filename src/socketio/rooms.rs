//! Which sockets are in which room.

use std::collections::{BTreeSet, HashMap};

/// Bytes of the name of a room that somebody joins. Clients often choose it, and it is kept with each of them.
pub const LONGEST_NAME: usize = 1024;

/// Why a socket does not join a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotJoined {
    /// It already is in as many as it may be.
    TooManyRooms,
    /// The name has more than [`LONGEST_NAME`].
    NameTooLong,
}

/// The rooms of one namespace. A room is there while a socket is in it.
#[derive(Debug, Default)]
pub struct Rooms {
    members: HashMap<String, BTreeSet<u64>>,
    joined: HashMap<u64, BTreeSet<String>>,
}

impl Rooms {
    pub fn join(&mut self, socket: u64, room: &str, most: usize) -> Result<(), NotJoined> {
        if room.len() > LONGEST_NAME {
            return Err(NotJoined::NameTooLong);
        }
        let joined = self.joined.entry(socket).or_default();
        if joined.contains(room) {
            return Ok(());
        }
        if joined.len() >= most {
            return Err(NotJoined::TooManyRooms);
        }
        joined.insert(room.to_owned());
        self.members
            .entry(room.to_owned())
            .or_default()
            .insert(socket);
        Ok(())
    }

    pub fn leave(&mut self, socket: u64, room: &str) {
        if let Some(joined) = self.joined.get_mut(&socket) {
            joined.remove(room);
        }
        self.remove_member(socket, room);
    }

    /// The socket is gone; gives the rooms that it was in.
    pub fn remove(&mut self, socket: u64) -> BTreeSet<String> {
        let rooms = self.joined.remove(&socket).unwrap_or_default();
        for room in &rooms {
            self.remove_member(socket, room);
        }
        rooms
    }

    fn remove_member(&mut self, socket: u64, room: &str) {
        if let Some(members) = self.members.get_mut(room) {
            members.remove(&socket);
            if members.is_empty() {
                self.members.remove(room);
            }
        }
    }

    /// The rooms of a socket, in alphabetical order.
    pub fn of(&self, socket: u64) -> impl Iterator<Item = &str> {
        let rooms = self.joined.get(&socket).into_iter().flatten();
        rooms.map(String::as_str)
    }

    /// The sockets in one of these rooms, and in none of the excepted ones, each once.
    pub fn select(&self, rooms: &[String], except: &[String]) -> BTreeSet<u64> {
        let members = |room: &String| self.members.get(room).into_iter().flatten().copied();
        let mut selected: BTreeSet<u64> = rooms.iter().flat_map(members).collect();
        for socket in except.iter().flat_map(members) {
            selected.remove(&socket);
        }
        selected
    }

    /// Whether a socket is in one of these rooms.
    pub fn is_in_any(&self, socket: u64, rooms: &[String]) -> bool {
        let joined = self.joined.get(&socket);
        joined.is_some_and(|joined| rooms.iter().any(|room| joined.contains(room)))
    }
}

#[cfg(test)]
mod tests;
