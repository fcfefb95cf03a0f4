//! A cluster over a real Redis that is killed, hung, filled and misused under load. The tests start their own
//! redis-server: `apt-get install redis-server`, then `cargo test --all-features --test redis -- --ignored`.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "socketio")]
mod bridge;
mod load;
mod proxy;
mod sentinel;
mod server;
#[cfg(feature = "socketio")]
mod socketio;

use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use load::Load;
use proxy::Proxy;
use server::{RedisServer, redis_at};
use support::child::{Child, asked, in_child, tell};
use support::cluster::{HEARTBEAT, Node};
use support::{PATIENCE, wait_until};
use wshub::{CatchUpError, Cluster, ClusterEvent, Redis, Room, Server};

fn sleep(millis: u64) {
    thread::sleep(Duration::from_millis(millis));
}

#[test]
#[ignore = "needs redis-server"]
fn without_a_fault_nothing_is_missing() {
    let server = RedisServer::start(&[]);
    for pub_sub in [false, true] {
        let load = Load::new(|| match pub_sub {
            true => server.redis().pub_sub(),
            false => server.redis(),
        });
        load.wait_for_both();
        assert_eq!(load.run(|_| sleep(1000)), 0);
    }
}

/// As many at once as wait at most: more than is published in one go, and than is read in one.
#[test]
#[ignore = "needs redis-server"]
fn a_burst_comes_whole_and_in_order() {
    const COUNT: u64 = 65_536;
    let server = RedisServer::start(&[]);
    for pub_sub in [false, true] {
        let (one, two) = two_over(&server, pub_sub);
        let begun = Instant::now();
        for number in 0..COUNT {
            let message = format!("{number:0100}");
            one.cluster.send(None, message).unwrap();
        }
        let mut next = 0;
        while next < COUNT {
            two.event(|event| match event {
                ClusterEvent::Message { message, .. } => {
                    let number: u64 = message.as_text().unwrap().parse().unwrap();
                    assert_eq!(number, next);
                    next += 1;
                    Some(())
                }
                // The application was too slow for what waits for it.
                ClusterEvent::Gap { missing, .. } => {
                    next += missing;
                    Some(())
                }
                ClusterEvent::Unsent { .. } | ClusterEvent::Detached { .. } => panic!("{event:?}"),
                _ => None,
            });
        }
        println!(
            "{:.0} messages/s",
            COUNT as f64 / begun.elapsed().as_secs_f64()
        );
    }
}

/// What was sent before a server joined is not for it, be it only just before.
#[test]
#[ignore = "needs redis-server"]
fn a_server_that_joins_hears_only_what_is_sent_from_then_on() {
    let server = RedisServer::start(&[]);
    let one = Node::join(server.redis());
    one.attached();
    for number in 0..5 {
        one.cluster.send(None, format!("old {number}")).unwrap();
        wait_until("it is published", || one.cluster.waiting() == 0);
        // The clock of a stream counts milliseconds.
        sleep(20);
        let two = Node::join(server.redis());
        two.attached();
        one.cluster.send(None, format!("new {number}")).unwrap();
        let first = two.event(|event| match event {
            ClusterEvent::Message { message, .. } => Some(message.clone()),
            _ => None,
        });
        assert_eq!(first.as_text(), Some(&*format!("new {number}")));
    }
}

