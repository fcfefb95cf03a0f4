//! What the threads of Socket.IO share: sessions, sockets and rooms, what waits for the application, and the time.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::directory::Directory;
use super::engine::session::EndReason;
use super::limits::Limits;
use super::link::SessionLink;
use super::reply::Refused;
use super::timer::Timer;
use crate::lock::{DIRECTORY, Mutex, SERVER, SESSIONS, TOLD, lock};
use crate::logging::log_line;
use crate::{Connection, Request, ServerHandle};

/// Something for the application thread.
pub(super) enum Task {
    /// A client is there.
    Opened(Arc<SessionLink>),
    Text(Arc<SessionLink>, String),
    Binary(Arc<SessionLink>, Vec<u8>),
    Ended(Arc<SessionLink>, EndReason),
    /// A pong is due; asked for at this time.
    PongDue(Arc<SessionLink>, Duration),
    /// The server ends a socket of this key, or its whole session.
    Disconnect(Arc<SessionLink>, u64, DisconnectScope),
}

/// Refuses a request that would begin a session.
pub(super) type Allow = Box<dyn Fn(&Request) -> Result<(), Refused> + Send + Sync>;

/// Whether a disconnect means the whole session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DisconnectScope {
    Socket,
    Session,
}

pub(super) struct Core {
    pub limits: Limits,
    pub directory: Mutex<Directory, DIRECTORY>,
    pub timer: Arc<Timer>,
    /// Whether a request may begin a session.
    pub allow: OnceLock<Allow>,
    sessions: Mutex<HashMap<String, Arc<SessionLink>>, SESSIONS>,
    told: Mutex<VecDeque<Task>, TOLD>,
    /// From the start until the application is gone: the server has its hooks, and they have this.
    server: Mutex<Option<ServerHandle>, SERVER>,
    started: Instant,
    next_key: AtomicU64,
}

/// The system has no random bytes, without which nobody can be let in.
#[derive(Debug)]
pub(super) struct NoRandom;

impl Core {
    pub fn new(limits: Limits) -> Arc<Core> {
        let limits = limits.bounded();
        Arc::new(Core {
            directory: Mutex::new(Directory::new(limits.recovery())),
            limits,
            timer: Arc::default(),
            allow: OnceLock::new(),
            sessions: Mutex::default(),
            told: Mutex::default(),
            server: Mutex::default(),
            started: Instant::now(),
            next_key: AtomicU64::new(1),
        })
    }

    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub fn key(&self) -> u64 {
        self.next_key.fetch_add(1, Relaxed)
    }

    /// The server is there: clients may come.
    pub fn start(self: &Arc<Self>, server: ServerHandle) {
        *lock(&self.server) = Some(server);
        if let Err(error) = self.timer.start(self) {
            log_line!(Error, "no thread for the heartbeat of Socket.IO: {error}");
        }
    }

    /// Nobody takes anything any more.
    pub fn end(&self) {
        let server = lock(&self.server).take();
        drop(server);
        self.timer.end();
    }

    /// Puts something before the application, and wakes it.
    pub fn tell(&self, item: Task) {
        lock(&self.told).push_back(item);
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

    pub fn has_room_for_a_session(&self) -> bool {
        lock(&self.sessions).len() < self.limits.max_sessions
    }

    /// A session that begins with this request, over a WebSocket or by polling; the application hears of it.
    pub fn open(
        &self,
        request: &Request,
        carrier: Option<&Connection>,
    ) -> Result<Arc<SessionLink>, NoRandom> {
        let link = SessionLink::new(random_id()?, request.clone(), carrier, self);
        lock(&self.sessions).insert(link.sid.clone(), link.clone());
        self.tell(Task::Opened(link.clone()));
        Ok(link)
    }

    pub fn session(&self, sid: &str) -> Option<Arc<SessionLink>> {
        lock(&self.sessions).get(sid).cloned()
    }

    /// Nothing is left to be said or heard.
    pub fn forget(&self, link: &SessionLink) {
        lock(&self.sessions).remove(&link.sid);
    }
}

/// A name that nobody guesses: 15 random bytes as 20 characters.
pub(super) fn random_id() -> Result<String, NoRandom> {
    let mut bytes = [0; 15];
    getrandom::fill(&mut bytes).map_err(|error| {
        log_line!(
            Error,
            "nobody can be let in, for the system has no random bytes: {error}"
        );
        NoRandom
    })?;
    let mut text = [0; 20];
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
    debug_assert_eq!(written.ok(), Some(20));
    Ok(String::from_utf8_lossy(&text).into_owned())
}
