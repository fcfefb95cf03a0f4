//! Socket.IO on several servers: what is done on one is done on all, over a cluster.

mod wire;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Weak};
use std::time::{Duration, Instant};

use super::answers::AckError;
use super::application::SocketIo;
use super::core::Core;
use super::directory::SocketMove;
use super::operation::{AckRequest, Adapter, LocalTurn, Operation, PollNews};
use super::recovery::Audience;
use crate::atomic::AtomicU64;
use crate::cluster::{CarrierEvent, ClusterCarrier};
use crate::limits::YEAR;
use crate::lock::{CALLS, Mutex, lock};
use crate::logging::log_line;
use crate::{Cluster, ClusterError, ClusterEvent, NodeId};

use wire::AdapterMessage;

/// Ids that one message has: with 20 bytes each it is of 24 KB.
const PRESENT_AT_ONCE: usize = 1000;
/// Bytes of the names and rooms of a socket that other servers are told: 100 rooms with long names.
const LONGEST_MOVE: usize = 16 << 10;
/// Stands for servers that are not known yet.
const NOT_KNOWN_YET: u128 = 0;

impl<S> SocketIo<S> {
    /// Makes this server one of several. An [`Emitter`](super::Emitter) then reaches the sockets of all of them:
    /// `emit`, `emit_with_ack`, `join_all`, `leave_all`, `disconnect_all` and `fetch_sockets`, unless it is
    /// [`local`](super::Emitter::local). Each socket, on any server, gets what one thread sends in that order. With
    /// [`ordered`](crate::ClusterBuilder::ordered), what different servers send comes in one order, too, and what goes
    /// to one socket alone ([`Socket::emit`](super::Socket::emit)) does not wait for that. Features `socketio` and
    /// `redis`.
    ///
    /// All servers of the cluster must have the same namespaces; best they run the same program. The requests of a
    /// client that polls must all go to the same server, so the proxy in front needs sticky sessions; clients that use
    /// WebSockets alone need none. With [`recovery_window`](super::Limits::recovery_window), the same on all servers, a
    /// client may come back to any of them.
    ///
    /// The server can be in one cluster; a second one is ignored, and the log (warn) says so.
    ///
    /// ```no_run
    /// use wshub::socketio::SocketIo;
    /// use wshub::{Cluster, Redis, Server};
    ///
    /// let mut io = SocketIo::new(());
    /// io.on("/", "say", |_, socket, text: String| {
    ///     socket.to("lobby").emit("said", text); // the others in the room, on every server
    /// });
    /// let server = Server::builder().socketio(&io, "/socket.io/").bind("127.0.0.1:3000")?;
    /// io.adapter(&Cluster::join(&server, Redis::new("redis://127.0.0.1/")?)?);
    /// server.run(&mut io)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn adapter(&mut self, cluster: &Cluster) -> &mut Self {
        let adapter = Arc::new(ClusterAdapter {
            carrier: cluster.carrier(),
            core: Arc::downgrade(&self.core),
            calls: Mutex::default(),
            heard: Condvar::new(),
            unreadable: AtomicU64::new(0),
        });
        let hears = Arc::downgrade(&adapter);
        let hear = move |node: NodeId, news: CarrierEvent<'_>| match (hears.upgrade(), news) {
            (Some(adapter), CarrierEvent::Came(message)) => adapter.take(node, message),
            (Some(adapter), CarrierEvent::Left) => adapter.leave(node),
            (None, _) => {}
        };
        let is_free = self.core.adapter.get().is_none()
            && adapter.carrier.set_carrier_handler(Box::new(hear));
        let node = cluster.id().number();
        if is_free && self.core.adapter.set(Box::new(adapter)).is_ok() {
            let before = lock(&self.core.directory).set_node(node);
            drop(before);
            self.joined = Some((cluster.clone(), Vec::new()));
        } else {
            log_line!(
                Warn,
                "SocketIo::adapter: one cluster and one SocketIo belong together, and one of them is taken"
            );
        }
        self
    }

    /// Adds a listener for what happens between the servers: one comes or goes, the backplane is away, messages are
    /// missing. Without one they wait in [`Cluster::events`]. Call [`adapter`](SocketIo::adapter) before; otherwise
    /// this call is ignored, and the log (warn) says so.
    pub fn on_cluster_event(
        &mut self,
        listener: impl FnMut(&mut S, ClusterEvent) + Send + 'static,
    ) -> &mut Self {
        match &mut self.joined {
            Some((_, listeners)) => listeners.push(Box::new(listener)),
            None => log_line!(
                Warn,
                "SocketIo::on_cluster_event: call SocketIo::adapter before"
            ),
        }
        self
    }

    /// Tells the listeners what happened between the servers.
    pub(crate) fn see_to_cluster(&mut self) {
        let joined = self.joined.as_mut();
        let Some((cluster, listeners)) = joined.filter(|(_, it)| !it.is_empty()) else {
            return;
        };
        for event in cluster.events() {
            for listener in &mut *listeners {
                listener(&mut self.state, event.clone());
            }
        }
    }
}

