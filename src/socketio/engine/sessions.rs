//! The sessions of a server, what they have for the application thread, and the time.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::link::SessionLink;
use super::no_session::NoSession;
use super::protocol::config::EngineConfig;
use super::timer::Timer;
use crate::atomic::AtomicU64;
use crate::lock::{Mutex, SERVER, SESSIONS, TOLD, lock};
use crate::logging::log_line;
use crate::server::admission::slots::{Slot, Slots};
use crate::server::limited_log::LimitedLog;
use crate::socketio::limits::Limits;
use crate::socketio::reason::DisconnectReason;
use crate::socketio::reply::Refused;
use crate::{Connection, Message, Request, ServerHandle};

/// Something that a session has for the application thread.
pub(crate) enum Task {
    /// A client is there. Its slot is to be kept until its end was heard of: so what waits for a slow application is
    /// bounded, however fast sessions come and go.
    Opened(Arc<SessionLink>, Arc<Slot>),
    Message(Arc<SessionLink>, Message),
    Ended(Arc<SessionLink>, DisconnectReason),
    /// A pong is due; asked for at this time.
    PongDue(Arc<SessionLink>, Duration),
}

/// Refuses a request that would begin a session.
pub(crate) type Allow = Box<dyn Fn(&Request) -> Result<(), Refused> + Send + Sync>;

/// A session, and its slot.
type OpenSession = (Arc<SessionLink>, Arc<Slot>);

pub(crate) struct Sessions {
    pub config: EngineConfig,
    pub timer: Arc<Timer>,
    /// Whether a request may begin a session.
    pub allow: OnceLock<Allow>,
    /// Messages that clients missed.
    pub dropped: AtomicU64,
    pub limited_log: LimitedLog,
    /// By the secret name of each.
    open: Mutex<HashMap<String, OpenSession>, SESSIONS>,
    slots: Slots,
    told: Mutex<VecDeque<Task>, TOLD>,
    /// From the start until the application is gone: the server has its hooks, and they have this.
    server: Mutex<Option<ServerHandle>, SERVER>,
    is_shutting_down: AtomicBool,
    /// That no server leads here has been said.
    is_warned: AtomicBool,
    started: Instant,
    next_key: AtomicU64,
}

/// The system has no random bytes, without which no client can be let in.
#[derive(Debug)]
pub(crate) struct NoRandom;

impl Sessions {
    pub fn new(limits: &Limits) -> Arc<Sessions> {
        Arc::new(Sessions {
            config: limits.engine(),
            timer: Arc::default(),
            allow: OnceLock::new(),
            dropped: AtomicU64::new(0),
            limited_log: LimitedLog::default(),
            open: Mutex::default(),
            slots: Slots::new(limits.max_sessions, limits.max_sessions_per_address),
            told: Mutex::default(),
            server: Mutex::default(),
            is_shutting_down: AtomicBool::new(false),
            is_warned: AtomicBool::new(false),
            started: Instant::now(),
            next_key: AtomicU64::new(1),
        })
    }

    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// A number that nothing else has.
    pub fn key(&self) -> u64 {
        self.next_key.fetch_add(1, Relaxed)
    }

    /// Clients missed so many messages.
    pub fn note_dropped(&self, messages: usize) {
        if messages > 0 {
            self.dropped.fetch_add(messages as u64, Relaxed);
        }
    }

    /// Sets the rule for requests that would begin a session. The first one stays.
    pub fn set_allow(&self, rule: Allow) {
        if self.allow.set(rule).is_err() {
            log_line!(
                Warn,
                "SocketIo::allow: there is a rule already, and that one stays"
            );
        }
    }

    /// The server is there: clients may come.
    pub fn start(self: &Arc<Self>, server: ServerHandle) {
        for link in self.links() {
            link.look_at_carrier(self);
        }
        let before = lock(&self.server).replace(server);
        drop(before);
        self.is_shutting_down.store(false, SeqCst);
        if let Err(error) = self.timer.start(self) {
            log_line!(Error, "no thread for the heartbeat of Socket.IO: {error}");
        }
    }

