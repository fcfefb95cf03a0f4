//! The sessions of a server, what they have for the application thread, and the time.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::link::SessionLink;
use super::protocol::session::{EndReason, EngineConfig};
use super::timer::Timer;
use crate::atomic::AtomicU64;
use crate::lock::{Mutex, SERVER, SESSIONS, TOLD, lock};
use crate::logging::log_line;
use crate::socketio::reply::Refused;
use crate::{Connection, Overflow, Request, ServerHandle};

/// Something that a session has for the application thread.
pub(crate) enum Task {
    /// A client is there.
    Opened(Arc<SessionLink>),
    Text(Arc<SessionLink>, String),
    Binary(Arc<SessionLink>, Vec<u8>),
    Ended(Arc<SessionLink>, EndReason),
    /// A pong is due; asked for at this time.
    PongDue(Arc<SessionLink>, Duration),
}

/// Refuses a request that would begin a session.
pub(crate) type Allow = Box<dyn Fn(&Request) -> Result<(), Refused> + Send + Sync>;

/// The bounds of sessions, and what becomes of those that take too little.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionBounds {
    pub engine: EngineConfig,
    pub overflow: Overflow,
    pub max_sessions: usize,
    pub max_sessions_per_address: Option<usize>,
}

pub(crate) struct Sessions {
    pub bounds: SessionBounds,
    pub timer: Arc<Timer>,
    /// Whether a request may begin a session.
    pub allow: OnceLock<Allow>,
    /// Messages that clients missed.
    pub dropped: AtomicU64,
    open: Mutex<OpenSessions, SESSIONS>,
    told: Mutex<VecDeque<Task>, TOLD>,
    /// From the start until the application is gone: the server has its hooks, and they have this.
    server: Mutex<Option<ServerHandle>, SERVER>,
    is_shutting_down: AtomicBool,
    started: Instant,
    next_key: AtomicU64,
}

#[derive(Default)]
struct OpenSessions {
    links: HashMap<String, Arc<SessionLink>>,
    per_address: HashMap<IpAddr, usize>,
}

/// Why no session can begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSession {
    /// As many as `max_sessions` are there.
    TooMany,
    /// As many as `max_sessions_per_address` are there of this address.
    TooManyOfAddress,
    /// The system has no random bytes.
    NoRandom,
}

/// The system has no random bytes, without which no client can be let in.
#[derive(Debug)]
pub(crate) struct NoRandom;

impl NoSession {
    /// What to do about it, for the log.
    pub fn remedy(self) -> &'static str {
        match self {
            NoSession::TooMany => "too many sessions: socketio::Limits::max_sessions",
            NoSession::TooManyOfAddress => {
                "too many sessions of one address: socketio::Limits::max_sessions_per_address"
            }
            NoSession::NoRandom => "the system has no random bytes",
        }
    }
}

impl Sessions {
    pub fn new(bounds: SessionBounds) -> Arc<Sessions> {
        Arc::new(Sessions {
            bounds,
            timer: Arc::default(),
            allow: OnceLock::new(),
            dropped: AtomicU64::new(0),
            open: Mutex::default(),
            told: Mutex::default(),
            server: Mutex::default(),
            is_shutting_down: AtomicBool::new(false),
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
        *lock(&self.server) = Some(server);
        self.is_shutting_down.store(false, SeqCst);
        if let Err(error) = self.timer.start(self) {
            log_line!(Error, "no thread for the heartbeat of Socket.IO: {error}");
        }
    }

    /// The server shuts down: clients that poll are told so while they can be. Those with a WebSocket get its Close.
    pub fn shut_down(&self) {
        self.is_shutting_down.store(true, SeqCst);
        let links: Vec<_> = lock(&self.open).links.values().cloned().collect();
        for link in links {
            link.shut_down(self);
        }
    }

    pub fn is_shutting_down(&self) -> bool {
        self.is_shutting_down.load(SeqCst)
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
        lock(&self.open).has_room_for(address(request), &self.bounds)
    }

    /// A session that begins with this request, over a WebSocket or by polling; the application hears of it.
    pub fn open(
        &self,
        request: &Request,
        carrier: Option<&Connection>,
    ) -> Result<Arc<SessionLink>, NoSession> {
        let sid = random_id().map_err(|NoRandom| NoSession::NoRandom)?;
        let link = SessionLink::new(sid, request.clone(), carrier, self);
        lock(&self.open).insert(&link, &self.bounds)?;
        self.tell(Task::Opened(link.clone()));
        Ok(link)
    }

    pub fn session(&self, sid: &str) -> Option<Arc<SessionLink>> {
        lock(&self.open).links.get(sid).cloned()
    }

    pub fn count(&self) -> usize {
        lock(&self.open).links.len()
    }

    /// Nothing is left to be said or heard.
    pub fn forget(&self, link: &SessionLink) {
        lock(&self.open).remove(link);
    }
}

impl OpenSessions {
    fn has_room_for(
        &self,
        address: Option<IpAddr>,
        bounds: &SessionBounds,
    ) -> Result<(), NoSession> {
        if self.links.len() >= bounds.max_sessions {
            return Err(NoSession::TooMany);
        }
        let own = address.and_then(|address| self.per_address.get(&address));
        match (own, bounds.max_sessions_per_address) {
            (Some(own), Some(most)) if *own >= most => Err(NoSession::TooManyOfAddress),
            _ => Ok(()),
        }
    }

    fn insert(&mut self, link: &Arc<SessionLink>, bounds: &SessionBounds) -> Result<(), NoSession> {
        let address = address(&link.request);
        self.has_room_for(address, bounds)?;
        self.links.insert(link.sid.clone(), link.clone());
        if let Some(address) = address {
            *self.per_address.entry(address).or_default() += 1;
        }
        Ok(())
    }

    fn remove(&mut self, link: &SessionLink) {
        let was_there = self.links.remove(&link.sid).is_some();
        let Some(address) = address(&link.request).filter(|_| was_there) else {
            return;
        };
        if let Some(own) = self.per_address.get_mut(&address) {
            *own -= 1;
            if *own == 0 {
                self.per_address.remove(&address);
            }
        }
    }
}

fn address(request: &Request) -> Option<IpAddr> {
    request.peer().ip()
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