struct ClusterAdapter {
    carrier: ClusterCarrier,
    core: Weak<Core>,
    calls: Mutex<OpenCalls, CALLS>,
    /// Something of `calls` has changed.
    heard: Condvar,
    /// Messages that were not understood.
    unreadable: AtomicU64,
}

/// Threads that wait for the ids of sockets.
#[derive(Default)]
struct OpenCalls {
    last: u64,
    by_number: HashMap<u64, OpenCall>,
}

struct OpenCall {
    unheard: BTreeSet<u128>,
    sockets: Vec<String>,
    /// How many servers have gone and not said theirs.
    gone: usize,
}

impl Adapter for Arc<ClusterAdapter> {
    fn publish(&self, operation: &Operation) -> LocalTurn {
        match self.carrier.carry(None, &wire::operation(operation)) {
            Ok(()) if self.carrier.comes_back() => LocalTurn::OnReturn,
            Ok(()) | Err(ClusterError::Left) => LocalTurn::Now,
            Err(error) => LocalTurn::Never(error.to_string()),
        }
    }

    fn tell_move(&self, told: &SocketMove) {
        let message = wire::moved(told);
        // One that is too long is told nobody: the client comes back to this server, or is new.
        if message.len() <= LONGEST_MOVE {
            let _ = self.carrier.carry(None, &message);
        }
    }

    fn others(&self) -> Vec<u128> {
        match self.carrier.others() {
            Some(others) => others.into_iter().map(NodeId::number).collect(),
            None => vec![NOT_KNOWN_YET],
        }
    }

    fn fetch(
        &self,
        namespace: &str,
        audience: &Audience,
        timeout: Duration,
    ) -> (Vec<String>, usize) {
        let deadline = Instant::now() + timeout.min(YEAR);
        let mut calls = lock(&self.calls);
        calls.last += 1;
        let number = calls.last;
        let open = OpenCall {
            unheard: self.others().into_iter().collect(),
            sockets: Vec::new(),
            gone: 0,
        };
        calls.by_number.insert(number, open);
        drop(calls);
        // One that is too long reaches no server: their answers are missing.
        let is_asked = self
            .carrier
            .carry(None, &wire::call(number, namespace, audience))
            .is_ok();
        let mut calls = lock(&self.calls);
        loop {
            let call = calls.by_number.get(&number);
            let waits = is_asked && call.is_some_and(|it| !it.unheard.is_empty());
            let left = deadline.saturating_duration_since(Instant::now());
            if !waits || left.is_zero() {
                let call = calls.by_number.remove(&number);
                return call.map_or((Vec::new(), 0), |it| {
                    (it.sockets, it.unheard.len() + it.gone)
                });
            }
            calls = calls.wait_timeout(&self.heard, left);
        }
    }
}

