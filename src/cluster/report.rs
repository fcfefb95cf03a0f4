//! How many members the rooms of a node have, as its heartbeats say: what has changed, piece by piece.

use std::collections::BTreeSet;

use super::pieces::{PieceReader, SHORT, Unreadable, append_short};

/// Bytes that one heartbeat has for it, but for the last name; the rest goes with the next ones. Clients choose names
/// of rooms, and a stream keeps many heartbeats.
pub(crate) const AT_ONCE: usize = 8 << 10;
/// Bytes of the names that wait; beyond them everything is told anew.
const WAITING: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RoomReport<'a> {
    /// One more than that of the report before.
    pub number: u64,
    /// It begins anew: nothing that was told before holds once all of it has come.
    pub is_whole: bool,
    /// The node lacks a report of another one, and would have it begin anew.
    pub lacks: bool,
    pub counts: RoomCounts<'a>,
}

impl RoomReport<'_> {
    /// Nothing waits after it: there was room for more.
    pub fn is_last(&self) -> bool {
        self.counts.0.len() < AT_ONCE
    }
}

/// Of each room its members, four bytes, and its name after its length, two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RoomCounts<'a>(&'a [u8]);

impl<'a> RoomCounts<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let mut rest = PieceReader(bytes);
        while !rest.0.is_empty() {
            read_one(&mut rest)?;
        }
        Ok(RoomCounts(bytes))
    }

    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The name and the members of each room.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, u32)> {
        let mut rest = PieceReader(self.0);
        std::iter::from_fn(move || read_one(&mut rest).ok())
    }
}

fn read_one<'a>(rest: &mut PieceReader<'a>) -> Result<(&'a str, u32), Unreadable> {
    let members = u32::from_be_bytes(rest.array()?);
    Ok((rest.short()?, members))
}

/// What the other nodes are still to be told of the rooms here.
pub(crate) enum Unreported {
    Everything,
    /// Rooms whose members have changed.
    Rooms {
        names: BTreeSet<String>,
        bytes: usize,
    },
}

impl Unreported {
    /// Members came or went.
    pub fn note(&mut self, room: &str) {
        let Unreported::Rooms { names, bytes } = self else {
            return;
        };
        // Nobody can be told of a longer name, nor send to it.
        if room.len() > SHORT || names.contains(room) {
            return;
        }
        *bytes += room.len();
        names.insert(room.to_owned());
        if *bytes > WAITING {
            *self = Unreported::Everything;
        }
    }

    /// The first of it, as [`RoomCounts`] has it, and whether it begins anew.
    pub fn take<'a>(
        &mut self,
        all: impl Iterator<Item = &'a String>,
        members: impl Fn(&str) -> usize,
    ) -> (Vec<u8>, bool) {
        let is_whole = matches!(self, Unreported::Everything);
        if is_whole {
            *self = Unreported::Rooms {
                names: all.filter(|name| name.len() <= SHORT).cloned().collect(),
                bytes: 0,
            };
        }
        let mut counts = Vec::new();
        if let Unreported::Rooms { names, bytes } = self {
            while counts.len() < AT_ONCE {
                let Some(name) = names.pop_first() else {
                    *bytes = 0;
                    break;
                };
                let count = u32::try_from(members(&name)).unwrap_or(u32::MAX);
                counts.extend(count.to_be_bytes());
                append_short(&mut counts, &name);
            }
        }
        (counts, is_whole)
    }
}

#[cfg(test)]
mod tests;
