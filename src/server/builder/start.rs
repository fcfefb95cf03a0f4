//! From what was chosen to a server that runs.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Instant;

use super::{ServerBuilder, StartHook};
use crate::panics;
use crate::poller::{Bell, Poller};
use crate::server::accept::AcceptLoop;
use crate::server::http::keeper::Keeper;
use crate::server::http::keeper_thread::KeeperThread;
use crate::server::hub::Hub;
use crate::server::listen::ListenerSettings;
use crate::server::session::{HandlerResult, Session, SessionHandler};
use crate::server::{Server, ServerHandle, shutdown};

impl ServerBuilder {
    /// Starts the server on what it [listens](ServerBuilder::listen) on; the application takes events with
    /// [`Server::events`].
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if a setting is wrong: a limit that nothing can work with; an origin, host,
    /// subprotocol, proxy or path that can never match; or no address to listen on. The text says which, and what to
    /// do. Another error if the system gives no thread or descriptor.
    pub fn start(self) -> io::Result<Server> {
        Ok(Server::new(self.start_with(None)?))
    }

    /// A server that listens nowhere: connections come by [`Server::attach`]. For tests in memory.
    ///
    /// # Errors
    /// When the system gives no thread, or as [`bind`](ServerBuilder::bind) for what was set.
    pub fn without_listener(mut self) -> io::Result<Server> {
        let start_hooks = std::mem::take(&mut self.start_hooks);
        let buffers = self.settings.memory_per_connection();
        let settings = std::mem::take(&mut self.settings).in_memory();
        let hub = self.hub(settings, buffers, Vec::new(), None, None)?;
        tell(start_hooks, &hub);
        Ok(Server::new(hub))
    }

    /// Listens on `addr` and runs `handler` for each connection on the connection's own thread, with a stack of
    /// [`stack_size`](crate::Limits::stack_size). The call itself returns at once. This is the plainest way to write a
    /// protocol. If the handler returns an error or panics, its connection closes with 1011, and that is counted and
    /// logged.
    ///
    /// # Errors
    /// As [`bind`](ServerBuilder::bind).
    pub fn serve<F>(
        self,
        addr: impl ToSocketAddrs + fmt::Debug,
        handler: F,
    ) -> io::Result<ServerHandle>
    where
        F: Fn(Session<'_>) -> HandlerResult + Send + Sync + 'static,
    {
        self.listen(addr)?.start_serving(handler)
    }

    /// As [`start`](ServerBuilder::start), and runs `handler` for each connection as [`serve`](ServerBuilder::serve)
    /// does.
    ///
    /// # Errors
    /// As [`start`](ServerBuilder::start).
    pub fn start_serving<F>(self, handler: F) -> io::Result<ServerHandle>
    where
        F: Fn(Session<'_>) -> HandlerResult + Send + Sync + 'static,
    {
        let hub = self.start_with(Some(Box::new(handler)))?;
        Ok(ServerHandle::new(&hub))
    }

    fn start_with(mut self, handler: Option<SessionHandler>) -> io::Result<Arc<Hub>> {
        let start_hooks = std::mem::take(&mut self.start_hooks);
        let listening = std::mem::take(&mut self.listening);
        let at = |own| self.settings.at(own, &listening);
        let settings: Vec<_> = listening.iter().map(at).collect();
        let first = settings.first().cloned().ok_or_else(|| {
            let text =
                "the server listens nowhere: call listen(addr) before, or without_listener()";
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?;
        // Any connection may take the memory that TLS takes.
        let buffers = settings
            .iter()
            .map(|settings| settings.memory_per_connection())
            .max();
        let buffers = buffers.unwrap_or_default();
        let local_addrs = listening.iter().filter_map(|own| own.addr).collect();
        let mut poller = Poller::new()?;
        let mut watched = Vec::new();
        for (own, settings) in listening.into_iter().zip(settings) {
            let token = poller.insert(own.listener, |listener| Some(listener.source()));
            watched.push((token.map_err(|(_, error)| error)?, settings));
        }
        let hub = self.hub(
            first,
            buffers,
            local_addrs,
            Some(poller.bell().clone()),
            handler,
        )?;
        let mut accept = AcceptLoop::new(poller, watched, hub.clone());
        start_thread(&hub, "wshub-accept", move || accept.run())?;
        tell(start_hooks, &hub);
        Ok(hub)
    }

    /// Refuses what could never work.
    pub(crate) fn check(&self) -> io::Result<()> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        (self.options.limits.check())
            .map_err(|error| invalid(Box::<dyn Error + Send + Sync>::from(error)))?;
        if let Some(path) = self.hooks.unreachable_path() {
            let text = match path {
                "" => {
                    "a path is empty; write \"/\", which for mount and http_at_once is every path"
                        .to_owned()
                }
                _ => format!(
                    "the path {path:?} stands in no request; write it as \"/status\", with a slash before it, other \
                     characters than those of ASCII as %XX, and no query"
                ),
            };
            return Err(invalid(text.into()));
        }
        (self.settings.rules.check()).map_err(|error| invalid(error.to_string().into()))
    }

    fn hub(
        mut self,
        settings: Arc<ListenerSettings>,
        buffers: usize,
        local_addrs: Vec<SocketAddr>,
        accept_bell: Option<Arc<Bell>>,
        handler: Option<SessionHandler>,
    ) -> io::Result<Arc<Hub>> {
        self.check()?;
        let bodies = match self.hooks.answers_plain() {
            true => self.options.limits.bodies_budget(),
            false => 0,
        };
        self.options.fit_process(handler.is_some(), buffers, bodies);
        let poller = self.hooks.keeps_plain().then(Poller::new).transpose()?;
        let keeper = (poller.as_ref()).map(|poller| Keeper::new(poller.bell().clone()));
        let hub = Hub::new(
            self.options,
            self.hooks,
            settings,
            local_addrs,
            handler,
            accept_bell,
            keeper.clone(),
        )?;
        let own = hub.clone();
        let stand_in = move || own.lead.stand_in(&own.connections.inbox);
        start_thread(&hub, "wshub-stand-in", stand_in)?;
        if let Some((keeper, poller)) = keeper.zip(poller) {
            let mut watch = KeeperThread::new(hub.clone(), keeper, poller);
            start_thread(&hub, "wshub-http", move || watch.run())?;
        }
        Ok(hub)
    }
}

/// Starts a thread without which there is no server.
fn start_thread(
    hub: &Arc<Hub>,
    name: &'static str,
    work: impl FnMut() + Send + 'static,
) -> io::Result<()> {
    hub.workers.start(name, work).map_err(|refused| {
        shutdown::finish(hub, Instant::now());
        refused.into_io()
    })
}

/// Tells the hooks that the server has started. Where one panics, nobody gets the server, who could end it: it ends
/// here.
fn tell(start_hooks: Vec<StartHook>, hub: &Arc<Hub>) {
    let tell = || {
        for hook in start_hooks {
            hook(ServerHandle::new(hub));
        }
    };
    if let Err(panicked) = panics::catch(tell) {
        shutdown::finish(hub, Instant::now());
        panicked.resume();
    }
}
