//! What servers of Socket.IO write to each other.
//!
//! Numbers are big-endian; a text, a list and bytes have their length in front, in 4 bytes.

use std::time::Duration;

use super::super::answers::Answer;
use super::super::arguments::Written;
use super::super::bytes::Bytes;
use super::super::directory::Reliability;
use super::super::operation::{Act, Operation};
use super::super::recovery::Audience;
use super::super::socket::AckError;

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

/// What comes from another server.
#[derive(Debug)]
pub(super) enum Telegram {
    Operation {
        namespace: String,
        audience: Audience,
        act: CarriedAct,
    },
    /// So many sockets are asked for a poll.
    Asked { poll: u64, sockets: usize },
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
}

#[derive(Debug)]
pub(super) enum CarriedAct {
    Emit {
        written: Written,
        delivery: Reliability,
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

/// Not of this version, or cut off.
#[derive(Debug, PartialEq)]
pub(super) struct UnreadableTelegram;

pub(super) fn operation(operation: &Operation) -> Vec<u8> {
    let mut out = Vec::new();
    out.push(match &operation.act {
        Act::Emit { delivery, .. } => match delivery {
            Reliability::Reliable => EMIT,
            Reliability::Volatile => VOLATILE,
        },
        Act::Ask { .. } => ASK,
        Act::Join(_) => JOIN,
        Act::Leave(_) => LEAVE,
        Act::Disconnect => DISCONNECT,
    });
    append_audience(&mut out, &operation.namespace, &operation.audience);
    match &operation.act {
        Act::Emit { written, .. } => append_written(&mut out, &written.json, &written.attachments),
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

pub(super) fn asked(poll: u64, sockets: usize) -> Vec<u8> {
    let mut out = vec![ASKED];
    out.extend(poll.to_be_bytes());
    append_len(&mut out, sockets);
    out
}

pub(super) fn answered(poll: u64, answer: &Result<Answer, AckError>) -> Vec<u8> {
    let mut out = vec![match answer {
        Ok(_) => ANSWER,
        Err(_) => NO_ANSWER,
    }];
    out.extend(poll.to_be_bytes());
    match answer {
        Ok(answer) => {
            let json = serde_json::Value::from(answer.arguments.clone()).to_string();
            append_written(&mut out, &json, &answer.attachments);
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

pub(super) fn call(call: u64, namespace: &str, audience: &Audience) -> Vec<u8> {
    let mut out = vec![CALL];
    append_audience(&mut out, namespace, audience);
    out.extend(call.to_be_bytes());
    out
}

pub(super) fn present(call: u64, sockets: &[String], is_last: bool) -> Vec<u8> {
    let mut out = vec![PRESENT, u8::from(is_last)];
    out.extend(call.to_be_bytes());
    append_list(&mut out, sockets);
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

pub(super) fn read(telegram: &[u8]) -> Result<Telegram, UnreadableTelegram> {
    let mut rest = TelegramReader(telegram);
    let kind = rest.byte()?;
    Ok(match kind {
        EMIT | VOLATILE | ASK | JOIN | LEAVE | DISCONNECT => Telegram::Operation {
            namespace: rest.text()?,
            audience: rest.audience()?,
            act: rest.act(kind)?,
        },
        ASKED => Telegram::Asked {
            poll: rest.number()?,
            sockets: rest.len()?,
        },
        ANSWER | NO_ANSWER => Telegram::Answered {
            poll: rest.number()?,
            answer: match kind {
                ANSWER => Ok(rest.answer()?),
                _ => Err(rest.why()?),
            },
        },
        CALL => Telegram::Call {
            namespace: rest.text()?,
            audience: rest.audience()?,
            call: rest.number()?,
        },
        PRESENT => Telegram::Present {
            is_last: rest.byte()? > 0,
            call: rest.number()?,
            sockets: rest.list()?,
        },
        _ => return Err(UnreadableTelegram),
    })
}

/// What is left of a telegram to be read.
struct TelegramReader<'a>(&'a [u8]);

impl<'a> TelegramReader<'a> {
    fn act(&mut self, kind: u8) -> Result<CarriedAct, UnreadableTelegram> {
        Ok(match kind {
            ASK => CarriedAct::Ask {
                poll: self.number()?,
                timeout: Duration::from_millis(self.number()?),
                written: self.written()?,
            },
            JOIN => CarriedAct::Join(self.text()?),
            LEAVE => CarriedAct::Leave(self.text()?),
            DISCONNECT => CarriedAct::Disconnect,
            _ => CarriedAct::Emit {
                written: self.written()?,
                delivery: match kind {
                    VOLATILE => Reliability::Volatile,
                    _ => Reliability::Reliable,
                },
            },
        })
    }

    fn audience(&mut self) -> Result<Audience, UnreadableTelegram> {
        Ok(Audience {
            rooms: self.list()?,
            except: self.list()?,
        })
    }

    fn written(&mut self) -> Result<Written, UnreadableTelegram> {
        Ok(Written {
            json: self.text()?,
            attachments: self.attachments()?,
        })
    }

    fn answer(&mut self) -> Result<Answer, UnreadableTelegram> {
        let json = self.text()?;
        Ok(Answer {
            arguments: serde_json::from_str(&json).map_err(|_| UnreadableTelegram)?,
            attachments: self.attachments()?,
        })
    }

    fn why(&mut self) -> Result<AckError, UnreadableTelegram> {
        Ok(match self.byte()? {
            0 => AckError::Timeout,
            1 => AckError::Disconnected,
            2 => AckError::TooMany,
            3 => AckError::NotSent,
            _ => return Err(UnreadableTelegram),
        })
    }

    fn attachments(&mut self) -> Result<Vec<Bytes>, UnreadableTelegram> {
        let count = self.len()?;
        (0..count).map(|_| Ok(self.bytes()?.into())).collect()
    }

    fn list(&mut self) -> Result<Vec<String>, UnreadableTelegram> {
        let count = self.len()?;
        (0..count).map(|_| self.text()).collect()
    }

    fn text(&mut self) -> Result<String, UnreadableTelegram> {
        let text = std::str::from_utf8(self.bytes()?);
        text.map(str::to_owned).map_err(|_| UnreadableTelegram)
    }

    fn bytes(&mut self) -> Result<&'a [u8], UnreadableTelegram> {
        let len = self.len()?;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(UnreadableTelegram)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn len(&mut self) -> Result<usize, UnreadableTelegram> {
        let len = u32::from_be_bytes(self.array()?);
        usize::try_from(len).map_err(|_| UnreadableTelegram)
    }

    fn number(&mut self) -> Result<u64, UnreadableTelegram> {
        self.array().map(u64::from_be_bytes)
    }

    fn byte(&mut self) -> Result<u8, UnreadableTelegram> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], UnreadableTelegram> {
        let (array, rest) = self.0.split_first_chunk().ok_or(UnreadableTelegram)?;
        self.0 = rest;
        Ok(*array)
    }
}

#[cfg(test)]
mod tests;
