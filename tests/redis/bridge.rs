//! A bridge to processes of Python over a real Redis: these tests say what python-socketio 5.18 and Flask-SocketIO 5.7
//! say, and read what it would read. The real ones are in `tests/interop/bridge`.

use std::io::ErrorKind;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wshub::socketio::bridge::{Bridge, BridgeBuilder};
use wshub::socketio::testing::{MemoryClient, ReceivedEvent, join};
use wshub::socketio::{AckError, Bytes, SocketIo};
use wshub::{ClusterEvent, Handler};

use crate::proxy::Proxy;
use crate::server::{RedisServer, redis_at};
use crate::support::{PATIENCE, wait_until};

const CHANNEL: &str = "socketio";

/// A server with a bridge that is attached.
struct Bridged {
    io: SocketIo<()>,
    bridge: Bridge,
}

impl Bridged {
    fn at(port: u16) -> Bridged {
        Bridged::with(Bridge::builder(), port)
    }

    fn with(builder: BridgeBuilder, port: u16) -> Bridged {
        let io = SocketIo::new(());
        let bridge = builder.join(&io, &redis_at(port)).unwrap();
        let bridged = Bridged { io, bridge };
        bridged.wait_until_attached();
        bridged
    }

    fn wait_until_attached(&self) {
        wait_until("it is attached", || self.bridge.is_attached());
    }

    fn client(&mut self) -> MemoryClient {
        join(&mut self.io, "/", json!({})).unwrap()
    }

    fn event(&self, what: &str, mut is_it: impl FnMut(&ClusterEvent) -> bool) {
        wait_until(what, || self.bridge.events().any(|event| is_it(&event)));
    }
}

/// What a process of Python does with the channel.
struct Python {
    publisher: ::redis::Connection,
    heard: Receiver<Value>,
}

impl Python {
    fn at(server: &RedisServer) -> Python {
        let client = ::redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
        let mut subscriber = client.get_connection().unwrap();
        let (tell, heard) = mpsc::channel();
        let (ready, is_ready) = mpsc::channel();
        thread::spawn(move || {
            let mut channel = subscriber.as_pubsub();
            channel.subscribe(CHANNEL).unwrap();
            ready.send(()).unwrap();
            while let Ok(message) = channel.get_message() {
                let message = serde_json::from_slice(message.get_payload_bytes());
                let _ = tell.send(message.unwrap_or_default());
            }
        });
        is_ready.recv_timeout(PATIENCE).unwrap();
        Python {
            publisher: client.get_connection().unwrap(),
            heard,
        }
    }

    fn publish(&mut self, message: impl AsRef<[u8]>) {
        let mut publish = ::redis::cmd("PUBLISH");
        publish.arg(CHANNEL).arg(message.as_ref());
        publish.exec(&mut self.publisher).unwrap();
    }

    fn say(&mut self, mut message: Value) {
        message["host_id"] = json!("python");
        self.publish(message.to_string());
    }

    fn emit(&mut self, event: &str, data: Value, changes: Value) {
        let mut message = json!({
            "method": "emit", "event": event, "data": data, "binary": false, "namespace": "/", "room": null,
            "skip_sid": null, "callback": null,
        });
        for (field, value) in changes.as_object().unwrap() {
            message[field] = value.clone();
        }
        self.say(message);
    }

    /// The next message of another process that has this method.
    fn hear(&self, method: &str) -> Value {
        loop {
            let message = self.heard.recv_timeout(PATIENCE).unwrap();
            // A callback has the name of the process that it is for.
            if message["method"] == method
                && (method == "callback" || message["host_id"] != "python")
            {
                return message;
            }
        }
    }
}

fn next(client: &mut MemoryClient) -> ReceivedEvent {
    let mut events = Vec::new();
    wait_until("an event comes", || {
        events.extend(client.take_events());
        !events.is_empty()
    });
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

/// All that came in front of the event `end`, by name.
fn names_before_end(client: &mut MemoryClient) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    wait_until("the last event comes", || {
        let events = client.take_events();
        names.extend(events.iter().map(|event| event.name().to_owned()));
        names.last().is_some_and(|name| name == "end")
    });
    names.pop();
    names
}

