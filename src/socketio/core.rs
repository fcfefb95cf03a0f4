//! What the threads of Socket.IO share: the sessions below it, sockets and rooms, and what is counted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use super::acks::Acks;
use super::answers::OpenPolls;
use super::directory::Directory;
use super::engine::sessions::Sessions;
use super::limits::Limits;
use super::namespace_client::NamespaceClient;
use super::operation::{Adapter, AnswerSink};
use super::stats::SocketIoStats;
use crate::atomic::AtomicU64;
use crate::lock::{ACKS, DIRECTORY, DISCONNECTS, Mutex, POLLS, lock};

/// The server ends a socket, or its whole session.
pub(crate) type Disconnect = (Arc<NamespaceClient>, DisconnectScope);

/// Whether a disconnect means the whole session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DisconnectScope {
    Socket,
    Session,
}

/// What awaits an acknowledgement.
pub(crate) enum AckOwner {
    /// A function of the application's, kept under the id.
    Listener,
    /// One of many that are asked.
    Poll(AnswerSink),
}

pub(crate) struct Core {
    pub limits: Limits,
    pub sessions: Arc<Sessions>,
    pub directory: Mutex<Directory, DIRECTORY>,
    pub acks: Mutex<Acks<AckOwner>, ACKS>,
    pub polls: Mutex<OpenPolls, POLLS>,
    /// There is one if this server is one of several.
    pub adapter: OnceLock<Box<dyn Adapter>>,
    /// It has a bridge, or had one.
    #[cfg(feature = "redis")]
    pub is_bridged: AtomicBool,
    /// The application is gone: nothing waits for answers any more.
    pub has_ended: AtomicBool,
    /// Events whose arguments were not of their listeners' types.
    pub wrong_arguments: AtomicU64,
    disconnects: Mutex<VecDeque<Disconnect>, DISCONNECTS>,
}

impl Core {
    pub fn new(limits: Limits) -> Arc<Core> {
        let limits = limits.bounded();
        Arc::new(Core {
            directory: Mutex::new(Directory::new(limits.recovery())),
            acks: Mutex::default(),
            polls: Mutex::default(),
            adapter: OnceLock::new(),
            #[cfg(feature = "redis")]
            is_bridged: AtomicBool::new(false),
            sessions: Sessions::new(&limits),
            limits,
            has_ended: AtomicBool::new(false),
            wrong_arguments: AtomicU64::new(0),
            disconnects: Mutex::default(),
        })
    }

    /// Has the application thread disconnect a socket, or its whole session: its listener hears of it after what it
    /// does now.
    pub fn disconnect(&self, member: &Arc<NamespaceClient>, scope: DisconnectScope) {
        if scope == DisconnectScope::Socket && member.ends.swap(true, Relaxed) {
            return;
        }
        let mut disconnects = lock(&self.disconnects);
        // Nobody would take it.
        if self.has_ended.load(SeqCst) {
            return;
        }
        disconnects.push_back((member.clone(), scope));
        drop(disconnects);
        self.sessions.wake();
    }

    /// Does something with the directory. Sockets that it forgets meanwhile are dropped without the lock: what is kept
    /// with them is the application's.
    pub fn with_directory<R>(&self, act: impl FnOnce(&mut Directory) -> R) -> R {
        let mut directory = lock(&self.directory);
        let done = act(&mut directory);
        let forgotten = directory.take_forgotten();
        drop(directory);
        drop(forgotten);
        done
    }

    pub fn next_disconnect(&self) -> Option<Disconnect> {
        lock(&self.disconnects).pop_front()
    }

    pub fn take_disconnects(&self) -> VecDeque<Disconnect> {
        std::mem::take(&mut *lock(&self.disconnects))
    }

    pub fn stats(&self) -> SocketIoStats {
        SocketIoStats {
            sessions: self.sessions.count(),
            sockets: lock(&self.directory).count(),
            dropped: self.sessions.dropped.load(Relaxed),
            wrong_arguments: self.wrong_arguments.load(Relaxed),
        }
    }
}
