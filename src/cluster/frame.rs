//! What nodes write to each other: a head that every version keeps, and a body.
//!
//! | Bytes | What |
//! | --- | --- |
//! | 1 | version of the format |
//! | 1 | kind; from 128 on the frame has no number of its own, and `number` is the last one before it |
//! | 16 | the node that sends |
//! | 8 | number |
//! | 8 | milliseconds since the node joined |
//! | rest | the body, by kind |
//!
//! Numbers are big-endian. A node that does not know a kind takes the frame for one that it missed.

use core::time::Duration;

use super::id::{ConnectionId, NodeId};
use super::pieces::{PieceReader, Unreadable, append_short};
use super::report::{RoomCounts, RoomReport};

const VERSION: u8 = 1;
/// Bytes of the head.
const HEAD: usize = 34;
/// Where the number is.
const NUMBER: core::ops::Range<usize> = 18..26;

const BROADCAST: u8 = 1;
const ROOM: u8 = 2;
const CLOSE: u8 = 3;
const NOTE: u8 = 4;
const POST: u8 = 5;
const CARRIED: u8 = 6;
const UNNUMBERED: u8 = 128;
const ALIVE: u8 = 128;
const BYE: u8 = 129;

const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// The node that sends, and where in the order of what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub node: NodeId,
    pub number: FrameNumber,
    /// How long ago the node joined.
    pub age: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameNumber {
    /// The frame has this one; the first is 1.
    Own(u64),
    /// The frame has none, and comes after this one.
    Behind(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body<'a> {
    /// To the members of a room, or to all; but not to the connection of this number of the sending node.
    Broadcast {
        room: Option<&'a str>,
        except: Option<u64>,
        content: Content<'a>,
    },
    Close {
        connection: ConnectionId,
        code: u16,
        reason: &'a str,
    },
    /// From application to application: of one node, or of all others.
    Note {
        to: Option<NodeId>,
        content: Content<'a>,
    },
    /// To the members of a room, which remembers it by the number that it is given here.
    Post {
        room: &'a str,
        number: u64,
        content: Content<'a>,
    },
    /// For what is built on the cluster: of one node, or of all.
    Carried { to: Option<NodeId>, bytes: &'a [u8] },
    /// A heartbeat, with how many connections the node has, and how many members its rooms; without a report of them it
    /// is of a node that knows none.
    Alive {
        connections: u64,
        rooms: Option<RoomReport<'a>>,
    },
    /// The node leaves.
    Bye,
}

pub(crate) fn encode(head: &Head, body: &Body<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + 32 + body.len());
    let kind = match body {
        Body::Broadcast { room: None, .. } => BROADCAST,
        Body::Broadcast { room: Some(_), .. } => ROOM,
        Body::Close { .. } => CLOSE,
        Body::Note { .. } => NOTE,
        Body::Post { .. } => POST,
        Body::Carried { .. } => CARRIED,
        Body::Alive { .. } => ALIVE,
        Body::Bye => BYE,
    };
    let (FrameNumber::Own(number) | FrameNumber::Behind(number)) = head.number;
    out.extend([VERSION, kind]);
    out.extend(head.node.number().to_be_bytes());
    out.extend(number.to_be_bytes());
    out.extend((head.age.as_millis() as u64).to_be_bytes());
    body.append(&mut out);
    out
}

/// Gives an encoded frame its number.
pub(crate) fn set_number(frame: &mut [u8], number: u64) {
    if let Some(place) = frame.get_mut(NUMBER) {
        place.copy_from_slice(&number.to_be_bytes());
    }
}

/// The body is `None` where this version has no such kind.
pub(crate) fn decode(frame: &[u8]) -> Result<(Head, Option<Body<'_>>), Unreadable> {
    let mut rest = PieceReader(frame);
    if rest.byte()? != VERSION {
        return Err(Unreadable);
    }
    let kind = rest.byte()?;
    let node = NodeId::new(u128::from_be_bytes(rest.array()?));
    let number = rest.number()?;
    let head = Head {
        node,
        number: match kind {
            UNNUMBERED.. => FrameNumber::Behind(number),
            _ => FrameNumber::Own(number),
        },
        age: Duration::from_millis(rest.number()?),
    };
    Ok((head, read_body(rest, kind)?))
}

impl Body<'_> {
    /// Bytes of what users gave, headings left out.
    pub fn len(&self) -> usize {
        match self {
            Body::Broadcast { room, content, .. } => room.map_or(0, str::len) + content.len(),
            Body::Close { reason, .. } => reason.len(),
            Body::Note { content, .. } => content.len(),
            Body::Post { room, content, .. } => room.len() + content.len(),
            Body::Carried { bytes, .. } => bytes.len(),
            Body::Alive { .. } | Body::Bye => 0,
        }
    }

    fn append(&self, out: &mut Vec<u8>) {
        match *self {
            Body::Broadcast {
                room,
                except,
                content,
            } => {
                // The numbers of connections begin at 1.
                out.extend(except.unwrap_or_default().to_be_bytes());
                if let Some(room) = room {
                    append_short(out, room);
                }
                content.append(out);
            }
            Body::Close {
                connection,
                code,
                reason,
            } => {
                out.extend(connection.node.number().to_be_bytes());
                out.extend(connection.number.to_be_bytes());
                out.extend(code.to_be_bytes());
                append_short(out, reason);
            }
            Body::Note { to, content } => {
                append_node(out, to);
                content.append(out);
            }
            Body::Carried { to, bytes } => {
                append_node(out, to);
                out.extend(bytes);
            }
            Body::Post {
                room,
                number,
                content,
            } => {
                out.extend(number.to_be_bytes());
                append_short(out, room);
                content.append(out);
            }
            Body::Alive { connections, rooms } => {
                out.extend(connections.to_be_bytes());
                if let Some(report) = rooms {
                    out.extend(report.number.to_be_bytes());
                    out.extend([u8::from(report.is_whole), u8::from(report.lacks)]);
                    out.extend(report.counts.bytes());
                }
            }
            Body::Bye => {}
        }
    }
}