/// A stream that lost its newest entries is read again, but not from before the server joined.
#[test]
#[ignore = "needs redis-server"]
fn a_stream_that_loses_its_end_is_not_read_from_before_the_join() {
    let server = RedisServer::start(&[]);
    let before = Node::join(server.redis());
    before.attached();
    before.cluster.send(None, "old").unwrap();
    drop(before);
    // The clock of a stream counts milliseconds.
    sleep(20);
    let node = Node::join(server.redis());
    node.attached();
    let entries = || server.ask("XLEN wshub");
    let joined = entries();
    wait_until("it has read heartbeats", || entries() != joined);
    sleep(500);
    // In one go: nothing is added between.
    server.set(
        "EVAL \"for _, e in ipairs(redis.call('XREVRANGE', 'wshub', '+', '-', 'COUNT', 2)) do \
         redis.call('XDEL', 'wshub', e[1]) end\" 0\r\nCLIENT KILL TYPE normal SKIPME yes",
    );
    node.detached();
    let mut joined = Vec::new();
    let mut wait_for = |wanted: fn(&ClusterEvent) -> bool| {
        node.event(|event| {
            if let ClusterEvent::NodeJoined(node) = event {
                joined.push(*node);
            }
            wanted(event).then(|| event.clone())
        })
    };
    wait_for(|event| *event == ClusterEvent::Attached);
    let other = Node::join(server.redis());
    other.joined(&node);
    other.cluster.send(None, "new").unwrap();
    let first = wait_for(|event| matches!(event, ClusterEvent::Message { .. }));
    assert!(matches!(first, ClusterEvent::Message { message, .. } if message == "new".into()));
    assert_eq!(joined, [other.cluster.id()]);
}

fn two_over(server: &RedisServer, pub_sub: bool) -> (Node, Node) {
    // However busy the machine is, they are not taken for cut off.
    let redis = || match pub_sub {
        true => server.redis().timeout(PATIENCE).pub_sub().key("burst"),
        false => server.redis().timeout(PATIENCE),
    };
    let (one, two) = (Node::join(redis()), Node::join(redis()));
    wait_until("they know each other", || {
        one.cluster.nodes().len() == 2 && two.cluster.nodes().len() == 2
    });
    (one, two)
}

/// Until all is as before.
fn kill_for_a_second(server: &mut RedisServer, load: &Load) {
    server.kill();
    load.wait_for_reason("");
    sleep(1000);
    server.restart();
    load.wait_until_attached();
    sleep(300);
}

/// Killed twice under load, for a second each.
fn killed(settings: &[&str]) -> u64 {
    let mut server = RedisServer::start(settings);
    let load = Load::attached(|| server.redis());
    load.run(|load| {
        for _ in 0..2 {
            kill_for_a_second(&mut server, load);
        }
    })
}