    /// The server shuts down: clients that poll are told so while they can be. Those with a WebSocket get its Close.
    pub fn shut_down(&self) {
        self.is_shutting_down.store(true, SeqCst);
        for link in self.links() {
            link.shut_down(self);
        }
        self.timer.look();
    }

    fn links(&self) -> Vec<Arc<SessionLink>> {
        let open = lock(&self.open);
        open.values().map(|(link, _)| link.clone()).collect()
    }

    pub fn is_shutting_down(&self) -> bool {
        self.is_shutting_down.load(SeqCst)
    }

    /// Says so once if no server was built that leads clients here.
    pub fn warn_if_unserved(&self) {
        if lock(&self.server).is_none() && !self.is_warned.swap(true, Relaxed) {
            log_line!(
                Warn,
                "no server leads clients to this SocketIo: give it to ServerBuilder::socketio, or an EngineIo to engineio, \
                 before bind"
            );
        }
    }

    /// The application is gone.
    pub fn end(&self) {
        let server = lock(&self.server).take();
        drop(server);
        self.timer.end();
    }

    /// Puts something before the application, and wakes it.
    pub fn tell(&self, task: Task) {
        lock(&self.told).push_back(task);
        self.wake();
    }

    pub fn wake(&self) {
        let server = lock(&self.server).clone();
        if let Some(server) = server {
            server.wake();
        }
    }

    pub fn next_told(&self) -> Option<Task> {
        lock(&self.told).pop_front()
    }

    /// Whether this request could begin a session now. It is asked again when the session begins.
    pub fn has_room_for(&self, request: &Request) -> Result<(), NoSession> {
        let has_room = self.slots.has_room_for(request.peer());
        has_room.map_err(NoSession::of_slot)
    }

    /// A session that begins with this request, over a WebSocket or by polling; the application hears of it.
    pub fn open(
        &self,
        request: Request,
        carrier: Option<&Connection>,
    ) -> Result<Arc<SessionLink>, NoSession> {
        let sid = random_id().map_err(|NoRandom| NoSession::NoRandom)?;
        let slot = self.slots.take(request.peer());
        let slot = Arc::new(slot.map_err(NoSession::of_slot)?);
        let link = SessionLink::new(sid, request, carrier, self);
        let mut open = lock(&self.open);
        // A WebSocket has the Close of the server; one that polls nobody would end.
        if carrier.is_none() && self.is_shutting_down() {
            return Err(NoSession::ShuttingDown);
        }
        open.insert(link.sid.clone(), (link.clone(), slot.clone()));
        // Under the lock: a shutdown that finds it tells of its end after this.
        lock(&self.told).push_back(Task::Opened(link.clone(), slot));
        drop(open);
        self.wake();
        Ok(link)
    }

    pub fn session(&self, sid: &str) -> Option<Arc<SessionLink>> {
        lock(&self.open).get(sid).map(|(link, _)| link.clone())
    }

    pub fn count(&self) -> usize {
        lock(&self.open).len()
    }

    /// Nothing is left to be said or heard.
    pub fn forget(&self, link: &SessionLink) {
        let gone = lock(&self.open).remove(&link.sid);
        drop(gone);
        self.timer.forget(link);
        if self.is_shutting_down() {
            self.timer.look();
        }
    }
}

/// A name that cannot be guessed: 15 random bytes as 20 characters.
pub(crate) fn random_id() -> Result<String, NoRandom> {
    let mut bytes = [0; 15];
    getrandom::fill(&mut bytes).map_err(|error| {
        log_line!(
            Error,
            "no client can be let in, for the system has no random bytes: {error}"
        );
        NoRandom
    })?;
    let mut text = [0; 20];
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
    debug_assert_eq!(written.ok(), Some(20));
    Ok(String::from_utf8_lossy(&text).into_owned())
}
