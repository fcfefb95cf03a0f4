//! Many servers as one: over a backplane in memory, and over one that fails as a test wants it.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::cluster::{HEARTBEAT, Node, two};
use crate::support::{Client, Frame, PATIENCE, throw, wait_until};
use wshub::{
    Backplane, BackplaneError, CatchUpError, CloseError, Cluster, ClusterError, ClusterEvent,
    Incoming, Local, Message, Publisher, Server, Subscriber,
};

#[test]
fn a_broadcast_reaches_the_clients_of_every_server_once() {
    let (one, two) = two(Local::new());
    let mut clients = [one.client().0, one.client().0, two.client().0];
    let done = one.cluster.broadcast("first").unwrap();
    assert_eq!((done.sent, done.dropped), (2, 0));
    one.cluster.broadcast(vec![1, 2]).unwrap();
    one.cluster.broadcast("last").unwrap();
    for client in &mut clients {
        assert_eq!(client.read_text(), "first");
        let binary = Frame {
            fin: true,
            opcode: 2,
            payload: vec![1, 2],
        };
        assert_eq!(client.read_message(), binary);
        assert_eq!(client.read_text(), "last");
    }
    two.cluster.broadcast("back").unwrap();
    clients
        .iter_mut()
        .for_each(|it| assert_eq!(it.read_text(), "back"));
}

#[test]
fn the_sender_can_be_left_out() {
    let (one, two) = two(Local::new());
    let (mut sender, connection) = one.client();
    // Of the same number on the other server.
    let (mut other, _) = two.client();
    one.cluster.broadcast_except(&connection, "others").unwrap();
    one.cluster.broadcast("all").unwrap();
    assert_eq!(other.read_text(), "others");
    assert_eq!(other.read_text(), "all");
    assert_eq!(sender.read_text(), "all");
}

#[test]
fn rooms_have_members_on_any_server_and_are_used_from_any_thread() {
    let (one, two) = two(Local::new());
    let (mut first, connection) = one.client();
    let (mut second, elsewhere) = two.client();
    let (mut outside, _) = two.client();
    let kitchen = one.cluster.group("kitchen");
    assert!(kitchen.join(&connection));
    assert!(!kitchen.join(&connection), "it is in");
    assert!(two.cluster.group("kitchen").join(&elsewhere));
    let other = kitchen.clone();
    let sent = thread::spawn(move || other.broadcast("dinner").unwrap());
    assert_eq!(sent.join().unwrap().sent, 1);
    assert_eq!(first.read_text(), "dinner");
    assert_eq!(second.read_text(), "dinner");
    kitchen.broadcast_except(&connection, "not first").unwrap();
    assert_eq!(second.read_text(), "not first");

    assert!(kitchen.contains(&connection) && kitchen.leave(&connection));
    assert!(!kitchen.contains(&connection) && !kitchen.leave(&connection));
    kitchen.broadcast("washing up").unwrap();
    assert_eq!(second.read_text(), "washing up");
    one.cluster.broadcast("all").unwrap();
    for client in [&mut first, &mut second, &mut outside] {
        assert_eq!(client.read_text(), "all");
    }
}

#[test]
fn who_has_ended_falls_out_of_a_room() {
    let node = Node::join(Local::new());
    let room = node.cluster.group("room");
    let (client, connection) = node.client();
    let (_stays, other) = node.client();
    room.join(&connection);
    room.join(&other);
    assert_eq!(room.members_here(), 2);
    drop(client);
    wait_until("the member is gone", || !room.contains(&connection));
    assert_eq!(room.members_here(), 1);
    assert!(!room.join(&connection), "it has ended");
}

