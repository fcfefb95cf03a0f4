//! What all threads of a server share: who is connected, broadcast, slots, shutdown.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar};
use std::time::{Duration, Instant};

use super::admission::{Admission, Stage};
use super::crew::{Crew, Refused, USUAL_STACK};
use super::hooks::Hooks;
use super::inbox::{Inbox, Item};
use super::leader::lead::Lead;
use super::opening;
use super::pool::Pool;
use super::refusals::Refusals;
use super::scribe::Scribe;
use super::session::Handler;
use crate::clock;
use crate::connection::Connection;
use crate::connection::credit::Budget;
use crate::handshake::rules::Rules;
use crate::http::{Peer, Refusal};
use crate::limits::Limits;
use crate::lock::{Guard, Mutex, REGISTRY, lock};
use crate::logging::log_line;
use crate::message::Prepared;
use crate::outbox::broadcast::Collector;
use crate::outbox::{Bounds, Broadcast, Outbox, Overflow, ReadyState};
use crate::poller::Bell;
use crate::protocol::close::CloseCode;
use crate::stats::{Counters, Stats};
use crate::tls::Tls;
use crate::transport::{How, LINGER, Transport};

/// How much longer than its own deadlines a shutdown waits for connections to end.
/// A busy machine may not run one of their threads once in half a second.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) struct Hub {
    /// The process that the server was started in.
    process: u32,
    /// Where it listens.
    pub local_addrs: Vec<SocketAddr>,
    pub limits: Limits,
    pub overflow: Overflow,
    pub rules: Rules,
    pub hooks: Hooks,
    /// Runs each connection on its own thread; without it events go to the application thread.
    pub handler: Option<Handler>,
    pub tls: Option<Tls>,
    pub counters: Arc<Counters>,
    pub refusals: Refusals,
    /// Writes the lines of threads that serve many.
    pub scribe: Arc<Scribe>,
    /// What the application thread sends while more events wait.
    pub collector: Arc<Collector>,
    pub inbox: Arc<Inbox>,
    /// Connections that hold no thread, and who leads them.
    pub lead: Lead,
    pub pool: Arc<Pool>,
    admission: Arc<Admission>,
    /// Wakes the accept loop.
    accept_bell: Option<Arc<Bell>>,
    phase: AtomicU8,
    next_id: AtomicU64,
    registry: Mutex<Registry, REGISTRY>,
    /// A stream or the accept loop is done with, or the shutdown begins.
    left: Condvar,
    /// Those that serve all connections: the accept loop, the stand-in, the scribe.
    pub threads: Arc<Crew>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Phase {
    Running,
    Closing,
    /// Everything has ended, or is cut off: nothing begins any more.
    Ending,
    /// The events end, whoever is left.
    Ended,
    /// All were waited for: who is left is kept by the user's code.
    Done,
}

#[derive(Default)]
struct Registry {
    /// Connections whose thread lives, and whether broadcasts reach them yet.
    connections: HashMap<u64, Member>,
    /// Slots in use: connections that live, and ended ones whose Close was not taken.
    slots: usize,
    /// Slots whose connection has not joined yet.
    opening: usize,
    per_address: HashMap<IpAddr, usize>,
    /// Streams that have a thread, from before their first byte to when nothing of them is left.
    serving: usize,
    accepting: bool,
    /// The events have their end, because nobody is left who could tell of another.
    stopped: bool,
}

struct Member {
    connection: Connection,
    announced: bool,
}