impl ClusterAdapter {
    /// Takes what a server has sent: another one, or this one in the order of all.
    fn take(self: &Arc<Self>, from: NodeId, message: &[u8]) {
        let Some(core) = self.core.upgrade() else {
            return;
        };
        let is_own = from == self.carrier.id();
        let wish = |poll, timeout| match is_own {
            true => core.own_wish(poll, timeout),
            false => self.wish_of(from, poll, timeout),
        };
        let Ok(message) = wire::read(message, from, wish) else {
            let count = self.unreadable.fetch_add(1, Relaxed) + 1;
            if count.is_power_of_two() {
                log_line!(
                    Warn,
                    "Socket.IO: {count} messages of servers were not understood, the last one of {from}: have all servers run \
                     one version of wshub"
                );
            }
            return;
        };
        match message {
            // It has reached its client.
            AdapterMessage::Operation(operation) if is_own && operation.is_at_once() => {}
            AdapterMessage::Operation(operation) => _ = core.apply(operation),
            AdapterMessage::Polled { poll, news } => {
                core.hear_of_poll(poll, Some(from.number()), news);
            }
            AdapterMessage::Moved(_) | AdapterMessage::Call { .. } if is_own => {}
            AdapterMessage::Moved(told) => {
                let now = core.sessions.now();
                core.with_directory(|directory| directory.hear_move(told, now));
            }
            AdapterMessage::Call {
                call,
                namespace,
                audience,
            } => self.answer_call(from, call, &core.ids(&namespace, &audience)),
            AdapterMessage::Present {
                call,
                sockets,
                is_last,
            } => self.present(from, call, sockets, is_last),
        }
    }

    /// A server is gone, or this one has left it: nobody waits for it. Where this one itself has left, nobody waits for
    /// servers that it has not come to know.
    fn leave(&self, node: NodeId) {
        let gone = match node == self.carrier.id() {
            true => NOT_KNOWN_YET,
            false => node.number(),
        };
        if let Some(core) = self.core.upgrade() {
            core.end_polls_of(gone);
        }
        let mut calls = lock(&self.calls);
        for open in calls.by_number.values_mut() {
            open.gone += usize::from(open.unheard.remove(&gone));
        }
        drop(calls);
        self.heard.notify_all();
    }

    /// What sockets of this server are asked for, for a poll of another one.
    fn wish_of(self: &Arc<Self>, from: NodeId, poll: u64, timeout: Duration) -> AckRequest {
        let adapter = self.clone();
        let sink = move |news| {
            if !adapter.tell(from, &wire::polled(poll, &news)) {
                let lost = PollNews::Answered(Err(AckError::Timeout));
                adapter.tell(from, &wire::polled(poll, &lost));
            }
        };
        AckRequest {
            poll,
            timeout,
            sink: Arc::new(sink),
        }
    }

    fn answer_call(&self, from: NodeId, call: u64, ids: &[String]) {
        let mut chunks = ids.chunks(PRESENT_AT_ONCE).peekable();
        loop {
            let chunk = chunks.next().unwrap_or_default();
            let is_last = chunks.peek().is_none();
            self.tell(from, &wire::present(call, chunk, is_last));
            if is_last {
                return;
            }
        }
    }

    fn present(&self, from: NodeId, call: u64, sockets: Vec<String>, is_last: bool) {
        let mut calls = lock(&self.calls);
        if let Some(open) = calls.by_number.get_mut(&call) {
            open.sockets.extend(sockets);
            if is_last {
                open.unheard.remove(&from.number());
            }
        }
        drop(calls);
        self.heard.notify_all();
    }

    /// False if it is too long.
    fn tell(&self, to: NodeId, message: &[u8]) -> bool {
        match self.carrier.carry(Some(to), message) {
            Err(error @ ClusterError::TooLong { .. }) => {
                log_line!(Error, "not answered: {error}");
                false
            }
            _ => true,
        }
    }
}
