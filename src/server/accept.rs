//! The accept loop: hands each connection to its own thread and survives every error of accept.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::hub::Hub;
use crate::logging::log_line;
use crate::transport::{TcpTransport, clear_wake_ups};

/// The pause after the system had no descriptor or memory for a connection, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct AcceptLoop {
    pub listener: TcpListener,
    pub sleep: UnixStream,
    pub hub: Arc<Hub>,
}

impl AcceptLoop {
    pub fn run(self) {
        let mut pause = FIRST_PAUSE;
        while !self.hub.is_closing() {
            match self.listener.accept() {
                Ok((stream, peer)) => {
                    pause = FIRST_PAUSE;
                    match TcpTransport::new(stream) {
                        Ok(transport) => self.serve(transport, peer),
                        Err(error) => log_line!(Debug, "{peer} left before it was served: {error}"),
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => self.wait(None),
                    // The peer's doing, and over with it.
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    _ => {
                        self.hub.counters.refuse("accept");
                        self.hub
                            .refusals
                            .log("accept", || format!("cannot accept connections: {error}"));
                        self.wait(Some(pause));
                        pause = (pause * 2).min(LAST_PAUSE);
                    }
                },
            }
        }
        // The port is free before the last connection has left.
        drop(self.listener);
        self.hub.accept_ended();
    }

    /// A panic in there is a bug of wshub: it costs this connection, and others are accepted.
    fn serve(&self, transport: TcpTransport, peer: SocketAddr) {
        let serve = || self.hub.serve(Arc::new(transport), Some(peer));
        if catch_unwind(AssertUnwindSafe(serve)).is_err() {
            log_line!(
                Error,
                "{peer} was not served for a panic: this is a bug of wshub"
            );
        }
    }

    /// Sleeps until there is a connection or a shutdown; through a pause only a shutdown wakes it.
    fn wait(&self, pause: Option<Duration>) {
        let deadline = pause.map(|pause| Instant::now() + pause);
        while !self.hub.is_closing() {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return;
            }
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = vec![PollFd::new(&self.sleep, PollFlags::IN)];
            if deadline.is_none() {
                fds.push(PollFd::new(&self.listener, PollFlags::IN));
            }
            // An interrupted poll is a look too early, nothing worse.
            let _ = poll(&mut fds, timeout.as_ref());
            let connection = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
            clear_wake_ups(&self.sleep);
            if connection {
                return;
            }
        }
    }
}
