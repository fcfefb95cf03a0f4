//! A connection to Redis whose answers have bounds: each comes within a time, and takes at most a few times so much
//! memory.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use redis::{
    Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, RedisConnectionInfo, RedisResult, Value,
    cmd, from_redis_value,
};

use super::reply::ReplyReader;
use crate::dial::{self, lookup};

/// What is read at once.
const BUFFER: usize = 64 << 10;
/// So many bytes are worth the time of an answer once more.
const WORTH_A_ROUND: u32 = 64 << 10;
/// Bytes of an answer while a connection begins, and of a sentinel's: they move no deadline by more than its time.
const LONGEST_AT_FIRST: usize = 64 << 10;
/// A system call takes no timeout of zero.
const SHORTEST: Duration = Duration::from_millis(1);

/// After an error it is to be dropped: an answer that is late would be taken for that of the next command.
pub(crate) struct RedisConnection {
    pub addr: ConnectionAddr,
    stream: BufReader<PacedStream>,
    /// Bytes that an answer takes at most.
    longest: usize,
}

impl RedisConnection {
    /// Looks its name up, connects, and tells user, password and database, all of it until the deadline. Answers are
    /// short until longer ones are [allowed](RedisConnection::allow).
    pub fn open(info: &ConnectionInfo, deadline: Instant) -> RedisResult<Self> {
        let socket = connect(info.addr(), deadline)?;
        let mut connection = RedisConnection::over(info.addr().clone(), socket, LONGEST_AT_FIRST);
        connection.introduce(info.redis_settings(), deadline)?;
        Ok(connection)
    }

    /// From now on an answer takes so many bytes at most.
    pub fn allow(mut self, longest: usize) -> Self {
        self.longest = longest;
        self
    }

    fn over(addr: ConnectionAddr, socket: Box<dyn RedisSocket>, longest: usize) -> Self {
        RedisConnection {
            addr,
            stream: BufReader::with_capacity(
                BUFFER,
                PacedStream {
                    socket,
                    deadline: Instant::now(),
                    round: Duration::ZERO,
                },
            ),
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
            Err(error) if is_timeout(&error) => return Ok(None),
            begun => begun?,
        };
        self.stream.get_mut().begin(within);
        self.answer().map(Some)
    }
}

fn value<T: FromRedisValue>(answer: Value) -> RedisResult<T> {
    Ok(from_redis_value(answer.extract_error()?)?)
}

/// A stream with one deadline for all that is written and read from [`begin`](PacedStream::begin) on. Much data may
/// take longer, as long as it comes at some pace.
struct PacedStream {
    socket: Box<dyn RedisSocket>,
    deadline: Instant,
    /// The time that was given, and that [`WORTH_A_ROUND`] bytes are worth.
    round: Duration,
}

impl PacedStream {
    fn begin(&mut self, round: Duration) {
        self.round = round;
        self.deadline = Instant::now() + round;
    }

    fn advance(
        &mut self,
        mut work: impl FnMut(&mut dyn RedisSocket) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let left = time_left(self.deadline);
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.socket.set_timeout(left.max(SHORTEST))?;
            match work(&mut *self.socket) {
                Ok(bytes) => {
                    self.came_on(bytes);
                    return Ok(bytes);
                }
                // Linux says so where the process stood still. If the time is up, Redis was not the slow one.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    if self.deadline <= Instant::now() {
                        self.begin(self.round);
                    }
                }
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn came_on(&mut self, bytes: usize) {
        let latest = Instant::now() + self.round;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let worth = self.round * bytes.min(WORTH_A_ROUND) / WORTH_A_ROUND;
        let room = latest.saturating_duration_since(self.deadline);
        self.deadline += worth.min(room);
    }
}

fn is_timeout(error: &io::Error) -> bool {
    use io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}

impl Read for PacedStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.advance(|socket| socket.read(into))
    }
}

impl Write for PacedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.advance(|socket| socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

trait RedisSocket: Read + Write + Send {
    /// For the next read or write.
    fn set_timeout(&self, timeout: Duration) -> io::Result<()>;
}

impl RedisSocket for TcpStream {
    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(timeout))?;
        self.set_write_timeout(Some(timeout))
    }
}

#[cfg(unix)]
impl RedisSocket for UnixStream {
    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(timeout))?;
        self.set_write_timeout(Some(timeout))
    }
}

fn connect(addr: &ConnectionAddr, deadline: Instant) -> io::Result<Box<dyn RedisSocket>> {
    match addr {
        ConnectionAddr::Tcp(host, port) => {
            // If this takes too long, Redis is not the slow one.
            let addresses = lookup::addresses(host, *port, deadline).map_err(io::Error::other)?;
            let stream = dial::tcp(&addresses, deadline, Ok).map_err(last)?;
            Ok(Box::new(stream))
        }
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => {
            Ok(Box::new(dial::unix(path.as_os_str(), time_left(deadline))?))
        }
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
