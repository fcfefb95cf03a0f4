//! Over a stream: each node appends to it, reads it from where it was, and so misses nothing that is still there.

use std::time::Duration;

use redis::{Connection, ConnectionAddr, RedisResult, cmd};

use super::error::explain;
use super::link::{RedisLink, is_interrupted};
use crate::cluster::Incoming;
use crate::cluster::backplane::{BackplaneError, Publisher, Subscriber};

/// The one field of an entry.
const FIELD: &str = "f";
/// Entries that are read at once: with messages as large as they may be, 64 MiB.
const COUNT: usize = 64;
/// Before a new connection, from the second one of a `receive` on that was interrupted.
const REST: Duration = Duration::from_millis(100);

pub(crate) struct StreamPublisher {
    link: RedisLink,
    key: String,
    max_len: usize,
}

impl StreamPublisher {
    pub fn new(link: RedisLink, key: String, max_len: usize) -> Self {
        StreamPublisher { link, key, max_len }
    }
}

impl Publisher for StreamPublisher {
    fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError> {
        let add = |frame: &&[u8]| {
            let mut add = cmd("XADD");
            add.arg(&self.key).arg("MAXLEN").arg("~").arg(self.max_len);
            add.arg("*").arg(FIELD).arg(*frame);
            add
        };
        // All or none: one that is refused does not leave a hole in front of those behind it.
        let commands: Vec<_> = frames.iter().map(add).collect();
        self.link.run(&commands).map_err(|error| explain(&error))
    }
}

pub(crate) struct StreamSubscriber {
    link: RedisLink,
    key: String,
    /// The Redis that `last` is of.
    addr: Option<ConnectionAddr>,
    /// The last entry that was read, or where this node began.
    last: Option<Id>,
    /// Where this node began.
    began: Id,
}

/// Of an entry: milliseconds of the clock of Redis, and a number among those of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Id(u64, u64);

/// Its name, and its fields and values one behind the other.
type StreamEntry = (String, Vec<Vec<u8>>);

impl StreamSubscriber {
    pub fn new(link: RedisLink, key: String) -> Self {
        StreamSubscriber {
            link,
            key,
            addr: None,
            last: None,
            began: Id(0, 0),
        }
    }

    fn read(&mut self, incoming: &mut Incoming<'_>) -> RedisResult<()> {
        let (mut connection, addr) = self.link.connect()?;
        let is_other = self.addr.as_ref().is_some_and(|before| *before != addr);
        let start = self.start(&mut connection, is_other, || incoming.age())?;
        // Not before: a try that broke off has not moved `last`.
        self.addr = Some(addr);
        if incoming.wants_past() {
            self.read_past(&mut connection, start, incoming)?;
        }
        incoming.attached();
        let mut longest = None;
        while let Some(patience) = incoming.patience() {
            if longest.replace(patience) != Some(patience) {
                connection.set_read_timeout(Some(patience + self.link.timeout))?;
            }
            // 0 would be for ever.
            let block = Some(patience.as_millis().max(1) as u64);
            let last = self.last.unwrap_or(Id(0, 0));
            let entries = self.next(&mut connection, last, block)?;
            let newest = entries.last().and_then(|(id, _)| Id::parse(id));
            incoming.take_all(entries.iter().map(|(_, fields)| frame(fields)));
            self.last = newest.or(self.last);
        }
        Ok(())
    }

    /// What is in the stream of the time before `end`, for the history of rooms.
    fn read_past(
        &self,
        connection: &mut Connection,
        end: Id,
        incoming: &mut Incoming<'_>,
    ) -> RedisResult<()> {
        let mut last = Id(0, 0);
        while last < end && incoming.patience().is_some() {
            let entries = self.next(connection, last, None)?;
            let before = last;
            for (id, fields) in entries {
                match Id::parse(&id) {
                    Some(id) if id <= end => last = id,
                    _ => return Ok(()),
                }
                incoming.past(frame(&fields));
            }
            if last == before {
                break;
            }
        }
        Ok(())
    }

    /// Where to read on. The first time that is where the stream was when the node joined, which may be long before
    /// Redis was there; it is found once, for what is published while the node is away is for it, too.
    fn start(
        &mut self,
        connection: &mut Connection,
        is_other: bool,
        age: impl FnOnce() -> Duration,
    ) -> RedisResult<Id> {
        let newest = self.newest(connection)?;
        let start = match self.last {
            // Redis has lost what it had, or its clock was set back and the stream is a new one. Or it is another
            // Redis, which may have lost the last, and gives what is new a name that comes before it. What came already
            // is known by its number.
            Some(last) if newest < last || is_other => match self.began <= newest {
                true => self.began,
                false => Id(0, 0),
            },
            Some(last) => last,
            None => {
                let (seconds, micros): (u64, u64) = cmd("TIME").query(connection)?;
                let now = seconds * 1000 + micros / 1000;
                // Taken behind the clock, and a millisecond more for what both leave off: a node begins a round trip
                // too early at most, and never too late.
                let joined = now.saturating_sub(age().as_millis() as u64 + 1);
                // A clock that was set back: what is in the stream seems to come from later, and is old.
                self.began = match newest.0 > now + 1000 {
                    true => newest,
                    false => Id(joined, 0).min(newest),
                };
                self.began
            }
        };
        self.last = Some(start);
        Ok(start)
    }

    /// 0-0 where there is none.
    fn newest(&self, connection: &mut Connection) -> RedisResult<Id> {
        let mut newest = cmd("XREVRANGE");
        newest.arg(&self.key).arg("+").arg("-").arg("COUNT").arg(1);
        let entries: Vec<StreamEntry> = newest.query(connection)?;
        let id = entries.first().and_then(|(id, _)| Id::parse(id));
        Ok(id.unwrap_or(Id(0, 0)))
    }

    /// What comes behind an entry; waits for it for so many milliseconds.
    fn next(
        &self,
        connection: &mut Connection,
        Id(time, number): Id,
        block: Option<u64>,
    ) -> RedisResult<Vec<StreamEntry>> {
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(COUNT);
        if let Some(millis) = block {
            read.arg("BLOCK").arg(millis);
        }
        read.arg("STREAMS")
            .arg(&self.key)
            .arg(format!("{time}-{number}"));
        let streams: Option<Vec<(String, Vec<StreamEntry>)>> = read.query(connection)?;
        let streams = streams.unwrap_or_default().into_iter();
        Ok(streams.flat_map(|(_, entries)| entries).collect())
    }
}

impl Subscriber for StreamSubscriber {
    fn receive(&mut self, incoming: &mut Incoming<'_>) -> Result<(), BackplaneError> {
        let mut rest = Duration::ZERO;
        loop {
            match self.read(incoming) {
                // On a new connection, from where it was: on this one the answer would be taken for a late one.
                Err(error) if is_interrupted(&error) => {
                    if !incoming.pause(rest) {
                        return Ok(());
                    }
                    rest = REST;
                }
                ended => return ended.map_err(|error| explain(&error)),
            }
        }
    }
}

/// An entry that is no node's has none: what can be read of it is no frame either.
fn frame(fields: &[Vec<u8>]) -> &[u8] {
    match fields {
        [field, frame] if field == FIELD.as_bytes() => frame,
        _ => &[],
    }
}

impl Id {
    fn parse(text: &str) -> Option<Id> {
        let (time, number) = text.split_once('-')?;
        Some(Id(time.parse().ok()?, number.parse().ok()?))
    }
}
