//! Where connections of plain requests are left that need no thread: the thread of
//! [`keeper_thread`](super::keeper_thread) watches them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::super::callbacks::Callbacks;
use super::super::lifecycle::Presence;
use super::connection::HttpConnection;
use super::plain_request::WaitingRequest;
use crate::poller::{Bell, Mailbox, Token};
use crate::transport::How;

/// A connection that needs no thread until what it waits for comes.
pub(crate) struct Resting {
    pub connection: HttpConnection,
    pub awaited: Awaited,
    pub stream: Presence,
}

/// What it waits for.
pub(crate) enum Awaited {
    FirstRequest,
    NextRequest,
    /// The application's answer.
    Answer(Box<WaitingRequest>),
}

impl Resting {
    /// Ends it, for nobody watches any more.
    pub fn cut_off(self, callbacks: &Arc<Callbacks>) {
        self.connection.transport.shutdown(How::Reset);
        if let Awaited::Answer(later) = self.awaited {
            later.let_go(callbacks);
        }
    }
}

/// What other threads leave for the thread that watches.
#[derive(Default)]
pub(crate) struct KeeperMail {
    pub arrived: Vec<Resting>,
    /// Connections that have their answers now, or places for them.
    pub woken: Vec<Token>,
    /// Descriptors have run out: connections without a request give theirs up.
    pub make_room: bool,
    /// The server shuts down: connections that arrive are ended.
    pub closing: bool,
    /// Everything ends the hard way, and so does the thread.
    pub stopped: bool,
}

pub(crate) struct Keeper {
    pub mailbox: Mailbox<KeeperMail>,
    /// Connections that wait for a next request.
    pub idle: AtomicUsize,
}

impl Keeper {
    /// `bell` wakes the thread.
    pub fn new(bell: Arc<Bell>) -> Arc<Self> {
        Arc::new(Keeper {
            mailbox: Mailbox::new(Some(bell)),
            idle: AtomicUsize::new(0),
        })
    }

    pub fn idle(&self) -> usize {
        self.idle.load(Relaxed)
    }

    /// Has a connection watched from now on. After the stop it is given back.
    #[must_use]
    pub fn put(&self, resting: Resting) -> Option<Resting> {
        self.mailbox.put(|mail| {
            if mail.stopped {
                return Some(resting);
            }
            mail.arrived.push(resting);
            None
        })
    }

    /// A connection has its answer, or a place for it.
    pub fn wake(&self, token: Token) {
        self.mailbox.put(|mail| mail.woken.push(token));
    }

    /// Closes connections without a request, because descriptors have run out.
    pub fn make_room(&self) {
        self.mailbox.put(|mail| mail.make_room = true);
    }

    /// Closes idle connections, and tells waiting ones that the server shuts down.
    pub fn close(&self) {
        self.mailbox.put(|mail| mail.closing = true);
    }

    /// Ends the thread, and whatever it watches.
    pub fn stop(&self) {
        self.mailbox.put(|mail| mail.stopped = true);
    }
}
