//! Where streams come in: the accept loop, which hands each of them on and survives every error of accept; and streams
//! of the user's own, which are attached.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ServerHandle;
use super::capacity::BACKLOG;
use super::hub::Hub;
use super::lifecycle::{Participant, Presence};
use super::listen::ListenerSettings;
use super::listener::{Arrival, Listener};
use super::opening;
use crate::http::Peer;
use crate::logging::{Line, line_for_later};
use crate::panics;
use crate::poller::{Poller, Token};
use crate::transport::{Guarded, How, Transport};

/// The pause after the system had no descriptor or memory for a connection, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);

impl ServerHandle {
    /// Serves a stream of your own as if it had been accepted: opening handshake, limits and slots
    /// included. Never blocks.
    ///
    /// ```
    /// use std::io::Write;
    /// use wshub::{Server, testing};
    ///
    /// let server = Server::builder().without_listener()?;
    /// let (ours, mut peer) = testing::duplex();
    /// server.attach(ours);
    /// peer.write_all(b"GET / HTTP/1.1\r\n")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn attach(&self, transport: impl Transport) {
        let transport = Guarded::new(transport);
        let peer = transport.peer();
        match self.hub() {
            Some(hub) => opening::begin(hub, Arc::new(transport), peer, hub.attached.clone()),
            None => transport.shutdown(How::Both),
        }
    }
}

pub(crate) struct AcceptLoop {
    /// Holds the listeners, and watches them.
    poller: Poller<Listener>,
    /// The listeners, and what applies to the streams of each.
    settings: Vec<(Token, Arc<ListenerSettings>)>,
    hub: Arc<Hub>,
    /// Last, so that the port is free when the loop is said to have ended.
    _present: Option<Presence>,
}

impl AcceptLoop {
    pub fn new(
        poller: Poller<Listener>,
        settings: Vec<(Token, Arc<ListenerSettings>)>,
        hub: Arc<Hub>,
    ) -> Self {
        AcceptLoop {
            poller,
            settings,
            _present: hub.lifecycle.register(Participant::AcceptLoop),
            hub,
        }
    }

    /// Runs until the server drains or shuts down.
    pub fn run(&mut self) {
        let mut pause = FIRST_PAUSE;
        while !self.is_over() {
            match self.accept_from_each() {
                Ok(true) => pause = FIRST_PAUSE,
                Ok(false) => self.wait(None),
                Err(error) => {
                    self.hub.counters.refuse("accept");
                    if let Some(keeper) = &self.hub.keeper {
                        keeper.make_room();
                    }
                    let text = || format!("cannot accept connections: {error}");
                    self.log(self.hub.limited_log.line("accept", text));
                    self.wait(Some(pause));
                    pause = (pause * 2).min(LAST_PAUSE);
                }
            }
        }
        self.accept_last();
    }

    /// Clients in the queue of a listener that closes would be reset, so they are still served. If another process goes
    /// on with the socket, they are left to that process.
    fn accept_last(&mut self) {
        let poller = &mut self.poller;
        (self.settings)
            .retain(|(token, _)| poller.get(*token).is_some_and(|it| !it.is_inherited()));
        for _ in 0..BACKLOG {
            if !matches!(self.accept_from_each(), Ok(true)) {
                return;
            }
        }
    }

    /// Takes one connection from each listener that has one; true if there may be more. An error where none had one.
    fn accept_from_each(&mut self) -> io::Result<bool> {
        let (mut came, mut failed) = (false, None);
        for (token, settings) in &self.settings {
            let Some(listener) = self.poller.get(*token) else {
                continue;
            };
            match listener.accept() {
                Ok(Arrival { peer, transport }) => {
                    came = true;
                    match transport {
                        Ok(transport) => self.serve(transport, peer, settings),
                        Err(error) => self.log(line_for_later!(
                            Debug,
                            "{peer} left before it was served: {error}"
                        )),
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => listener.source().found_nothing(),
                    // The peer broke off: nothing is left of it. Windows calls it a reset.
                    io::ErrorKind::Interrupted
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::ConnectionReset => came = true,
                    _ => failed = Some(error),
                },
            }
        }
        match failed {
            Some(error) if !came => Err(error),
            _ => Ok(came),
        }
    }

    /// A panic in it is a bug of wshub: it costs this connection, and others are still accepted.
    fn serve(&self, transport: Arc<dyn Transport>, peer: Peer, settings: &Arc<ListenerSettings>) {
        let serve = || opening::begin(&self.hub, transport, peer, settings.clone());
        if panics::catch(serve).is_err() {
            self.log(line_for_later!(
                Error,
                "{peer} was not served for a panic: this is a bug of wshub"
            ));
        }
    }

    fn log(&self, line: Option<Line>) {
        self.hub.workers.log_writer.write(line);
    }

    fn is_over(&self) -> bool {
        self.hub.lifecycle.is_draining()
    }

    /// Sleeps until there is a connection or the end; through a pause only the end wakes it.
    fn wait(&mut self, pause: Option<Duration>) {
        let deadline = pause.map(|pause| Instant::now() + pause);
        while !self.is_over() {
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return;
            }
            let mut ready = Vec::new();
            self.poller
                .wait(deadline, &mut ready, || !self.hub.lifecycle.is_draining());
            if pause.is_none() && !ready.is_empty() {
                return;
            }
        }
    }
}
