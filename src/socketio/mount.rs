//! The place of Socket.IO on a server: which requests are its, and which of them are let in.

use std::sync::Arc;

use super::application::SocketIo;
use super::core::{Core, NoRandom};
use super::engine::handshake::{EngineError, SessionRequest, check, parameter};
use super::engine::session::EndReason;
use super::link::{SessionLink, refusal, refusal_with};
use super::reply::Refused;
use crate::logging::log_line;
use crate::{Accept, HookRequest, Reject, Request, Response, ServerBuilder, Status};

const TOO_MANY: &str = "too many sessions: socketio::Limits::max_sessions";

/// Kept with each WebSocket that belongs to Socket.IO.
pub(super) struct Mounted;

impl ServerBuilder {
    /// Serves Socket.IO below `path`, where its clients look for it unless they are told otherwise: `/socket.io/`.
    /// Other paths stay with [`accept`](ServerBuilder::accept) and [`http`](ServerBuilder::http), pages and plain
    /// WebSockets beside it ([`SocketIo::websockets`]). Which pages may connect is decided by
    /// [`origins`](ServerBuilder::origins), as for all WebSockets. Feature `socketio`.
    ///
    /// Clients begin with long polling, and go on over a WebSocket where they can; or begin with that. Pages of other
    /// sites need [`cors`](ServerBuilder::cors) as well to poll. A poll that waits holds no thread; see
    /// [`max_waiting_requests`](crate::Limits::max_waiting_requests), and let
    /// [`answer_timeout`](crate::Limits::answer_timeout) be longer than
    /// [`Limits::ping_interval`](crate::socketio::Limits::ping_interval).
    ///
    /// ```
    /// use wshub::Server;
    /// use wshub::socketio::SocketIo;
    ///
    /// let mut io = SocketIo::new(());
    /// io.on("/", "hello", |_, socket, name: String| {
    ///     socket.emit("welcome", name);
    /// });
    /// let server = Server::builder().socketio(&io, "/socket.io/").bind("127.0.0.1:0")?;
    /// # server.handle().shutdown();
    /// server.run(&mut io)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn socketio<S>(self, io: &SocketIo<S>, path: &str) -> ServerBuilder {
        let core = io.core.clone();
        let started = core.clone();
        let builder = self.on_start(move |server| started.start(server));
        let polled = core.clone();
        builder.mount(
            path,
            move |request| accept(&core, request),
            move |request| http(&polled, request),
        )
    }
}

/// Whether a WebSocket is let in; as with the reference server, a wrong one is told so before it is open.
fn accept(core: &Arc<Core>, request: &Request) -> Result<Accept, Reject> {
    let asked = check(
        request.method(),
        request.query_string().unwrap_or_default(),
        true,
    );
    let refused = match asked {
        Ok(SessionRequest::Open(_)) if !core.has_room_for_a_session() => {
            return Err(Reject::service_unavailable()
                .with_body("too many sessions")
                .with_cause(TOO_MANY));
        }
        Ok(SessionRequest::Open(_)) => match allowed(core, request) {
            Ok(()) => None,
            Err(refused) => {
                return Err(Reject::forbidden()
                    .with_body(refused.message())
                    .with_cause("SocketIo::allow"));
            }
        },
        Ok(SessionRequest::Continue { sid, .. }) if core.session(sid).is_none() => {
            Some(EngineError::UnknownSession)
        }
        Ok(SessionRequest::Continue { fits, .. }) => (!fits).then_some(EngineError::BadRequest),
        Err(error) => Some(error),
    };
    match refused {
        None => Ok(Accept::new().with_data(Mounted)),
        Some(error) => {
            warn_of_version(request, error);
            let reject = Reject::new(error.status()).unwrap_or(Reject::forbidden());
            Err(reject
                .with_body(error.message())
                .with_cause(error.message()))
        }
    }
}

fn allowed(core: &Core, request: &Request) -> Result<(), Refused> {
    core.allow.get().map_or(Ok(()), |rule| rule(request))
}

/// Answers a request of polling.
fn http(core: &Arc<Core>, request: &HookRequest<'_>) -> Response {
    let is_draining = request.server().is_draining();
    let query = request.query_string().unwrap_or_default();
    match check(request.method(), query, false) {
        Ok(SessionRequest::Open(_)) if !core.has_room_for_a_session() => {
            log_line!(Warn, "{TOO_MANY}");
            Response::text("too many sessions").with_status(Status::SERVICE_UNAVAILABLE)
        }
        Ok(SessionRequest::Open(_)) if is_draining => Status::SERVICE_UNAVAILABLE.into(),
        Ok(SessionRequest::Open(_)) => match allowed(core, request) {
            Ok(()) => begin(core, request),
            Err(refused) => refusal_with(EngineError::Forbidden, refused.message()),
        },
        Ok(SessionRequest::Continue { sid, fits }) => match core.session(sid) {
            None => refusal(EngineError::UnknownSession),
            Some(link) if fits => {
                // The next request comes by another connection, which leads to a server that knows no such session.
                if is_draining && request.method() == "GET" {
                    link.close(EndReason::TransportClose, core);
                }
                poll(&link, core, request)
            }
            Some(_) => refusal(EngineError::BadRequest),
        },
        Err(error) => {
            warn_of_version(request, error);
            refusal(error)
        }
    }
}

fn begin(core: &Arc<Core>, request: &Request) -> Response {
    match core.open(request, None) {
        Ok(link) => link.get(core),
        Err(NoRandom) => Status::SERVICE_UNAVAILABLE.into(),
    }
}

fn poll(link: &Arc<SessionLink>, core: &Arc<Core>, request: &Request) -> Response {
    match request.method() {
        "GET" => link.get(core),
        "POST" => {
            let kind = request.header("Content-Type");
            let octets = kind == Some("application/octet-stream");
            link.post(request.body(), octets, core)
        }
        _ => refusal(EngineError::BadRequest),
    }
}

fn warn_of_version(request: &Request, error: EngineError) {
    if error == EngineError::UnsupportedVersion {
        let query = request.query_string().unwrap_or_default();
        let version: String = parameter(query, "EIO")
            .unwrap_or("none")
            .chars()
            .take(8)
            .collect();
        log_line!(
            Warn,
            "a Socket.IO client speaks version {version:?} of Engine.IO, and this server 4: take a client of npm's \
             socket.io-client 3 or 4, or of python-socketio 5"
        );
    }
}
