//! Over a stream: each node appends to it, reads it from where it was, and so misses nothing that is still there.

use std::time::Duration;

use redis::{Cmd, ConnectionAddr, RedisResult, cmd};

use super::connection::RedisConnection;
use super::error::explain;
use super::place::RedisPlace;
use crate::cluster::Incoming;
use crate::cluster::backplane::{BackplaneError, Subscriber};

/// The one field of an entry.
const FIELD: &str = "f";
/// Entries that are read at once at most: with messages as large as they may be, 64 MiB.
const COUNT: usize = 64;
/// Bytes of an entry beside its message. A heartbeat, which has no message, takes as many.
const AROUND: usize = 128 << 10;

/// Appends an entry to the stream; the frame is to be its last argument.
pub(crate) fn append(key: &str, max_len: usize) -> Cmd {
    let mut add = cmd("XADD");
    add.arg(key).arg("MAXLEN").arg("~").arg(max_len);
    add.arg("*").arg(FIELD);
    add
}

pub(crate) struct StreamSubscriber {
    place: RedisPlace,
    timeout: Duration,
    key: String,
    /// The Redis that `last` is of.
    addr: Option<ConnectionAddr>,
    /// The last entry that was read, or where this node began.
    last: Option<Id>,
    /// Where this node began.
    began: Id,
    /// Entries that are asked for at once.
    count: usize,
}

/// Of an entry: milliseconds of the clock of Redis, and a number among those of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Id(u64, u64);

/// Its name, and its fields and values one after the other.
type StreamEntry = (String, Vec<Vec<u8>>);

impl StreamSubscriber {
    pub fn new(place: RedisPlace, timeout: Duration, key: String) -> Self {
        StreamSubscriber {
            place,
            timeout,
            key,
            addr: None,
            last: None,
            began: Id(0, 0),
            count: COUNT,
        }
    }

    fn read(&mut self, incoming: &mut Incoming<'_>) -> RedisResult<()> {
        let longest = incoming.max_message().saturating_add(AROUND);
        let longest = longest.saturating_mul(COUNT);
        let mut connection = self.place.connect(self.timeout, longest)?;
        let is_other = self.addr.as_ref().is_some_and(|it| *it != connection.addr);
        let start = self.start(&mut connection, is_other, || incoming.age())?;
        // Not before: a try that broke off has not moved `last`.
        self.addr = Some(connection.addr.clone());
        if incoming.wants_past() {
            self.read_past(&mut connection, start, incoming)?;
        }
        incoming.attached();
        while let Some(patience) = incoming.patience() {
            let last = self.last.unwrap_or(Id(0, 0));
            let mut entries = self.next(&mut connection, last, Some(patience))?;
            let newest = entries.last().and_then(|(id, _)| Id::parse(id));
            self.last = newest.or(self.last);
            let came = entries.len();
            entries.retain(|entry| !is_passed_over(entry));
            let are_whole = entries.len() == came;
            if !are_whole {
                incoming.passed_over(longest);
            }
            incoming.take_all(entries.iter().map(|(_, fields)| frame(fields)));
            // Not in the past, which is read from its beginning after an error: it would come to the same error again.
            if are_whole && bytes_of(&entries) < longest / 4 {
                self.count = (self.count * 2).min(COUNT);
            }
        }
        Ok(())
    }

    /// What is in the stream of the time before `end`, for the history of rooms.
    fn read_past(
        &mut self,
        connection: &mut RedisConnection,
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
        connection: &mut RedisConnection,
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
                let (seconds, micros): (u64, u64) = connection.query(&cmd("TIME"), self.timeout)?;
                let now = seconds * 1000 + micros / 1000;
                // Taken after the clock, and a millisecond more for what both leave off: a node begins a round trip
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
    fn newest(&self, connection: &mut RedisConnection) -> RedisResult<Id> {
        let mut newest = cmd("XREVRANGE");
        newest.arg(&self.key).arg("+").arg("-").arg("COUNT").arg(1);
        // Its message may be one that is too long.
        let entries: Vec<StreamEntry> = connection.query_passing_over(&newest, self.timeout)?;
        let id = entries.first().and_then(|(id, _)| Id::parse(id));
        Ok(id.unwrap_or(Id(0, 0)))
    }

    /// What comes after an entry, if need be after a wait of at most this time. After an error fewer are asked for: the
    /// answer may have been too long, for other nodes may publish longer messages than this one, or did. An entry that
    /// is too long alone comes without its message.
    fn next(
        &mut self,
        connection: &mut RedisConnection,
        Id(time, number): Id,
        wait: Option<Duration>,
    ) -> RedisResult<Vec<StreamEntry>> {
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(self.count);
        if let Some(wait) = wait {
            // 0 would be for ever.
            read.arg("BLOCK").arg(wait.as_millis().max(1) as u64);
        }
        read.arg("STREAMS")
            .arg(&self.key)
            .arg(format!("{time}-{number}"));
        let within = wait.unwrap_or_default() + self.timeout;
        let answer = match self.count {
            // There is no smaller part to ask for. By the number of the next message the node sees what it missed.
            1 => connection.query_passing_over(&read, within),
            _ => connection.query(&read, within),
        };
        if answer.is_err() {
            self.count = (self.count / 2).max(1);
        }
        let streams: Option<Vec<(String, Vec<StreamEntry>)>> = answer?;
        let streams = streams.unwrap_or_default().into_iter();
        Ok(streams.flat_map(|(_, entries)| entries).collect())
    }
}

impl Subscriber for StreamSubscriber {
    fn receive(&mut self, incoming: &mut Incoming<'_>) -> Result<(), BackplaneError> {
        self.read(incoming).map_err(|error| explain(&error))
    }
}

/// An entry that is no node's has none: what can be read of it is no frame either.
fn frame(fields: &[Vec<u8>]) -> &[u8] {
    match fields {
        [field, frame] if field == FIELD.as_bytes() => frame,
        _ => &[],
    }
}

/// It was asked for alone, and its message is too long.
fn is_passed_over((_, fields): &StreamEntry) -> bool {
    matches!(&fields[..], [field, frame] if field == FIELD.as_bytes() && frame.is_empty())
}

fn bytes_of(entries: &[StreamEntry]) -> usize {
    let fields = entries.iter().flat_map(|(_, fields)| fields);
    fields.map(Vec::len).sum()
}

impl Id {
    fn parse(text: &str) -> Option<Id> {
        let (time, number) = text.split_once('-')?;
        Some(Id(time.parse().ok()?, number.parse().ok()?))
    }
}
