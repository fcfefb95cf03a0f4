//! The user's hooks, and what becomes of their panics.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ServerHandle;
use crate::handshake::{Accept, negotiate};
use crate::http::{Refusal, Reject, Request, Response};
use crate::lock::none_is_held;
use crate::panics;
use crate::stats::Counters;

pub(crate) type AcceptHook = Box<dyn Fn(&HookRequest<'_>) -> Result<Accept, Reject> + Send + Sync>;
pub(crate) type OriginHook = Box<dyn Fn(&str, &HookRequest<'_>) -> bool + Send + Sync>;
pub(crate) type HttpHook = Box<dyn Fn(&HookRequest<'_>) -> Response + Send + Sync>;

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
    are_called: AtomicBool,
}

impl ShutdownHooks {
    /// Calls them, once.
    pub fn call(&self, counters: &Counters) {
        if self.are_called.swap(true, Ordering::SeqCst) {
            return;
        }
        for hook in &self.hooks {
            // Err: it panicked, which is counted. The shutdown goes on.
            let _ = contain(counters, hook);
        }
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

    /// Asks whether an upgrade that is otherwise in order may proceed.
    pub fn accept(&self, request: HookRequest<'_>, counters: &Counters) -> Result<Accept, Refusal> {
        let mounted = self.mount(&request).map(|mount| &mount.accept);
        match mounted.or(self.accept.as_ref()) {
            None => Ok(Accept::new()),
            Some(hook) => contain(counters, || hook(&request))?.map_err(Refusal::HookRejected),
        }
    }

    /// Whether a connection may be kept behind a plain request.
    pub fn keeps_plain(&self) -> bool {
        self.answers_plain() || self.health.is_some() || self.metrics.is_some()
    }

    /// Whether plain requests are answered by the application.
    pub fn answers_plain(&self) -> bool {
        self.http.is_some() || !self.mounts.is_empty()
    }

    /// Of several whose paths fit, the longest.
    fn mount(&self, request: &Request) -> Option<&Mount> {
        let fitting = self
            .mounts
            .iter()
            .filter(|it| request.path().starts_with(&*it.path));
        fitting.max_by_key(|it| it.path.len())
    }

    /// The answer to a plain request.
    pub fn http(&self, request: HookRequest<'_>, counters: &Counters) -> Result<Response, Refusal> {
        let mounted = self.mount(&request).map(|mount| &mount.http);
        match mounted.or(self.http.as_ref()) {
            None => Err(negotiate::unserved(&request)),
            Some(hook) => contain(counters, || hook(&request)),
        }
    }
}

/// A panic in a hook costs its own request only.
pub(super) fn contain<T>(counters: &Counters, hook: impl FnOnce() -> T) -> Result<T, Refusal> {
    none_is_held();
    panics::catch(hook).map_err(|_| {
        counters.handler_failures.fetch_add(1, Ordering::Relaxed);
        Refusal::HookPanicked
    })
}
