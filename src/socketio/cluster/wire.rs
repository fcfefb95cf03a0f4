//! What servers of Socket.IO write to each other.
//!
//! Numbers are big-endian; a text, a list and bytes have their length in front, in 4 bytes.

use std::time::Duration;

use super::super::answers::{AckError, Answer};
use super::super::arguments::{AnyArguments, Written};
use super::super::bytes::Bytes;
use super::super::directory::{LeftSocket, SocketMove};
use super::super::gate::Reliability;
use super::super::operation::{AckRequest, Act, Emission, Operation, PollNews};
use super::super::position::{ClientPosition, PacketName, PacketOrigin, UNKNOWN};
use super::super::recovery::Audience;
use crate::NodeId;
use crate::cluster::pieces::{PieceReader, Unreadable};

const EMIT: u8 = 1;
const VOLATILE: u8 = 2;
const ASK: u8 = 3;
const JOIN: u8 = 4;
const LEAVE: u8 = 5;
const DISCONNECT: u8 = 6;
const ASKED: u8 = 7;
const ANSWER: u8 = 8;
const NO_ANSWER: u8 = 9;
const CALL: u8 = 10;
const PRESENT: u8 = 11;
const NUMBERED: u8 = 12;
const DEPARTED: u8 = 13;
const RETURNED: u8 = 14;
const AT_ONCE: u8 = 15;

/// What comes from another server.
pub(crate) enum AdapterMessage {
    Operation(Operation),
    Polled {
        poll: u64,
        news: PollNews,
    },
    /// Which sockets are there?
    Call {
        call: u64,
        namespace: String,
        audience: Audience,
    },
    /// These, and perhaps more.
    Present {
        call: u64,
        sockets: Vec<String>,
        is_last: bool,
    },
    Moved(SocketMove),
}

pub(crate) fn operation(operation: &Operation) -> Vec<u8> {
    let mut out = Vec::new();
    out.push(match &operation.act {
        Act::Emit(emission) => match (emission.delivery, emission.name) {
            (Reliability::Volatile, _) => VOLATILE,
            (Reliability::Reliable, None) => EMIT,
            (Reliability::Reliable, Some(name)) if name.origin.is_at_once() => AT_ONCE,
            (Reliability::Reliable, Some(_)) => NUMBERED,
        },
        Act::Ask { .. } => ASK,
        Act::Join(_) => JOIN,
        Act::Leave(_) => LEAVE,
        Act::Disconnect => DISCONNECT,
    });
    append_audience(&mut out, &operation.namespace, &operation.audience);
    match &operation.act {
        Act::Emit(Emission { written, name, .. }) => {
            if let Some(name) = name {
                out.extend(name.number.to_be_bytes());
            }
            append_written(&mut out, &written.json, &written.attachments);
        }
        Act::Ask { written, wish } => {
            out.extend(wish.poll.to_be_bytes());
            let millis = u64::try_from(wish.timeout.as_millis()).unwrap_or(u64::MAX);
            out.extend(millis.to_be_bytes());
            append_written(&mut out, &written.json, &written.attachments);
        }
        Act::Join(room) | Act::Leave(room) => append(&mut out, room.as_bytes()),
        Act::Disconnect => {}
    }
    out
}

pub(crate) fn polled(poll: u64, news: &PollNews) -> Vec<u8> {
    let mut out = vec![match news {
        PollNews::Asked(_) => ASKED,
        PollNews::Answered(Ok(_)) => ANSWER,
        PollNews::Answered(Err(_)) => NO_ANSWER,
    }];
    out.extend(poll.to_be_bytes());
    match news {
        PollNews::Asked(sockets) => append_len(&mut out, *sockets),
        PollNews::Answered(Ok(Answer { arguments })) => {
            let json = serde_json::Value::from(arguments.values.clone()).to_string();
            append_written(&mut out, &json, &arguments.attachments);
        }
        PollNews::Answered(Err(why)) => out.push(match why {
            AckError::Timeout => 0,
            AckError::Disconnected => 1,
            AckError::TooMany => 2,
            AckError::NotSent => 3,
        }),
    }
    out
}

pub(crate) fn call(call: u64, namespace: &str, audience: &Audience) -> Vec<u8> {
    let mut out = vec![CALL];
    append_audience(&mut out, namespace, audience);
    out.extend(call.to_be_bytes());
    out
}

pub(crate) fn present(call: u64, sockets: &[String], is_last: bool) -> Vec<u8> {
    let mut out = vec![PRESENT, u8::from(is_last)];
    out.extend(call.to_be_bytes());
    append_list(&mut out, sockets);
    out
}

pub(crate) fn moved(told: &SocketMove) -> Vec<u8> {
    let mut out = vec![match told.left {
        Some(_) => DEPARTED,
        None => RETURNED,
    }];
    append(&mut out, told.namespace.as_bytes());
    append(&mut out, told.name.as_bytes());
    if let Some(left) = &told.left {
        append(&mut out, left.id.as_bytes());
        append(&mut out, left.last.to_string().as_bytes());
        append(&mut out, left.before.to_string().as_bytes());
        append_list(&mut out, &left.rooms);
    }
    out
}

fn append_audience(out: &mut Vec<u8>, namespace: &str, audience: &Audience) {
    append(out, namespace.as_bytes());
    append_list(out, &audience.rooms);
    append_list(out, &audience.except);
}

fn append_written(out: &mut Vec<u8>, json: &str, attachments: &[Bytes]) {
    append(out, json.as_bytes());
    append_len(out, attachments.len());
    attachments.iter().for_each(|bytes| append(out, bytes));
}

