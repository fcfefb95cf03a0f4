//! Servers of Socket.IO in one cluster, with clients in memory.

use std::sync::mpsc::{Receiver, channel};

use serde_json::json;

use super::{PATIENCE, wait_until};
use wshub::socketio::testing::{self, MemoryClient, ReceivedEvent};
use wshub::socketio::{AckError, AllAnswers, SocketIo};
use wshub::{Backplane, Cluster, ClusterBuilder, Server};

pub struct Side {
    pub io: SocketIo<Vec<String>>,
    pub cluster: Cluster,
    _server: Server,
}

impl Side {
    pub fn join(builder: ClusterBuilder, backplane: impl Backplane) -> Side {
        let mut io = SocketIo::new(Vec::new());
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
    let one = Side::join(builder.clone(), backplane());
    let two = Side::join(builder.clone(), backplane());
    wait_until("they know each other", || {
        one.cluster.nodes().len() == 2 && two.cluster.nodes().len() == 2
    });
    (one, two)
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