#[test]
#[ignore = "needs redis-server"]
fn python_emits_to_all_to_rooms_and_not_to_some() {
    let server = RedisServer::start(&[]);
    let mut bridged = Bridged::at(server.port);
    let mut python = Python::at(&server);
    let (mut ann, mut bob) = (bridged.client(), bridged.client());
    let (ann_id, bob_id) = (json!(ann.id()), json!(bob.id()));
    python.emit("all", json!([1, "two"]), json!({}));
    python.say(json!({"method": "enter_room", "sid": ann_id, "room": "r", "namespace": "/"}));
    python.say(json!({"method": "enter_room", "sid": bob_id, "room": 5, "namespace": "/"}));
    python.emit("room", json!([]), json!({"room": "r"}));
    python.emit("number", json!([]), json!({"room": 5}));
    python.emit("rooms", json!([]), json!({"room": ["r", "5"]}));
    python.emit("one", json!([]), json!({"room": bob_id}));
    python.emit("but ann", json!([]), json!({"skip_sid": ann_id}));
    python.emit("but both", json!([]), json!({"skip_sid": [ann_id, bob_id]}));
    python.emit("other namespace", json!([]), json!({"namespace": "/other"}));
    python.say(json!({"method": "leave_room", "sid": ann_id, "room": "r", "namespace": "/"}));
    python.emit("left", json!([]), json!({"room": "r"}));
    python.emit("end", json!([]), json!({}));
    assert_eq!(names_before_end(&mut ann), ["all", "room", "rooms"]);
    assert_eq!(
        names_before_end(&mut bob),
        ["all", "number", "rooms", "one", "but ann"]
    );
    assert_eq!(bridged.bridge.stats().refused, 0);
}

#[test]
#[ignore = "needs redis-server"]
fn python_sends_binary_data() {
    let server = RedisServer::start(&[]);
    let mut bridged = Bridged::at(server.port);
    let mut client = bridged.client();
    let data = json!([[{"_placeholder": true, "num": 0}, {"n": 1}], "AAEC/w=="]);
    Python::at(&server).emit("picture", data, json!({"binary": true}));
    let (bytes, rest): (Bytes, Value) = next(&mut client).get().unwrap();
    assert_eq!((&*bytes, rest), (&[0, 1, 2, 255][..], json!({"n": 1})));
}

#[test]
#[ignore = "needs redis-server"]
fn python_asks_and_is_answered() {
    let server = RedisServer::start(&[]);
    let mut bridged = Bridged::at(server.port);
    let mut python = Python::at(&server);
    let mut client = bridged.client();
    let id = client.id().to_owned();
    python.emit(
        "question",
        json!([21]),
        json!({"room": id, "callback": [id, "/", 3]}),
    );
    let question = next(&mut client);
    assert!(question.wants_answer());
    client.answer(&mut bridged.io, &question, (42, "yes"));
    let answer = python.hear("callback");
    let expected = json!({
        "method": "callback", "host_id": "python", "sid": id, "namespace": "/", "id": 3, "args": [42, "yes"],
    });
    assert_eq!(answer, expected);
}

#[test]
#[ignore = "needs redis-server"]
fn python_disconnects_one_and_closes_rooms() {
    let server = RedisServer::start(&[]);
    let mut bridged = Bridged::at(server.port);
    let mut python = Python::at(&server);
    let (mut ann, mut bob) = (bridged.client(), bridged.client());
    // One in the room that has the name of the other is not meant.
    bridged.io.to(bob.id()).join_all(ann.id());
    bridged.io.of("/").join_all("r");
    python.say(json!({"method": "close_room", "room": "r", "namespace": "/"}));
    python.say(json!({"method": "close_room", "room": ann.id(), "namespace": "/"}));
    python.say(json!({"method": "disconnect", "sid": "nobody", "namespace": "/"}));
    python.emit("closed", json!([]), json!({"room": "r"}));
    python.emit("end", json!([]), json!({"room": ann.id()}));
    assert!(names_before_end(&mut ann).is_empty());
    python.say(json!({"method": "disconnect", "sid": ann.id(), "namespace": "/"}));
    wait_until("it is disconnected", || {
        bridged.io.on_wake();
        ann.is_disconnected()
    });
    assert!(!bob.is_disconnected());
}