#[test]
fn members_are_counted_on_all_servers() {
    let local = Local::new();
    let (one, two) = two(local.clone());
    let room = |node: &Node| node.cluster.group("room");
    let (_first, first) = one.client();
    let (second_client, second) = two.client();
    let (_third, third) = two.client();
    assert_eq!(room(&one).members(), 0);
    room(&one).join(&first);
    assert_eq!(room(&one).members(), 1, "at once");
    room(&two).join(&second);
    room(&two).join(&third);
    let all = |nodes: &[&Node], members| {
        wait_until("all count the same", || {
            nodes.iter().all(|node| room(node).members() == members)
        });
    };
    all(&[&one, &two], 3);
    // One that comes later is told what was before.
    let three = Node::join(local);
    all(&[&one, &two, &three], 3);
    room(&two).leave(&third);
    all(&[&one, &two, &three], 2);
    drop(second_client);
    all(&[&one, &two, &three], 1);
    assert_eq!(three.cluster.group("other").members(), 0);
    drop(one);
    all(&[&two, &three], 0);
}

#[test]
fn a_connection_of_another_server_is_closed() {
    let (one, two) = two(Local::new());
    let (mut client, connection) = two.client();
    let (mut own, own_connection) = one.client();
    let id = two.cluster.id_of(&connection).to_string().parse().unwrap();
    one.cluster.close(id, 4001, "elsewhere").unwrap();
    assert_eq!(client.read_message().close(), (4001, "elsewhere"));
    let id = one.cluster.id_of(&own_connection);
    one.cluster.close(id, 4002, &"ü".repeat(100)).unwrap();
    assert_eq!(own.read_message().close(), (4002, &*"ü".repeat(61)));
    let again = one.cluster.close(id, 4002, "");
    assert_eq!(again, Err(CloseError::Closed));
    let reserved = one.cluster.close(two.cluster.id_of(&connection), 1005, "");
    assert!(matches!(reserved, Err(CloseError::ReservedCode(_))));
}

#[test]
fn applications_send_to_each_other() {
    let (one, two) = two(Local::new());
    let three = Node::join(Local::new());
    let message = |node: &Node| {
        node.event(|event| match event {
            ClusterEvent::Message { node, message } => Some((*node, message.clone())),
            _ => None,
        })
    };
    one.cluster.send(None, "to all").unwrap();
    one.cluster.send(Some(two.cluster.id()), "to two").unwrap();
    let id = one.cluster.id();
    assert_eq!(message(&two), (id, Message::from("to all")));
    assert_eq!(message(&two), (id, Message::from("to two")));
    two.cluster.send(Some(id), vec![7]).unwrap();
    // It had none of its own before.
    let id = two.cluster.id();
    assert_eq!(message(&one), (id, Message::from(vec![7])));
    // Another backplane is another cluster.
    wait_until("it sees itself", || !three.cluster.nodes().is_empty());
    assert_eq!(three.cluster.nodes().len(), 1);
}

#[test]
fn nodes_and_their_connections_are_known_and_who_leaves_is_gone() {
    let (one, two) = two(Local::new());
    let _clients = [one.client(), two.client(), two.client()];
    wait_until("all are counted", || {
        one.cluster.connections() == 3 && two.cluster.connections() == 3
    });
    let nodes = one.cluster.nodes();
    assert_eq!(nodes[0].id, one.cluster.id(), "this one first");
    assert_eq!((nodes[0].connections, nodes[1].connections), (1, 2));
    let left = ClusterEvent::NodeLeft(two.cluster.id());
    drop(two);
    one.event(|event| (*event == left).then_some(()));
    assert_eq!(one.cluster.nodes().len(), 1);
}

#[test]
fn what_waits_goes_out_before_a_node_leaves() {
    let backplane = Local::new();
    let stays = Node::join(backplane.clone());
    stays.attached();
    let (mut client, _) = stays.client();
    let goes = Node::join(backplane);
    (0..1000).for_each(|i| _ = goes.cluster.broadcast(i.to_string()).unwrap());
    drop(goes);
    (0..1000).for_each(|i| assert_eq!(client.read_text(), i.to_string()));
}

