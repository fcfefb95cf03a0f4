//! Socket.IO on two servers: over a backplane in memory, and over one that a test cuts.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::support::cluster::HEARTBEAT;
use crate::support::sides::{Side, events, names, numbers, poll, told, two_over};
use crate::support::{PATIENCE, wait_until};
use wshub::socketio::testing::MemoryClient;
use wshub::socketio::{AckError, AllAnswers, Bytes};
use wshub::{
    Backplane, BackplaneError, Cluster, ClusterBuilder, ClusterEvent, Local, Publisher, Subscriber,
};

fn two() -> (Side, Side) {
    let local = Local::new();
    two_over(&quick(), || local.clone())
}

fn quick() -> ClusterBuilder {
    Cluster::builder().heartbeat(HEARTBEAT)
}

#[test]
fn what_is_emitted_reaches_the_sockets_of_both_servers_once() {
    let (mut one, mut two) = two();
    let (mut ann, mut bob) = (one.client(), two.client());
    let picture = Bytes::from(vec![0, 1, 255]);
    assert_eq!(one.io.emit("picture", ("cat", &picture)), 1, "of this one");
    one.io.of("/").local().emit("here", ());
    one.io.of("/other").emit("elsewhere", ());
    one.io.emit("last", ());
    let got = events(&mut bob, 2);
    assert_eq!(names(&got), ["picture", "last"]);
    let (name, bytes) = got[0].get::<(String, Bytes)>().unwrap();
    assert_eq!((&*name, bytes), ("cat", picture));
    assert_eq!(names(&events(&mut ann, 3)), ["picture", "here", "last"]);
}

#[test]
fn rooms_have_sockets_on_both_servers_and_their_members_come_and_go_from_afar() {
    let (mut one, mut two) = two();
    let (mut ann, mut bob, mut eve) = (one.client(), two.client(), two.client());
    // A socket's id is its room on every server.
    one.io.to(ann.id()).join_all("lobby");
    one.io.to(bob.id()).join_all("lobby");
    one.io.of("/").except("lobby").join_all("outside");
    ann.emit(&mut one.io, "say", "hello");
    assert_eq!(events(&mut bob, 1)[0].get::<String>().unwrap(), "hello");
    assert!(ann.take_events().is_empty(), "the sender is left out");

    two.io
        .to("lobby")
        .to("outside")
        .except(bob.id())
        .emit("x", ());
    assert_eq!(names(&events(&mut ann, 1)), ["x"]);
    assert_eq!(names(&events(&mut eve, 1)), ["x"]);
    one.io.to("lobby").leave_all("lobby");
    one.io.to("lobby").emit("nobody", ());
    one.io.to("outside").emit("y", ());
    one.io.emit("all", ());
    assert_eq!(names(&events(&mut bob, 1)), ["all"]);
    assert_eq!(names(&events(&mut eve, 2)), ["y", "all"]);

    let found = one.io.of("/").fetch_sockets(PATIENCE);
    assert_eq!((found.ids.len(), found.missing_servers), (3, 0));
    assert_eq!(found.ids[0], ann.id());
    let outside = one.io.to("outside").fetch_sockets(PATIENCE);
    assert_eq!(outside.ids, [eve.id()]);
    assert_eq!(
        one.io.of("/").local().fetch_sockets(PATIENCE).ids,
        [ann.id()]
    );
}

#[test]
fn sockets_are_disconnected_by_another_server() {
    let (mut one, mut two) = two();
    let (mut ann, mut bob) = (one.client(), two.client());
    two.io
        .on_disconnect("/", |seen: &mut Vec<String>, _, reason| {
            seen.push(reason.to_string());
        });
    one.io.to(bob.id()).disconnect_all();
    let mut carl = two.client();
    wait_until("it is disconnected", || {
        carl.emit(&mut two.io, "anything", ());
        bob.is_disconnected()
    });
    assert_eq!(two.io.state(), &["server namespace disconnect"]);
    assert!(!ann.is_disconnected() && !carl.is_disconnected());
}

#[test]
fn sockets_of_both_servers_answer() {
    let (mut one, mut two) = two();
    let (mut ann, mut bob) = (one.client(), two.client());
    let got = poll(&mut one, &mut two, &mut ann, &mut bob);
    assert_eq!(got, (vec![1, 2], None));
    // One that leaves in place of an answer is told at once.
    let (tell, heard) = channel();
    let then = move |answers: AllAnswers| tell.send(numbers(&answers)).unwrap();
    one.io
        .to(bob.id())
        .emit_with_ack("number?", (), 10 * PATIENCE, then);
    events(&mut bob, 1);
    bob.vanish(&mut two.io);
    assert_eq!(
        told(&mut one, &mut ann, &heard),
        (vec![], Some(AckError::Disconnected))
    );
}

