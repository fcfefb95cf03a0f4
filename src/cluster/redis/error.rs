//! What Redis says when it does not do as asked, and what to do then.

use redis::{ErrorKind, RedisError};

use crate::cluster::backplane::BackplaneError;

/// What the codes of errors ask for.
const REMEDIES: &[(&str, &str)] = &[
    (
        "LOADING",
        "it is still loading its data: nothing to do but wait",
    ),
    (
        "OOM",
        "it is out of memory: raise `maxmemory`, or lower Redis::max_len on every node",
    ),
    (
        "MISCONF",
        "it cannot write its snapshot, and so takes no writes: see to its disk, or set `stop-writes-on-bgsave-error no`",
    ),
    (
        "NOAUTH",
        "it wants a password: redis://:PASSWORD@HOST, or redis://USER:PASSWORD@HOST",
    ),
    (
        "WRONGPASS",
        "the user or the password is wrong: see the URL, and `requirepass` or `ACL LIST` there",
    ),
    (
        "NOPERM",
        "the user may not do this: the documentation of wshub::Redis has the rights that it needs",
    ),
    ("READONLY", "it is a replica: connect to the primary"),
    (
        "UNBLOCKED",
        "it has become a replica: connect to the primary, unless it becomes one again",
    ),
    (
        "MASTERDOWN",
        "it is a replica that has lost its primary: connect to the primary",
    ),
    (
        "MOVED",
        "it is a node of a Redis Cluster, which is not supported: connect to a Redis outside of one",
    ),
    (
        "CLUSTERDOWN",
        "it is a node of a Redis Cluster, which is not supported: connect to a Redis outside of one",
    ),
    (
        "WRONGTYPE",
        "the key is used for something else: give the cluster another with Redis::key",
    ),
    (
        "NOREPLICAS",
        "too few replicas are there for `min-replicas-to-write`: start them, or lower it",
    ),
    (
        "BUSY",
        "a script runs there for too long: `SCRIPT KILL` ends it",
    ),
];

/// Of errors that are not the library's.
const AS_TOLD: ErrorKind = ErrorKind::Client;

/// An error that the node is told in these words.
pub(crate) fn as_told(text: String) -> RedisError {
    RedisError::from((AS_TOLD, "no Redis to use", text))
}

/// The error in words: what is wrong, and what to do.
pub(crate) fn explain(error: &RedisError) -> BackplaneError {
    let (code, detail) = (error.code(), error.detail());
    if let Some((code, remedy)) = code.and_then(remedy) {
        let detail = detail.map_or_else(String::new, |detail| format!(" ({detail})"));
        return BackplaneError::new(format!("Redis answers {code}: {remedy}{detail}"));
    }
    BackplaneError::new(match error.kind() {
        AS_TOLD => detail.unwrap_or_default().to_owned(),
        ErrorKind::Io if error.is_timeout() => {
            "Redis does not answer in time: it hangs, or the network between; see Redis::timeout"
                .to_owned()
        }
        ErrorKind::Io => format!("no connection to Redis: {error}; is it running at this address?"),
        ErrorKind::Parse => "what answers there is no Redis; check host and port".to_owned(),
        _ => format!("Redis: {error}"),
    })
}

fn remedy(code: &str) -> Option<(&'static str, &'static str)> {
    REMEDIES.iter().find(|(known, _)| *known == code).copied()
}

#[cfg(test)]
mod tests;