#[test]
fn a_message_that_is_too_long_reaches_nobody() {
    let builder = Cluster::builder().heartbeat(HEARTBEAT).max_message(10);
    let node = Node::join_as(builder, Local::new());
    let (mut client, connection) = node.client();
    let room = node.cluster.group("room");
    room.join(&connection);
    let refused = node.cluster.broadcast("eleven byte").unwrap_err();
    assert_eq!(refused, ClusterError::TooLong { len: 11, limit: 10 });
    assert!(room.broadcast("seven b").is_err(), "with the room's name");
    let name = "x".repeat(65_536);
    assert!(node.cluster.group(name).broadcast("").is_err());
    assert!(room.broadcast("six by").is_ok());
    assert_eq!(client.read_text(), "six by");
}

/// Faults of one node's end of a backplane, or of all.
#[derive(Default)]
struct Faults {
    /// Every call is an error.
    is_down: AtomicBool,
    /// To publish is an error.
    refuses: AtomicBool,
    /// What is published is gone, and nobody says so.
    loses: AtomicBool,
    /// What is published comes twice, the second time after what followed.
    doubles: AtomicBool,
    panics: AtomicBool,
}

#[derive(Clone, Default)]
struct Faulty {
    carried: Arc<Mutex<Vec<Vec<u8>>>>,
    faults: Arc<Faults>,
}

impl Faulty {
    /// Another end of the same, with faults of its own.
    fn other_end(&self) -> Faulty {
        Faulty {
            carried: self.carried.clone(),
            faults: Arc::default(),
        }
    }

    fn check(&self) -> Result<(), BackplaneError> {
        match self.faults.is_down.load(SeqCst) {
            true => Err(BackplaneError::new("the test took it down")),
            false => Ok(()),
        }
    }
}

impl Backplane for Faulty {
    fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>) {
        (Box::new(self.clone()), Box::new(self))
    }
}

impl Publisher for Faulty {
    fn publish(&mut self, frames: &[&[u8]]) -> Result<(), BackplaneError> {
        self.check()?;
        if self.faults.refuses.load(SeqCst) {
            return Err(BackplaneError::new("the test refuses"));
        }
        if self.faults.panics.load(SeqCst) {
            throw();
        }
        let mut carried = self.carried.lock().unwrap();
        let times = match self.faults.doubles.load(SeqCst) {
            _ if self.faults.loses.load(SeqCst) => 0,
            true => 2,
            false => 1,
        };
        for _ in 0..times {
            carried.extend(frames.iter().map(|frame| frame.to_vec()));
        }
        Ok(())
    }
}

impl Subscriber for Faulty {
    fn receive(&mut self, incoming: &mut Incoming<'_>) -> Result<(), BackplaneError> {
        self.check()?;
        let mut position = self.carried.lock().unwrap().len();
        incoming.attached();
        while incoming.patience().is_some() {
            self.check()?;
            let new = self.carried.lock().unwrap()[position..].to_vec();
            position += new.len();
            new.iter().for_each(|frame| incoming.take(frame));
            if new.is_empty() {
                thread::park_timeout(Duration::from_millis(2));
            }
        }
        Ok(())
    }
}

#[test]
fn while_the_backplane_is_away_clients_here_are_served_and_the_others_later() {
    let backplane = Faulty::default();
    let here = Node::join(backplane.other_end());
    let there = Node::join(backplane.clone());
    here.joined(&there);
    let (mut near, _) = here.client();
    let (mut far, _) = there.client();
    // A node whose own end is broken.
    let alone = Node::join({
        let end = backplane.other_end();
        end.faults.is_down.store(true, SeqCst);
        end
    });
    assert_eq!(alone.detached(), "the test took it down");
    assert!(!alone.cluster.is_attached());
    backplane.faults.is_down.store(true, SeqCst);
    there.detached();
    let (mut beside, _) = there.client();
    there.cluster.broadcast("while away").unwrap();
    assert_eq!(beside.read_text(), "while away");
    assert_eq!(far.read_text(), "while away");
    assert_eq!(there.cluster.waiting(), 1);
    backplane.faults.is_down.store(false, SeqCst);
    there.attached();
    assert_eq!(near.read_text(), "while away");
    assert!(there.cluster.is_attached());
}

