//! Socket.IO on two servers over a real Redis, which is killed and hung meanwhile.

use serde_json::Value;
use wshub::Cluster;

use crate::server::RedisServer;
use crate::sleep;
use crate::support::PATIENCE;
use crate::support::cluster::HEARTBEAT;
use crate::support::sides::{events, poll, two_over};

#[test]
#[ignore = "needs redis-server"]
fn what_socketio_emits_outlives_a_redis_that_is_killed_and_hung() {
    const COUNT: usize = 300;
    let mut server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let builder = Cluster::builder().heartbeat(HEARTBEAT);
    let (mut one, mut two) = two_over(&builder, || server.redis().timeout(PATIENCE / 40));
    let (mut ann, mut bob) = (one.client(), two.client());
    let emit = |from: usize| {
        for number in from..from + COUNT / 3 {
            one.io.emit("number", number);
        }
    };
    emit(0);
    server.kill();
    emit(COUNT / 3);
    sleep(500);
    server.restart();
    server.stop();
    emit(2 * COUNT / 3);
    sleep(1500);
    server.resume();
    for client in [&mut ann, &mut bob] {
        let events = events(client, COUNT);
        let numbers: Vec<_> = events.iter().map(|it| it.arguments()[0].clone()).collect();
        assert_eq!(numbers, (0..COUNT).map(Value::from).collect::<Vec<_>>());
    }
    let told = poll(&mut one, &mut two, &mut ann, &mut bob);
    assert_eq!(told, (vec![1, 2], None));
    assert_eq!(
        one.io.of("/").fetch_sockets(PATIENCE).ids,
        [ann.id(), bob.id()]
    );
}
