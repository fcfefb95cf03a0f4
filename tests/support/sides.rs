//! Servers of Socket.IO in one cluster, with clients in memory.

use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use super::{PATIENCE, wait_until};
use wshub::socketio::testing::{self, MemoryClient, ReceivedEvent};
use wshub::socketio::{AckError, AllAnswers, Limits, SocketIo};
use wshub::{Backplane, Cluster, ClusterBuilder, Server};

pub struct Side {
    pub io: SocketIo<Vec<String>>,
    pub cluster: Cluster,
    _server: Server,
}

impl Side {
    pub fn join(builder: ClusterBuilder, backplane: impl Backplane) -> Side {
        Side::join_with(Limits::default(), builder, backplane)
    }

    fn join_with(limits: Limits, builder: ClusterBuilder, backplane: impl Backplane) -> Side {
        let mut io = SocketIo::with_limits(Vec::new(), limits);
        io.on("/", "say", |_, socket, text: String| {
            socket.to("lobby").emit("said", text);
        });
        let server = Server::builder()
            .socketio(&io, "/socket.io/")
            .bind("127.0.0.1:0")
            .unwrap();
        let cluster = builder.join(&server, backplane).unwrap();
        io.adapter(&cluster);
        Side {
            io,
            cluster,
            _server: server,
        }
    }

    pub fn client(&mut self) -> MemoryClient {
        testing::join(&mut self.io, "/", json!({})).unwrap()
    }
}

/// Two that know each other.
pub fn two_over<B: Backplane>(builder: &ClusterBuilder, backplane: impl Fn() -> B) -> (Side, Side) {
    two_with(&Limits::default(), builder, backplane)
}

/// Two whose clients may come back to either.
pub fn two_that_recover_over<B: Backplane>(
    builder: &ClusterBuilder,
    backplane: impl Fn() -> B,
) -> (Side, Side) {
    two_with(&recovering(), builder, backplane)
}

pub fn recovering() -> Limits {
    Limits {
        recovery_window: Some(PATIENCE),
        ..Limits::default()
    }
}

fn two_with<B: Backplane>(
    limits: &Limits,
    builder: &ClusterBuilder,
    backplane: impl Fn() -> B,
) -> (Side, Side) {
    let join = || Side::join_with(limits.clone(), builder.clone(), backplane());
    let (one, two) = (join(), join());
    wait_until("they know each other", || {
        one.cluster.nodes().len() == 2 && two.cluster.nodes().len() == 2
    });
    (one, two)
}

/// A client loses its connection to one server, and comes back to the other.
pub fn a_client_moves(one: &mut Side, two: &mut Side) {
    let (mut ann, mut bob, mut carl) = (one.client(), two.client(), one.client());
    let id = ann.id().to_owned();
    one.io.to(&id).join_all("lobby");
    two.io.emit("first", 1);
    one.io.emit("first", 2);
    let seen = events(&mut ann, 2);
    let auth = returning(&ann, &seen);
    events(&mut carl, 2);
    ann.vanish(&mut one.io);
    one.io.to("lobby").emit("missed", 3);
    one.io.to("elsewhere").emit("not meant", 4);
    one.io.to(&id).emit("missed", 5);
    one.io.of("/").except("lobby").emit("not meant", 6);
    one.io.of("/").volatile().emit("volatile", 7);
    one.io.emit("missed", 8);
    until(&mut bob, 8);
    two.io.to("lobby").emit("missed", 9);
    let mut ann = testing::join(&mut two.io, "/", auth.clone()).unwrap();
    assert_eq!((ann.id(), ann.recovery()), (&*id, auth["pid"].as_str()));
    let numbers = |events: &[ReceivedEvent]| -> Vec<Value> {
        events.iter().map(|it| it.arguments()[0].clone()).collect()
    };
    assert_eq!(numbers(&events(&mut ann, 4)), [3, 5, 8, 9]);
    one.io.to("lobby").emit("now", 10);
    assert_eq!(numbers(&events(&mut ann, 1)), [10]);
    // It comes back once, wherever it tries.
    two.io.emit("last", 11);
    until(&mut carl, 11);
    for side in [one, two] {
        let again = testing::join(&mut side.io, "/", auth.clone()).unwrap();
        assert_ne!(again.id(), id);
    }
}

/// What a client says to come back from after the last of these events.
pub fn returning(client: &MemoryClient, seen: &[ReceivedEvent]) -> Value {
    let offset = seen.last().unwrap().arguments().last().unwrap();
    json!({"pid": client.recovery().unwrap(), "offset": offset})
}

/// Waits until a client has got the event with this number.
fn until(client: &mut MemoryClient, number: i32) {
    wait_until("it is heard", || {
        let events = client.take_events();
        events.iter().any(|it| it.arguments()[0] == number)
    });
}

/// The next events of a client, as many as that.
pub fn events(client: &mut MemoryClient, count: usize) -> Vec<ReceivedEvent> {
    let mut events = Vec::new();
    wait_until("the events are there", || {
        events.extend(client.take_events());
        events.len() >= count
    });
    events
}

pub fn names(events: &[ReceivedEvent]) -> Vec<&str> {
    events.iter().map(ReceivedEvent::name).collect()
}

pub type Told = (Vec<i32>, Option<AckError>);

pub fn numbers(answers: &AllAnswers) -> Told {
    let got = answers.answers.iter().map(|it| it.get().unwrap());
    let mut got: Vec<i32> = got.collect();
    got.sort_unstable();
    (got, answers.error)
}

/// Asks all for a number, and answers for them.
pub fn poll(
    one: &mut Side,
    two: &mut Side,
    ann: &mut MemoryClient,
    bob: &mut MemoryClient,
) -> Told {
    let (tell, heard) = channel();
    let then = move |answers: AllAnswers| tell.send(numbers(&answers)).unwrap();
    one.io.of("/").emit_with_ack("number?", (), PATIENCE, then);
    let question = events(bob, 1).remove(0);
    bob.answer(&mut two.io, &question, 2);
    let question = events(ann, 1).remove(0);
    ann.answer(&mut one.io, &question, 1);
    told(one, ann, &heard)
}

/// What comes of a poll, while a client keeps the application at work.
pub fn told(side: &mut Side, client: &mut MemoryClient, heard: &Receiver<Told>) -> Told {
    let mut got = None;
    wait_until("it is told", || {
        client.emit(&mut side.io, "anything", ());
        got = heard.try_recv().ok();
        got.is_some()
    });
    got.unwrap()
}