impl Content<'_> {
    pub fn len(&self) -> usize {
        match self {
            Content::Text(text) => text.len(),
            Content::Binary(bytes) => bytes.len(),
        }
    }

    fn append(&self, out: &mut Vec<u8>) {
        match self {
            Content::Text(text) => {
                out.push(TEXT);
                out.extend(text.as_bytes());
            }
            Content::Binary(bytes) => {
                out.push(BINARY);
                out.extend(*bytes);
            }
        }
    }
}

fn append_node(out: &mut Vec<u8>, node: Option<NodeId>) {
    out.push(u8::from(node.is_some()));
    out.extend(node.map_or(0, NodeId::number).to_be_bytes());
}

fn read_body(mut rest: PieceReader<'_>, kind: u8) -> Result<Option<Body<'_>>, Unreadable> {
    Ok(Some(match kind {
        BROADCAST | ROOM => Body::Broadcast {
            except: Some(rest.number()?).filter(|&number| number > 0),
            room: match kind {
                ROOM => Some(rest.short()?),
                _ => None,
            },
            content: read_content(rest)?,
        },
        CLOSE => Body::Close {
            connection: ConnectionId {
                node: NodeId::new(u128::from_be_bytes(rest.array()?)),
                number: rest.number()?,
            },
            code: u16::from_be_bytes(rest.array()?),
            reason: rest.short()?,
        },
        NOTE => Body::Note {
            to: read_node(&mut rest)?,
            content: read_content(rest)?,
        },
        CARRIED => Body::Carried {
            to: read_node(&mut rest)?,
            bytes: rest.0,
        },
        POST => Body::Post {
            number: rest.number()?,
            room: rest.short()?,
            content: read_content(rest)?,
        },
        ALIVE => Body::Alive {
            connections: rest.number()?,
            rooms: read_report(rest)?,
        },
        BYE => Body::Bye,
        _ => return Ok(None),
    }))
}

fn read_report(mut rest: PieceReader<'_>) -> Result<Option<RoomReport<'_>>, Unreadable> {
    if rest.0.is_empty() {
        return Ok(None);
    }
    Ok(Some(RoomReport {
        number: rest.number()?,
        is_whole: rest.byte()? > 0,
        lacks: rest.byte()? > 0,
        counts: RoomCounts::read(rest.0)?,
    }))
}

fn read_node(rest: &mut PieceReader<'_>) -> Result<Option<NodeId>, Unreadable> {
    let is_there = rest.byte()? > 0;
    let node = NodeId::new(u128::from_be_bytes(rest.array()?));
    Ok(is_there.then_some(node))
}

fn read_content(mut rest: PieceReader<'_>) -> Result<Content<'_>, Unreadable> {
    match rest.byte()? {
        TEXT => rest.text(rest.0.len()).map(Content::Text),
        BINARY => Ok(Content::Binary(rest.0)),
        _ => Err(Unreadable),
    }
}

#[cfg(test)]
mod tests;
