//! A connection to Redis that is made anew after an error.

use std::io;
use std::time::{Duration, Instant};

use redis::{Client, Cmd, Connection, ErrorKind, RedisError, RedisResult, ServerError, Value, cmd};

pub(crate) struct RedisLink {
    client: Client,
    pub timeout: Duration,
    connection: Option<Connection>,
}

impl RedisLink {
    pub fn new(client: Client, timeout: Duration) -> Self {
        RedisLink {
            client,
            timeout,
            connection: None,
        }
    }

    /// A connection on which every answer comes within the timeout, or is an error.
    pub fn connect(&self) -> RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(self.timeout)?;
        connection.set_write_timeout(Some(self.timeout))?;
        connection.set_read_timeout(Some(self.timeout))?;
        Ok(connection)
    }

    /// Runs the commands as one, all or none, on the connection that is kept. After an error it is not: answers that
    /// are late would be taken for those of the next commands.
    pub fn run(&mut self, commands: &[Cmd]) -> RedisResult<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        transact(&mut connection, commands, Instant::now() + self.timeout)?;
        self.connection = Some(connection);
        Ok(())
    }
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