#[test]
#[ignore = "needs redis-server"]
fn what_is_emitted_here_goes_to_python() {
    let server = RedisServer::start(&[]);
    let mut bridged = Bridged::at(server.port);
    let python = Python::at(&server);
    let mut client = bridged.client();
    let io = &bridged.io;
    io.emit("all", (1, "two"));
    let message = python.hear("emit");
    assert_eq!(
        (&message["event"], &message["data"]),
        (&json!("all"), &json!([1, "two"]))
    );
    assert_eq!(
        (&message["room"], &message["skip_sid"]),
        (&json!(null), &json!(null))
    );
    // It came back, and is not done again.
    assert_eq!(next(&mut client).name(), "all");
    io.to("r")
        .except("sid")
        .emit("room", Bytes::from(vec![0, 1, 2]));
    let message = python.hear("emit");
    assert_eq!(
        (&message["room"], &message["skip_sid"]),
        (&json!("r"), &json!(["sid"]))
    );
    assert_eq!(message["binary"], json!(true));
    assert_eq!(
        message["data"],
        json!([[{"_placeholder": true, "num": 0}], "AAEC"])
    );
    // A socket of this server is no business of others.
    io.to(client.id()).emit("here", ());
    io.to("other").join_all("r");
    let message = python.hear("enter_room");
    assert_eq!(
        (&message["sid"], &message["room"]),
        (&json!("other"), &json!("r"))
    );
    io.to("other").leave_all("r");
    assert_eq!(python.hear("leave_room")["sid"], "other");
    io.to("r").leave_all("r");
    assert_eq!(python.hear("close_room")["room"], "r");
    io.to("other").disconnect_all();
    assert_eq!(python.hear("disconnect")["sid"], "other");
    assert_eq!(next(&mut client).name(), "here");
    let unsent = bridged.bridge.stats().unsent;
    io.of("/").join_all("everybody");
    assert_eq!(bridged.bridge.stats().unsent, unsent + 1);
}

#[test]
#[ignore = "needs redis-server"]
fn clients_of_python_are_asked() {
    let server = RedisServer::start(&[]);
    let mut bridged = Bridged::at(server.port);
    let mut python = Python::at(&server);
    let mut client = bridged.client();
    let (tell, answers) = mpsc::channel();
    let ask = |io: &SocketIo<()>, room: &str, timeout| {
        let tell = tell.clone();
        io.to(room)
            .emit_with_ack("question", 21, timeout, move |answers| {
                tell.send(answers).unwrap()
            });
    };
    let told = |bridged: &mut Bridged| {
        let mut told = None;
        wait_until("the answers are there", || {
            bridged.io.on_wake();
            told = answers.try_recv().ok();
            told.is_some()
        });
        let answers = told.unwrap();
        let values: Vec<Value> = answers.answers.iter().map(|it| it.get().unwrap()).collect();
        (values, answers.error)
    };
    ask(&bridged.io, "other", PATIENCE);
    let question = python.hear("emit");
    let [room, namespace, id] = [0, 1, 2].map(|at| question["callback"][at].clone());
    assert_eq!((&room, &namespace), (&json!("other"), &json!("/")));
    let answer = |id: &Value| json!({"method": "callback", "host_id": question["host_id"], "sid": "other", "namespace": "/", "id": id, "args": [42]});
    // Of no question.
    python.publish(answer(&json!(9999)).to_string());
    python.publish(answer(&id).to_string());
    python.publish(answer(&id).to_string());
    assert_eq!(told(&mut bridged), (vec![json!(42)], None));
    // A socket of this server answers without the others.
    let own = client.id().to_owned();
    ask(&bridged.io, &own, PATIENCE);
    let event = next(&mut client);
    client.answer(&mut bridged.io, &event, 43);
    assert_eq!(told(&mut bridged), (vec![json!(43)], None));
    // And of processes that say nothing the time runs out.
    ask(&bridged.io, "nobody", Duration::from_millis(200));
    assert_eq!(told(&mut bridged), (vec![], Some(AckError::Timeout)));
}

