//! The application's own code in the server: what decides about a handshake, answers a plain request, hears of the
//! start.

use super::ServerBuilder;
use crate::handshake::Accept;
use crate::http::{Reject, Response};
use crate::server::ServerHandle;
use crate::server::hooks::{HookRequest, Mount};

impl ServerBuilder {
    /// Asked for every opening handshake that is otherwise in order: accept it, with a subprotocol,
    /// headers and [data](Accept::with_data) of your choice, or reject it with a status and a text. As every hook, it
    /// reaches the server: [`HookRequest::server`]. Runs on the connection's
    /// own thread, with a stack of [`stack_size`](crate::Limits::stack_size), for
    /// [`max_handshakes`](crate::Limits::max_handshakes) clients at once; others wait in line. When it takes
    /// longer than the rest of
    /// [`handshake_timeout`](crate::Limits::handshake_timeout), or panics, the client is refused.
    pub fn accept(
        mut self,
        hook: impl Fn(&HookRequest<'_>) -> Result<Accept, Reject> + Send + Sync + 'static,
    ) -> Self {
        self.options.hooks.accept = Some(Box::new(hook));
        self
    }

    /// Answers plain requests on the same port, whatever their method: a page, its script, a form, what
    /// [`request.server()`](HookRequest::server) has counted. It
    /// gets a request with its whole [body](crate::Request::body), of up to [`max_body`](crate::Limits::max_body)
    /// bytes; one with a method other than GET, HEAD, OPTIONS and TRACE and an origin only if a page
    /// of that origin might open a WebSocket ([`origins`](ServerBuilder::origins)), for a page of any
    /// site can have a browser send a form. Runs on the connection's own thread, with a stack of
    /// [`stack_size`](crate::Limits::stack_size), for [`max_http_requests`](crate::Limits::max_http_requests) clients
    /// at once; one more gets 503. A client has its page whole as long as it reads faster than
    /// [`min_rate`](crate::Limits::min_rate). A panic costs that request only (500). Default: 426, which tells a
    /// browser that only WebSocket is spoken here.
    pub fn http(
        mut self,
        hook: impl Fn(&HookRequest<'_>) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.options.hooks.http = Some(Box::new(hook));
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

    /// Answers GET and HEAD at this path, for a balancer or an orchestrator that asks whether it may send clients here:
    /// 200 `ok`, and 503 `draining` once [`drain`](ServerHandle::drain) or a shutdown has begun. Whatever the `Host`,
    /// before all other hooks, and also while as many requests are under way as may. Default: none.
    ///
    /// New connections are refused while the server drains, which says the same; the 503 is for those that were kept.
    ///
    /// ```
    /// use wshub::Server;
    ///
    /// let server = Server::builder().health("/healthz").bind("127.0.0.1:0")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn health(mut self, path: impl Into<String>) -> Self {
        self.options.hooks.health = Some(path.into());
        self
    }

    /// Answers GET and HEAD at this path with what the server has [counted](crate::Stats), for a monitoring system,
    /// before all other hooks: in the text format of Prometheus, or as OpenMetrics where its `Accept` names that.
    /// Default: none.
    ///
    /// Only for programs of this machine that come without a proxy, for [`trusted_proxies`](Self::trusted_proxies)
    /// themselves, and for [`metrics_from`](Self::metrics_from). Others get 403, with the line to add. What a proxy
    /// passes on that is not trusted shows by its `Forwarded`, `X-Forwarded-For` or `Via`; one that writes none of
    /// these must not pass this path on.
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
        self.options.hooks.metrics = Some(path.into());
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

    /// Calls `hook` once as the shutdown begins, before connections are told: on the thread that shuts the server down,
    /// which waits for it. For what has something to say to its clients first, and for threads of your own that are to
    /// end with the server. [`ServerHandle::terminate`] and a server that is dropped call it too.
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
        self.options.hooks.shutdown.hooks.push(Box::new(hook));
        self
    }
}
