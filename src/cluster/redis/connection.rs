//! A connection to Redis whose answers have bounds: each comes within a time, and takes at most a few times so much
//! memory.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use redis::{
    Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, RedisConnectionInfo, RedisResult, Value,
    cmd, from_redis_value,
};

use super::reply::ReplyReader;

/// What is read at once.
const BUFFER: usize = 64 << 10;
/// So many bytes are worth the time of an answer once more.
const WORTH_A_ROUND: u32 = 64 << 10;
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
    /// Connects within this time, but for the lookup of its name, and tells user, password and database.
    pub fn open(info: &ConnectionInfo, timeout: Duration, longest: usize) -> RedisResult<Self> {
        let socket = connect(info.addr(), Instant::now() + timeout)?;
        let mut connection = RedisConnection::over(info.addr().clone(), socket, longest);
        connection.introduce(info.redis_settings(), timeout)?;
        Ok(connection)
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

    fn introduce(&mut self, who: &RedisConnectionInfo, timeout: Duration) -> RedisResult<()> {
        if let Some(password) = who.password() {
            let mut auth = cmd("AUTH");
            auth.arg(who.username()).arg(password);
            self.query::<Value>(&auth, timeout)?;
        }
        if who.db() != 0 {
            self.query::<Value>(cmd("SELECT").arg(who.db()), timeout)?;
        }
        Ok(())
    }

    /// The answer to a command, which comes within this time.
    pub fn query<T: FromRedisValue>(&mut self, command: &Cmd, within: Duration) -> RedisResult<T> {
        self.send(&command.get_packed_command(), within)?;
        Ok(from_redis_value(self.answer()?.extract_error()?)?)
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
            let left = self.deadline.saturating_duration_since(Instant::now());
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
        ConnectionAddr::Tcp(host, port) => Ok(Box::new(dial(host, *port, deadline)?)),
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => Ok(Box::new(UnixStream::connect(path)?)),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// The first address of the host that answers. Those that are left share what is left of the time.
fn dial(host: &str, port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let addresses: Vec<_> = (host, port).to_socket_addrs()?.collect();
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for (left, address) in (1..=addresses.len() as u32).rev().zip(&addresses) {
        let time = deadline.saturating_duration_since(Instant::now()) / left;
        match TcpStream::connect_timeout(address, time.max(SHORTEST)) {
            // Where nobody listens on a port of this machine, a stream may get that port, and connect to itself.
            Ok(stream) if stream.local_addr().ok() == Some(*address) => {
                failure = io::ErrorKind::ConnectionRefused.into();
            }
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests;
