//! A connection to Redis whose answers have bounds: each comes within a time, and takes at most a few times so much
//! memory.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use redis::{
    Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, RedisConnectionInfo, RedisResult, Value,
    cmd, from_redis_value,
};

use super::reply::ReplyReader;
use crate::Transport;
use crate::dial::deadline::DeadlineStream;
use crate::dial::{self, lookup};

/// What is read at once.
const BUFFER: usize = 64 << 10;
/// Bytes of an answer while a connection begins, and of a sentinel's: they move no deadline by more than its time.
const LONGEST_AT_FIRST: usize = 64 << 10;

/// After an error it is to be dropped: an answer that is late would be taken for that of the next command.
pub(crate) struct RedisConnection {
    pub addr: ConnectionAddr,
    stream: BufReader<DeadlineStream<Box<dyn Transport>>>,
    /// Bytes that an answer takes at most.
    longest: usize,
}

impl RedisConnection {
    /// Looks its name up, connects, and tells user, password and database, all of it until the deadline. Answers are
    /// short until longer ones are [allowed](RedisConnection::allow).
    pub fn open(info: &ConnectionInfo, deadline: Instant) -> RedisResult<Self> {
        let transport = connect(info.addr(), deadline)?;
        let mut connection =
            RedisConnection::over(info.addr().clone(), transport, LONGEST_AT_FIRST);
        connection.introduce(info.redis_settings(), deadline)?;
        Ok(connection)
    }

    /// From now on an answer takes so many bytes at most.
    pub fn allow(mut self, longest: usize) -> Self {
        self.longest = longest;
        self
    }

    fn over(addr: ConnectionAddr, transport: Box<dyn Transport>, longest: usize) -> Self {
        let stream = DeadlineStream::until(transport, Instant::now());
        RedisConnection {
            addr,
            stream: BufReader::with_capacity(BUFFER, stream),
            longest,
        }
    }

    fn introduce(&mut self, who: &RedisConnectionInfo, deadline: Instant) -> RedisResult<()> {
        if let Some(password) = who.password() {
            let mut auth = cmd("AUTH");
            auth.arg(who.username()).arg(password);
            self.query::<Value>(&auth, time_left(deadline))?;
        }
        if who.db() != 0 {
            self.query::<Value>(cmd("SELECT").arg(who.db()), time_left(deadline))?;
        }
        Ok(())
    }

    /// The answer to a command, which comes within this time.
    pub fn query<T: FromRedisValue>(&mut self, command: &Cmd, within: Duration) -> RedisResult<T> {
        self.send(&command.get_packed_command(), within)?;
        value(self.answer()?)
    }

    /// As [`query`](RedisConnection::query). A text for which the answer has no room comes out empty.
    pub fn query_passing_over<T: FromRedisValue>(
        &mut self,
        command: &Cmd,
        within: Duration,
    ) -> RedisResult<T> {
        self.send(&command.get_packed_command(), within)?;
        let reader = ReplyReader::new(&mut self.stream, self.longest);
        value(reader.passing_over().read()?)
    }

    /// Sends commands, whose answers all come within this time: see [`answer`](RedisConnection::answer).
    pub fn send(&mut self, packed: &[u8], within: Duration) -> RedisResult<()> {
        let stream = self.stream.get_mut();
        stream.begin(within);
        Ok(stream.write_all(packed)?)
    }

    /// What comes next, asked for or not; an error that Redis tells is a value, too.
    pub fn answer(&mut self) -> RedisResult<Value> {
        ReplyReader::new(&mut self.stream, self.longest).read()
    }

    /// What comes unasked, if it begins before `patience` is over: then all of it comes within this time.
    pub fn unasked(&mut self, patience: Duration, within: Duration) -> RedisResult<Option<Value>> {
        self.stream.get_mut().begin(patience);
        match self.stream.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(None),
            begun => begun?,
        };
        self.stream.get_mut().begin(within);
        self.answer().map(Some)
    }
}

fn value<T: FromRedisValue>(answer: Value) -> RedisResult<T> {
    Ok(from_redis_value(answer.extract_error()?)?)
}

fn connect(addr: &ConnectionAddr, deadline: Instant) -> io::Result<Box<dyn Transport>> {
    match addr {
        ConnectionAddr::Tcp(host, port) => {
            // If this takes too long, Redis is not the slow one.
            let addresses = lookup::addresses(host, *port, deadline).map_err(io::Error::other)?;
            let stream = dial::tcp(&addresses, deadline).map_err(last)?;
            Ok(Box::new(stream))
        }
        ConnectionAddr::Unix(path) => dial::unix(path.as_os_str(), time_left(deadline)),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Why the last of several addresses does not answer.
fn last(mut failures: Vec<(SocketAddr, io::Error)>) -> io::Error {
    let last = failures.pop().map(|(_, error)| error);
    last.unwrap_or_else(|| io::ErrorKind::NotFound.into())
}

/// What is left of the time.
pub(crate) fn time_left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests;