/// What a shutdown left behind, and what was lost in it; all zero after a graceful one whose events were
/// all taken.
///
/// ```
/// use wshub::{Server, ShutdownReport};
///
/// let server = Server::bind("127.0.0.1:0")?;
/// let report = server.shutdown();
/// assert_eq!(report, ShutdownReport::default());
/// if report.threads_left > 0 {
///     eprintln!("{} hooks or handlers do not return", report.threads_left);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Events that the application has not taken, every `Close` included:
    /// [`Server::events`](crate::Server::events) still yields them.
    pub events_not_taken: usize,
    /// Messages that came while the server shut down and found no room among the events: they are gone.
    /// Those that were taken of the same connection have no gap. Remedy where each one counts: shut down
    /// with [`ServerHandle::shutdown`](crate::ServerHandle::shutdown), and take events to the end.
    pub messages_lost: usize,
    /// Threads that did not end in time, because a hook, handler, logger or stream of yours does not
    /// return, or the destructor of a thread-local that such code has left on its thread.
    /// What was open on them has its `Close` event all the same.
    pub threads_left: usize,
}

/// The parts of a hub that its builder chose.
pub(crate) struct Setup {
    pub local_addrs: Vec<SocketAddr>,
    pub limits: Limits,
    pub overflow: Overflow,
    pub rules: Rules,
    pub hooks: Hooks,
    pub handler: Option<Handler>,
    pub tls: Option<Tls>,
}

impl Hub {
    pub fn start(setup: Setup, accept_bell: Option<Arc<Bell>>) -> std::io::Result<Arc<Self>> {
        let limits = setup.limits;
        let max_threads = limits
            .max_connections
            .saturating_add(Admission::max_threads(&limits));
        let threads = Crew::new(usize::MAX, USUAL_STACK);
        let scribe = Scribe::new(threads.clone());
        let lead = Lead::new(scribe.clone())?;
        // Weak: a handle that outlives its connection keeps nothing of the server's open.
        let mailbox = Arc::downgrade(lead.mailbox());
        let resume = move |token| {
            if let Some(mailbox) = mailbox.upgrade() {
                mailbox.put(|mail| mail.resumed.push(token));
            }
        };
        let budget = Budget::new(&limits, resume);
        let hub = Arc::new(Hub {
            process: std::process::id(),
            local_addrs: setup.local_addrs,
            inbox: Arc::new(Inbox::new(budget, lead.bell().clone())),
            collector: Collector::new(lead.calls().clone()),
            lead,
            pool: Pool::new(max_threads, limits.stack_size, limits.idle_thread_timeout),
            admission: Admission::new(&limits),
            limits,
            overflow: setup.overflow,
            rules: setup.rules,
            hooks: setup.hooks,
            handler: setup.handler,
            tls: setup.tls,
            counters: Arc::default(),
            refusals: Refusals::default(),
            scribe,
            phase: AtomicU8::new(Phase::Running as u8),
            next_id: AtomicU64::new(1),
            registry: Mutex::new(Registry {
                accepting: accept_bell.is_some(),
                ..Registry::default()
            }),
            accept_bell,
            left: Condvar::new(),
            threads,
        });
        hub.start_stand_in()?;
        Ok(hub)
    }

    fn start_stand_in(self: &Arc<Self>) -> std::io::Result<()> {
        let hub = self.clone();
        let stand_in = move || hub.lead.stand_in(&hub);
        let started = self
            .threads
            .start(|_| "wshub-stand-in".to_owned(), stand_in);
        started.map_err(Refused::into_io)
    }

    pub fn bounds(&self) -> Bounds {
        Bounds::new(&self.limits, self.overflow)
    }

    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub fn is_closing(&self) -> bool {
        self.phase.load(Ordering::SeqCst) >= Phase::Closing as u8
    }

    fn is_ending(&self) -> bool {
        self.phase.load(Ordering::SeqCst) >= Phase::Ending as u8
    }

    /// False if it was that far already.
    fn enter_phase(&self, phase: Phase) -> bool {
        self.phase.fetch_max(phase as u8, Ordering::SeqCst) < phase as u8
    }

