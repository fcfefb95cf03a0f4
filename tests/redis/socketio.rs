//! Socket.IO on two servers over a real Redis, which is killed and hung meanwhile.

use serde_json::{Value, json};
use wshub::socketio::{Emitter, SocketIo};
use wshub::{Cluster, Redis, Server};

use crate::server::RedisServer;
use crate::sleep;
use crate::support::cluster::HEARTBEAT;
use crate::support::serving::Serving;
use crate::support::sides::{
    a_client_moves, events, poll, recovering, two_over, two_that_recover_over,
};
use crate::support::{Client, PATIENCE, wait_until};

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

#[test]
#[ignore = "needs redis-server"]
fn a_client_comes_back_to_another_server_with_what_it_missed() {
    let server = RedisServer::start(&[]);
    for pub_sub in [false, true] {
        for builder in [Cluster::builder(), Cluster::builder().ordered()] {
            let redis = || match pub_sub {
                true => server.redis().pub_sub(),
                false => server.redis(),
            };
            let builder = builder.heartbeat(HEARTBEAT);
            let (mut one, mut two) = two_that_recover_over(&builder, redis);
            a_client_moves(&mut one, &mut two);
        }
    }
}

/// A server that runs.
struct Running {
    serving: Serving,
    cluster: Cluster,
    emitter: Emitter,
}

impl Running {
    fn start(redis: Redis) -> Running {
        let mut io = SocketIo::with_limits((), recovering());
        let builder = Server::builder().socketio(&io, "/socket.io/");
        let server = builder.bind("127.0.0.1:0").unwrap();
        let joined = Cluster::builder().heartbeat(HEARTBEAT);
        let cluster = joined.join(&server, redis).unwrap();
        io.adapter(&cluster);
        let emitter = io.of("/");
        let serving = Serving::start(server, move |server| server.run(&mut io).unwrap());
        Running {
            serving,
            cluster,
            emitter,
        }
    }

    /// A client in the main namespace, and what it was told.
    fn join(&self, auth: &Value) -> (Client, Value) {
        let path = "/socket.io/?EIO=4&transport=websocket";
        let mut client = Client::connect_with(self.serving.addr, path, "");
        packet(&mut client, "0");
        client.send_text(&format!("40{auth}"));
        let welcome = packet(&mut client, "40");
        (client, welcome)
    }
}

fn packet(client: &mut Client, kind: &str) -> Value {
    let frame = client.read_message();
    let json = frame.text().strip_prefix(kind).unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
#[ignore = "needs redis-server"]
fn the_clients_of_a_server_that_shuts_down_go_on_at_another() {
    let server = RedisServer::start(&[]);
    let (one, two) = (
        Running::start(server.redis()),
        Running::start(server.redis()),
    );
    wait_until("they know each other", || {
        one.cluster.nodes().len() == 2 && two.cluster.nodes().len() == 2
    });
    let (mut client, welcome) = one.join(&json!({}));
    one.emitter.emit("first", 1);
    let seen = packet(&mut client, "42");
    drop(one.serving);
    drop(one.cluster);
    wait_until("it has left", || two.cluster.nodes().len() == 1);
    two.emitter.emit("missed", 2);
    let (mut client, again) = two.join(&json!({"pid": welcome["pid"], "offset": seen[2]}));
    assert_eq!(again, welcome);
    assert_eq!(packet(&mut client, "42")[1], 2);
    two.emitter.emit("now", 3);
    assert_eq!(packet(&mut client, "42")[1], 3);
}
