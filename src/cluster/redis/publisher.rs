//! The end that publishes: what goes out at once goes as one transaction, all of it or none.

use std::time::Duration;

use redis::{Cmd, ErrorKind, RedisError, RedisResult, ServerError, Value, cmd};

use super::connection::RedisConnection;
use super::error::explain;
use super::place::RedisPlace;
use crate::cluster::backplane::{BackplaneError, Publisher};

/// Bytes that an answer to a transaction has at most: names of entries, or numbers.
const LONGEST: usize = 1 << 20;

pub(crate) struct RedisPublisher {
    place: RedisPlace,
    timeout: Duration,
    /// Publishes what is its last argument, which is not there yet.
    command: Cmd,
    connection: Option<RedisConnection>,
}

impl RedisPublisher {
    pub fn new(place: RedisPlace, timeout: Duration, command: Cmd) -> Self {
        RedisPublisher {
            place,
            timeout,
            command,
            connection: None,
        }
    }

    /// On the connection that is kept from the last time. After an error it is not.
    fn transact(&mut self, frames: &[&[u8]]) -> RedisResult<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.place.connect(self.timeout, LONGEST)?,
        };
        connection.send(&self.transaction(frames), self.timeout)?;
        read_answers(&mut connection, frames.len() + 2)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// One that is refused leaves no hole in front of those behind it. Not `redis::Pipeline`, which does not expect
    /// that MULTI itself is refused.
    fn transaction(&self, frames: &[&[u8]]) -> Vec<u8> {
        let mut packed = cmd("MULTI").get_packed_command();
        for frame in frames {
            packed.extend(self.command.clone().arg(*frame).get_packed_command());
        }
        packed.extend(cmd("EXEC").get_packed_command());
        packed
    }
}

fn read_answers(connection: &mut RedisConnection, count: usize) -> RedisResult<()> {
    // The first refusal is the reason for those after it.
    let mut refused: Option<ServerError> = None;
    let mut last = Value::Nil;
    for _ in 0..count {
        last = connection.answer()?;
        refused = refused.or_else(|| refusal(&last));
    }
    match (refused, last) {
        (Some(error), _) => Err(error.into()),
        (None, Value::Array(_)) => Ok(()),
        (None, _) => Err(RedisError::from((
            ErrorKind::UnexpectedReturnType,
            "EXEC was answered with no list",
        ))),
    }
}

/// Of a command, or of one among those of EXEC.
fn refusal(answer: &Value) -> Option<ServerError> {
    match answer {
        Value::ServerError(error) => Some(error.clone()),
        Value::Array(answers) => answers.iter().find_map(refusal),
        _ => None,
    }
}

impl Publisher for RedisPublisher {
    fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError> {
        self.transact(frames).map_err(|error| explain(&error))
    }
}
