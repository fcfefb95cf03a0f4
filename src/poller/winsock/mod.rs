//! Sockets on Windows: what the poller can watch there, and what Windows does not report.
//!
//! mio reports an edge, and the next one only when it is asked to again: where a read or a write has found nothing
//! ([`Source::found_nothing`]). Nor does Windows report that a socket was shut down on this side:
//! [`Source::note_shutdown`] wakes the threads that wait for it, and has its poller report it.

mod waits;

use std::fmt;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, RawSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use mio::event::Event;
use mio::{Interest, Registry, Token};

use super::Bell;
use crate::lock::{Mutex, SHUT, WATCHED, lock};
pub(crate) use waits::ThreadWait;
use waits::{WaitPlace, Waiter, wake_all, watched_at};

/// What the system watches for a [`Transport`](crate::Transport): it is readable when a read finds something, bytes or
/// the end, and writable when a write finds room.
///
/// ```
/// use std::net::TcpStream;
/// use wshub::Source;
///
/// fn watched(stream: &TcpStream) -> Source<'_> {
///     Source::from(stream)
/// }
/// ```
///
/// The guide: [design](crate::guide::design).
#[derive(Clone, Copy)]
pub struct Source<'a>(BorrowedSocket<'a>);

impl<'a> From<&'a TcpStream> for Source<'a> {
    fn from(stream: &'a TcpStream) -> Self {
        Source(stream.as_socket())
    }
}

impl<'a> From<&'a TcpListener> for Source<'a> {
    fn from(listener: &'a TcpListener) -> Self {
        Source(listener.as_socket())
    }
}

/// Windows alone.
impl<'a> From<BorrowedSocket<'a>> for Source<'a> {
    fn from(socket: BorrowedSocket<'a>) -> Self {
        Source(socket)
    }
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.socket()).finish()
    }
}

impl Source<'_> {
    fn socket(&self) -> RawSocket {
        self.0.as_raw_socket()
    }

    /// The same, under a stream that holds bytes back, as TLS does.
    pub(crate) fn buffered(self) -> Self {
        self
    }

    /// Only a read that has found nothing asks for the next edge.
    pub(crate) fn short_read_is_last(&self) -> bool {
        false
    }

    /// A read has found nothing: the next edge is to be reported.
    pub(crate) fn found_nothing(self) {
        self.watch_again(Interest::READABLE);
    }

    /// A write has found no room: the next edge is to be reported.
    pub(crate) fn found_no_room(self) {
        self.watch_again(Interest::WRITABLE);
    }

    fn watch_again(self, interest: Interest) {
        if let Some(watched) = watched_at(self.socket()) {
            watched.watch_again(interest);
        }
    }

    /// It was shut down on this side.
    pub(crate) fn note_shutdown(self) {
        wake_all(self.socket());
    }
}

/// What a poller knows of its sockets beside the system: those that were shut down here.
pub(crate) struct Sockets(Arc<Shut>);

struct Shut {
    tokens: Mutex<Vec<Token>, SHUT>,
    are_some: AtomicBool,
    bell: Arc<Bell>,
}

impl Sockets {
    pub fn new(bell: &Arc<Bell>) -> Self {
        Sockets(Arc::new(Shut {
            tokens: Mutex::default(),
            are_some: AtomicBool::new(false),
            bell: bell.clone(),
        }))
    }

    /// The clone is watched: mio owns what it watches. It is the same socket, and is let go of with the registration.
    pub fn watch(
        &self,
        source: Source<'_>,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<Registered> {
        let clone = TcpStream::from(source.0.try_clone_to_owned()?);
        let mut clone = mio::net::TcpStream::from_std(clone);
        registry.register(&mut clone, token, interests)?;
        let watched = Arc::new(Watched {
            registry: registry.try_clone()?,
            token,
            edges: Mutex::new(Edges {
                clone,
                awaited: Some(interests),
            }),
            shut: self.0.clone(),
        });
        let waiter = Waiter::Poller(watched.clone());
        Ok(Registered {
            watched,
            _place: WaitPlace::take(source.socket(), waiter),
        })
    }

    /// True if there are some that were shut down here.
    pub fn has_shut(&self) -> bool {
        self.0.are_some.load(SeqCst)
    }

    pub fn take_shut(&self) -> Vec<Token> {
        if !self.has_shut() {
            return Vec::new();
        }
        let mut tokens = lock(&self.0.tokens);
        self.0.are_some.store(false, SeqCst);
        std::mem::take(&mut *tokens)
    }
}

/// A source that is watched. The value beside it keeps its socket open.
pub(crate) struct Registered {
    watched: Arc<Watched>,
    _place: WaitPlace,
}

impl Registered {
    pub fn note_reported(&self, event: &Event) {
        let mut edges = lock(&self.watched.edges);
        if event.is_readable() {
            edges.awaited = edges.awaited.and_then(|it| it.remove(Interest::READABLE));
        }
        if event.is_writable() {
            edges.awaited = edges.awaited.and_then(|it| it.remove(Interest::WRITABLE));
        }
    }

    pub fn deregister(self, registry: &Registry) {
        // It fails only where it was not registered: then nothing is watched.
        let _ = registry.deregister(&mut lock(&self.watched.edges).clone);
    }
}

struct Watched {
    registry: Registry,
    token: Token,
    edges: Mutex<Edges, WATCHED>,
    shut: Arc<Shut>,
}

struct Edges {
    clone: mio::net::TcpStream,
    /// What will be reported.
    awaited: Option<Interest>,
}

impl Watched {
    fn watch_again(&self, interest: Interest) {
        let edges = &mut *lock(&self.edges);
        let wanted = match edges.awaited {
            Some(awaited) => awaited | interest,
            None => interest,
        };
        if edges.awaited == Some(wanted) {
            return;
        }
        edges.awaited = Some(wanted);
        let asked = self
            .registry
            .reregister(&mut edges.clone, self.token, wanted);
        if asked.is_err() {
            // There is something to find out by trying.
            self.report_shut();
        }
    }

    fn report_shut(&self) {
        lock(&self.shut.tokens).push(self.token);
        self.shut.are_some.store(true, SeqCst);
        self.shut.bell.ring();
    }
}