/// What Redis had and nobody had read is gone with it, and told.
#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_is_killed_without_a_file() {
    killed(&[]);
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_is_killed_with_a_file_that_is_written_each_second() {
    killed(&["--appendonly", "yes", "--appendfsync", "everysec"]);
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_is_killed_with_a_file_that_is_always_written() {
    let missing = killed(&["--appendonly", "yes", "--appendfsync", "always"]);
    assert_eq!(missing, 0);
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_hangs_for_six_seconds() {
    let server = RedisServer::start(&[]);
    let load = Load::attached(|| server.redis());
    let missing = load.run(|load| {
        server.stop();
        load.wait_for_reason("does not answer in time");
        sleep(4000);
        server.resume();
        load.wait_until_attached();
    });
    assert_eq!(missing, 0);
}

#[test]
#[ignore = "needs redis-server"]
fn connections_that_are_killed() {
    let server = RedisServer::start(&[]);
    let load = Load::attached(|| server.redis());
    let missing = load.run(|_| {
        for _ in 0..10 {
            server.set("CLIENT KILL TYPE normal SKIPME yes");
            sleep(150);
        }
    });
    assert_eq!(missing, 0);
}

#[test]
#[ignore = "needs redis-server"]
fn connections_of_pub_sub_that_are_killed() {
    let server = RedisServer::start(&[]);
    let load = Load::attached(|| server.redis().pub_sub());
    load.run(|_| {
        for _ in 0..5 {
            server.set("CLIENT KILL TYPE pubsub SKIPME yes");
            sleep(150);
            server.set("CLIENT KILL TYPE normal SKIPME yes");
            sleep(150);
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_with_pub_sub_that_is_killed_and_then_hangs() {
    let mut server = RedisServer::start(&[]);
    let load = Load::attached(|| server.redis().pub_sub());
    load.run(|load| {
        kill_for_a_second(&mut server, load);
        server.stop();
        load.wait_for_reason("does not answer in time");
        sleep(2000);
        server.resume();
        load.wait_until_attached();
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_is_absent_at_the_start() {
    let mut server = RedisServer::absent(&[]);
    let load = Load::new(|| server.redis());
    let missing = load.run(|load| {
        load.wait_for_reason("is it running");
        sleep(1000);
        server.restart();
        load.wait_until_attached();
    });
    assert_eq!(missing, 0);
}

#[test]
#[ignore = "needs redis-server"]
fn a_password_that_is_wrong() {
    let server = RedisServer::start(&["--requirepass", "secret"]);
    for (url, words) in [
        (
            format!("redis://127.0.0.1:{}", server.port),
            "wants a password",
        ),
        (
            format!("redis://:wrong@127.0.0.1:{}", server.port),
            "password",
        ),
        (
            format!("redis://nobody:secret@127.0.0.1:{}", server.port),
            "password",
        ),
    ] {
        let reason = Node::join(Redis::new(&url).unwrap()).detached();
        assert!(reason.contains(words), "{url}: {reason}");
        assert!(
            !reason.contains("wrong@") && !reason.contains("secret"),
            "{reason}"
        );
    }
    let url = format!("redis://:secret@127.0.0.1:{}", server.port);
    Node::join(Redis::new(&url).unwrap()).attached();
}

#[test]
#[ignore = "needs redis-server"]
fn a_user_without_rights() {
    let server = RedisServer::start(&[]);
    server.set("ACL SETUSER app on >secret ~other +ping");
    let url = format!("redis://app:secret@127.0.0.1:{}", server.port);
    let node = Node::join(Redis::new(&url).unwrap());
    let reason = node.detached();
    assert!(
        reason.contains("NOPERM") && reason.contains("rights"),
        "{reason}"
    );
    // To read is not enough, and what is documented is.
    server.set("ACL SETUSER app resetkeys ~wshub +xread +xrevrange +time");
    sleep(1000);
    assert!(!node.cluster.is_attached());
    server.set("ACL SETUSER app +xadd +multi +exec");
    node.attached();
    server.set(
        "ACL SETUSER app -@all resetkeys resetchannels &wshub +publish +subscribe +multi +exec",
    );
    Node::join(Redis::new(&url).unwrap().pub_sub()).attached();
}

/// Under load, from one order to the other.
fn refusing(server: &RedisServer, begin: &str, reason: &str, end: &str) {
    let load = Load::attached(|| server.redis());
    let missing = load.run(|load| {
        server.set(begin);
        load.wait_for_reason(reason);
        sleep(500);
        server.set(end);
        load.wait_until_attached();
    });
    assert_eq!(missing, 0);
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_is_out_of_memory() {
    let server = RedisServer::start(&["--maxmemory-policy", "noeviction"]);
    let (begin, end) = ("CONFIG SET maxmemory 100kb", "CONFIG SET maxmemory 0");
    refusing(&server, begin, "maxmemory", end);
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_cannot_write_its_snapshot() {
    let server = RedisServer::start(&[]);
    // As a full disk does: the snapshot has no place to go.
    std::fs::remove_dir_all(&server.folder).unwrap();
    let end = "CONFIG SET stop-writes-on-bgsave-error no";
    refusing(&server, "CONFIG SET save \"1 1\"", "MISCONF", end);
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_becomes_a_replica() {
    let server = RedisServer::start(&[]);
    // Of one that is not there, so that it keeps what it has.
    refusing(
        &server,
        "REPLICAOF 127.0.0.1 1",
        "primary",
        "REPLICAOF NO ONE",
    );
}

#[test]
#[ignore = "needs redis-server"]
fn a_proxy_that_cuts_behind_a_write() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::start(server.port);
    let load = Load::attached(|| redis_at(proxy.port));
    let missing = load.run(|_| {
        for _ in 0..20 {
            proxy.faults.cuts.fetch_add(1, SeqCst);
            sleep(100);
        }
    });
    assert_eq!(missing, 0);
}

/// One of the two hears nothing for a second, in which more comes than the stream keeps.
#[test]
#[ignore = "needs redis-server"]
fn a_stream_that_is_trimmed_faster_than_it_is_read() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::start(server.port);
    let redis = [redis_at(server.port), redis_at(proxy.port)];
    let load = Load::over(redis.map(|redis| redis.max_len(50)));
    load.wait_for_both();
    let missing = load.run(|_| {
        proxy.faults.pauses.store(true, SeqCst);
        sleep(1500);
        proxy.faults.pauses.store(false, SeqCst);
    });
    assert!(missing > 0, "nothing was trimmed");
}

/// Seen from the stream, a clock that is set back is one whose entries are older than those that were read.
#[test]
#[ignore = "needs redis-server"]
fn a_clock_that_is_set_back() {
    let server = RedisServer::start(&[]);
    let hour = Duration::from_secs(3600);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let later = (now + hour).as_millis();
    server.set(&format!("XADD wshub {later}-0 f old"));
    let load = Load::attached(|| server.redis());
    load.run(|_| {
        sleep(500);
        server.set("DEL wshub");
        sleep(500);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn entries_of_somebody_else_are_passed_over() {
    let server = RedisServer::start(&[]);
    server.set("XADD wshub * a 1 b 2");
    let load = Load::attached(|| server.redis().timeout(Duration::MAX));
    let missing = load.run(|_| {
        for fields in ["a 1 b 2", "f 1 f 2", "f x", "\u{e9} 1"] {
            server.set(&format!("XADD wshub * {fields}"));
            sleep(100);
        }
    });
    assert_eq!(missing, 0);
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_is_emptied() {
    let server = RedisServer::start(&[]);
    let load = Load::attached(|| server.redis());
    load.run(|_| {
        for _ in 0..5 {
            server.set("FLUSHALL");
            sleep(100);
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_key_that_is_used_for_something_else() {
    let server = RedisServer::start(&[]);
    server.set("SET wshub mine");
    let node = Node::join(server.redis());
    let reason = node.detached();
    assert!(reason.contains("Redis::key"), "{reason}");
    Node::join(server.redis().key("other")).attached();
}

fn remembering(redis: Redis) -> Node {
    Node::join_as(Cluster::builder().heartbeat(HEARTBEAT).history(100), redis)
}

/// Posted by a server that is gone since, and by Redis kept over a kill.
#[test]
#[ignore = "needs redis-server"]
fn a_server_that_starts_anew_remembers_what_the_stream_has() {
    let mut server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let node = remembering(server.redis());
    let room = node.cluster.group("news");
    let post = |number: u32| room.post(|_| number.to_string()).unwrap();
    let mut ids: Vec<_> = (0..500).map(post).collect();
    wait_until("all are published", || node.cluster.waiting() == 0);
    server.kill();
    node.detached();
    ids.extend((500..600).map(post));
    server.restart();
    let is_last = |room: &Room| room.history(1).iter().any(|post| post.id == ids[599]);
    wait_until("the posts have come", || is_last(&room));
    drop(node);

    let later = remembering(server.redis());
    let room = later.cluster.group("news");
    // What was posted in the second before it joined comes as what is new.
    wait_until("the posts have come", || is_last(&room));
    let posts = room.history(1000);
    assert!(
        posts
            .iter()
            .map(|post| post.id)
            .eq(ids[500..].iter().copied())
    );
    let (mut client, connection) = later.client();
    assert_eq!(
        room.catch_up(&connection, ids[499]),
        Err(CatchUpError::Gone)
    );
    assert_eq!(room.catch_up(&connection, ids[510]), Ok(89));
    room.post(|_| "600").unwrap();
    for number in 511..=600 {
        assert_eq!(client.read_text(), number.to_string());
    }
}

/// More than it takes in one answer: it asks for fewer entries.
#[test]
#[ignore = "needs redis-server"]
fn what_is_larger_than_a_server_allows_is_read_in_small_parts() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::start(server.port);
    let small = Cluster::builder().heartbeat(HEARTBEAT).max_message(1000);
    let reader = Node::join_as(small.clone(), redis_at(proxy.port));
    reader.attached();
    let node = remembering(server.redis());
    node.attached();
    proxy.faults.pauses.store(true, SeqCst);
    let room = node.cluster.group("news");
    let large = "x".repeat(600 << 10);
    for _ in 0..64 {
        room.post(|_| large.as_str()).unwrap();
        node.cluster.send(None, large.as_str()).unwrap();
    }
    wait_until("all are published", || node.cluster.waiting() == 0);
    proxy.faults.pauses.store(false, SeqCst);
    let is_message = |it: &ClusterEvent| matches!(it, ClusterEvent::Message { .. });
    let mut came = 0;
    wait_until("the messages have come", || {
        came += reader.events.try_iter().filter(is_message).count();
        came == 64
    });

    let later = Node::join_as(small.history(100), server.redis());
    let room = later.cluster.group("news");
    wait_until("the posts have come", || room.history(100).len() == 64);
}

/// One alone is more than it takes in one answer, in the past of rooms, too.
#[test]
#[ignore = "needs redis-server"]
fn what_is_far_larger_than_a_server_allows_is_passed_over_and_told() {
    let server = RedisServer::start(&[]);
    let small = Cluster::builder().heartbeat(HEARTBEAT).max_message(1000);
    let reader = Node::join_as(small.clone(), server.redis());
    let large = Cluster::builder()
        .heartbeat(HEARTBEAT)
        .max_message(16 << 20);
    let node = Node::join_as(large.history(100), server.redis());
    reader.joined(&node);
    let room = node.cluster.group("news");
    room.post(|_| "x".repeat(9 << 20)).unwrap();
    room.post(|_| "next").unwrap();
    node.cluster.send(None, "message").unwrap();
    reader.missing(&node, 1);
    reader.event(|event| match event {
        ClusterEvent::Message { message, .. } if *message == "message".into() => Some(()),
        _ => None,
    });

    let later = Node::join_as(small.history(100), server.redis());
    let room = later.cluster.group("news");
    wait_until("the post has come", || room.history(100).len() == 1);
}

#[test]
#[ignore = "needs redis-server"]
fn what_the_stream_has_not_is_not_remembered() {
    let server = RedisServer::start(&[]);
    for pub_sub in [false, true] {
        let redis = || match pub_sub {
            true => server.redis().pub_sub(),
            false => server.redis().max_len(1),
        };
        let node = remembering(redis());
        let room = node.cluster.group("news");
        let ids: Vec<_> = (0..1000).map(|_| room.post(|_| "news").unwrap()).collect();
        wait_until("the posts have come", || {
            room.history(1).iter().any(|post| post.id == ids[999])
        });
        let later = remembering(redis());
        later.attached();
        let room = later.cluster.group("news");
        assert!(room.history(1000).len() < 100);
        let (_client, connection) = later.client();
        let gone = Err(CatchUpError::Gone);
        assert_eq!(room.catch_up(&connection, ids[0]), gone);
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_node_that_is_killed_is_soon_gone() {
    const THIS: &str = "a_node_that_is_killed_is_soon_gone";
    if in_child() {
        let port = asked().next().unwrap().parse().unwrap();
        let server = Server::builder().without_listener().unwrap();
        let builder = Cluster::builder().heartbeat(HEARTBEAT);
        let cluster = builder.join(&server, redis_at(port)).unwrap();
        tell(cluster.id());
        asked().last();
        return;
    }
    let server = RedisServer::start(&[]);
    let node = Node::join(server.redis());
    let mut other = Child::start_ignored(THIS);
    let id = other.ask(&server.port.to_string());
    let is_other = |event: &ClusterEvent| match event {
        ClusterEvent::NodeJoined(node) | ClusterEvent::NodeLeft(node) => {
            (node.to_string() == id).then_some(())
        }
        _ => None,
    };
    node.event(is_other);
    assert_eq!(node.cluster.nodes().len(), 2);
    let killed = Instant::now();
    drop(other);
    node.event(is_other);
    let gone = killed.elapsed();
    assert_eq!(node.cluster.nodes().len(), 1);
    // And time for a loaded machine.
    assert!(gone < 2 * HEARTBEAT + Duration::from_secs(10), "{gone:?}");
}

/// As a debugger or a paused machine does: on Linux its reads end with EINTR.
#[test]
#[ignore = "needs redis-server"]
fn a_server_that_stood_still_has_lost_nothing() {
    const THIS: &str = "a_server_that_stood_still_has_lost_nothing";
    let redis = |port, mode: &str| match mode {
        "channel" => redis_at(port).timeout(PATIENCE).pub_sub(),
        _ => redis_at(port).timeout(PATIENCE),
    };
    if in_child() {
        let place = asked().next().unwrap();
        let (port, mode) = place.split_once(' ').unwrap();
        let server = Server::builder().without_listener().unwrap();
        let builder = Cluster::builder().heartbeat(Duration::from_secs(60));
        let cluster = builder.join(&server, redis(port.parse().unwrap(), mode));
        let cluster = cluster.unwrap();
        wait_until("it is attached", || cluster.is_attached());
        tell(cluster.id());
        asked().for_each(|_| tell(format!("{:?}", cluster.events().collect::<Vec<_>>())));
        return;
    }
    let server = RedisServer::start(&[]);
    for mode in ["stream", "channel"] {
        let node = Node::join(redis(server.port, mode));
        node.attached();
        let mut other = Child::start_ignored(THIS);
        other.ask(&format!("{} {mode}", server.port));
        for round in 0..3 {
            other.stop();
            node.cluster.send(None, format!("round {round}")).unwrap();
            wait_until("it is published", || node.cluster.waiting() == 0);
            other.resume();
            let mut told = String::new();
            wait_until("it came", || {
                told += &other.ask("events");
                told.contains(&format!("round {round}"))
            });
            assert!(!told.contains("Detached"), "{mode}: {told}");
            assert!(!told.contains("Gap"), "{mode}: {told}");
        }
    }
}

#[test]
#[ignore = "needs redis-server"]
fn members_are_counted_on_all_servers_and_again_after_a_kill() {
    for pub_sub in [false, true] {
        let mut server = RedisServer::start(&[]);
        let (one, two) = two_over(&server, pub_sub);
        let rooms = [&one, &two].map(|node| node.cluster.group("room"));
        let all = |members| {
            wait_until("both count the same", || {
                rooms.iter().all(|room| room.members() == members)
            });
        };
        let (_first, first) = one.client();
        let (second_client, second) = two.client();
        rooms[0].join(&first);
        rooms[1].join(&second);
        all(2);
        server.kill();
        one.detached();
        let (_third, third) = two.client();
        rooms[1].join(&third);
        server.restart();
        all(3);
        drop(second_client);
        all(2);
        drop(two);
        wait_until("its members are gone", || rooms[0].members() == 1);
    }
}

#[test]
#[ignore = "needs redis-server"]
fn threads_and_memory_stay_while_redis_is_away() {
    const THIS: &str = "threads_and_memory_stay_while_redis_is_away";
    if in_child() {
        let server = Server::builder().without_listener().unwrap();
        let builder = Cluster::builder().max_waiting_bytes(1 << 20);
        let cluster = builder.join(&server, redis_at(1)).unwrap();
        let (threads, _) = support::threads_and_descriptors();
        (0..200_000).for_each(|_| _ = cluster.broadcast("x".repeat(1000)).unwrap());
        sleep(2000);
        let (later, _) = support::threads_and_descriptors();
        assert!(later <= threads, "{later} threads, {threads} before");
        assert!(cluster.waiting() < 2000);
        let unsent: u64 = cluster
            .events()
            .filter_map(|event| match event {
                ClusterEvent::Unsent { messages } => Some(messages),
                _ => None,
            })
            .sum();
        assert_eq!(unsent + cluster.waiting() as u64, 200_000);
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap();
        let kib: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(kib < 64 << 10, "{peak}");
        tell("done");
        return;
    }
    assert_eq!(Child::start_ignored(THIS).told(), "done");
}
