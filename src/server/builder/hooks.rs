//! The application's own code in the server: what decides about a handshake, answers a plain request, hears of the
//! start.

use super::ServerBuilder;
use crate::handshake::Accept;
use crate::http::{Reject, Response};
use crate::server::ServerHandle;
use crate::server::hooks::{AtOnceHook, HookRequest, Mount};

impl ServerBuilder {
    /// Decides about every opening handshake that is otherwise in order: it accepts it, with a subprotocol, headers and
    /// [data](Accept::with_data) of your choice, or rejects it with a status and a text. Like every hook it reaches the
    /// server: [`HookRequest::server`].
    ///
    /// It runs on the connection's own thread, with a stack of [`stack_size`](crate::Limits::stack_size), for
    /// [`max_handshakes`](crate::Limits::max_handshakes) clients at once; others wait in line. If it panics, or takes
    /// longer than the rest of [`handshake_timeout`](crate::Limits::handshake_timeout), the client is refused.
    pub fn accept(
        mut self,
        hook: impl Fn(&HookRequest<'_>) -> Result<Accept, Reject> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.accept = Some(Box::new(hook));
        self
    }

    /// Answers plain requests on the same port, of any method: a page, its script, a form, what
    /// [`request.server()`](HookRequest::server) has counted. It gets each request with its whole
    /// [body](crate::Request::body), of up to [`max_body`](crate::Limits::max_body) bytes. Default: 426, which tells a
    /// browser that this port speaks only WebSocket.
    ///
    /// A page of any site can make a browser send a form. So a request with an origin and a method other than GET,
    /// HEAD, OPTIONS and TRACE comes here only if a page of that origin may open a WebSocket
    /// ([`origins`](ServerBuilder::origins)).
    ///
    /// It runs on the connection's own thread, with a stack of [`stack_size`](crate::Limits::stack_size), for
    /// [`max_http_requests`](crate::Limits::max_http_requests) clients at once; one more gets 503. A client gets its
    /// whole page as long as it reads faster than [`min_rate`](crate::Limits::min_rate). A panic costs that request
    /// only (500).
    pub fn http(
        mut self,
        hook: impl Fn(&HookRequest<'_>) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.hooks.http = Some(Box::new(hook));
        self
    }

    /// Hooks for the paths below `path`, in place of [`accept`](ServerBuilder::accept) and
    /// [`http`](ServerBuilder::http): for a part of a server that is written separately. They run as those do. A
    /// request belongs to a mount if its path begins with `path`, so end that with `/`; `"/"` is every path. If several
    /// mounts fit, the longest path wins.
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
        self.hooks.mounts.push(Mount {
            path: path.into(),
            accept: Box::new(accept),
            http: Box::new(http),
        });
        self
    }

    /// Answers GET and POST below `path` where that takes no time, before the hooks of [`http`](ServerBuilder::http)
    /// and [`mount`](ServerBuilder::mount): what it returns `None` for goes to those. `"/"` is every path. So a poll
    /// that waits for news ([`Response::later`]) and the next one over its connection cost no change of threads.
    ///
    /// It runs on the thread that watches all connections without a request, once a request is there with its whole
    /// body: where it blocks, all of them wait. Other requests come here on the connection's own thread, so one may
    /// come twice if the first answer is `None`. On the watching thread it takes one of
    /// [`max_waiting_requests`](crate::Limits::max_waiting_requests) until its answer has left, and where none is free
    /// it comes on a thread; there it takes one of [`max_http_requests`](crate::Limits::max_http_requests). A longer
    /// path of a mount wins. A panic costs that request only (500).
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use wshub::{Responder, Response, Server};
    ///
    /// let polls: Arc<Mutex<Vec<Responder>>> = Arc::default();
    /// let waiting = polls.clone();
    /// let server = Server::builder()
    ///     .http_at_once("/poll", move |_| {
    ///         let (response, responder) = Response::later();
    ///         waiting.lock().unwrap().push(responder);
    ///         Some(response)
    ///     })
    ///     .http(|_| Response::html("<p>the page"))
    ///     .bind("127.0.0.1:0")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn http_at_once(
        mut self,
        path: impl Into<String>,
        hook: impl Fn(&HookRequest<'_>) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        let place = (path.into(), Box::new(hook) as AtOnceHook);
        self.hooks.at_once.push(place);
        self
    }

    /// Answers GET and HEAD at this path, for a balancer or an orchestrator that asks whether it may send clients here:
    /// 200 `ok`, and 503 `draining` once [`drain`](ServerHandle::drain) or a shutdown has begun. It answers for any
    /// `Host`, before all other hooks, and also when [`max_http_requests`](crate::Limits::max_http_requests) are under
    /// way. Default: none.
    ///
    /// While the server drains, new connections are refused, which says the same. The 503 is for connections that were
    /// kept.
    ///
    /// ```
    /// use wshub::Server;
    ///
    /// let server = Server::builder().health("/healthz").bind("127.0.0.1:0")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn health(mut self, path: impl Into<String>) -> Self {
        self.hooks.health = Some(path.into());
        self
    }

    /// Answers GET and HEAD at this path with the server's [counters](crate::Stats), for a monitoring system, before
    /// all other hooks: in the text format of Prometheus, or as OpenMetrics if `Accept` names that. Default: none.
    ///
    /// Only for programs of this machine that come without a proxy, for [`trusted_proxies`](Self::trusted_proxies)
    /// themselves, and for [`metrics_from`](Self::metrics_from). Others get 403, with the line to add. A request
    /// through a proxy that is not trusted is known by its `Forwarded`, `X-Forwarded-For` or `Via`. A proxy that writes
    /// none of these must not pass this path on.
    ///
    /// ```
    /// use wshub::Server;
    ///
    /// let server = Server::builder()
    ///     .metrics("/metrics")
    ///     .metrics_from(["10.0.0.7"]) // the machine that watches over this one
    ///     .bind("127.0.0.1:0")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn metrics(mut self, path: impl Into<String>) -> Self {
        self.hooks.metrics = Some(path.into());
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

    /// Calls `hook` once when the shutdown begins, before connections are told, on the thread that shuts the server
    /// down; that thread waits for it. A second thread that calls [`Server::shutdown`](crate::Server::shutdown)
    /// meanwhile waits for it, too, within its `close_timeout`; [`ServerHandle::terminate`] does not. Use it to say
    /// something to the clients first, or to end threads of your own with the server. [`ServerHandle::terminate`] and
    /// a server that is dropped call it too. If a hook itself waits for the end, or terminates the server, the hooks
    /// after it are called before that.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use wshub::Server;
    ///
    /// let (ending, ended) = mpsc::channel::<()>();
    /// let clock = std::thread::spawn(move || ended.recv());
    /// let server = Server::builder()
    ///     .on_shutdown(move || _ = ending.send(()))
    ///     .bind("127.0.0.1:0")?;
    /// server.shutdown();
    /// assert!(clock.join().unwrap().is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_shutdown(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.shutdown.hooks.push(Box::new(hook));
        self
    }
}
