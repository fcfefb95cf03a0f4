//! A primary with a replica, and the sentinels that watch them: what fails over is found again, also under load.

use crate::load::Load;
use crate::server::RedisServer;
use crate::sleep;
use crate::support::cluster::Node;
use crate::support::wait_until;
use wshub::Redis;

struct Watched {
    servers: [RedisServer; 2],
    sentinels: [RedisServer; 3],
}

impl Watched {
    /// The first of the servers is the primary.
    fn start() -> Watched {
        let primary = RedisServer::start(&[]);
        let replica = RedisServer::start(&["--replicaof", &format!("127.0.0.1 {}", primary.port)]);
        wait_until("the replica follows", || {
            replica.says("INFO replication", "master_link_status:up")
        });
        let sentinels = [(); 3].map(|()| RedisServer::sentinel(primary.port));
        let know_all =
            |sentinel: &RedisServer| sentinel.says("INFO sentinel", "slaves=1,sentinels=3");
        wait_until("the sentinels know each other and the replica", || {
            sentinels.iter().all(know_all)
        });
        Watched {
            servers: [primary, replica],
            sentinels,
        }
    }

    fn sentinels(&self) -> Vec<String> {
        let url = |port| format!("redis://127.0.0.1:{port}");
        // One that is not there, first.
        let ports = self.sentinels.iter().map(|sentinel| sentinel.port);
        [1].into_iter().chain(ports).map(url).collect()
    }

    fn redis(&self) -> Redis {
        Redis::with_sentinels("redis://mymaster", self.sentinels()).unwrap()
    }

    /// Until this one is the primary.
    fn wait_for(&self, at: usize) {
        wait_until("the other one is the primary", || {
            self.servers[at].says("INFO replication", "role:master")
        });
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_primary_that_is_killed_fails_over_to_its_replica_and_back() {
    let mut watched = Watched::start();
    let redis = [watched.redis(), watched.redis()];
    let load = Load::over(redis);
    load.wait_for_both();
    load.run(|load| {
        watched.servers[0].kill();
        load.wait_for_reason("");
        load.wait_until_attached();
        watched.wait_for(1);
        // The old one comes back as a replica of the new, and then takes over again: both live meanwhile.
        watched.servers[0].restart();
        wait_until("the old one follows", || {
            // A primary has no such link.
            watched.servers[0].says("INFO replication", "master_link_status:up")
        });
        wait_until("a failover is taken", || {
            watched.sentinels[0].says("SENTINEL FAILOVER mymaster", "+OK")
        });
        watched.wait_for(0);
        sleep(1000);
        load.wait_until_attached();
    });
}

/// The hung one still takes itself for the primary when it goes on, until the sentinels see it.
#[test]
#[ignore = "needs redis-server"]
fn a_primary_that_hangs_is_left_for_its_replica() {
    let watched = Watched::start();
    let load = Load::attached(|| watched.redis());
    load.run(|load| {
        watched.servers[0].stop();
        load.wait_for_reason("");
        watched.wait_for(1);
        load.wait_until_attached();
        sleep(500);
        watched.servers[0].resume();
        sleep(1000);
        load.wait_until_attached();
    });
}

/// Over Pub/Sub too, which keeps nothing: what is missing is told.
#[test]
#[ignore = "needs redis-server"]
fn a_primary_of_pub_sub_that_is_killed_fails_over() {
    let mut watched = Watched::start();
    let load = Load::attached(|| watched.redis().pub_sub());
    load.run(|load| {
        watched.servers[0].kill();
        load.wait_for_reason("");
        load.wait_until_attached();
    });
}

#[test]
#[ignore = "needs redis-server"]
fn sentinels_that_are_away_or_watch_something_else_are_named() {
    let none = ["redis://127.0.0.1:1", "redis://127.0.0.1:2"];
    let nowhere = Redis::with_sentinels("redis://:secret@mymaster", none).unwrap();
    let reason = Node::join(nowhere).detached();
    assert!(
        reason.contains("\"mymaster\"") && reason.contains("is it running"),
        "{reason}"
    );
    assert!(!reason.contains("secret"), "{reason}");
    let primary = RedisServer::start(&[]);
    let sentinel = RedisServer::sentinel(primary.port);
    let url = format!("redis://127.0.0.1:{}", sentinel.port);
    let other = Redis::with_sentinels("redis://other", [&url]).unwrap();
    let reason = Node::join(other).detached();
    assert!(
        reason.contains("\"other\"") && reason.contains("watches none of this name"),
        "{reason}"
    );
    Node::join(Redis::with_sentinels("redis://mymaster", [&url]).unwrap()).attached();
}

/// As one that was cut off during a failover: it calls a replica the primary. What is published there reaches nobody.
#[test]
#[ignore = "needs redis-server"]
fn a_sentinel_that_names_a_replica_is_passed_over() {
    let primary = RedisServer::start(&[]);
    let replica = RedisServer::start(&["--replicaof", &format!("127.0.0.1 {}", primary.port)]);
    wait_until("the replica follows", || {
        replica.says("INFO replication", "master_link_status:up")
    });
    for server in [&primary, &replica] {
        server.set(
            "ACL SETUSER app on >secret ~wshub &wshub +xadd +xread +xrevrange +time +multi +exec \
             +publish +subscribe +role",
        );
    }
    let [wrong, right] = [&replica, &primary].map(|server| RedisServer::sentinel(server.port));
    let urls = [&wrong, &right].map(|sentinel| format!("redis://127.0.0.1:{}", sentinel.port));
    for pub_sub in [false, true] {
        let over = |redis: Redis| match pub_sub {
            true => redis.pub_sub(),
            false => redis,
        };
        let url = "redis://app:secret@mymaster";
        let watched = |urls: &[String]| Redis::with_sentinels(url, urls).unwrap();
        let one = Node::join(over(watched(&urls)));
        let two = Node::join(over(primary.redis()));
        one.joined(&two);
        two.joined(&one);
        let reason = Node::join(over(watched(&urls[..1]))).detached();
        assert!(
            reason.contains("\"mymaster\"") && reason.contains("is a replica"),
            "{reason}"
        );
    }
}
