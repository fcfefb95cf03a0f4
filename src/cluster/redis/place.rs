//! Where Redis is: at an address, or where its sentinels say, which are asked anew for each connection.

use std::time::Duration;

use redis::{
    Client, Connection, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError, RedisResult,
    Value, cmd,
};

use super::error::explain;
use crate::cluster::backplane::BackplaneError;

#[derive(Clone)]
pub(crate) enum RedisPlace {
    At(Client),
    Watched(Sentinels),
}

/// The sentinels that watch a primary and its replicas.
#[derive(Clone)]
pub(crate) struct Sentinels {
    /// What they call the primary.
    name: String,
    /// The primary's user, password and database, at no address of its own.
    primary: Client,
    /// The one that knew an answer last is the first.
    sentinels: Vec<Client>,
}

impl RedisPlace {
    /// The URL names a host.
    pub fn at(url: &str) -> Result<RedisPlace, BackplaneError> {
        client(url).map(RedisPlace::At)
    }

    /// The host of the URL is what the sentinels call the primary.
    pub fn watched<S: AsRef<str>>(
        url: &str,
        sentinels: impl IntoIterator<Item = S>,
    ) -> Result<RedisPlace, BackplaneError> {
        let primary = client(url)?;
        let ConnectionAddr::Tcp(name, _) = primary.get_connection_info().addr() else {
            let text = "the URL has no host, which is what the sentinels call the primary";
            return Err(BackplaneError::new(text));
        };
        let name = name.clone();
        let sentinels = sentinels.into_iter().map(|url| client(url.as_ref()));
        let sentinels: Vec<Client> = sentinels.collect::<Result<_, _>>()?;
        if sentinels.is_empty() {
            return Err(BackplaneError::new("there are no sentinels to ask"));
        }
        Ok(RedisPlace::Watched(Sentinels {
            name,
            primary,
            sentinels,
        }))
    }

    /// A connection on which every answer comes within the timeout, and where it leads: the sentinels together have
    /// this time, and then each Redis that they name.
    pub fn connect(&mut self, timeout: Duration) -> RedisResult<(Connection, ConnectionAddr)> {
        let (client, connection) = match self {
            RedisPlace::At(client) => (client.clone(), connect(client, timeout)?),
            RedisPlace::Watched(sentinels) => sentinels.connect(timeout)?,
        };
        Ok((connection, client.get_connection_info().addr().clone()))
    }
}

fn client(url: &str) -> Result<Client, BackplaneError> {
    let open = || {
        let info = url.into_connection_info()?;
        // To name the library takes answers, and each one a timeout where Redis hangs.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        Client::open(info.set_redis_settings(settings))
    };
    // The error does not repeat the address, which may hold a password.
    open().map_err(|_| {
        BackplaneError::new(
            "not the URL of a Redis; write redis://HOST:PORT/, with a password redis://:PASSWORD@HOST:PORT/, or \
             unix:///path/to/redis.sock",
        )
    })
}

fn connect(client: &Client, timeout: Duration) -> RedisResult<Connection> {
    let connection = client.get_connection_with_timeout(timeout)?;
    connection.set_write_timeout(Some(timeout))?;
    connection.set_read_timeout(Some(timeout))?;
    Ok(connection)
}

/// A replica takes what is published, and hands it to its own subscribers alone.
fn is_primary(connection: &mut Connection) -> RedisResult<bool> {
    let role: Vec<Value> = cmd("ROLE").query(connection)?;
    Ok(matches!(role.first(), Some(Value::BulkString(role)) if role == b"master"))
}

impl Sentinels {
    /// The primary, as the first sentinel says that knows it. One that was cut off may still name the old one.
    fn connect(&mut self, timeout: Duration) -> RedisResult<(Client, Connection)> {
        let each = timeout / u32::try_from(self.sentinels.len()).unwrap_or(u32::MAX);
        let mut tried = Vec::new();
        let mut no_answer = String::new();
        let mut no_primary = None;
        for at in 0..self.sentinels.len() {
            let addr = match self.ask(at, each.max(Duration::from_millis(10))) {
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
            match self.connect_to(&addr, timeout) {
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
            not_found(format!(
                "no sentinel tells where the primary {name:?} is; the last one that was asked: {no_answer}"
            ))
        }))
    }

    /// Connects to what a sentinel calls the primary.
    fn connect_to(
        &self,
        addr: &ConnectionAddr,
        timeout: Duration,
    ) -> RedisResult<(Client, Connection)> {
        let info = self.primary.get_connection_info().clone();
        let client = Client::open(info.set_addr(addr.clone()))?;
        let mut connection = connect(&client, timeout)?;
        match is_primary(&mut connection)? {
            true => Ok((client, connection)),
            false => Err(not_found(format!(
                "the sentinels name {addr} as the primary {:?}, and it is a replica: wait for the failover to end",
                self.name
            ))),
        }
    }

    fn ask(&self, at: usize, timeout: Duration) -> RedisResult<Option<(String, u16)>> {
        let Some(sentinel) = self.sentinels.get(at) else {
            return Ok(None);
        };
        let mut ask = cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        ask.query(&mut connect(sentinel, timeout)?)
    }
}

/// The text is what the node is told.
fn not_found(text: String) -> RedisError {
    let kind = ErrorKind::MasterNameNotFoundBySentinel;
    RedisError::from((kind, "no primary", text))
}
