//! Socket.IO on two servers: over a backplane in memory, and over one that a test cuts.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::cluster::HEARTBEAT;
use crate::support::sides::{
    Side, a_client_moves, events, names, numbers, poll, returning, told, two_over,
    two_that_recover_over,
};
use crate::support::{PATIENCE, wait_until};
use wshub::socketio::bridge::Bridge;
use wshub::socketio::testing::{self, MemoryClient, ReceivedEvent};
use wshub::socketio::{AckError, AllAnswers, Bytes, SocketIo};
use wshub::{
    Backplane, BackplaneError, Cluster, ClusterBuilder, ClusterEvent, Local, Publisher, Redis,
    Server, Subscriber,
};

fn two() -> (Side, Side) {
    let local = Local::new();
    two_over(&quick(), || local.clone())
}

/// A server that is cut off is not known to be gone for 6 s: what is asked before is asked of it, too.
const SLOW: Duration = Duration::from_secs(4);

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
    // To one socket by its id keeps that order, too.
    one.io.emit("to all", ());
    one.io.to(ann.id()).emit("to one", ());
    assert_eq!(names(&events(&mut ann, 2)), ["to all", "to one"]);
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

/// Tells when it publishes something that has this text.
struct Telling<B>(B, &'static str, Sender<()>);

struct TellingPublisher(Box<dyn Publisher>, &'static str, Sender<()>);

impl<B: Backplane> Backplane for Telling<B> {
    fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>) {
        let (publisher, subscriber) = self.0.split();
        let publisher = TellingPublisher(publisher, self.1, self.2);
        (Box::new(publisher), subscriber)
    }
}

impl Publisher for TellingPublisher {
    fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError> {
        self.0.publish(frames)?;
        let has_text = |frame: &&[u8]| String::from_utf8_lossy(frame).contains(self.1);
        if frames.iter().any(has_text) {
            // Err: the test has heard it.
            let _ = self.2.send(());
        }
        Ok(())
    }
}

#[test]
fn a_server_that_is_gone_is_waited_for_until_the_timeout_and_told() {
    let (local, is_cut) = (Local::new(), Arc::new(AtomicBool::new(false)));
    let slow = || Cluster::builder().heartbeat(SLOW);
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
    let timeout = Duration::from_secs(1);
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

/// It dies while it is asked: with a question that it has not heard, one that its socket has not answered, and a fetch.
#[test]
fn a_server_that_dies_is_waited_for_until_it_is_known_to_be_gone() {
    let (local, is_cut) = (Local::new(), Arc::new(AtomicBool::new(false)));
    let slow = || Cluster::builder().heartbeat(SLOW);
    let mut one = Side::join(slow(), local.clone());
    let mut two = Side::join(slow(), Cut(local, is_cut.clone()));
    wait_until("they know each other", || {
        one.cluster.nodes().len() == 2 && two.cluster.nodes().len() == 2
    });
    let (mut ann, mut bob) = (one.client(), two.client());
    let timeout = 2 * PATIENCE;
    let ask = |side: &Side| {
        let (tell, heard) = channel();
        let then = move |answers: AllAnswers| tell.send(numbers(&answers)).unwrap();
        side.io.of("/").emit_with_ack("number?", (), timeout, then);
        heard
    };
    let owed = ask(&one);
    assert_eq!(names(&events(&mut bob, 1)), ["number?"]);
    is_cut.store(true, SeqCst);
    let unheard = ask(&one);
    for question in events(&mut ann, 2) {
        ann.answer(&mut one.io, &question, 1);
    }
    let found = one.io.of("/").fetch_sockets(timeout);
    assert_eq!((found.ids.len(), found.missing_servers), (1, 1));
    for heard in [owed, unheard] {
        assert_eq!(
            told(&mut one, &mut ann, &heard),
            (vec![1], Some(AckError::Disconnected))
        );
    }
}

/// A thread waits for the other one, which does not answer.
#[test]
fn a_server_that_leaves_waits_for_no_other() {
    let (local, is_cut) = (Local::new(), Arc::new(AtomicBool::new(false)));
    let slow = || Cluster::builder().heartbeat(100 * PATIENCE);
    let (asks, asked) = channel();
    let one = Side::join(slow(), Telling(local.clone(), "/asked", asks));
    let two = Side::join(slow(), Cut(local, is_cut.clone()));
    wait_until("they know each other", || one.cluster.nodes().len() == 2);
    is_cut.store(true, SeqCst);
    let sockets = one.io.of("/asked");
    let (tell, heard) = channel();
    let asking = std::thread::spawn(move || {
        tell.send(sockets.fetch_sockets(100 * PATIENCE)).unwrap();
    });
    asked.recv_timeout(PATIENCE).unwrap();
    assert!(heard.try_recv().is_err(), "it waits for the other one");
    drop(one);
    let found = heard.recv_timeout(PATIENCE).unwrap();
    assert_eq!((found.ids.len(), found.missing_servers), (0, 1));
    asking.join().unwrap();
    drop(two);
}

/// A thread waits for servers that this one never came to know.
#[test]
fn a_server_that_leaves_before_it_attached_waits_for_no_other() {
    let one = Side::join(quick(), Cut(Local::new(), Arc::new(AtomicBool::new(true))));
    let sockets = one.io.of("/");
    let (tell, heard) = channel();
    let asking = std::thread::spawn(move || {
        tell.send(None).unwrap();
        tell.send(Some(sockets.fetch_sockets(100 * PATIENCE)))
            .unwrap();
    });
    assert_eq!(heard.recv_timeout(PATIENCE), Ok(None));
    // It is asked before this one leaves.
    wait_until("it waits to be asked", || one.cluster.waiting() > 0);
    drop(one);
    let fetched = heard.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!((fetched.ids.len(), fetched.missing_servers), (0, 1));
    asking.join().unwrap();
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
    let begun = Instant::now();
    let unheard = one.io.to("x".repeat(1001)).fetch_sockets(PATIENCE);
    assert!(begun.elapsed() < PATIENCE, "it was waited for");
    assert_eq!((unheard.ids.len(), unheard.missing_servers), (0, 1));
    one.io.emit("short", "x");
    assert_eq!(names(&events(&mut bob, 1)), ["short"]);
    assert_eq!(names(&events(&mut ann, 1)), ["short"]);
    ann.emit(&mut one.io, "anything", ());
    assert_eq!(
        heard.recv_timeout(PATIENCE).unwrap(),
        (vec![], Some(AckError::NotSent))
    );
}

/// The server goes on without it.
#[test]
fn a_bridge_that_leaves_is_not_waited_for() {
    let mut io = SocketIo::new(());
    // Nobody is there.
    let bridge = Bridge::join(&io, &Redis::new("redis://127.0.0.1:1/").unwrap()).unwrap();
    let server = Server::builder()
        .socketio(&io, "/socket.io/")
        .without_listener()
        .unwrap();
    let mut ann = testing::join(&mut io, "/", json!({})).unwrap();
    let (tell, heard) = channel();
    let then = move |answers| tell.send(answers).unwrap();
    io.of("/")
        .emit_with_ack("number?", (), 100 * PATIENCE, then);
    let question = events(&mut ann, 1).remove(0);
    ann.answer(&mut io, &question, 1);
    drop(bridge);
    let mut got = None;
    wait_until("it is told", || {
        ann.emit(&mut io, "anything", ());
        got = heard.try_recv().ok();
        got.is_some()
    });
    let got = got.unwrap();
    assert_eq!(numbers(&got), (vec![1], Some(AckError::Disconnected)));
    assert_eq!(got.missing_servers, 1);
    drop(server);
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

#[test]
fn a_client_comes_back_to_another_server_as_who_it_was() {
    for builder in [quick(), quick().ordered()] {
        let local = Local::new();
        let (mut one, mut two) = two_that_recover_over(&builder, || local.clone());
        a_client_moves(&mut one, &mut two);
    }
}

/// What is emitted to one socket may be missed, too; what stays on its server is not known elsewhere.
#[test]
fn a_client_that_missed_what_another_server_lacks_is_new_there() {
    let builders = [quick(), quick().ordered()];
    let cases = builders.iter().flat_map(|it| [(it, false), (it, true)]);
    for (builder, stays) in cases {
        let local = Local::new();
        let (mut one, mut two) = two_that_recover_over(builder, || local.clone());
        one.io
            .on("/", "again", |_, socket, ()| socket.emit("again", 2));
        let (mut ann, mut bob) = (one.client(), two.client());
        let id = ann.id().to_owned();
        one.io.emit("first", 1);
        let seen = events(&mut ann, 1);
        let auth = returning(&ann, &seen);
        match stays {
            true => _ = one.io.of("/").local().emit("here", 2),
            false => ann.emit(&mut one.io, "again", ()),
        }
        ann.vanish(&mut one.io);
        one.io.emit("last", 3);
        hear(&mut bob, "last");
        let mut ann = testing::join(&mut two.io, "/", auth).unwrap();
        assert_eq!(ann.id() == id, !stays);
        let missed = ann.take_events();
        assert_eq!(names(&missed).is_empty(), stays, "{missed:?}");
        if !stays {
            assert_eq!(names(&missed), ["again", "last"]);
        }
    }
}

/// What a thread does for one client comes in that order, though what is emitted to many waits for the one order.
#[test]
fn what_goes_to_one_socket_waits_for_no_order_of_the_servers() {
    let local = Local::new();
    let (mut one, _two) = two_that_recover_over(&quick().ordered(), || local.clone());
    one.io.on("/", "ask", |_, socket, ()| {
        socket.emit("before", ());
        socket.emit_with_ack("question", (), PATIENCE, |_, _| ());
        socket.emit("after", ());
        Ok("answer")
    });
    one.io.on("/", "leave", |_, socket, ()| {
        socket.emit("bye", ());
        socket.disconnect();
    });
    let mut ann = one.client();
    let answer = ann.ask(&mut one.io, "ask", ());
    assert_eq!(answer, Some(vec![Value::from("answer")]));
    let got = ann.take_events();
    assert_eq!(names(&got), ["before", "question", "after"]);
    one.io.emit("to all", ());
    assert_eq!(names(&events(&mut ann, 1)), ["to all"], "each once");
    ann.emit(&mut one.io, "leave", ());
    assert_eq!(names(&ann.take_events()), ["bye"]);
    assert!(ann.is_disconnected());
}

#[test]
fn what_is_too_long_for_the_cluster_reaches_the_one_client_that_it_is_for() {
    let local = Local::new();
    let builder = quick().max_message(1000);
    let (mut one, _two) = two_that_recover_over(&builder, || local.clone());
    let long = "x".repeat(2000);
    one.io
        .on("/", "ask", move |_, socket, ()| socket.emit("long", &long));
    let mut ann = one.client();
    ann.emit(&mut one.io, "ask", ());
    assert_eq!(names(&ann.take_events()), ["long"]);
}

/// What stays on a server is for those that are there, or come back to it; that another server had some is no hindrance.
#[test]
fn a_client_that_comes_back_elsewhere_finds_nothing_that_stayed_there_before() {
    // The one server has heard of what stayed on the other, or has not.
    for somebody_left in [true, false] {
        let local = Local::new();
        let (mut one, mut two) = two_that_recover_over(&quick(), || local.clone());
        let (mut ann, mut bob) = (one.client(), two.client());
        let id = ann.id().to_owned();
        two.io.of("/").local().emit("not for ann", 1);
        if somebody_left {
            two.client().vanish(&mut two.io);
        }
        two.io.emit("first", 2);
        let seen = events(&mut ann, 1);
        let auth = returning(&ann, &seen);
        two.io.of("/").local().emit("not for ann", 3);
        ann.vanish(&mut one.io);
        one.io.emit("last", 4);
        hear(&mut bob, "last");
        let mut ann = testing::join(&mut two.io, "/", auth.clone()).unwrap();
        assert_eq!(ann.id(), id);
        assert_eq!(names(&ann.take_events()), ["last"]);
        // That is lost with this connection, and so is one more.
        two.io.of("/").local().emit("for ann", 5);
        ann.vanish(&mut two.io);
        let mut ann = testing::join(&mut two.io, "/", auth).unwrap();
        assert_eq!(ann.id(), id);
        assert_eq!(names(&ann.take_events()), ["last", "for ann"]);
    }
}

#[test]
fn a_client_comes_back_to_its_server_whatever_stayed_on_another() {
    let local = Local::new();
    let (mut one, mut two) = two_that_recover_over(&quick(), || local.clone());
    let (mut bob, mut carl) = (two.client(), two.client());
    let id = bob.id().to_owned();
    let one_has_its_own = |one: &mut Side, carl: &mut MemoryClient, sign: &str| {
        one.io.of("/").local().emit("of the one", ());
        one.client().vanish(&mut one.io);
        one.io.emit(sign, ());
        hear(carl, sign);
    };
    one_has_its_own(&mut one, &mut carl, "first");
    two.io.of("/").local().emit("of the two", ());
    let seen = events(&mut bob, 2);
    assert_eq!(names(&seen), ["first", "of the two"]);
    let auth = returning(&bob, &seen);
    bob.vanish(&mut two.io);
    one_has_its_own(&mut one, &mut carl, "last");
    let mut bob = testing::join(&mut two.io, "/", auth).unwrap();
    assert_eq!(bob.id(), id);
    assert_eq!(names(&bob.take_events()), ["last"]);
}

/// Waits until a client has got this event.
fn hear(client: &mut MemoryClient, name: &str) {
    wait_until("it is heard", || {
        client.take_events().iter().any(|it| it.name() == name)
    });
}

/// Threads of both servers emit while a client goes from one to the other and back: it gets all of each, in order.
#[test]
fn a_client_that_moves_under_load_misses_nothing_and_gets_nothing_twice() {
    const EACH: u64 = 300;
    const MOVES: usize = 10;
    let local = Local::new();
    let (mut one, mut two) = two_that_recover_over(&quick(), || local.clone());
    let mut ann = one.client();
    let mut keepers = [one.client(), two.client()];
    // Each server knows that the other one emits.
    one.io.emit("first", ());
    two.io.emit("first", ());
    events(&mut ann, 2);
    let emitters = [&one, &one, &two, &two].map(|side| side.io.of("/"));
    let threads: Vec<_> = (0u64..)
        .zip(emitters)
        .map(|(thread, emitter)| {
            std::thread::spawn(move || {
                for number in 0..EACH {
                    emitter.emit("n", (thread, number));
                    std::thread::yield_now();
                }
            })
        })
        .collect();
    let mut got: Vec<ReceivedEvent> = Vec::new();
    let mut moves = 0;
    let deadline = std::time::Instant::now() + PATIENCE;
    while got.len() < 4 * EACH as usize && std::time::Instant::now() < deadline {
        let events = ann.take_events();
        if events.is_empty() || moves == MOVES {
            got.extend(events);
            std::thread::yield_now();
            continue;
        }
        // Some of what it was sent is lost with the connection.
        got.extend(events[..events.len().div_ceil(2)].iter().cloned());
        let [of_one, of_two] = &mut keepers;
        let (here, there, keeper) = match moves % 2 {
            0 => (&mut one, &mut two, of_one),
            _ => (&mut two, &mut one, of_two),
        };
        let (id, auth) = (ann.id().to_owned(), returning(&ann, &got));
        ann.vanish(&mut here.io);
        // It tries until the other server has heard of it. Where a thread was just sending to it, the server that it left
        // learns of its end from that thread, and sees to it with the next message.
        let mut back = None;
        wait_until("it is who it was", || {
            keeper.emit(&mut here.io, "anything", ());
            let client = testing::join(&mut there.io, "/", auth.clone()).unwrap();
            match client.id() == id {
                true => back = Some(client),
                false => client.disconnect(&mut there.io),
            }
            back.is_some()
        });
        ann = back.unwrap();
        moves += 1;
    }
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    for thread in 0..4 {
        let pairs = got.iter().map(|it| it.get::<(u64, u64, String)>().unwrap());
        let of_thread = pairs.filter(|it| it.0 == thread).map(|it| it.1);
        assert!(of_thread.eq(0..EACH), "thread {thread}");
    }
    assert_eq!(moves, MOVES);
}
