//! What all threads of a server hold. Each part keeps its own state, and most know nothing of each other. What opens
//! streams, answers or refuses them, and what ends the server sees the whole; connections and events are given what
//! they use.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::admission::{Admission, Stage};
use super::callbacks::Callbacks;
use super::connections::ConnectionServer;
use super::hooks::Hooks;
use super::http::keeper::Keeper;
use super::inbox::Inbox;
use super::leader::lead::Lead;
use super::lifecycle::Lifecycle;
use super::limited_log::LimitedLog;
use super::listen::ListenerSettings;
use super::options::Options;
use super::places::Places;
use super::refuse::Refuser;
use super::session::{ReadingClosures, SessionHandler};
use super::workers::Workers;
use crate::connection::Connection;
use crate::outbox::broadcast::Collector;
use crate::outbox::{Delivery, OutboxServer, Owner};
use crate::poller::Bell;
use crate::stats::{Counters, Stats};

pub(crate) struct Hub {
    pub options: Arc<Options>,
    pub hooks: Hooks,
    /// Runs each connection on its own thread; without it events go to the application thread.
    pub handler: Option<SessionHandler>,
    /// Where it listens.
    pub local_addrs: Vec<SocketAddr>,
    /// What applies to streams that are attached.
    pub attached: Arc<ListenerSettings>,
    pub counters: Arc<Counters>,
    pub limited_log: Arc<LimitedLog>,
    pub refuser: Refuser,
    /// Places of handshakes, plain requests and connections.
    pub admission: Admission,
    /// What the open connections share.
    pub connections: Arc<ConnectionServer>,
    /// Connections that hold no thread, and the thread that leads them.
    pub lead: Lead,
    /// Connections of plain requests that hold no thread; `None` where no plain request is answered.
    pub keeper: Option<Arc<Keeper>>,
    /// Of plain requests that wait for their answers, or whose answers are written without a thread, and of what the
    /// application is still to hear of them.
    pub waiting_places: Arc<Places>,
    pub workers: Arc<Workers>,
    /// The application's code for what has ended.
    pub callbacks: Arc<Callbacks>,
    pub lifecycle: Arc<Lifecycle>,
}

impl Hub {
    /// `accept_bell` wakes the accept loop.
    pub fn new(
        options: Options,
        hooks: Hooks,
        attached: Arc<ListenerSettings>,
        local_addrs: Vec<SocketAddr>,
        handler: Option<SessionHandler>,
        accept_bell: Option<Arc<Bell>>,
        keeper: Option<Arc<Keeper>>,
    ) -> io::Result<Arc<Self>> {
        let options = Arc::new(options);
        let limits = &options.limits;
        let max_threads = limits
            .max_connections
            .saturating_add(Admission::max_threads(limits));
        let workers = Arc::new(Workers::new(limits, max_threads));
        let counters = Arc::<Counters>::default();
        let limited_log = Arc::<LimitedLog>::default();
        let lead = Lead::new(workers.log_writer.clone(), limits)?;
        let (budget, bell) = (lead.budget(limits), lead.bell.clone());
        let inbox = Arc::new(Inbox::new(budget, bell, counters.clone()));
        let collector = Collector::new(lead.leader_queue.clone());
        let (delivery, owner): (_, Arc<dyn Owner>) = match &handler {
            None => (collector.delivery(), inbox.clone()),
            Some(_) => (Delivery::Handler, Arc::new(ReadingClosures)),
        };
        let outboxes = OutboxServer {
            leader_queue: lead.leader_queue.clone(),
            counters: counters.clone(),
            delivery,
            owner: Some(owner),
        };
        let connections = ConnectionServer::new(
            options.clone(),
            workers.clone(),
            limited_log.clone(),
            inbox.clone(),
            collector,
            outboxes,
        );
        let waiting_places = Places::new(limits.max_waiting_requests);
        Ok(Arc::new(Hub {
            admission: Admission::new(limits),
            lifecycle: Lifecycle::new(inbox, accept_bell),
            callbacks: Callbacks::new(workers.clone(), counters.clone(), waiting_places.clone()),
            refuser: Refuser::new(options.clone(), counters.clone(), limited_log.clone()),
            options,
            hooks,
            handler,
            local_addrs,
            attached,
            counters,
            limited_log,
            connections,
            lead,
            keeper,
            waiting_places,
            workers,
        }))
    }

    pub fn stats(&self) -> Stats {
        let everyone = self.connections.members.everyone();
        let count = |is_so: fn(&Connection) -> bool| everyone.iter().filter(|it| is_so(it)).count();
        Stats {
            connections: self.admission.slots.taken(),
            handshakes: self.admission.held(),
            answering: self.admission.count(Stage::Plain),
            waiting_for_accept: self.admission.count(Stage::Waiting),
            idle_connections: self.keeper.as_ref().map_or(0, |keeper| keeper.idle()),
            waiting_requests: self.waiting_places.taken(),
            threads: self.workers.threads(),
            stalled: count(|connection| connection.outbox().is_stalled()),
            waiting_for_application: count(|connection| connection.account().is_waiting()),
            inbound_bytes: self.connections.inbox.budget.used(),
            outbound_bytes: everyone.iter().map(Connection::buffered_amount).sum(),
            ..self.counters.snapshot()
        }
    }
}