#[test]
fn without_an_end_to_its_waiting_a_message_goes_out_once_the_backplane_is_back() {
    let backplane = Faulty::default();
    let here = Node::join(backplane.other_end());
    backplane.faults.is_down.store(true, SeqCst);
    let patient = Cluster::builder()
        .heartbeat(HEARTBEAT)
        .max_waiting_time(Duration::MAX);
    let there = Node::join_as(patient, backplane.clone());
    there.detached();
    let (mut near, _) = here.client();
    there.cluster.broadcast("at last").unwrap();
    backplane.faults.is_down.store(false, SeqCst);
    there.attached();
    assert_eq!(near.read_text(), "at last");
}

#[test]
fn what_waits_is_bounded_and_its_loss_is_told_on_both_sides() {
    let backplane = Faulty::default();
    let there = Node::join(backplane.other_end());
    let builder = Cluster::builder().heartbeat(HEARTBEAT).max_waiting(10);
    let here = Node::join_as(builder, backplane.clone());
    there.joined(&here);
    let (mut far, _) = there.client();
    backplane.faults.is_down.store(true, SeqCst);
    here.detached();
    (0..100).for_each(|i| _ = here.cluster.broadcast(i.to_string()).unwrap());
    let mut unsent = 0;
    while unsent < 90 {
        unsent += here.event(|event| match event {
            ClusterEvent::Unsent { messages } => Some(*messages),
            _ => None,
        });
    }
    assert_eq!(unsent, 90);
    backplane.faults.is_down.store(false, SeqCst);
    (90..100).for_each(|i| assert_eq!(far.read_text(), i.to_string()));
    there.missing(&here, 90);
}

#[test]
fn what_waits_for_too_long_is_lost_and_told() {
    let backplane = Faulty::default();
    let there = Node::join(backplane.other_end());
    let builder = Cluster::builder().heartbeat(HEARTBEAT);
    let builder = builder.max_waiting_time(Duration::from_millis(100));
    let here = Node::join_as(builder, backplane.clone());
    there.joined(&here);
    backplane.faults.is_down.store(true, SeqCst);
    here.detached();
    here.cluster.broadcast("too late").unwrap();
    here.event(|event| (*event == ClusterEvent::Unsent { messages: 1 }).then_some(()));
    backplane.faults.is_down.store(false, SeqCst);
    there.missing(&here, 1);
}

#[test]
fn nothing_comes_twice() {
    let backplane = Faulty::default();
    let (one, two) = two(backplane.clone());
    let (mut client, _) = two.client();
    backplane.faults.doubles.store(true, SeqCst);
    (0..100).for_each(|i| _ = one.cluster.broadcast(i.to_string()).unwrap());
    backplane.faults.doubles.store(false, SeqCst);
    one.cluster.broadcast("end").unwrap();
    (0..100).for_each(|i| assert_eq!(client.read_text(), i.to_string()));
    assert_eq!(client.read_text(), "end");
}

#[test]
fn what_is_lost_is_told_though_nothing_follows() {
    let backplane = Faulty::default();
    let there = Node::join(backplane.other_end());
    let here = Node::join(backplane.clone());
    there.joined(&here);
    backplane.faults.loses.store(true, SeqCst);
    (0..7).for_each(|i| _ = here.cluster.broadcast(i.to_string()).unwrap());
    wait_until("all are published", || here.cluster.waiting() == 0);
    backplane.faults.loses.store(false, SeqCst);
    there.missing(&here, 7);
}

#[test]
fn who_is_not_heard_is_gone_and_notices_itself() {
    let backplane = Faulty::default();
    let there = Node::join(backplane.other_end());
    let here = Node::join(backplane.clone());
    there.joined(&here);
    backplane.faults.loses.store(true, SeqCst);
    let since = Instant::now();
    let left = ClusterEvent::NodeLeft(here.cluster.id());
    there.event(|event| (*event == left).then_some(()));
    // Two heartbeats, and time for a loaded machine.
    assert!(since.elapsed() < 2 * HEARTBEAT + Duration::from_secs(10));
    assert!(here.detached().contains("nothing comes back"));
    backplane.faults.loses.store(false, SeqCst);
    here.attached();
    there.joined(&here);
}

