//! Servers of a cluster whose application threads tell the test what they saw.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wshub::{
    Backplane, Cluster, ClusterBuilder, ClusterEvent, Connection, Event, RecvError, Server,
    ServerHandle,
};

use super::{Client, PATIENCE};

pub const HEARTBEAT: Duration = Duration::from_millis(400);

/// A server of a cluster whose application thread tells the test what it saw.
pub struct Node {
    pub addr: SocketAddr,
    pub cluster: Cluster,
    pub events: Receiver<ClusterEvent>,
    opened: Receiver<Connection>,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    pub fn join(backplane: impl Backplane) -> Node {
        Node::join_as(Cluster::builder().heartbeat(HEARTBEAT), backplane)
    }

    pub fn join_as(builder: ClusterBuilder, backplane: impl Backplane) -> Node {
        let server = Server::bind("127.0.0.1:0").unwrap();
        let (addr, handle) = (server.local_addr().unwrap(), server.handle());
        let cluster = builder.join(&server, backplane).unwrap();
        let (tell, events) = channel();
        let (tell_opened, opened) = channel();
        let own = cluster.clone();
        let thread = thread::spawn(move || {
            let mut events = server.events();
            loop {
                match events.recv() {
                    Ok(Event::Open(connection)) => _ = tell_opened.send(connection),
                    Err(RecvError::Woken) => own.events().for_each(|it| _ = tell.send(it)),
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        Node {
            addr,
            cluster,
            events,
            opened,
            handle,
            thread: Some(thread),
        }
    }

    /// A client, and its connection on the server.
    pub fn client(&self) -> (Client, Connection) {
        let client = Client::connect(self.addr);
        (client, self.opened.recv_timeout(PATIENCE).unwrap())
    }

    /// The next event that is wanted; those before it are left out.
    pub fn event<T>(&self, mut wanted: impl FnMut(&ClusterEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).expect("an event in time");
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
    }

    pub fn attached(&self) {
        self.event(|event| (*event == ClusterEvent::Attached).then_some(()));
    }

    pub fn detached(&self) -> String {
        self.event(|event| match event {
            ClusterEvent::Detached { reason } => Some(reason.clone()),
            _ => None,
        })
    }

    pub fn joined(&self, other: &Node) {
        let joined = ClusterEvent::NodeJoined(other.cluster.id());
        self.event(|event| (*event == joined).then_some(()));
    }

    /// Messages of another node that are missing, as told until they are so many.
    pub fn missing(&self, other: &Node, wanted: u64) {
        let mut sum = 0;
        while sum < wanted {
            sum += self.event(|event| match event {
                ClusterEvent::Gap { node, missing } if *node == other.cluster.id() => {
                    Some(*missing)
                }
                _ => None,
            });
        }
        assert_eq!(sum, wanted);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.handle.shutdown();
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking());
    }
}

/// Two nodes that know each other.
pub fn two(backplane: impl Backplane + Clone) -> (Node, Node) {
    let (one, two) = (Node::join(backplane.clone()), Node::join(backplane));
    one.joined(&two);
    two.joined(&one);
    (one, two)
}
