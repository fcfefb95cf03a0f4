//! What servers of Socket.IO write to each other.
//!
//! Numbers are big-endian; a text, a list and bytes have their length in front, in 4 bytes.

use std::time::Duration;

use super::super::answers::{AckError, Answer};
use super::super::arguments::{AnyArguments, Written};
use super::super::bytes::Bytes;
use super::super::directory::SocketMove;
use super::super::gate::Reliability;
use super::super::operation::{Act, Emission, Operation};
use super::super::position::{ClientPosition, UNKNOWN};
use super::super::recovery::Audience;
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
#[derive(Debug)]
pub(crate) enum AdapterMessage {
    Operation {
        namespace: String,
        audience: Audience,
        act: CarriedAct,
    },
    /// So many sockets are asked for a poll.
    Asked {
        poll: u64,
        sockets: usize,
    },
    Answered {
        poll: u64,
        answer: Result<Answer, AckError>,
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

#[derive(Debug)]
pub(crate) enum CarriedAct {
    Emit {
        written: Written,
        delivery: Reliability,
        /// Among what its server sends to all, if it is kept for sockets that come back.
        number: Option<u64>,
        /// It has reached its one client, and is numbered by itself.
        is_at_once: bool,
    },
    Ask {
        written: Written,
        poll: u64,
        timeout: Duration,
    },
    Join(String),
    Leave(String),
    Disconnect,
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

pub(crate) fn asked(poll: u64, sockets: usize) -> Vec<u8> {
    let mut out = vec![ASKED];
    out.extend(poll.to_be_bytes());
    append_len(&mut out, sockets);
    out
}

pub(crate) fn answered(poll: u64, answer: &Result<Answer, AckError>) -> Vec<u8> {
    let mut out = vec![match answer {
        Ok(_) => ANSWER,
        Err(_) => NO_ANSWER,
    }];
    out.extend(poll.to_be_bytes());
    match answer {
        Ok(Answer { arguments }) => {
            let json = serde_json::Value::from(arguments.values.clone()).to_string();
            append_written(&mut out, &json, &arguments.attachments);
        }
        Err(why) => out.push(match why {
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
    let mut out = Vec::new();
    match told {
        SocketMove::Departed {
            namespace,
            name,
            id,
            rooms,
            last,
            before,
        } => {
            out.push(DEPARTED);
            let (last, before) = (last.to_string(), before.to_string());
            let texts: [&str; 5] = [namespace, name, id, &last, &before];
            texts
                .iter()
                .for_each(|text| append(&mut out, text.as_bytes()));
            append_list(&mut out, rooms);
        }
        SocketMove::Returned { namespace, name } => {
            out.push(RETURNED);
            append(&mut out, namespace.as_bytes());
            append(&mut out, name.as_bytes());
        }
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

pub(crate) fn read(message: &[u8]) -> Result<AdapterMessage, Unreadable> {
    let mut rest = PieceReader(message);
    let rest = &mut rest;
    let kind = rest.byte()?;
    Ok(match kind {
        EMIT | NUMBERED | AT_ONCE | VOLATILE | ASK | JOIN | LEAVE | DISCONNECT => {
            AdapterMessage::Operation {
                namespace: text(rest)?,
                audience: audience(rest)?,
                act: act(rest, kind)?,
            }
        }
        ASKED => AdapterMessage::Asked {
            poll: rest.number()?,
            sockets: len(rest)?,
        },
        ANSWER | NO_ANSWER => AdapterMessage::Answered {
            poll: rest.number()?,
            answer: match kind {
                ANSWER => Ok(answer(rest)?),
                _ => Err(why(rest)?),
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
        DEPARTED => AdapterMessage::Moved(SocketMove::Departed {
            namespace: text(rest)?.into(),
            name: text(rest)?,
            id: text(rest)?,
            last: position(rest)?,
            before: position(rest)?,
            rooms: list(rest)?,
        }),
        RETURNED => AdapterMessage::Moved(SocketMove::Returned {
            namespace: text(rest)?.into(),
            name: text(rest)?,
        }),
        _ => return Err(Unreadable),
    })
}

fn act(rest: &mut PieceReader<'_>, kind: u8) -> Result<CarriedAct, Unreadable> {
    Ok(match kind {
        ASK => CarriedAct::Ask {
            poll: rest.number()?,
            timeout: Duration::from_millis(rest.number()?),
            written: written(rest)?,
        },
        JOIN => CarriedAct::Join(text(rest)?),
        LEAVE => CarriedAct::Leave(text(rest)?),
        DISCONNECT => CarriedAct::Disconnect,
        _ => CarriedAct::Emit {
            number: match kind {
                NUMBERED | AT_ONCE => Some(number_of_packet(rest)?),
                _ => None,
            },
            is_at_once: kind == AT_ONCE,
            written: written(rest)?,
            delivery: match kind {
                VOLATILE => Reliability::Volatile,
                _ => Reliability::Reliable,
            },
        },
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

fn number_of_packet(rest: &mut PieceReader<'_>) -> Result<u64, Unreadable> {
    match rest.number()? {
        0 | UNKNOWN => Err(Unreadable),
        number => Ok(number),
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
