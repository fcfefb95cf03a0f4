//! Two servers with clients that count, both sending at a steady pace while a test breaks something: what each client
//! of the other server got, and what that server was told to be missing, is what was sent, each once and in order.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wshub::{Backplane, ClusterEvent};

use crate::support::cluster::Node;
use crate::support::{AtEnd, Client};

const CLIENTS: usize = 2;
/// Between two messages of one server.
const PACE: Duration = Duration::from_millis(2);
/// Until everything has come or is told: a Redis that was hung is left for two seconds, and messages are sent again.
const PATIENCE: Duration = Duration::from_secs(40);

/// What one server saw of the other.
#[derive(Default)]
struct Seen {
    missing: u64,
    attached: bool,
    reasons: Vec<String>,
}

pub struct Load {
    nodes: [Node; 2],
    /// Of each server's clients: how many messages of the other came.
    counts: [Vec<Arc<AtomicUsize>>; 2],
    seen: [Mutex<Seen>; 2],
    readers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Two servers that need not have attached.
    pub fn new<B: Backplane>(backplane: impl Fn() -> B) -> Load {
        Load::over([backplane(), backplane()])
    }

    /// Two servers that see each other.
    pub fn attached<B: Backplane>(backplane: impl Fn() -> B) -> Load {
        let load = Load::new(backplane);
        load.wait_for_both();
        load
    }

    pub fn over<B: Backplane>(backplanes: [B; 2]) -> Load {
        let nodes = backplanes.map(Node::join);
        let mut readers = Vec::new();
        let counts = [0, 1].map(|at: usize| {
            let start = |_| {
                let (client, _) = nodes[at].client();
                let count = Arc::new(AtomicUsize::new(0));
                let own = count.clone();
                readers.push(thread::spawn(move || read(client, at, &own)));
                count
            };
            (0..CLIENTS).map(start).collect()
        });
        Load {
            nodes,
            counts,
            seen: Default::default(),
            readers,
        }
    }

    pub fn wait_for_both(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.nodes.iter().any(|node| node.cluster.nodes().len() < 2) {
            assert!(
                Instant::now() < deadline,
                "the servers do not see each other"
            );
            thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Sends from both, has the fault happen, and goes on for a while; returns how many messages were missed in all.
    pub fn run(self, fault: impl FnOnce(&Load)) -> u64 {
        let over = AtomicBool::new(false);
        let sent = thread::scope(|scope| {
            let senders = [0, 1].map(|at| {
                let (cluster, over) = (&self.nodes[at].cluster, &over);
                scope.spawn(move || {
                    let mut number = 0;
                    while !over.load(SeqCst) {
                        cluster.broadcast(format!("{at} {number}")).unwrap();
                        number += 1;
                        thread::sleep(PACE);
                    }
                    number
                })
            });
            // The senders end, whatever the fault comes to.
            let end = AtEnd(|| over.store(true, SeqCst));
            thread::sleep(Duration::from_millis(500));
            fault(&self);
            thread::sleep(Duration::from_millis(500));
            drop(end);
            senders.map(|sender| sender.join().unwrap())
        });
        self.settle(sent)
    }

    /// Waits until everything is accounted for.
    fn settle(mut self, sent: [u64; 2]) -> u64 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let open: Vec<String> = [0, 1]
                .iter()
                .filter_map(|&at| self.open(at, sent))
                .collect();
            if open.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "{open:?}");
            thread::park_timeout(Duration::from_millis(10));
        }
        // Nothing more comes: a late duplicate would be one too many.
        thread::sleep(Duration::from_millis(300));
        for at in [0, 1] {
            assert_eq!(self.open(at, sent), None);
        }
        let missing = self
            .seen
            .each_ref()
            .map(|seen| seen.lock().unwrap().missing);
        println!("sent {sent:?}, missing {missing:?}");
        let readers = std::mem::take(&mut self.readers);
        drop(self);
        readers
            .into_iter()
            .for_each(|reader| reader.join().unwrap());
        missing.iter().sum()
    }

    /// What is not accounted for at one server.
    fn open(&self, at: usize, sent: [u64; 2]) -> Option<String> {
        let seen = self.look(at);
        let (missing, attached) = (seen.missing, seen.attached);
        let sent = sent[1 - at];
        let counts: Vec<_> = self.counts[at]
            .iter()
            .map(|it| it.load(SeqCst) as u64)
            .collect();
        let is_whole = counts.iter().all(|count| count + missing == sent) && attached;
        (!is_whole).then(|| {
            let reasons = &seen.reasons;
            format!("server {at}, attached {attached}: {counts:?} and {missing} missing of {sent}; {reasons:?}")
        })
    }

    fn look(&self, at: usize) -> std::sync::MutexGuard<'_, Seen> {
        let mut seen = self.seen[at].lock().unwrap();
        let own = self.nodes[at].cluster.id();
        for event in self.nodes[at].events.try_iter() {
            match event {
                ClusterEvent::Gap { node, missing } if node != own => seen.missing += missing,
                ClusterEvent::Attached => seen.attached = true,
                ClusterEvent::Detached { reason } => {
                    seen.attached = false;
                    seen.reasons.push(reason);
                }
                _ => {}
            }
        }
        seen
    }

    /// Waits until one of the servers was told a reason with these words.
    pub fn wait_for_reason(&self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reasons = [0, 1].map(|at| self.look(at).reasons.clone()).concat();
            if reasons.iter().any(|reason| reason.contains(words)) {
                return;
            }
            assert!(Instant::now() < deadline, "no {words}: {reasons:?}");
            thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Waits until both have attached.
    pub fn wait_until_attached(&self) {
        let since = Instant::now();
        while [0, 1].iter().any(|&at| !self.look(at).attached) {
            assert!(since.elapsed() < PATIENCE, "not attached");
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}

/// Counts what comes of the other server, to the end of the connection, and sees that all is in order.
fn read(mut client: Client, at: usize, count: &AtomicUsize) {
    let mut last = [None; 2];
    while let Ok(frame) = client.try_read() {
        match frame.opcode {
            1 => {}
            // A load may take longer than a silent client is left alone.
            9 if client.try_send(true, 10, &frame.payload).is_ok() => continue,
            _ => return,
        }
        let text = frame.text();
        let (from, number) = text.split_once(' ').unwrap();
        let (from, number): (usize, u64) = (from.parse().unwrap(), number.parse().unwrap());
        assert!(
            last[from] < Some(number),
            "{number} of {from} behind {last:?}"
        );
        last[from] = Some(number);
        count.fetch_add(usize::from(from != at), SeqCst);
    }
}
