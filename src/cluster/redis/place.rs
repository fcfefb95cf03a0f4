//! Where Redis is: at an address, or where its sentinels say, which are asked anew for each connection.

use std::time::{Duration, Instant};

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisResult, Value, cmd};

use super::connection::{RedisConnection, time_left};
use super::error::{as_told, explain};
use crate::cluster::backplane::BackplaneError;

#[derive(Clone)]
pub(crate) enum RedisPlace {
    At(ConnectionInfo),
    Watched(Sentinels),
}

/// The sentinels that watch a primary and its replicas.
#[derive(Clone)]
pub(crate) struct Sentinels {
    /// What they call the primary.
    name: String,
    /// The primary's user, password and database, at no address of its own.
    primary: ConnectionInfo,
    /// The one that knew an answer last is the first.
    sentinels: Vec<ConnectionInfo>,
}

impl RedisPlace {
    /// The URL names a host.
    pub fn at(url: &str) -> Result<RedisPlace, BackplaneError> {
        parse(url).map(RedisPlace::At)
    }

    /// The host of the URL is what the sentinels call the primary.
    pub fn watched<S: AsRef<str>>(
        url: &str,
        sentinels: impl IntoIterator<Item = S>,
    ) -> Result<RedisPlace, BackplaneError> {
        let primary = parse(url)?;
        let ConnectionAddr::Tcp(name, _) = primary.addr() else {
            let text = "the URL has no host, which is what the sentinels call the primary";
            return Err(BackplaneError::new(text));
        };
        let name = name.clone();
        let sentinels = sentinels.into_iter().map(|url| parse(url.as_ref()));
        let sentinels: Vec<ConnectionInfo> = sentinels.collect::<Result<_, _>>()?;
        if sentinels.is_empty() {
            return Err(BackplaneError::new("there are no sentinels to ask"));
        }
        Ok(RedisPlace::Watched(Sentinels {
            name,
            primary,
            sentinels,
        }))
    }

    /// A connection whose answers have at most so many bytes. Where there are sentinels, all of them together have this
    /// time, and then each Redis that they name.
    pub fn connect(&mut self, timeout: Duration, longest: usize) -> RedisResult<RedisConnection> {
        let connection = match self {
            RedisPlace::At(info) => RedisConnection::open(info, Instant::now() + timeout),
            RedisPlace::Watched(sentinels) => sentinels.connect(timeout),
        };
        Ok(connection?.allow(longest))
    }
}

fn parse(url: &str) -> Result<ConnectionInfo, BackplaneError> {
    // The error does not repeat the address, which may hold a password.
    url.into_connection_info().map_err(|_| {
        BackplaneError::new(
            "not the URL of a Redis; write redis://HOST:PORT/, with a password redis://:PASSWORD@HOST:PORT/, or \
             unix:///path/to/redis.sock",
        )
    })
}

/// A replica takes what is published, and hands it to its own subscribers alone.
fn is_primary(connection: &mut RedisConnection, deadline: Instant) -> RedisResult<bool> {
    let role: Vec<Value> = connection.query(&cmd("ROLE"), time_left(deadline))?;
    Ok(matches!(role.first(), Some(Value::BulkString(role)) if role == b"master"))
}

impl Sentinels {
    /// The primary, as the first sentinel says that knows it. One that was cut off may still name the old one.
    fn connect(&mut self, timeout: Duration) -> RedisResult<RedisConnection> {
        let each = timeout / u32::try_from(self.sentinels.len()).unwrap_or(u32::MAX);
        let mut tried = Vec::new();
        let mut no_answer = String::new();
        let mut no_primary = None;
        for (at, sentinel) in self.sentinels.iter().enumerate() {
            let addr = match self.ask(sentinel, Instant::now() + each) {
                Ok(Some((host, port))) => ConnectionAddr::Tcp(host, port),
                Ok(None) => {
                    "it watches none of this name".clone_into(&mut no_answer);
                    continue;
                }
                Err(error) => {
                    no_answer = explain(&error).to_string();
                    continue;
                }
            };
            if tried.contains(&addr) {
                continue;
            }
            match self.connect_to(&addr, Instant::now() + timeout) {
                Ok(primary) => {
                    self.sentinels.swap(0, at);
                    return Ok(primary);
                }
                Err(error) => no_primary = Some(error),
            }
            tried.push(addr);
        }
        Err(no_primary.unwrap_or_else(|| {
            let name = &self.name;
            as_told(format!(
                "no sentinel tells where the primary {name:?} is; the last one that was asked: {no_answer}"
            ))
        }))
    }

    /// Connects to what a sentinel calls the primary.
    fn connect_to(&self, addr: &ConnectionAddr, deadline: Instant) -> RedisResult<RedisConnection> {
        let info = self.primary.clone().set_addr(addr.clone());
        let mut connection = RedisConnection::open(&info, deadline)?;
        match is_primary(&mut connection, deadline)? {
            true => Ok(connection),
            false => Err(as_told(format!(
                "the sentinels name {addr} as the primary {:?}, and it is a replica: wait for the failover to end",
                self.name
            ))),
        }
    }

    fn ask(
        &self,
        sentinel: &ConnectionInfo,
        deadline: Instant,
    ) -> RedisResult<Option<(String, u16)>> {
        let mut ask = cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        RedisConnection::open(sentinel, deadline)?.query(&ask, time_left(deadline))
    }
}

#[cfg(test)]
mod tests;