#[test]
fn in_one_order_both_servers_see_the_same() {
    let local = Local::new();
    let (mut one, mut two) = two_over(&quick().ordered(), || local.clone());
    let (mut ann, mut bob) = (one.client(), two.client());
    assert_eq!(one.io.emit("number", 0), 0, "nobody yet");
    let others = two.io.of("/");
    let busy = std::thread::spawn(move || {
        (0..200).for_each(|number| _ = others.emit("two", number));
    });
    (0..200).for_each(|number| _ = one.io.emit("one", number));
    busy.join().unwrap();
    let seen = |client: &mut MemoryClient| -> Vec<(String, Vec<Value>)> {
        let events = events(client, 401);
        let seen = events
            .iter()
            .map(|it| (it.name().to_owned(), it.arguments().to_vec()));
        seen.collect()
    };
    let all = seen(&mut ann);
    assert_eq!(all.len(), 401);
    assert_eq!(all, seen(&mut bob));
    for name in ["one", "two"] {
        let of_it = all.iter().filter(|it| it.0 == name);
        let numbers: Vec<_> = of_it.map(|it| it.1[0].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..200).collect::<Vec<_>>());
    }
    assert_eq!(
        poll(&mut one, &mut two, &mut ann, &mut bob),
        (vec![1, 2], None)
    );
}

/// A backplane of one node that the test cuts: the node is as one that was killed.
struct Cut<B>(B, Arc<AtomicBool>);

struct CutPublisher(Box<dyn Publisher>, Arc<AtomicBool>);

impl<B: Backplane> Backplane for Cut<B> {
    fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>) {
        let (publisher, subscriber) = self.0.split();
        (Box::new(CutPublisher(publisher, self.1)), subscriber)
    }
}

impl Publisher for CutPublisher {
    fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError> {
        match self.1.load(SeqCst) {
            true => Err(BackplaneError::new("cut")),
            false => self.0.publish(frames),
        }
    }
}

#[test]
fn a_server_that_is_gone_is_waited_for_until_the_timeout_and_told() {
    let (local, is_cut) = (Local::new(), Arc::new(AtomicBool::new(false)));
    // It is not known to be gone for 4.5 s: what is asked before is asked of it, too.
    let slow = || Cluster::builder().heartbeat(Duration::from_secs(3));
    let mut one = Side::join(slow(), local.clone());
    let mut two = Side::join(slow(), Cut(local, is_cut.clone()));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let own = seen.clone();
    one.io
        .on_cluster_event(move |_, event| own.lock().unwrap().push(event));
    wait_until("they know each other", || {
        one.cluster.nodes().len() == 2 && two.cluster.nodes().len() == 2
    });
    let (mut ann, _bob) = (one.client(), two.client());
    is_cut.store(true, SeqCst);
    let (tell, heard) = channel();
    let then = move |answers: AllAnswers| tell.send(numbers(&answers)).unwrap();
    let timeout = Duration::from_millis(100);
    one.io.of("/").emit_with_ack("number?", (), timeout, then);
    let question = events(&mut ann, 1).remove(0);
    ann.answer(&mut one.io, &question, 1);
    assert_eq!(
        told(&mut one, &mut ann, &heard),
        (vec![1], Some(AckError::Timeout))
    );
    let found = one.io.of("/").fetch_sockets(timeout);
    assert_eq!((found.ids.len(), found.missing_servers), (1, 1));

    // Once it is known to be gone, nobody waits for it.
    let left = ClusterEvent::NodeLeft(two.cluster.id());
    wait_until("it is known to be gone", || {
        ann.emit(&mut one.io, "anything", ());
        seen.lock().unwrap().contains(&left)
    });
    let found = one.io.of("/").fetch_sockets(PATIENCE);
    assert_eq!((found.ids.len(), found.missing_servers), (1, 0));
}

#[test]
fn what_is_too_long_for_the_cluster_reaches_nobody() {
    let local = Local::new();
    let (mut one, mut two) = two_over(&quick().max_message(1000), || local.clone());
    let (mut ann, mut bob) = (one.client(), two.client());
    assert_eq!(one.io.emit("long", "x".repeat(1001)), 0);
    let (tell, heard) = channel();
    let then = move |answers: AllAnswers| tell.send(numbers(&answers)).unwrap();
    one.io
        .of("/")
        .emit_with_ack("long", "x".repeat(1001), PATIENCE, then);
    one.io.emit("short", "x");
    assert_eq!(names(&events(&mut bob, 1)), ["short"]);
    assert_eq!(names(&events(&mut ann, 1)), ["short"]);
    ann.emit(&mut one.io, "anything", ());
    assert_eq!(heard.recv().unwrap(), (vec![], Some(AckError::NotSent)));
}

#[test]
fn a_cluster_and_a_socketio_are_of_each_other_alone() {
    let (mut one, two) = two();
    // Another cluster is ignored.
    one.io.adapter(&two.cluster);
    let mut two = two;
    let mut bob = two.client();
    one.io.emit("still", ());
    assert_eq!(names(&events(&mut bob, 1)), ["still"]);
    // Without a server in between its sockets are not lost: local emits go on.
    let mut ann = one.client();
    drop(two);
    one.io.emit("on", ());
    assert_eq!(names(&events(&mut ann, 1)), ["on"]);
}