    /// Serves a new stream on a thread of its own, as a handshake first.
    pub fn serve(self: &Arc<Self>, transport: Arc<dyn Transport>, peer: Peer) {
        let Some(serving) = self.begin_serving() else {
            return self.refuse_at_once(&*transport, &Refusal::ShuttingDown);
        };
        let seat = self.admission.admit(self.next_id(), &transport);
        self.wake_if_late(&*transport);
        let stream = transport.clone();
        let job = move || opening::serve(serving, seat, stream, peer);
        if let Err(refused) = self.pool.run(job) {
            self.refuse_at_once(&*transport, &Refusal::Full);
            let text = || format!("no thread for a connection: {refused}");
            self.scribe.write(self.refusals.line("thread", text));
        }
    }

    /// Answers without waiting, from a thread that others depend on.
    fn refuse_at_once(&self, transport: &dyn Transport, refusal: &Refusal) {
        self.counters.refuse(refusal.reason());
        // Before a TLS handshake nothing can be said.
        if self.tls.is_none() {
            let _ = transport
                .try_write(&[std::io::IoSlice::new(&refusal.encode(false, clock::date()))]);
        }
        transport.shutdown(How::Both);
    }

    /// `None`: it comes too late for that.
    fn begin_serving(self: &Arc<Self>) -> Option<Serving> {
        let mut registry = self.registry();
        if self.is_ending() {
            return None;
        }
        registry.serving += 1;
        Some(Serving(self.clone()))
    }

    /// The shutdown has woken, or cut off, the streams that had their seats before.
    fn wake_if_late(&self, transport: &dyn Transport) {
        // fault: a late handshake is not woken
        if self.is_closing() {
            transport.shutdown(match self.is_ending() {
                true => How::Reset,
                false => How::Read,
            });
        }
    }

    /// Takes one of the connections' slots.
    pub fn take_slot(&self, peer: Peer) -> Result<(), Refusal> {
        let mut registry = self.registry();
        // fault: a slot is taken behind the shutdown
        if self.is_closing() {
            return Err(Refusal::ShuttingDown);
        }
        if registry.slots >= self.limits.max_connections {
            return Err(Refusal::Full);
        }
        if let (Some(max), Some(address)) = (self.limits.max_per_address, peer.ip()) {
            let count = registry.per_address.get(&address).copied().unwrap_or(0);
            if count >= max {
                return Err(Refusal::TooManyFromAddress);
            }
            registry.per_address.insert(address, count + 1);
        }
        registry.slots += 1;
        registry.opening += 1;
        Ok(())
    }

    /// Gives a slot back whose connection never joined.
    pub fn abandon_slot(&self, peer: Peer) {
        self.registry().opening -= 1;
        self.give_slot_back(peer);
        self.someone_left();
    }

