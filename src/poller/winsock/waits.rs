//! The threads that wait for a socket. Shutting it down wakes them here: Windows does not wake a thread that waits for
//! a socket when another thread shuts that down.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::os::windows::io::{AsRawSocket, RawSocket};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Watched;
use crate::lock::{Mutex, WAITS, lock};

/// WSAPoll takes no more than 24 days.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The threads that wait for each socket: few at a time.
static WAITS_OF: LazyLock<Mutex<HashMap<RawSocket, Vec<Waiter>>, WAITS>> =
    LazyLock::new(Mutex::default);

#[derive(Clone)]
pub(crate) enum Waiter {
    Poller(Arc<Watched>),
    /// Rung by a datagram.
    Thread(Arc<UdpSocket>),
}

impl Waiter {
    fn is(&self, other: &Waiter) -> bool {
        match (self, other) {
            (Waiter::Poller(one), Waiter::Poller(other)) => Arc::ptr_eq(one, other),
            (Waiter::Thread(one), Waiter::Thread(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    fn wake(&self) {
        match self {
            Waiter::Poller(watched) => watched.report_shut(),
            // It fails only where it is full of such rings.
            Waiter::Thread(alarm) => drop(alarm.send(&[0])),
        }
    }
}

/// A place among those that wait for a socket.
pub(crate) struct WaitPlace {
    socket: RawSocket,
    waiter: Waiter,
}

impl WaitPlace {
    pub fn take(socket: RawSocket, waiter: Waiter) -> Self {
        let mut waits = lock(&WAITS_OF);
        waits.entry(socket).or_default().push(waiter.clone());
        WaitPlace { socket, waiter }
    }
}

impl Drop for WaitPlace {
    fn drop(&mut self) {
        let mut waits = lock(&WAITS_OF);
        if let Some(waiters) = waits.get_mut(&self.socket) {
            waiters.retain(|it| !it.is(&self.waiter));
            if waiters.is_empty() {
                waits.remove(&self.socket);
            }
        }
    }
}

/// What a poller watches a socket by, if one does.
pub(crate) fn watched_at(socket: RawSocket) -> Option<Arc<Watched>> {
    let waits = lock(&WAITS_OF);
    waits.get(&socket)?.iter().find_map(|waiter| match waiter {
        Waiter::Poller(watched) => Some(watched.clone()),
        Waiter::Thread(_) => None,
    })
}

/// The socket was shut down on this side.
pub(crate) fn wake_all(socket: RawSocket) {
    let waiters = lock(&WAITS_OF).get(&socket).cloned();
    waiters.iter().flatten().for_each(Waiter::wake);
}

/// A thread that is about to wait for a stream. A shutdown from its beginning on ends the wait.
pub(crate) struct ThreadWait<'a> {
    stream: &'a TcpStream,
    alarm: Arc<UdpSocket>,
    _place: WaitPlace,
}

impl<'a> ThreadWait<'a> {
    pub fn begin(stream: &'a TcpStream) -> io::Result<Self> {
        let alarm = alarm()?;
        let waiter = Waiter::Thread(alarm.clone());
        Ok(ThreadWait {
            stream,
            alarm,
            _place: WaitPlace::take(stream.as_raw_socket(), waiter),
        })
    }

    /// Until the stream is ready or shut down: true; or until so much time has passed.
    pub fn until(&self, event: PollFlags, timeout: Option<Duration>) -> io::Result<bool> {
        let timeout = timeout.map(|timeout| timeout.min(LONGEST));
        let timeout = timeout.map(Timespec::try_from).transpose();
        let timeout = timeout.map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut sockets = [
            PollFd::new(self.stream, event),
            PollFd::new(&*self.alarm, PollFlags::IN),
        ];
        let ready = match poll(&mut sockets, timeout.as_ref()) {
            Ok(ready) => ready > 0,
            Err(Errno::INTR) => false,
            Err(error) => return Err(error.into()),
        };
        while self.alarm.recv(&mut [0]).is_ok() {}
        Ok(ready)
    }
}

/// This thread's own, kept for its next wait.
fn alarm() -> io::Result<Arc<UdpSocket>> {
    thread_local! {
        static ALARM: RefCell<Option<Arc<UdpSocket>>> = const { RefCell::new(None) };
    }
    ALARM.with_borrow_mut(|kept| match kept {
        Some(alarm) => Ok(alarm.clone()),
        None => {
            let alarm = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            // To itself: datagrams of others do not come in.
            alarm.connect(alarm.local_addr()?)?;
            alarm.set_nonblocking(true)?;
            Ok(kept.insert(Arc::new(alarm)).clone())
        }
    })
}