#[test]
#[ignore = "needs redis-server"]
fn what_is_no_message_is_counted_and_does_no_harm() {
    let server = RedisServer::start(&[]);
    let builder = Bridge::builder().max_message(10_000);
    let mut bridged = Bridged::with(builder, server.port);
    let mut python = Python::at(&server);
    let mut client = bridged.client();
    let refused = [
        b"\x80\x04\x95K\x00.".to_vec(),
        b"PING".to_vec(),
        vec![b'['; 9_000],
        vec![b' '; 10_001],
        br#"{"method":"shutdown","host_id":"python"}"#.to_vec(),
        br#"{"method":"emit","event":"connect","data":[],"host_id":"python"}"#.to_vec(),
        br#"{"method":"emit","event":"ev","data":[],"room":[],"host_id":"python"}"#.to_vec(),
        br#"{"method":"emit","event":"ev","data":[],"callback":[1],"host_id":"python"}"#.to_vec(),
    ];
    for message in &refused {
        python.publish(message);
    }
    python.emit("end", json!([]), json!({}));
    assert!(names_before_end(&mut client).is_empty());
    let stats = bridged.bridge.stats();
    assert_eq!((stats.refused, stats.received), (refused.len() as u64, 1));
    // Nor is what is too long published.
    bridged.io.emit("long", "x".repeat(10_001));
    bridged.io.emit("short", ());
    assert_eq!(python.hear("emit")["event"], "short");
    assert_eq!(bridged.bridge.stats().unsent, 1);
}

#[test]
#[ignore = "needs redis-server"]
fn servers_with_a_bridge_emit_to_each_other() {
    let server = RedisServer::start(&[]);
    let (mut one, mut two) = (Bridged::at(server.port), Bridged::at(server.port));
    let (mut here, mut there) = (one.client(), two.client());
    (0..100).for_each(|number| _ = one.io.emit("number", number));
    one.io.emit("end", ());
    for client in [&mut here, &mut there] {
        assert_eq!(names_before_end(client).len(), 100);
    }
    // A socket of the other server does what it is told.
    one.io.to(there.id()).join_all("r");
    one.io.to("r").emit("room", ());
    assert_eq!(next(&mut there).name(), "room");
    assert!(here.take_events().is_empty());
}

#[test]
#[ignore = "needs redis-server"]
fn an_application_has_one_bridge_and_a_receiver_beside_it() {
    let server = RedisServer::start(&[]);
    let mut bridged = Bridged::at(server.port);
    let again = Bridge::join(&bridged.io, &server.redis());
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    let mut receiver = Bridged::with(Bridge::builder().receive_only(), server.port);
    let (mut client, mut other) = (bridged.client(), receiver.client());
    receiver.io.emit("here", ());
    bridged.io.emit("everywhere", ());
    assert_eq!(next(&mut client).name(), "everywhere");
    let names = |client: &mut MemoryClient| {
        let events = client.take_events();
        events
            .into_iter()
            .map(|event| event.name().to_owned())
            .collect::<Vec<_>>()
    };
    let mut seen = Vec::new();
    wait_until("both come", || {
        seen.extend(names(&mut other));
        seen.len() == 2
    });
    assert_eq!(seen, ["here", "everywhere"]);
}