/// It published nothing that could come back. Lost heartbeats, a node that is gone, and one that comes again.
#[test]
fn members_are_counted_right_after_a_fault() {
    let backplane = Faulty::default();
    let far = backplane.other_end();
    let (one, two) = (Node::join(backplane), Node::join(far.clone()));
    one.joined(&two);
    let room = |node: &Node| node.cluster.group("room");
    let counts = |members| {
        wait_until("it counts so", || room(&one).members() == members);
    };
    let (_clients, connections): (Vec<_>, Vec<_>) = (0..3).map(|_| two.client()).unzip();
    room(&two).join(&connections[0]);
    counts(1);
    far.faults.loses.store(true, SeqCst);
    room(&two).join(&connections[1]);
    thread::sleep(2 * HEARTBEAT);
    far.faults.loses.store(false, SeqCst);
    counts(2);
    far.faults.refuses.store(true, SeqCst);
    counts(0);
    room(&two).join(&connections[2]);
    far.faults.refuses.store(false, SeqCst);
    counts(3);
}

#[test]
fn who_cannot_publish_does_not_take_itself_for_deaf() {
    let backplane = Faulty::default();
    let node = Node::join(backplane.clone());
    node.attached();
    let (_client, _) = node.client();
    backplane.faults.refuses.store(true, SeqCst);
    assert_eq!(node.detached(), "the test refuses");
    // Longer than it takes the deaf to notice.
    let other = node.events.recv_timeout(Duration::from_secs(4));
    assert!(other.is_err(), "{other:?}");
    backplane.faults.refuses.store(false, SeqCst);
    node.attached();
}

#[test]
fn in_one_order_all_clients_see_the_same() {
    let backplane = Local::new();
    let join = || {
        let builder = Cluster::builder().heartbeat(HEARTBEAT).ordered();
        Node::join_as(builder, backplane.clone())
    };
    let nodes = [join(), join()];
    nodes[0].joined(&nodes[1]);
    nodes[1].joined(&nodes[0]);
    let mut clients = nodes.each_ref().map(|node| node.client().0);
    thread::scope(|scope| {
        for node in &nodes {
            let (cluster, addr) = (&node.cluster, node.addr);
            scope.spawn(move || {
                for i in 0..500 {
                    let done = cluster.broadcast(format!("{addr} {i}")).unwrap();
                    assert_eq!(done.sent, 0, "not yet");
                }
            });
        }
    });
    let [one, two] = clients
        .each_mut()
        .map(|client| (0..1000).map(|_| client.read_text()).collect::<Vec<_>>());
    assert_eq!(one, two);
    let (mut client, connection) = nodes[0].client();
    let cluster = &nodes[0].cluster;
    cluster.broadcast_except(&connection, "others").unwrap();
    cluster.broadcast("all").unwrap();
    assert_eq!(client.read_text(), "all");
}

#[test]
fn in_one_order_what_is_lost_is_lost_here_too_and_told() {
    let backplane = Faulty::default();
    let builder = Cluster::builder().heartbeat(HEARTBEAT).ordered();
    let node = Node::join_as(builder, backplane.clone());
    node.attached();
    backplane.faults.loses.store(true, SeqCst);
    node.cluster.broadcast("lost").unwrap();
    wait_until("it is published", || node.cluster.waiting() == 0);
    backplane.faults.loses.store(false, SeqCst);
    node.missing(&node, 1);
}

