//! What all threads of a server hold. Each part keeps its own state, and most know nothing of each other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::admission::Admission;
use super::callbacks::Callbacks;
use super::hooks::Hooks;
use super::http::keeper::{Keeper, KeeperThread};
use super::inbox::Inbox;
use super::leader::lead::Lead;
use super::lifecycle::Lifecycle;
use super::limited_log::LimitedLog;
use super::listen::ListenerSettings;
use super::members::Members;
use super::options::Options;
use super::places::Places;
use super::session::{ReadingClosures, SessionHandler};
use super::workers::Workers;
use crate::connection::Connection;
use crate::connection::conversation_rules::ConversationRules;
use crate::connection::credit::Budget;
use crate::outbox::broadcast::Collector;
use crate::outbox::{Bounds, Delivery, OutboxServer, Owner};
use crate::poller::Bell;
use crate::stats::{Counters, Stats};

pub(crate) struct Hub {
    pub options: Options,
    pub hooks: Hooks,
    /// Where it listens.
    pub local_addrs: Vec<SocketAddr>,
    /// What applies to streams that are attached.
    pub settings: Arc<ListenerSettings>,
    /// Runs each connection on its own thread; without it events go to the application thread.
    pub handler: Option<SessionHandler>,
    /// What goes for connections without bounds of their own.
    pub bounds: Arc<Bounds>,
    /// What the connections share.
    pub conversations: ConversationRules,
    pub outboxes: Arc<OutboxServer>,
    pub counters: Arc<Counters>,
    pub limited_log: LimitedLog,
    /// Places of handshakes, plain requests and connections.
    pub admission: Arc<Admission>,
    /// The open connections.
    pub members: Arc<Members>,
    pub inbox: Arc<Inbox>,
    /// What the application thread sends while more events wait.
    pub collector: Arc<Collector>,
    /// Connections that hold no thread, and the thread that leads them.
    pub lead: Lead,
    /// Connections of plain requests that hold no thread; `None` where no plain request is answered.
    pub keeper: Option<Keeper>,
    /// Of plain requests that wait for their answers, or whose answers are written without a thread, and of what the
    /// application is still to hear of them.
    pub waiting_places: Arc<Places>,
    /// Of streams whose peers may still read our last bytes.
    pub lingering_places: Arc<Places>,
    pub workers: Arc<Workers>,
    /// The application's code for what has ended.
    pub callbacks: Arc<Callbacks>,
    pub lifecycle: Arc<Lifecycle>,
    /// Wakes the accept loop.
    pub accept_bell: Option<Arc<Bell>>,
}

impl Hub {
    /// The hub, and what the thread runs that watches connections of plain requests.
    pub fn new(
        options: Options,
        hooks: Hooks,
        settings: Arc<ListenerSettings>,
        local_addrs: Vec<SocketAddr>,
        handler: Option<SessionHandler>,
        accept_bell: Option<Arc<Bell>>,
    ) -> io::Result<(Arc<Self>, Option<KeeperThread>)> {
        let limits = &options.limits;
        let max_threads = limits
            .max_connections
            .saturating_add(Admission::max_threads(limits));
        let workers = Arc::new(Workers::new(limits, max_threads));
        let lead = Lead::new(workers.log_writer().clone(), limits)?;
        // Weak: a handle that outlives its connection keeps nothing of the server's open.
        let mailbox = Arc::downgrade(lead.mailbox());
        let budget = Budget::new(limits, move |token| {
            if let Some(mailbox) = mailbox.upgrade() {
                mailbox.put(|mail| mail.resumed.push(token));
            }
        });
        let counters = Arc::<Counters>::default();
        let inbox = Arc::new(Inbox::new(budget, lead.bell().clone(), counters.clone()));
        let collector = Collector::new(lead.leader_queue().clone());
        let keeper = match hooks.keeps_plain() {
            true => Some(Keeper::new(limits)?),
            false => None,
        };
        let (keeper, keeper_thread) = keeper.unzip();
        let lingering_places = Places::new(limits.max_handshakes);
        let waiting_places = Places::new(limits.max_waiting_requests);
        let (delivery, owner): (_, Arc<dyn Owner>) = match &handler {
            None => (Delivery::Events(collector.clone()), inbox.clone()),
            Some(_) => (Delivery::Handler, Arc::new(ReadingClosures)),
        };
        let outboxes = OutboxServer {
            leader_queue: lead.leader_queue().clone(),
            counters: counters.clone(),
            delivery,
            owner: Some(owner),
        };
        let hub = Arc::new(Hub {
            admission: Admission::new(limits),
            bounds: Arc::new(Bounds::new(&options.limits, options.overflow)),
            conversations: ConversationRules::new(
                &options.limits,
                options.limits.ping_interval,
                Instant::now(),
            ),
            members: Members::new(collector.clone(), counters.clone()),
            lifecycle: Lifecycle::new(inbox.clone()),
            outboxes: Arc::new(outboxes),
            callbacks: Callbacks::new(workers.clone(), counters.clone(), waiting_places.clone()),
            limited_log: LimitedLog::default(),
            options,
            hooks,
            local_addrs,
            settings,
            handler,
            counters,
            inbox,
            collector,
            lead,
            keeper,
            waiting_places,
            lingering_places,
            workers,
            accept_bell,
        });
        Ok((hub, keeper_thread))
    }

    pub fn stats(&self) -> Stats {
        let everyone = self.members.everyone();
        let count = |is_so: fn(&Connection) -> bool| everyone.iter().filter(|it| is_so(it)).count();
        Stats {
            connections: self.admission.connections(),
            handshakes: self.admission.held(),
            answering: self.admission.answering(),
            waiting_for_accept: self.admission.waiting(),
            idle_connections: self.keeper.as_ref().map_or(0, Keeper::idle),
            waiting_requests: self.waiting_places.taken(),
            threads: self.workers.threads(),
            stalled: count(|connection| connection.outbox().is_stalled()),
            waiting_for_application: count(|connection| connection.account().is_waiting()),
            inbound_bytes: self.inbox.budget().used(),
            outbound_bytes: everyone.iter().map(Connection::buffered_amount).sum(),
            ..self.counters.snapshot()
        }
    }
}
