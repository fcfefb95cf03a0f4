//! The place of Socket.IO on a server: which requests are its, and which of them are let in.

use std::sync::Arc;

use super::application::SocketIo;
use super::core::Core;
use super::engine::handshake::{Asked, EngineError, check, parameter};
use crate::logging::log_line;
use crate::{Accept, Reject, Request, Response, ServerBuilder};

/// Kept with each WebSocket that belongs to Socket.IO.
pub(super) struct Mounted;

impl ServerBuilder {
    /// Serves Socket.IO below `path`, where its clients look for it unless they are told otherwise: `/socket.io/`. Other
    /// paths stay with [`accept`](ServerBuilder::accept) and [`http`](ServerBuilder::http), pages and plain WebSockets
    /// beside it ([`SocketIo::websockets`]). Which pages may connect is decided by
    /// [`origins`](ServerBuilder::origins), as for all WebSockets. Feature `socketio`.
    ///
    /// Clients come over WebSocket: `io({transports: ["websocket"]})` in JavaScript.
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
        builder.mount(
            path,
            move |request| accept(&core, request),
            |request| refusal(http_error(request)),
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
        Ok(Asked::Open(_)) if !core.has_room_for_a_session() => {
            return Err(Reject::service_unavailable()
                .with_body("too many sessions")
                .with_cause("too many sessions (socketio::Limits::max_sessions)"));
        }
        Ok(Asked::Open(_)) => None,
        Ok(Asked::Continue { sid, .. }) if core.session(sid).is_none() => {
            Some(EngineError::UnknownSession)
        }
        Ok(Asked::Continue { fits, .. }) => (!fits).then_some(EngineError::BadRequest),
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

/// What is wrong with a plain request: there is no polling here.
fn http_error(request: &Request) -> EngineError {
    let query = request.query_string().unwrap_or_default();
    match check(request.method(), query, false) {
        Err(error) if error != EngineError::UnknownTransport => {
            warn_of_version(request, error);
            error
        }
        _ => EngineError::UnknownTransport,
    }
}

fn refusal(error: EngineError) -> Response {
    let response = Response::new(error.status()).unwrap_or(Response::not_found());
    let response = response.with_body(error.to_json());
    // The name and the value are right as they are.
    let typed = response.with_header("Content-Type", "application/json");
    typed.unwrap_or(Response::not_found())
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
