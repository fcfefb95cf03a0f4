use redis::ServerError;

use super::*;

fn said(line: &str) -> String {
    let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
    let error: ServerError = match value {
        redis::Value::ServerError(error) => error,
        other => panic!("{other:?}"),
    };
    explain(&error.into()).to_string()
}

#[test]
fn each_refusal_says_what_to_do() {
    for (line, remedy) in [
        ("LOADING Redis is loading the dataset in memory", "wait"),
        (
            "OOM command not allowed when used memory > 'maxmemory'.",
            "maxmemory",
        ),
        ("MISCONF Redis is configured to save RDB snapshots", "disk"),
        ("NOAUTH Authentication required.", "redis://:PASSWORD@HOST"),
        ("WRONGPASS invalid username-password pair", "ACL LIST"),
        (
            "NOPERM this user has no permissions to run the 'xadd' command",
            "rights",
        ),
        (
            "READONLY You can't write against a read only replica.",
            "primary",
        ),
        ("MOVED 3999 127.0.0.1:6381", "not supported"),
        ("CLUSTERDOWN The cluster is down", "not supported"),
        ("WRONGTYPE Operation against a key", "Redis::key"),
        (
            "UNBLOCKED force unblock from blocking operation, instance state changed",
            "replica",
        ),
        ("MASTERDOWN Link with MASTER is down", "primary"),
    ] {
        let text = said(line);
        assert!(text.contains(remedy), "{line}: {text}");
    }
    assert!(said("ERR something else").contains("something else"));
}
