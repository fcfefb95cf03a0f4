//! Redis and Valkey as the backplane: over a stream, or over Pub/Sub.

mod error;
mod link;
pub(crate) mod pubsub;
mod stream;

use std::fmt;
use std::time::Duration;

use redis::IntoConnectionInfo;

use super::backplane::{Backplane, BackplaneError, Publisher, Subscriber};

use link::RedisLink;
use pubsub::{Announcer, Hearer};
use stream::{StreamReader, Writer};

/// A [`Backplane`] over a running Redis (6.2 or later) or Valkey: one stream that every node writes to and reads, or,
/// with [`pub_sub`](Redis::pub_sub), one channel.
///
/// | | Stream | Pub/Sub |
/// | --- | --- | --- |
/// | A connection breaks, Redis hangs or restarts | nothing is lost that Redis still has | what others publish meanwhile is lost, and told |
/// | A node is too slow | what was trimmed is lost, and told | Redis cuts the connection; what follows is lost, and told |
/// | Memory of Redis | [`max_len`](Redis::max_len) messages | none |
///
/// What Redis holds when it is killed without a file of appended commands (`appendonly yes`) is gone: those who had not
/// read it are told how much.
///
/// A user with an ACL needs `+xadd +xread +xrevrange +time +multi +exec ~KEY` for the stream,
/// `+publish +subscribe +unsubscribe +punsubscribe +multi +exec &KEY` for Pub/Sub. Redis Cluster is not supported: give
/// the address of one Redis outside of it. TLS is not built in: run a tunnel such as `stunnel` beside.
///
/// ```
/// use wshub::Redis;
///
/// let redis = Redis::new("redis://app:secret@10.0.0.5:6379/0")?.key("chat").max_len(50_000);
/// # drop(redis);
/// # Ok::<(), wshub::BackplaneError>(())
/// ```
///
/// The guide: [clusters](crate::guide::cluster).
pub struct Redis {
    client: redis::Client,
    key: String,
    max_len: usize,
    timeout: Duration,
    carrier: RedisMode,
}

#[derive(Clone, Copy, Debug)]
enum RedisMode {
    Stream,
    PubSub,
}

impl Redis {
    /// The Redis at `redis://[user][:password]@host[:port][/database]`, or `unix:///path/to/redis.sock`. Does not
    /// connect.
    ///
    /// # Errors
    /// When that is no such address.
    pub fn new(url: &str) -> Result<Redis, BackplaneError> {
        // The error does not repeat the address, which may hold a password.
        let client = client(url)
            .map_err(|error| BackplaneError::new(format!("not the URL of a Redis: {error}")))?;
        Ok(Redis {
            client,
            key: "wshub".to_owned(),
            max_len: 100_000,
            timeout: Duration::from_secs(2),
            carrier: RedisMode::Stream,
        })
    }

    /// The name of the stream, or the channel. Default `wshub`. Every program with the same key on the same Redis is
    /// one cluster.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// About how many messages the stream keeps: so far behind a node may be without losing any. Redis needs their
    /// bytes, and about 100 more each. Default 100,000: ten seconds of 10,000 a second, in 20 MB where a message has
    /// 100 bytes. Choose fewer where messages are large.
    #[must_use]
    pub fn max_len(mut self, messages: usize) -> Self {
        self.max_len = messages.max(1);
        self
    }

    /// How long connecting to Redis, and each of its answers, may take. Default 2 s: a Redis that takes longer counts
    /// as hung, and is connected to again. At least 10 ms.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(Duration::from_millis(10));
        self
    }

    /// Over Pub/Sub in place of a stream: Redis keeps nothing, and what a node does not hear at once it has lost. Its
    /// own output buffer limits (`client-output-buffer-limit pubsub`, 32 MiB by default) cut off a node that is too
    /// slow.
    #[must_use]
    pub fn pub_sub(mut self) -> Self {
        self.carrier = RedisMode::PubSub;
        self
    }
}

/// The two ends of a channel of Pub/Sub of this name, for what is no backplane.
#[cfg(feature = "socketio")]
pub(crate) fn channel(redis: &Redis, name: &str) -> (Announcer, Hearer) {
    let link = || RedisLink::new(redis.client.clone(), redis.timeout);
    (
        Announcer::new(link(), name.to_owned()),
        Hearer::new(link(), name.to_owned()),
    )
}

fn client(url: &str) -> redis::RedisResult<redis::Client> {
    let info = url.into_connection_info()?;
    // To name the library takes answers, and each one a timeout where Redis hangs.
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    redis::Client::open(info.set_redis_settings(settings))
}

impl Backplane for Redis {
    fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>) {
        let link = || RedisLink::new(self.client.clone(), self.timeout);
        match self.carrier {
            RedisMode::Stream => (
                Box::new(Writer::new(link(), self.key.clone(), self.max_len)),
                Box::new(StreamReader::new(link(), self.key)),
            ),
            RedisMode::PubSub => (
                Box::new(Announcer::new(link(), self.key.clone())),
                Box::new(Hearer::new(link(), self.key)),
            ),
        }
    }
}

/// Without the address, which may hold a password.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("key", &self.key)
            .field("max_len", &self.max_len)
            .field("timeout", &self.timeout)
            .field("carrier", &self.carrier)
            .finish_non_exhaustive()
    }
}