#[test]
#[ignore = "needs redis-server"]
fn what_waits_while_redis_is_away_comes_later_and_the_rest_is_told() {
    let mut server = RedisServer::start(&[]);
    let bridged = Bridged::at(server.port);
    server.kill();
    bridged.event("it is detached", |event| {
        matches!(event, ClusterEvent::Detached { .. })
    });
    (0..65_546).for_each(|number| _ = bridged.io.emit("number", number));
    let mut unsent = 0;
    bridged.event("what is lost is told", |event| {
        if let ClusterEvent::Unsent { messages } = event {
            unsent += messages;
        }
        unsent == 10
    });
    assert_eq!(bridged.bridge.stats().unsent, 10);
    server.restart();
    let mut python = Python::at(&server);
    bridged.wait_until_attached();
    // What was published before the subscriber was there is what Redis lost for it.
    let mut numbers: Vec<u64> = Vec::new();
    while numbers.last() != Some(&65_545) {
        numbers.push(python.hear("emit")["data"][0].as_u64().unwrap());
    }
    assert!(numbers.is_sorted_by(|one, two| one < two));
    python.emit("back", json!([]), json!({}));
    wait_until("it hears", || bridged.bridge.stats().received == 1);
    wait_until("nothing waits", || bridged.bridge.stats().waiting == 0);
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_hangs_or_cuts_is_joined_again() {
    let server = RedisServer::start(&[]);
    let mut bridged = Bridged::at(server.port);
    let mut client = bridged.client();
    let mut python = Python::at(&server);
    server.stop();
    bridged.event(
        "it is detached",
        |event| matches!(event, ClusterEvent::Detached { reason } if reason.contains("in time")),
    );
    server.resume();
    bridged.wait_until_attached();
    python.emit("resumed", json!([]), json!({}));
    assert_eq!(next(&mut client).name(), "resumed");
    for kind in ["pubsub", "normal"] {
        server.set(&format!("CLIENT KILL TYPE {kind} SKIPME yes"));
        let mut python = Python::at(&server);
        wait_until("it hears again", || {
            python.emit("again", json!([]), json!({}));
            !client.take_events().is_empty()
        });
        let is_here = |event: &Value| event["event"] == "here";
        wait_until("it is heard again", || {
            bridged.io.emit("here", ());
            python.heard.try_iter().any(|event| is_here(&event))
        });
    }
}

/// A connection that is open, and on which nothing comes any more, while what is published goes out.
#[test]
#[ignore = "needs redis-server"]
fn a_bridge_that_hears_nothing_connects_anew() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::start(server.port);
    let mut bridged = Bridged::at(proxy.port);
    let mut client = bridged.client();
    proxy.faults.deafens.store(true, SeqCst);
    bridged.event(
        "it is detached",
        |event| matches!(event, ClusterEvent::Detached { reason } if reason.contains("nothing comes back")),
    );
    proxy.faults.deafens.store(false, SeqCst);
    bridged.wait_until_attached();
    Python::at(&server).emit("again", json!([]), json!({}));
    assert_eq!(next(&mut client).name(), "again");
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_is_absent_or_wants_a_password_says_so() {
    let server = RedisServer::start(&["--requirepass", "secret"]);
    let io = SocketIo::new(());
    let bridge = Bridge::join(&io, &server.redis()).unwrap();
    let bridged = Bridged { io, bridge };
    bridged.event(
        "it says why",
        |event| matches!(event, ClusterEvent::Detached { reason } if reason.contains("password")),
    );
    assert!(!bridged.bridge.is_attached());
    let dropped = Instant::now();
    bridged.io.emit("waits", ());
    drop(bridged);
    assert!(dropped.elapsed() < PATIENCE);
}

#[test]
#[ignore = "needs redis-server"]
fn what_waits_is_published_before_a_bridge_is_gone() {
    let server = RedisServer::start(&[]);
    let Bridged { io, bridge } = Bridged::at(server.port);
    let python = Python::at(&server);
    // Few enough for a busy machine: a drop waits for a second.
    (0..500).for_each(|number| _ = io.emit("number", number));
    drop(bridge);
    for number in 0..500 {
        assert_eq!(python.hear("emit")["data"][0], number);
    }
}