    /// Gives a slot back: the connection has ended and its Close was taken.
    pub fn give_slot_back(&self, peer: Peer) {
        let mut registry = self.registry();
        registry.slots -= 1;
        if let (Some(_), Some(address)) = (self.limits.max_per_address, peer.ip()) {
            if let Some(count) = registry.per_address.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    registry.per_address.remove(&address);
                }
            }
        }
    }

    /// A connection begins; it was given a slot. One that comes too late for the shutdown closes.
    pub fn join(&self, connection: &Connection) {
        let mut registry = self.registry();
        registry.connections.insert(
            connection.id(),
            Member {
                connection: connection.clone(),
                announced: false,
            },
        );
        registry.opening -= 1;
        let (closing, ending) = (self.is_closing(), self.is_ending());
        drop(registry);
        self.counters.opened.fetch_add(1, Ordering::Relaxed);
        if ending {
            connection.outbox().abort();
        } else if closing {
            // fault: a late connection is not closed
            let _ = connection.close(CloseCode::GOING_AWAY, "");
        }
    }

    /// From now on broadcasts reach the connection.
    pub fn announce(&self, connection: &Connection) {
        self.collector.join(connection.outbox());
        let mut registry = self.registry();
        if let Some(member) = registry.connections.get_mut(&connection.id()) {
            member.announced = true;
        }
    }

    /// A connection's thread is done with it.
    pub fn leave(&self, connection: &Connection) {
        self.registry().connections.remove(&connection.id());
        self.inbox.budget().leave_line(connection);
        self.collector.leave(connection.outbox());
        self.someone_left();
    }

    /// The accept loop has ended.
    pub fn accept_ended(&self) {
        self.registry().accepting = false;
        self.someone_left();
    }

    /// Nobody waits for it before the shutdown, and a notice is a system call.
    fn someone_left(&self) {
        let mut registry = self.registry();
        if !self.is_closing() {
            return;
        }
        let stopped = registry.is_silent() && !registry.stopped;
        registry.stopped |= stopped;
        drop(registry);
        // fault: events without an end
        if stopped {
            self.inbox.put(Item::Stopped);
        }
        // fault: the last to leave tells nobody
        self.left.notify_all();
    }

    fn everyone(&self) -> Vec<Connection> {
        self.registry()
            .connections
            .values()
            .map(|member| member.connection.clone())
            .collect()
    }

    /// Those that broadcasts reach, the oldest first.
    pub fn connections(&self) -> Vec<Connection> {
        let registry = self.registry();
        let members = registry.connections.values();
        let announced = members.filter(|member| member.announced);
        let mut open: Vec<_> = announced.map(|member| member.connection.clone()).collect();
        drop(registry);
        open.retain(|connection| connection.ready_state() != ReadyState::Closed);
        open.sort_unstable_by_key(Connection::id);
        open
    }

    fn for_everyone(&self, work: impl Fn(&Arc<Outbox>)) {
        let everyone = self.everyone();
        Outbox::for_each(everyone.iter().map(Connection::outbox), work);
    }

    /// Sends one encoded message to everyone but `except`.
    pub fn broadcast(&self, message: &Prepared, except: Option<&Connection>) -> Broadcast {
        let except = except.map(Connection::outbox);
        let done = self.collector.broadcast(message, except);
        self.counters
            .sent(done.sent as u64, (done.sent * message.len()) as u64);
        done
    }

    pub fn stats(&self) -> Stats {
        let mut stats = self.counters.snapshot();
        let everyone = self.everyone();
        stats.connections = self.registry().slots;
        stats.handshakes = self.admission.held();
        stats.answering = self.admission.count(Stage::Plain);
        stats.waiting_for_accept = self.admission.count(Stage::Waiting);
        stats.threads = self.pool.threads();
        stats.stalled = everyone
            .iter()
            .filter(|connection| connection.outbox().is_stalled())
            .count();
        stats.waiting_for_application = everyone
            .iter()
            .filter(|it| it.account().is_waiting())
            .count();
        stats.inbound_bytes = self.inbox.budget().used();
        stats
    }

    /// Starts the graceful shutdown: no more accepts, 1001 to all. Returns at once.
    pub fn begin_shutdown(&self) {
        if self.is_of_another_process() {
            return;
        }
        let registry = self.registry();
        if !self.enter_phase(Phase::Closing) {
            return;
        }
        drop(registry);
        if let Some(bell) = &self.accept_bell {
            bell.ring();
        }
        self.for_everyone(|outbox| _ = outbox.close(Some(CloseCode::GOING_AWAY), ""));
        self.admission.close();
        // One that is decided about or answered needs no waking, and what it opens is read from.
        let is_read = |stage| matches!(stage, Stage::Reading | Stage::Parting);
        // fault: a shutdown leaves handshakes asleep
        for transport in self.admission.transports(is_read) {
            transport.shutdown(How::Read);
        }
        self.someone_left();
        log_line!(Info, "shutting down: 1001 to all connections");
    }

    /// Ends everything now: who is waited for is cut off, and the events end behind those that wait.
    pub fn terminate(&self) {
        self.begin_shutdown();
        self.inbox.budget().close(|| self.everyone());
        self.cut_off();
        self.end_events();
        // Who waits for a shutdown that has begun need not wait for its deadline.
        self.left.notify_all();
    }

    /// Waits until everything has ended, at most to `deadline`; what has not ended then is cut off, and
    /// its threads are waited for, unless the user's code keeps them.
    pub fn finish_shutdown(&self, deadline: Instant) -> ShutdownReport {
        if self.is_of_another_process() {
            return ShutdownReport::default();
        }
        self.begin_shutdown();
        self.inbox.budget().close(|| self.everyone());
        self.wait_until(deadline, |registry| registry.is_empty() || self.is_ending());
        self.cut_off();
        // What closed cleanly may still wait for its peer to take the last bytes.
        self.wait_until(Instant::now() + LINGER + GRACE, Registry::is_empty);
        let threads_left = self.join_threads();
        self.end_events();
        self.enter_phase(Phase::Done);
        let report = ShutdownReport {
            events_not_taken: self.inbox.not_taken(),
            messages_lost: self.inbox.lost(),
            threads_left,
        };
        if report != ShutdownReport::default() {
            log_line!(
                Warn,
                "shut down with {} events not taken, {} messages lost, {threads_left} threads left",
                report.events_not_taken,
                report.messages_lost
            );
        }
        report
    }

    /// True in a process that was forked off behind the start: it has the sockets and none of the threads. The clients
    /// are those of the process that goes on.
    pub fn is_of_another_process(&self) -> bool {
        self.process != std::process::id()
    }

    pub fn is_done(&self) -> bool {
        self.phase.load(Ordering::SeqCst) >= Phase::Done as u8
    }

    /// Waits for the graceful shutdown that somebody starts, then ends as it does.
    pub fn wait_for_shutdown(&self) -> ShutdownReport {
        let mut registry = self.registry();
        while !self.is_closing() {
            registry = registry.wait(&self.left);
        }
        drop(registry);
        let deadline = Instant::now() + self.limits.close_timeout + GRACE;
        if self.handler.is_none() {
            // The application takes its events meanwhile, and the connections end as it does.
            self.wait_until(deadline, |registry| registry.is_empty() || self.is_ending());
        }
        self.finish_shutdown(deadline)
    }

    /// From now on nothing begins; what has not ended is ended the hard way.
    fn cut_off(&self) {
        let registry = self.registry();
        // Under the lock: who comes later finds it so.
        self.enter_phase(Phase::Ending);
        drop(registry);
        // Handshakes first: one that has opened meanwhile is a connection, or will find itself cut off.
        for transport in self.admission.transports(|_| true) {
            transport.shutdown(How::Reset);
        }
        self.for_everyone(|outbox| outbox.abort());
    }

    /// The events end without who is left: what is open for the application is closed for it. A second
    /// end, behind that which the last one to leave has put in or is about to, is not seen.
    fn end_events(&self) {
        // fault: the end is left to who is slow
        if self.enter_phase(Phase::Ended) {
            self.inbox.put(Item::Stopped);
        }
    }

    fn wait_until(&self, deadline: Instant, mut is_so: impl FnMut(&Registry) -> bool) {
        let mut registry = self.registry();
        while !is_so(&registry) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            registry = registry.wait_timeout(&self.left, left);
        }
    }

    /// Returns how many threads are left to the user's code.
    fn join_threads(&self) -> usize {
        let busy = || self.registry().serving;
        let left = self.pool.stop(busy, Instant::now() + GRACE);
        self.lead.stop();
        self.scribe.stop();
        let left = left + self.threads.wait(|| 0, Instant::now() + GRACE);
        self.lead.clear();
        left
    }

    fn registry(&self) -> Guard<'_, Registry> {
        lock(&self.registry)
    }
}

impl Registry {
    /// No further event will come, once the server is closing: no slot is given any more.
    fn is_silent(&self) -> bool {
        self.connections.is_empty() && self.opening == 0
    }

    fn is_empty(&self) -> bool {
        self.serving == 0 && !self.accepting
    }
}

/// A stream that is served: dropped behind all that may run the user's code on it.
pub(crate) struct Serving(pub Arc<Hub>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.registry().serving -= 1;
        self.0.someone_left();
    }
}
