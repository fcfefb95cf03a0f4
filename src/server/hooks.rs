//! The user's hooks, and what becomes of their panics.

use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use super::ServerHandle;
use super::contain::contain;
use crate::handshake::rules::Rules;
use crate::handshake::upgrade::{self, UpgradeAnswer};
use crate::handshake::{Accept, negotiate};
use crate::http::{Refusal, Reject, Request, Response};
use crate::overflow::Overflow;
use crate::stats::Counters;

pub(crate) type AcceptHook = Box<dyn Fn(&HookRequest<'_>) -> Result<Accept, Reject> + Send + Sync>;
pub(crate) type OriginHook = Box<dyn Fn(&str, &HookRequest<'_>) -> bool + Send + Sync>;
pub(crate) type HttpHook = Box<dyn Fn(&HookRequest<'_>) -> Response + Send + Sync>;
pub(crate) type AtOnceHook = Box<dyn Fn(&HookRequest<'_>) -> Option<Response> + Send + Sync>;

/// A request as the hooks of a [`ServerBuilder`](crate::ServerBuilder) get it: a [`Request`], and the server that it
/// came to.
///
/// ```
/// use wshub::{Response, Server};
///
/// let server = Server::builder()
///     .http(|request| match request.path() {
///         "/health" => Response::text(format!("{} connections", request.server().stats().connections)),
///         "/alarm" => {
///             request.server().broadcast("alarm");
///             Response::text("told")
///         }
///         _ => Response::not_found(),
///     })
///     .bind("127.0.0.1:0")?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The guide: [HTTP](crate::guide::http).
#[derive(Clone, Copy, Debug)]
pub struct HookRequest<'a> {
    request: &'a Request,
    server: &'a ServerHandle,
}

impl<'a> HookRequest<'a> {
    /// A request for a test of a hook.
    pub fn new(request: &'a Request, server: &'a ServerHandle) -> Self {
        HookRequest { request, server }
    }

    /// The server that the request came to, for the hook to look at and to broadcast by. It is there as long as the
    /// hook runs, and wshub holds no lock meanwhile. Keep no clone of it in what the hook owns: the two would keep each
    /// other.
    ///
    /// Over a stream of your own ([`ServerBuilder::websocket`](crate::ServerBuilder::websocket)) there is no server:
    /// then the handle has no connections, and its methods do nothing.
    pub fn server(&self) -> &'a ServerHandle {
        self.server
    }

    /// The request as it is kept after the hook: with the headers of
    /// [`keep_headers`](crate::ServerBuilder::keep_headers) alone.
    // The sessions of Socket.IO keep theirs.
    #[cfg_attr(not(feature = "socketio"), allow(dead_code))]
    pub(crate) fn to_keep(self) -> Request {
        match self.server.kept_headers() {
            Some(names) => self.request.clone().with_headers_only(names),
            None => self.request.clone(),
        }
    }
}

impl Deref for HookRequest<'_> {
    type Target = Request;

    fn deref(&self) -> &Request {
        self.request
    }
}

#[derive(Default)]
pub(crate) struct Hooks {
    pub accept: Option<AcceptHook>,
    pub http: Option<HttpHook>,
    pub origin: Option<OriginHook>,
    pub mounts: Vec<Mount>,
    /// What takes no time below a path, and is asked before `mounts` and `http`.
    pub at_once: Vec<(String, AtOnceHook)>,
    /// Where a balancer asks whether the server goes on.
    pub health: Option<String>,
    /// Where a monitoring system asks for the counters.
    pub metrics: Option<String>,
    pub shutdown: ShutdownHooks,
}

/// What is called as the shutdown begins.
#[derive(Default)]
pub(crate) struct ShutdownHooks {
    pub hooks: Vec<Box<dyn Fn() + Send + Sync>>,
    /// How many of them have been called.
    begun: AtomicUsize,
    caller: OnceLock<ThreadId>,
}

impl ShutdownHooks {
    /// Calls them once; false if a call has begun before.
    pub fn call(&self, counters: &Counters) -> bool {
        if self.caller.set(thread::current().id()).is_err() {
            return false;
        }
        self.call_rest(counters);
        true
    }

    /// Calls those that have not begun: a hook that waits for the end is itself behind them then.
    pub fn call_rest(&self, counters: &Counters) {
        while let Some(hook) = self.hooks.get(self.begun.fetch_add(1, Ordering::Relaxed)) {
            // Err: it panicked, which is counted. The shutdown goes on.
            let _ = contain(counters, hook);
        }
    }

    /// True if this thread called them, and one of them may be what calls now.
    pub fn are_called_here(&self) -> bool {
        self.caller.get() == Some(&thread::current().id())
    }
}

/// Hooks for the part of a server that lies below a path.
pub(crate) struct Mount {
    pub path: String,
    pub accept: AcceptHook,
    pub http: HttpHook,
}

impl Hooks {
    /// Asks whether an origin that nothing else lets in may open a WebSocket.
    pub fn origin(
        &self,
        origin: &str,
        request: HookRequest<'_>,
        counters: &Counters,
    ) -> Result<bool, Refusal> {
        match &self.origin {
            None => Ok(false),
            Some(hook) => contain(counters, || hook(origin, &request)),
        }
    }

    /// Asks the rules and the hooks whether a request opens a WebSocket. `overflow`: what goes for a connection that
    /// has no policy of its own.
    pub fn upgrade(
        &self,
        request: HookRequest<'_>,
        rules: &Rules,
        overflow: Overflow,
        counters: &Counters,
    ) -> Result<UpgradeAnswer, Refusal> {
        let ask = |origin: &str| self.origin(origin, request, counters);
        let accept = || self.accept(request, counters);
        upgrade::answer(&request, rules, overflow, ask, accept)
    }

    /// Asks whether an upgrade that is otherwise in order may proceed.
    fn accept(&self, request: HookRequest<'_>, counters: &Counters) -> Result<Accept, Refusal> {
        let mounted = self.mount(&request).map(|mount| &mount.accept);
        match mounted.or(self.accept.as_ref()) {
            None => Ok(Accept::new()),
            Some(hook) => contain(counters, || hook(&request))?.map_err(Refusal::HookRejected),
        }
    }

    /// A path that stands in no request, if one was set.
    pub fn unreachable_path(&self) -> Option<&str> {
        let mounts = self.mounts.iter().map(|mount| &mount.path);
        let at_once = self.at_once.iter().map(|(path, _)| path);
        let mut paths = mounts
            .chain(at_once)
            .chain(&self.health)
            .chain(&self.metrics);
        paths.find(|path| !is_path(path)).map(String::as_str)
    }

    /// Whether a connection may be kept after a plain request.
    pub fn keeps_plain(&self) -> bool {
        self.answers_plain() || self.health.is_some() || self.metrics.is_some()
    }

    /// Whether plain requests are answered by the application.
    pub fn answers_plain(&self) -> bool {
        self.http.is_some() || !self.mounts.is_empty() || !self.at_once.is_empty()
    }

    /// Whether the request that begins so may be one that is answered at once.
    pub fn may_answer_at_once(&self, received: &[u8]) -> bool {
        let methods: [&[u8]; 2] = [b"GET ", b"POST "];
        let mut targets = methods.iter().filter_map(|it| received.strip_prefix(*it));
        let is_below = |target: &[u8]| {
            let mut paths = self.at_once.iter().map(|(path, _)| path.as_bytes());
            paths.any(|path| target.starts_with(path))
        };
        targets.any(is_below)
    }

    /// The answer that takes no time, if there is one.
    pub fn answer_at_once(
        &self,
        request: HookRequest<'_>,
        counters: &Counters,
    ) -> Result<Option<Response>, Refusal> {
        let path = request.path();
        let is_servers = [&self.health, &self.metrics]
            .into_iter()
            .any(|it| it.as_deref() == Some(path));
        let fitting = self
            .at_once
            .iter()
            .filter(|(below, _)| path.starts_with(&**below));
        let longest = fitting.max_by_key(|(below, _)| below.len());
        let mounted = self.mount(&request).map_or(0, |mount| mount.path.len());
        match longest.filter(|(below, _)| below.len() >= mounted && !is_servers) {
            None => Ok(None),
            Some((_, hook)) => contain(counters, || hook(&request)),
        }
    }

    /// The mount whose path fits; of several the one with the longest path.
    fn mount(&self, request: &Request) -> Option<&Mount> {
        let fitting = self
            .mounts
            .iter()
            .filter(|it| request.path().starts_with(&*it.path));
        fitting.max_by_key(|it| it.path.len())
    }

    /// The answer to a plain request.
    pub fn http(&self, request: HookRequest<'_>, counters: &Counters) -> Result<Response, Refusal> {
        if let Some(answer) = self.answer_at_once(request, counters)? {
            return Ok(answer);
        }
        let mounted = self.mount(&request).map(|mount| &mount.http);
        match mounted.or(self.http.as_ref()) {
            None => Err(negotiate::unserved(&request)),
            Some(hook) => contain(counters, || hook(&request)),
        }
    }
}

/// Whether a request may have this path, or one that begins so (RFC 9112 3.2.1).
fn is_path(path: &str) -> bool {
    let stands_there = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
    path.starts_with('/') && path.bytes().all(stands_there)
}
