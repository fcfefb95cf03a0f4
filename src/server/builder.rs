//! What is chosen before a server starts: limits, rules, hooks.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Instant;

use super::accept::AcceptLoop;
use super::capacity;
use super::hooks::{HookRequest, Hooks, Mount};
use super::hub::Hub;
use super::listen::{self, Listening, Site};
use super::session::{HandlerResult, Session, SessionHandler};
use super::{Server, ServerHandle, shutdown};
use crate::handshake::Accept;
use crate::handshake::rules::Rules;
use crate::http::{Cors, Reject, Response};
use crate::limits::Limits;
use crate::logging::log_line;
use crate::outbox::Overflow;
use crate::poller::{Bell, Poller};
use crate::tls::Tls;

/// Ports that browsers refuse to open a WebSocket to (WHATWG Fetch, "bad port"), above 1023.
const BAD_PORTS: [u16; 19] = [
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10080,
];

/// Builds a [`Server`]; made by [`Server::builder`]. Every default is safe: pages of other sites may
/// not connect, and nothing is unbounded.
///
/// ```
/// use wshub::{Accept, Overflow, Reject, Response, Server, secret_matches};
///
/// let token = std::env::var("HUB_TOKEN").unwrap_or_default();
/// let server = Server::builder()
///     .subprotocols(["chat"])
///     .origins(["https://app.example.com"])
///     .overflow(Overflow::DropOldest)
///     .accept(move |request| match request.cookie("token") {
///         Some(given) if secret_matches(given, &token) => Ok(Accept::new()),
///         _ => Err(Reject::unauthorized()),
///     })
///     .http(|request| match request.path() {
///         "/" => Response::html("<!doctype html><title>hub</title>"),
///         _ => Response::not_found(),
///     })
///     .bind("127.0.0.1:0")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Default)]
#[must_use = "a builder does nothing until it is bound or given a stream"]
pub struct ServerBuilder {
    options: Options,
    listening: Vec<Listening>,
    start_hooks: Vec<StartHook>,
}

/// What is chosen for a server.
#[derive(Default)]
pub(crate) struct Options {
    pub limits: Limits,
    pub overflow: Overflow,
    pub rules: Rules,
    pub hooks: Hooks,
    pub tls: Option<Tls>,
    /// Headers of its request that a connection keeps; `None`: all.
    pub kept_headers: Option<Vec<String>>,
}

type StartHook = Box<dyn FnOnce(ServerHandle) + Send>;

