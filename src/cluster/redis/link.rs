//! A connection to Redis that is made anew after an error.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{
    Cmd, Connection, ConnectionAddr, ErrorKind, RedisError, RedisResult, ServerError, Value, cmd,
};

use super::place::RedisPlace;

pub(crate) struct RedisLink {
    place: RedisPlace,
    pub timeout: Duration,
    connection: Option<Connection>,
}

impl RedisLink {
    pub fn new(place: RedisPlace, timeout: Duration) -> Self {
        RedisLink {
            place,
            timeout,
            connection: None,
        }
    }

    /// A connection on which each read and write ends within the timeout, or is an error; and where it leads.
    pub fn connect(&mut self) -> RedisResult<(Connection, ConnectionAddr)> {
        self.place.connect(self.timeout)
    }

    /// Runs the commands as one, all or none, on the connection that is kept. After an error it is not: answers that
    /// are late would be taken for those of the next commands.
    pub fn run(&mut self, commands: &[Cmd]) -> RedisResult<()> {
        match self.try_run(commands) {
            Err(error) if is_interrupted(&error) => self.try_run(commands),
            done => done,
        }
    }

    fn try_run(&mut self, commands: &[Cmd]) -> RedisResult<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?.0,
        };
        transact(&mut connection, commands, Instant::now() + self.timeout)?;
        self.connection = Some(connection);
        Ok(())
    }
}

/// The process stood still and goes on, as behind a debugger or on a machine that was paused: that ends a read with a
/// timeout on Linux. Nothing is wrong with the connection.
pub(crate) fn is_interrupted(error: &RedisError) -> bool {
    let source = error.source();
    // The crate shares what is below its error.
    let shared = source.and_then(|it| it.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let error = match shared {
        Some(shared) => shared.downcast_ref::<io::Error>(),
        None => source.and_then(|it| it.downcast_ref()),
    };
    error.is_some_and(|error| error.kind() == io::ErrorKind::Interrupted)
}

/// MULTI to EXEC. Not `redis::Pipeline`: it waits the timeout for each of its answers when Redis hangs, and does not
/// expect that MULTI itself is refused.
fn transact(connection: &mut Connection, commands: &[Cmd], deadline: Instant) -> RedisResult<()> {
    let mut packed = cmd("MULTI").get_packed_command();
    for command in commands {
        packed.extend(command.get_packed_command());
    }
    packed.extend(cmd("EXEC").get_packed_command());
    connection.send_packed_command(&packed)?;
    // The first refusal is the reason for those behind it.
    let mut refused: Option<ServerError> = None;
    let mut last = Value::Nil;
    for _ in 0..commands.len() + 2 {
        if deadline <= Instant::now() {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        last = connection.recv_response()?;
        match &last {
            Value::ServerError(error) => refused = refused.or_else(|| Some(error.clone())),
            Value::Array(values) => {
                let errors = values.iter().find_map(|value| match value {
                    Value::ServerError(error) => Some(error.clone()),
                    _ => None,
                });
                refused = refused.or(errors);
            }
            _ => {}
        }
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