/// Nobody knows of which room it was.
#[test]
fn what_is_lost_ends_the_history_of_rooms() {
    let backplane = Faulty::default();
    let builder = Cluster::builder().heartbeat(HEARTBEAT).history(10);
    let node = Node::join_as(builder, backplane.clone());
    node.attached();
    let room = node.cluster.group("room");
    let before = room.post(|_| "before").unwrap();
    wait_until("it came", || !room.history(1).is_empty());
    backplane.faults.loses.store(true, SeqCst);
    room.post(|_| "lost").unwrap();
    wait_until("it is published", || node.cluster.waiting() == 0);
    backplane.faults.loses.store(false, SeqCst);
    node.missing(&node, 1);
    assert!(room.history(10).is_empty());
    let (_client, connection) = node.client();
    assert_eq!(room.catch_up(&connection, before), Err(CatchUpError::Gone));
}

#[test]
fn what_comes_twice_is_remembered_once() {
    let backplane = Faulty::default();
    backplane.faults.doubles.store(true, SeqCst);
    let builder = Cluster::builder().heartbeat(HEARTBEAT).history(10);
    let node = Node::join_as(builder, backplane.clone());
    node.attached();
    let room = node.cluster.group("room");
    room.post(|_| "first").unwrap();
    let last = room.post(|_| "last").unwrap();
    wait_until("all came", || {
        room.history(1).iter().any(|post| post.id == last)
    });
    assert_eq!(room.history(10).len(), 2);
}

#[test]
fn a_panic_in_a_backplane_is_an_error_of_it() {
    let backplane = Faulty::default();
    backplane.faults.panics.store(true, SeqCst);
    let node = Node::join(backplane.clone());
    assert!(node.detached().contains("panicked"));
    backplane.faults.panics.store(false, SeqCst);
    node.attached();
}

#[test]
fn a_drop_does_not_wait_for_a_backplane_that_hangs() {
    #[derive(Clone)]
    struct Hung(Arc<AtomicBool>);
    impl Hung {
        fn hang(&self) {
            while !self.0.load(SeqCst) {
                thread::park_timeout(Duration::from_millis(5));
            }
        }
    }
    impl Backplane for Hung {
        fn split(self) -> (Box<dyn Publisher>, Box<dyn Subscriber>) {
            (Box::new(self.clone()), Box::new(self))
        }
    }
    impl Publisher for Hung {
        fn publish(&mut self, _: &[&[u8]]) -> Result<(), BackplaneError> {
            self.hang();
            Ok(())
        }
    }
    impl Subscriber for Hung {
        fn receive(&mut self, incoming: &mut Incoming<'_>) -> Result<(), BackplaneError> {
            incoming.attached();
            self.hang();
            Ok(())
        }
    }
    let release = Arc::new(AtomicBool::new(false));
    let server = Server::builder().without_listener().unwrap();
    let cluster = Cluster::join(server.handle(), Hung(release.clone())).unwrap();
    let room = cluster.group("room");
    cluster.broadcast("stuck").unwrap();
    drop(cluster);
    assert_eq!(room.name(), "room", "which kept the node");
    let since = Instant::now();
    drop(room);
    assert!(since.elapsed() < PATIENCE);
    release.store(true, SeqCst);
}

#[test]
fn connections_that_are_served_by_a_closure_are_in_the_cluster_too() {
    let backplane = Local::new();
    let handle = Server::builder()
        .serve("127.0.0.1:0", |mut ws| {
            ws.send("ready")?;
            while ws.read()?.is_some() {}
            Ok(())
        })
        .unwrap();
    let cluster = Cluster::join(&handle, backplane.clone()).unwrap();
    let node = Node::join(backplane);
    let known = ClusterEvent::NodeJoined(cluster.id());
    node.event(|event| (*event == known).then_some(()));
    let mut client = Client::connect(handle.local_addr().unwrap());
    assert_eq!(client.read_text(), "ready");
    wait_until("both attached", || cluster.is_attached());
    // Frames that the backplane has together, too.
    let texts: Vec<_> = (0..500).map(|n| n.to_string()).collect();
    for text in &texts {
        node.cluster.broadcast(&**text).unwrap();
    }
    for sent in &texts {
        assert_eq!(client.read_text(), *sent);
    }
    handle.shutdown();
}