impl ServerBuilder {
    /// Bounds and times; see [`Limits`] for the defaults.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// What happens when a peer does not read. Default: [`Overflow::Disconnect`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.options.overflow = overflow;
        self
    }

    /// Further origins whose pages, and programs that send one, may connect (RFC 6455 section 10.2):
    ///
    /// | entry | stands for |
    /// |---|---|
    /// | `https://app.example.com`, `http://localhost:5173` | this scheme, host and port |
    /// | `https://*.example.com`, with a port where it is not the scheme's | every name below `example.com`, however many labels, but not `example.com` itself |
    /// | `null` | every page without an origin of its own: files, sandboxed frames |
    /// | `file://` | programs that send it, and maybe a browser for every page that was opened as a file |
    /// | `*` | every page; only for servers without secrets and effects |
    ///
    /// `.example.com` is another way to write `*.example.com`. Default: only pages from the server's
    /// own host, and programs that send no origin. `localhost`, 127.0.0.1 and `[::1]` are one host, as
    /// far as they lead to this server at the port it listens on. Where a list cannot say it, there
    /// is [`origin_rule`](ServerBuilder::origin_rule).
    ///
    /// Anything else could never match: [`bind`](ServerBuilder::bind) returns an error that says
    /// what is possible.
    pub fn origins<T: Into<String>>(mut self, origins: impl IntoIterator<Item = T>) -> Self {
        for entry in origins {
            self.options.rules.add_origin(&entry.into());
        }
        self
    }

    /// Decides about the origins that neither the server's own host nor
    /// [`origins`](ServerBuilder::origins) lets in: `true` lets this one in. It gets the origin as it
    /// was sent, and the request. It is not asked about requests without an origin, or with one that
    /// is not UTF-8, and what it lets in still has to name a host of this server
    /// ([`hosts`](ServerBuilder::hosts)). Default: none of them.
    ///
    /// Runs on the connection's own thread, with a stack of [`stack_size`](Limits::stack_size), before
    /// the [`accept`](ServerBuilder::accept) hook; when it takes longer than the rest of
    /// [`handshake_timeout`](Limits::handshake_timeout), or panics, the client is refused.
    ///
    /// Compare whole hosts, not parts of the text: `https://example.com.evil.example` begins with
    /// `https://example.com`, and `https://evil-example.com` ends with `example.com`.
    ///
    /// ```
    /// use wshub::Server;
    ///
    /// // A development server of this machine, whatever its port.
    /// let server = Server::builder()
    ///     .origin_rule(|origin, _request| {
    ///         let port = origin.strip_prefix("http://localhost:");
    ///         port.is_some_and(|port| port.parse::<u16>().is_ok())
    ///     })
    ///     .bind("127.0.0.1:0")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn origin_rule(
        mut self,
        rule: impl Fn(&str, &HookRequest<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.options.hooks.origin = Some(Box::new(rule));
        self
    }

    /// Further names of this server, for browsers that reach it under one that is neither an IP
    /// address nor local by its form (`localhost`, one label, `*.localhost`, `*.local`, `*.lan`,
    /// `*.home.arpa`). Other names are refused to whoever sends an origin, and to plain requests,
    /// because a hostile site can make its own name point here (DNS rebinding). Bound to loopback, only loopback's
    /// names are this server's by default: `localhost`, `*.localhost`, 127.0.0.0/8 and `[::1]`.
    ///
    /// An entry is a name, `*.example.com` (or `.example.com`) for every name below `example.com` but
    /// not that one itself, or an address; with a port, as in `device.example.com:8080`, only where
    /// the port matters. Anything else could never match: [`bind`](ServerBuilder::bind) returns an
    /// error that says what is possible.
    pub fn hosts<T: Into<String>>(mut self, hosts: impl IntoIterator<Item = T>) -> Self {
        for entry in hosts {
            self.options.rules.add_host(&entry.into());
        }
        self
    }

    /// Proxies that are believed about their clients: addresses, networks as `10.0.0.0/8`, and `unix` for
    /// programs of this machine that come over a Unix socket. From these, and nobody else:
    ///
    /// - a header of the PROXY protocol, version 1 or 2, in front of a connection;
    /// - `Forwarded` (RFC 7239), or `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`. They
    ///   are read from right to left, through trusted proxies, to the first address that is none.
    ///
    /// What they say is then what [`Request::peer`](crate::Request::peer), [`Request::host`](crate::Request::host),
    /// [`max_per_address`](Limits::max_per_address), the log and the rules for
    /// [`origins`](ServerBuilder::origins) and [`hosts`](ServerBuilder::hosts) go by; a page of
    /// `http://` is then not at home where its request came by `https://`. From anybody else the headers
    /// mean nothing, and the PROXY protocol gets 400, with the line to add. So does what a trusted proxy
    /// sends that cannot be read, or that names two clients.
    ///
    /// List only proxies that write one of these themselves, for every client: one that passes on what it
    /// is sent lets its clients claim any address. Default: none, and the peer is the proxy.
    ///
    /// ```
    /// use wshub::Server;
    ///
    /// let server = Server::builder()
    ///     .trusted_proxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])
    ///     .bind("127.0.0.1:0")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn trusted_proxies<T: Into<String>>(
        mut self,
        proxies: impl IntoIterator<Item = T>,
    ) -> Self {
        for entry in proxies {
            self.options.rules.add_proxy(&entry.into());
        }
        self
    }

    /// The subprotocols of this server, the preferred one first (RFC 6455 section 1.9). The first
    /// that a client offers is chosen; where it offers none of them, none is, and the connection
    /// opens all the same. A browser gives a connection up for which it offered some and got none;
    /// the log (info) then says which were offered. Default: none.
    pub fn subprotocols<T: Into<String>>(
        mut self,
        subprotocols: impl IntoIterator<Item = T>,
    ) -> Self {
        for entry in subprotocols {
            self.options.rules.add_subprotocol(entry.into());
        }
        self
    }

    /// The headers of its request that a connection keeps, by name in any case; the others are there for the hooks, and
    /// not in [`Connection::request`](crate::Connection::request). Default: all, a KiB or two for a browser with
    /// cookies, half of what an idle connection takes. Method, target, host, subprotocols, peer and certificates stay
    /// in any case.
    ///
    /// ```
    /// use wshub::Server;
    ///
    /// let server = Server::builder().keep_headers(["Origin", "User-Agent"]).bind("127.0.0.1:0")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn keep_headers<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.options.kept_headers = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Compresses messages for peers that offer it (RFC 7692; every browser does), as `compression` says. Default:
    /// nothing is compressed, for it costs time and memory, and may give secrets away; see
    /// [`Compression`](crate::Compression).
    #[cfg(feature = "deflate")]
    pub fn compression(mut self, compression: crate::Compression) -> Self {
        self.options.rules.compression = Some(compression);
        self
    }

    /// Asked for every opening handshake that is otherwise in order: accept it, with a subprotocol,
    /// headers and [data](Accept::with_data) of your choice, or reject it with a status and a text. As every hook, it
    /// reaches the server: [`HookRequest::server`]. Runs on the connection's
    /// own thread, with a stack of [`stack_size`](Limits::stack_size), for
    /// [`max_handshakes`](Limits::max_handshakes) clients at once; others wait in line. When it takes
    /// longer than the rest of
    /// [`handshake_timeout`](Limits::handshake_timeout), or panics, the client is refused.
    pub fn accept(
        mut self,
        hook: impl Fn(&HookRequest<'_>) -> Result<Accept, Reject> + Send + Sync + 'static,
    ) -> Self {
        self.options.hooks.accept = Some(Box::new(hook));
        self
    }

    /// Answers plain requests on the same port, whatever their method: a page, its script, a form, what
    /// [`request.server()`](HookRequest::server) has counted. It
    /// gets a request with its whole [body](crate::Request::body), of up to [`max_body`](Limits::max_body)
    /// bytes; one with a method other than GET, HEAD, OPTIONS and TRACE and an origin only if a page
    /// of that origin might open a WebSocket ([`origins`](ServerBuilder::origins)), for a page of any
    /// site can have a browser send a form. Runs on the connection's own thread, with a stack of
    /// [`stack_size`](Limits::stack_size), for [`max_http_requests`](Limits::max_http_requests) clients at once; one
    /// more gets 503. A client has its page whole as long as it reads faster than [`min_rate`](Limits::min_rate). A
    /// panic costs that request only (500). Default: 426, which tells a browser that only WebSocket is spoken here.
    pub fn http(
        mut self,
        hook: impl Fn(&HookRequest<'_>) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.options.hooks.http = Some(Box::new(hook));
        self
    }

    /// Which pages of other sites may read what the [`http`](ServerBuilder::http) hook answers. Default:
    /// none; see [`Cors`].
    pub fn cors(mut self, cors: Cors) -> Self {
        self.options.rules.cors = Some(cors);
        self
    }

    /// Calls `hook` with the server's handle as the server starts, on the thread that starts it: for hooks and threads
    /// that send, count, [wake](ServerHandle::wake) or shut down. Requests may come before it is called.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use wshub::{Server, ServerHandle};
    ///
    /// let (handles, given) = mpsc::channel::<ServerHandle>();
    /// let clock = std::thread::spawn(move || {
    ///     let server = given.recv().unwrap();
    ///     server.broadcast("it is late");
    /// });
    /// let server = Server::builder()
    ///     .on_start(move |handle| handles.send(handle).unwrap())
    ///     .bind("127.0.0.1:0")?;
    /// clock.join().unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_start(mut self, hook: impl FnOnce(ServerHandle) + Send + 'static) -> Self {
        self.start_hooks.push(Box::new(hook));
        self
    }

    /// Hooks for what lies below `path`, in place of [`accept`](ServerBuilder::accept) and
    /// [`http`](ServerBuilder::http): a part of a server that is written by itself. They run as those do. Requests
    /// belong to it whose path begins with `path`, so end that with `/`; of several mounts that fit, the longest path
    /// counts.
    ///
    /// ```
    /// use wshub::{Accept, Reject, Response, Server};
    ///
    /// let server = Server::builder()
    ///     .http(|_| Response::html("<p>the page"))
    ///     .mount(
    ///         "/status/",
    ///         |_| Err(Reject::not_found()), // no WebSocket
    ///         |_| Response::text("well"),
    ///     )
    ///     .bind("127.0.0.1:0")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn mount(
        mut self,
        path: impl Into<String>,
        accept: impl Fn(&HookRequest<'_>) -> Result<Accept, Reject> + Send + Sync + 'static,
        http: impl Fn(&HookRequest<'_>) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.options.hooks.mounts.push(Mount {
            path: path.into(),
            accept: Box::new(accept),
            http: Box::new(http),
        });
        self
    }

    /// Speaks TLS on every connection, but for listeners that have [their own](ServerBuilder::listen_tls), and nothing
    /// else: `wss://`, and `https://` for the
    /// [`http`](ServerBuilder::http) hook. The TLS handshake counts into
    /// [`handshake_timeout`](Limits::handshake_timeout); who comes without TLS is told so (400).
    /// Streams that are [attached](Server::attach) speak it as well; for
    /// [`websocket`](ServerBuilder::websocket) there is [`Tls::accept`]. Feature `tls`.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: &Tls) -> Self {
        self.options.tls = Some(tls.clone());
        self
    }

    /// Listens on `addr` and starts: short for [`listen`](ServerBuilder::listen) and [`start`](ServerBuilder::start).
    /// The application takes events with [`Server::events`].
    ///
    /// # Errors
    /// As these two.
    pub fn bind(self, addr: impl ToSocketAddrs + fmt::Debug) -> io::Result<Server> {
        self.listen(addr)?.start()
    }

    /// Adds an address to listen on, from now on: connections wait until the server has started. The system holds up to
    /// 1,024 of them, fewer where its own limit is lower (`net.core.somaxconn`). Port 0 picks a free one
    /// ([`Server::local_addrs`] tells it).
    ///
    /// `localhost:9001` is both loopbacks, 127.0.0.1 and `[::1]`, on one port, for a browser takes either of them; of
    /// another name with several addresses it is the first that is this machine's. `[::]` is IPv4, too, where the
    /// system has it so, as Linux does; `0.0.0.0` beside it is taken then.
    ///
    /// Of each listener what its own address says counts: on a loopback only loopback's names are this server's
    /// ([`hosts`](ServerBuilder::hosts)). Streams that are [attached](Server::attach) are taken to have come by the
    /// first.
    ///
    /// ```
    /// use wshub::Server;
    ///
    /// let server = Server::builder()
    ///     .listen("127.0.0.1:0")?
    ///     .listen("127.0.0.2:0")?
    ///     .start()?;
    /// assert_eq!(server.local_addrs().len(), 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the address cannot be bound (the port is taken, the address is not this machine's): the text names it and
    /// says what to do, the source is the system's error.
    pub fn listen(mut self, addr: impl ToSocketAddrs + fmt::Debug) -> io::Result<Self> {
        self.add_listeners(listen::bind(addr)?, None)?;
        Ok(self)
    }

    /// As [`listen`](ServerBuilder::listen), and speaks TLS there with this certificate, whatever
    /// [`tls`](ServerBuilder::tls) says of the others. Feature `tls`.
    ///
    /// ```no_run
    /// use wshub::{Server, Tls};
    ///
    /// let tls = Tls::from_pem_files("cert.pem", "key.pem")?;
    /// let server = Server::builder()
    ///     .listen("127.0.0.1:9001")? // in clear, for this machine
    ///     .listen_tls("0.0.0.0:9443", &tls)?
    ///     .start()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`listen`](ServerBuilder::listen).
    #[cfg(feature = "tls")]
    pub fn listen_tls(
        mut self,
        addr: impl ToSocketAddrs + fmt::Debug,
        tls: &Tls,
    ) -> io::Result<Self> {
        self.add_listeners(listen::bind(addr)?, Some(tls))?;
        Ok(self)
    }

    /// As [`listen`](ServerBuilder::listen), on a listener that is bound already: from systemd, or with options of your
    /// own. It is set to non-blocking mode.
    ///
    /// ```
    /// use std::net::{Ipv6Addr, TcpListener};
    /// use wshub::Server;
    ///
    /// let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?;
    /// let port = listener.local_addr()?.port();
    /// let server = Server::builder().listen_on(listener)?.start()?;
    /// assert_eq!(server.local_addr()?.port(), port);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's, where the socket cannot listen.
    pub fn listen_on(mut self, listener: TcpListener) -> io::Result<Self> {
        self.add_listeners(vec![listener], None)?;
        Ok(self)
    }

    fn add_listeners(&mut self, listeners: Vec<TcpListener>, tls: Option<&Tls>) -> io::Result<()> {
        for listener in listeners {
            let listening = Listening::new(listener, tls.cloned())?;
            warn_of_bad_port(listening.addr.port());
            self.listening.push(listening);
        }
        Ok(())
    }

    /// Starts the server on what it [listens](ServerBuilder::listen) on; the application takes events with
    /// [`Server::events`].
    ///
    /// # Errors
    /// When nothing could work with a limit that was set, an origin, host, subprotocol or proxy could never match, or
    /// it listens nowhere ([`io::ErrorKind::InvalidInput`]): the text says which, and what to do. Or the system gives
    /// no thread or descriptor.
    pub fn start(self) -> io::Result<Server> {
        Ok(Server::new(self.start_with(None)?))
    }

    /// A server that listens nowhere: connections come by [`Server::attach`]. For tests in memory.
    ///
    /// # Errors
    /// When the system gives no thread, or as [`bind`](ServerBuilder::bind) for what was set.
    pub fn without_listener(mut self) -> io::Result<Server> {
        let start_hooks = std::mem::take(&mut self.start_hooks);
        self.settle_compression();
        let site = Site::in_memory(&self.options.rules, self.options.tls.as_ref());
        let hub = self.hub(site, Vec::new(), None, None)?;
        tell(start_hooks, &hub);
        Ok(Server::new(hub))
    }

    /// What applies to one stream without a server: limits, rules and hooks.
    pub(crate) fn for_one_stream(&self) -> io::Result<(Limits, &Rules, &Hooks)> {
        self.check()?;
        if self.options.tls.is_some() {
            let text = "websocket() speaks no TLS over the stream it is given: leave .tls(…) out, \
                        and give it the stream that Tls::accept returns";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let mut limits = self.options.limits.clone();
        limits.bound_times();
        Ok((limits, &self.options.rules, &self.options.hooks))
    }

    /// Listens on `addr` and runs `handler` for each connection on the connection's own thread, with a
    /// stack of [`stack_size`](Limits::stack_size), while this call returns at once. The fastest way to echo, and the
    /// plainest to write a protocol with. An error or a panic of the handler closes its connection with 1011, is
    /// counted and logged.
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
        self.settle_compression();
        let (rules, tls) = (&self.options.rules, self.options.tls.as_ref());
        let sites: Vec<_> = listening
            .iter()
            .map(|own| Site::new(own, &listening, rules, tls))
            .collect();
        let first = sites.first().cloned().ok_or_else(|| {
            let text =
                "the server listens nowhere: call listen(addr) before, or without_listener()";
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?;
        // Any connection may take the memory that TLS takes.
        self.options.tls = sites.iter().find_map(|site| site.tls.clone());
        let local_addrs = listening.iter().map(|own| own.addr).collect();
        let mut poller = Poller::new()?;
        let mut watched = Vec::new();
        for (own, site) in listening.into_iter().zip(sites) {
            let token = poller.insert(own.listener, |listener| Some(listener.into()));
            watched.push((token.map_err(|(_, error)| error)?, site));
        }
        let hub = self.hub(first, local_addrs, Some(poller.bell().clone()), handler)?;
        let accept = AcceptLoop::new(poller, watched, hub.clone());
        let started = hub.workers.start("wshub-accept", move || accept.run());
        if let Err(refused) = started {
            shutdown::finish(&hub, Instant::now());
            return Err(refused.into_io());
        }
        tell(start_hooks, &hub);
        Ok(hub)
    }

    fn hub(
        mut self,
        site: Arc<Site>,
        local_addrs: Vec<SocketAddr>,
        accept_bell: Option<Arc<Bell>>,
        handler: Option<SessionHandler>,
    ) -> io::Result<Arc<Hub>> {
        self.check()?;
        let buffers = self.buffers();
        capacity::bound(&mut self.options.limits, handler.is_some(), buffers);
        self.options.limits.bound_times();
        let each = self.memory_per_connection();
        let all = self.memory_budget(each);
        log_line!(
            Info,
            "at most {} connections; peers can make the server hold at most {} MiB, {} KiB for each connection",
            self.options.limits.max_connections,
            all >> 20,
            each >> 10,
        );
        capacity::warn_of(all, each);
        Hub::start(self.options, site, local_addrs, handler, accept_bell)
    }

    fn check(&self) -> io::Result<()> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        (self.options.limits.check())
            .map_err(|error| invalid(Box::<dyn Error + Send + Sync>::from(error)))?;
        (self.options.rules.check()).map_err(|error| invalid(error.to_string().into()))
    }

    /// The most memory that peers can make the server hold, so much with each connection.
    fn memory_budget(&self, each: usize) -> usize {
        let connections = self.options.limits.max_connections.saturating_mul(each);
        let bodies = match self.options.hooks.answers_plain() {
            true => self.options.limits.bodies_budget(),
            false => 0,
        };
        let messages = self.options.limits.inbound_total;
        connections.saturating_add(messages).saturating_add(bodies)
    }

    fn memory_per_connection(&self) -> usize {
        let messages = self.options.limits.memory_per_connection();
        messages.saturating_add(self.buffers())
    }

    /// What a connection takes beside its thread and its messages.
    fn buffers(&self) -> usize {
        let tls = self
            .options
            .tls
            .as_ref()
            .map_or(0, Tls::memory_per_connection);
        let compression = self.options.rules.compression.as_ref();
        tls + compression.map_or(0, |own| own.memory_per_connection())
    }

    /// What is dropped for a slow peer must not be what later messages refer to.
    fn settle_compression(&mut self) {
        #[cfg(feature = "deflate")]
        if let (true, Some(compression)) = (
            self.options.overflow != Overflow::Disconnect,
            &mut self.options.rules.compression,
        ) {
            compression.server_context_takeover = false;
        }
    }
}

fn tell(start_hooks: Vec<StartHook>, hub: &Arc<Hub>) {
    for hook in start_hooks {
        hook(ServerHandle::new(hub));
    }
}

fn warn_of_bad_port(port: u16) {
    if BAD_PORTS.contains(&port) {
        log_line!(
            Warn,
            "browsers refuse to connect to port {port}: choose another one, 8080 or 9001 for example"
        );
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("limits", &self.options.limits)
            .field("overflow", &self.options.overflow)
            .field("rules", &self.options.rules)
            .finish_non_exhaustive()
    }
}