fn append_list(out: &mut Vec<u8>, list: &[String]) {
    append_len(out, list.len());
    list.iter().for_each(|text| append(out, text.as_bytes()));
}

/// A cluster carries no message as long as the numbers do not tell.
fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    append_len(out, bytes.len());
    out.extend(bytes);
}

fn append_len(out: &mut Vec<u8>, len: usize) {
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    out.extend(len.to_be_bytes());
}

/// What the server `from` has written. Where it asks sockets, `wish` is to take their answers.
pub(crate) fn read(
    message: &[u8],
    from: NodeId,
    wish: impl FnOnce(u64, Duration) -> AckRequest,
) -> Result<AdapterMessage, Unreadable> {
    let rest = &mut PieceReader(message);
    let kind = rest.byte()?;
    Ok(match kind {
        EMIT | NUMBERED | AT_ONCE | VOLATILE | ASK | JOIN | LEAVE | DISCONNECT => {
            AdapterMessage::Operation(Operation {
                namespace: text(rest)?.into(),
                audience: audience(rest)?,
                act: act(rest, kind, from, wish)?,
            })
        }
        ASKED | ANSWER | NO_ANSWER => AdapterMessage::Polled {
            poll: rest.number()?,
            news: match kind {
                ASKED => PollNews::Asked(len(rest)?),
                ANSWER => PollNews::Answered(Ok(answer(rest)?)),
                _ => PollNews::Answered(Err(why(rest)?)),
            },
        },
        CALL => AdapterMessage::Call {
            namespace: text(rest)?,
            audience: audience(rest)?,
            call: rest.number()?,
        },
        PRESENT => AdapterMessage::Present {
            is_last: rest.byte()? > 0,
            call: rest.number()?,
            sockets: list(rest)?,
        },
        DEPARTED | RETURNED => AdapterMessage::Moved(SocketMove {
            namespace: text(rest)?.into(),
            name: text(rest)?,
            left: match kind {
                DEPARTED => Some(left(rest)?),
                _ => None,
            },
        }),
        _ => return Err(Unreadable),
    })
}

fn act(
    rest: &mut PieceReader<'_>,
    kind: u8,
    from: NodeId,
    wish: impl FnOnce(u64, Duration) -> AckRequest,
) -> Result<Act, Unreadable> {
    let shared = PacketOrigin::of_node(from.number());
    Ok(match kind {
        ASK => Act::Ask {
            wish: wish(rest.number()?, Duration::from_millis(rest.number()?)),
            written: written(rest)?,
        },
        JOIN => Act::Join(text(rest)?),
        LEAVE => Act::Leave(text(rest)?),
        DISCONNECT => Act::Disconnect,
        _ => Act::Emit(Emission {
            name: match kind {
                NUMBERED => Some(name(rest, shared)?),
                AT_ONCE => Some(name(rest, shared.at_once())?),
                _ => None,
            },
            written: written(rest)?,
            delivery: match kind {
                VOLATILE => Reliability::Volatile,
                _ => Reliability::Reliable,
            },
        }),
    })
}

fn left(rest: &mut PieceReader<'_>) -> Result<LeftSocket, Unreadable> {
    Ok(LeftSocket {
        id: text(rest)?,
        last: position(rest)?,
        before: position(rest)?,
        rooms: list(rest)?,
    })
}

fn audience(rest: &mut PieceReader<'_>) -> Result<Audience, Unreadable> {
    Ok(Audience {
        rooms: list(rest)?,
        except: list(rest)?,
    })
}

fn written(rest: &mut PieceReader<'_>) -> Result<Written, Unreadable> {
    Ok(Written {
        json: text(rest)?,
        attachments: attachments(rest)?,
    })
}

fn answer(rest: &mut PieceReader<'_>) -> Result<Answer, Unreadable> {
    let arguments = AnyArguments {
        values: serde_json::from_slice(bytes(rest)?).map_err(|_| Unreadable)?,
        attachments: attachments(rest)?,
    };
    Ok(Answer { arguments })
}

fn why(rest: &mut PieceReader<'_>) -> Result<AckError, Unreadable> {
    Ok(match rest.byte()? {
        0 => AckError::Timeout,
        1 => AckError::Disconnected,
        2 => AckError::TooMany,
        3 => AckError::NotSent,
        _ => return Err(Unreadable),
    })
}

fn position(rest: &mut PieceReader<'_>) -> Result<ClientPosition, Unreadable> {
    ClientPosition::parse(&text(rest)?).ok_or(Unreadable)
}

fn name(rest: &mut PieceReader<'_>, origin: PacketOrigin) -> Result<PacketName, Unreadable> {
    match rest.number()? {
        0 | UNKNOWN => Err(Unreadable),
        number => Ok(PacketName { origin, number }),
    }
}

fn attachments(rest: &mut PieceReader<'_>) -> Result<Vec<Bytes>, Unreadable> {
    (0..len(rest)?).map(|_| Ok(bytes(rest)?.into())).collect()
}

fn list(rest: &mut PieceReader<'_>) -> Result<Vec<String>, Unreadable> {
    (0..len(rest)?).map(|_| text(rest)).collect()
}

fn text(rest: &mut PieceReader<'_>) -> Result<String, Unreadable> {
    let len = len(rest)?;
    rest.text(len).map(str::to_owned)
}

fn bytes<'a>(rest: &mut PieceReader<'a>) -> Result<&'a [u8], Unreadable> {
    let len = len(rest)?;
    rest.bytes(len)
}

fn len(rest: &mut PieceReader<'_>) -> Result<usize, Unreadable> {
    let len = u32::from_be_bytes(rest.array()?);
    usize::try_from(len).map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests;
