//! Redis and Valkey as the backplane: over a stream, or over Pub/Sub.

mod connection;
mod error;
mod place;
mod publisher;
pub(crate) mod pubsub;
mod reply;
mod stream;

use std::fmt;
use std::time::Duration;

use redis::cmd;

use super::YEAR;
use super::backplane::{Backplane, BackplaneError, Publisher, Subscriber};

use place::RedisPlace;
use publisher::RedisPublisher;
use pubsub::PubSubSubscriber;
use stream::StreamSubscriber;

/// A [`Backplane`] over a running Redis (6.2 or later) or Valkey: one stream that every node writes to and reads, or,
/// with [`pub_sub`](Redis::pub_sub), one channel.
///
/// | | Stream | Pub/Sub |
/// | --- | --- | --- |
/// | A connection breaks, Redis hangs or restarts | nothing is lost that Redis still has | what others publish meanwhile is lost, and told |
/// | A node is too slow | what was trimmed is lost, and told | Redis cuts the connection; what follows is lost, and told |
/// | Memory of Redis | [`max_len`](Redis::max_len) messages | none |
///
/// If Redis is killed without a file of appended commands (`appendonly yes`), what it held is gone. Nodes that had not
/// read it are told how much they miss.
///
/// A user with an ACL needs `+xadd +xread +xrevrange +time +multi +exec ~KEY` for the stream,
/// `+publish +subscribe +multi +exec &KEY` for Pub/Sub, `+role` behind sentinels, and `+select` with a
/// database that is not 0. Redis
/// Cluster is not supported: give the address of one Redis outside of it. TLS is not built in: run a tunnel such as
/// `stunnel` beside.
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
    place: RedisPlace,
    key: String,
    max_len: usize,
    timeout: Duration,
    mode: RedisMode,
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
    /// If that is not such an address.
    pub fn new(url: &str) -> Result<Redis, BackplaneError> {
        RedisPlace::at(url).map(Redis::over)
    }

    /// A primary with replicas, which Redis Sentinel watches: at these URLs, with their ports, and passwords where the
    /// sentinels have some. The host of the first URL is what they call the primary; its user, password and database
    /// are for Redis itself. Does not connect.
    ///
    /// The sentinels are asked before each connection, one after the other; each has its share of one
    /// [`timeout`](Redis::timeout). What one names has that time once more to be connected to. It is asked with `ROLE`,
    /// and left for what the next one names if it is no primary. After a failover the node connects to the new primary.
    /// What the old one had taken and not handed on is lost for the nodes that had not read it; they are told.
    ///
    /// ```
    /// use wshub::Redis;
    ///
    /// let sentinels = ["redis://10.0.0.1:26379", "redis://10.0.0.2:26379", "redis://10.0.0.3:26379"];
    /// let redis = Redis::with_sentinels("redis://app:secret@mymaster/0", sentinels)?;
    /// # drop(redis);
    /// # Ok::<(), wshub::BackplaneError>(())
    /// ```
    ///
    /// # Errors
    /// When one of these is no such URL, or there are no sentinels.
    pub fn with_sentinels<S: AsRef<str>>(
        url: &str,
        sentinels: impl IntoIterator<Item = S>,
    ) -> Result<Redis, BackplaneError> {
        RedisPlace::watched(url, sentinels).map(Redis::over)
    }

    fn over(place: RedisPlace) -> Redis {
        Redis {
            place,
            key: "wshub".to_owned(),
            max_len: 100_000,
            timeout: Duration::from_secs(2),
            mode: RedisMode::Stream,
        }
    }

    /// The name of the stream, or the channel. Default `wshub`. Every program with the same key on the same Redis is
    /// one cluster.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// About how many messages the stream keeps. A node may be that far behind without losing any. Redis needs their
    /// bytes, and about 100 more for each. Default 100,000: ten seconds at 10,000 a second, 20 MB if a message has 100
    /// bytes. Choose fewer if messages are large.
    ///
    /// Heartbeats count, two in each [`heartbeat`](crate::ClusterBuilder::heartbeat) from each node. They carry the
    /// names of the rooms whose members have changed, at most 8 KiB and one name each.
    #[must_use]
    pub fn max_len(mut self, messages: usize) -> Self {
        self.max_len = messages.max(1);
        self
    }

    /// How long connecting to Redis, the lookup of its name included, and each of its answers may take; an answer as
    /// long once more for each 64 KiB that it has. Default 2 s: a Redis that takes longer counts as hung, and the node
    /// connects again. At least 10 ms, at most a year.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.clamp(Duration::from_millis(10), YEAR);
        self
    }

    /// Uses Pub/Sub in place of a stream: Redis keeps nothing, and a node loses what it does not hear at once. Its own
    /// output buffer limits (`client-output-buffer-limit pubsub`, 32 MiB by default) cut off a node that is too slow.
    #[must_use]
    pub fn pub_sub(mut self) -> Self {
        self.mode = RedisMode::PubSub;
        self
    }
}

/// The two ends of a channel of Pub/Sub of this name.
pub(crate) fn channel(redis: &Redis, name: &str) -> (RedisPublisher, PubSubSubscriber) {
    let (place, timeout) = (&redis.place, redis.timeout);
    let mut publish = cmd("PUBLISH");
    publish.arg(name);
    (
        RedisPublisher::new(place.clone(), timeout, publish),
        PubSubSubscriber::new(place.clone(), timeout, name.to_owned()),
    )
}

impl Backplane for Redis {
    fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>) {
        match self.mode {
            RedisMode::Stream => {
                let append = stream::append(&self.key, self.max_len);
                let publisher = RedisPublisher::new(self.place.clone(), self.timeout, append);
                let subscriber = StreamSubscriber::new(self.place, self.timeout, self.key);
                (Box::new(publisher), Box::new(subscriber))
            }
            RedisMode::PubSub => {
                let (publisher, subscriber) = channel(&self, &self.key);
                (Box::new(publisher), Box::new(subscriber))
            }
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
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
