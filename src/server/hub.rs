//! What all threads of a server hold. Each part keeps its own state, and most know nothing of each other.

use std::net::SocketAddr;
use std::sync::Arc;

use super::admission::Admission;
use super::admission::slots::Slots;
use super::builder::Options;
use super::inbox::Inbox;
use super::leader::lead::Lead;
use super::lifecycle::Lifecycle;
use super::members::Members;
use super::refusals::Refusals;
use super::session::SessionHandler;
use super::workers::Workers;
use crate::connection::Connection;
use crate::connection::credit::Budget;
use crate::outbox::broadcast::Collector;
use crate::poller::Bell;
use crate::stats::{Counters, Stats};

pub(crate) struct Hub {
    pub options: Options,
    /// Where it listens.
    pub local_addrs: Vec<SocketAddr>,
    /// Runs each connection on its own thread; without it events go to the application thread.
    pub handler: Option<SessionHandler>,
    pub counters: Arc<Counters>,
    pub refusals: Refusals,
    /// Who may come in: handshakes and plain requests.
    pub admission: Arc<Admission>,
    /// Who may come in: connections.
    pub slots: Arc<Slots>,
    /// Who is open.
    pub members: Arc<Members>,
    pub inbox: Arc<Inbox>,
    /// What the application thread sends while more events wait.
    pub collector: Arc<Collector>,
    /// Connections that hold no thread, and who leads them.
    pub lead: Lead,
    pub workers: Workers,
    pub lifecycle: Arc<Lifecycle>,
    /// Wakes the accept loop.
    pub accept_bell: Option<Arc<Bell>>,
}

impl Hub {
    pub fn start(
        options: Options,
        local_addrs: Vec<SocketAddr>,
        handler: Option<SessionHandler>,
        accept_bell: Option<Arc<Bell>>,
    ) -> std::io::Result<Arc<Self>> {
        let limits = &options.limits;
        let max_threads = limits
            .max_connections
            .saturating_add(Admission::max_threads(limits));
        let workers = Workers::new(limits, max_threads);
        let lead = Lead::new(workers.scribe().clone())?;
        // Weak: a handle that outlives its connection keeps nothing of the server's open.
        let mailbox = Arc::downgrade(lead.mailbox());
        let budget = Budget::new(limits, move |token| {
            if let Some(mailbox) = mailbox.upgrade() {
                mailbox.put(|mail| mail.resumed.push(token));
            }
        });
        let inbox = Arc::new(Inbox::new(budget, lead.bell().clone()));
        let collector = Collector::new(lead.calls().clone());
        let counters = Arc::<Counters>::default();
        let hub = Arc::new(Hub {
            admission: Admission::new(limits),
            slots: Slots::new(limits),
            members: Members::new(collector.clone(), counters.clone()),
            lifecycle: Lifecycle::new(inbox.clone()),
            refusals: Refusals::default(),
            options,
            local_addrs,
            handler,
            counters,
            inbox,
            collector,
            lead,
            workers,
            accept_bell,
        });
        let stand_in = hub.clone();
        let work = move || stand_in.lead.stand_in(&stand_in.inbox);
        let started = hub.workers.start("wshub-stand-in", work);
        started.map_err(|refused| refused.into_io())?;
        Ok(hub)
    }

    pub fn stats(&self) -> Stats {
        let everyone = self.members.everyone();
        let count = |is_so: fn(&Connection) -> bool| everyone.iter().filter(|it| is_so(it)).count();
        Stats {
            connections: self.slots.taken(),
            handshakes: self.admission.held(),
            answering: self.admission.answering(),
            waiting_for_accept: self.admission.waiting(),
            threads: self.workers.threads(),
            stalled: count(|connection| connection.outbox().is_stalled()),
            waiting_for_application: count(|connection| connection.account().is_waiting()),
            inbound_bytes: self.inbox.budget().used(),
            ..self.counters.snapshot()
        }
    }
}
