//! The place of sessions on a server: which requests are theirs, and which of them are let in.

use std::sync::Arc;

use super::link::{SessionLink, refusal, refusal_with};
use super::no_session::NoSession;
use super::protocol::handshake::{EngineError, SessionRequest, check, parameter};
use super::sessions::Sessions;
use crate::socketio::reason::DisconnectReason;
use crate::socketio::reply::Refused;
use crate::{Accept, HookRequest, Overflow, Reject, Request, Response, ServerBuilder, Status};

/// Kept with each WebSocket that belongs to a session.
pub(crate) struct Mounted;

/// Has the server answer the requests of sessions below this path.
pub(crate) fn mount(builder: ServerBuilder, sessions: &Arc<Sessions>, path: &str) -> ServerBuilder {
    let [started, ending, accepting, polled, begun] = [(); 5].map(|()| sessions.clone());
    builder
        .on_start(move |server| started.start(server))
        .on_shutdown(move || ending.shut_down())
        .mount(
            path,
            move |request| accept(&accepting, request),
            move |request| http(&begun, request),
        )
        .http_at_once(path, move |request| poll_at_once(&polled, request))
}

/// Whether a WebSocket is let in; as with the reference server, a wrong one is told so before it is open.
fn accept(sessions: &Sessions, request: &Request) -> Result<Accept, Reject> {
    let query = request.query_string().unwrap_or_default();
    match check(request.method(), query, true) {
        Ok(SessionRequest::Open(_)) => {
            if let Err(full) = sessions.has_room_for(request) {
                return Err(Reject::service_unavailable()
                    .with_body("too many sessions")
                    .with_cause(full.remedy()));
            }
            if let Err(refused) = allowed(sessions, request) {
                return Err(Reject::forbidden()
                    .with_body(refused.message())
                    .with_cause("the rule of allow()"));
            }
        }
        Ok(SessionRequest::Continue { sid, fits }) => {
            let link = sessions.session(sid);
            let link = link.ok_or_else(|| reject(EngineError::UnknownSession))?;
            if !fits {
                return Err(reject(EngineError::BadRequest));
            }
            link.expect_candidate(sessions);
        }
        Err(error) => {
            warn_of_version(sessions, request, error);
            return Err(reject(error));
        }
    }
    // What the WebSocket does not take waits in the session, whose overflow drops no part of a binary event.
    Ok(Accept::new()
        .with_data(Mounted)
        .with_overflow(Overflow::Refuse))
}

fn reject(error: EngineError) -> Reject {
    let reject = Reject::new(400).unwrap_or(Reject::forbidden());
    reject
        .with_body(error.message())
        .with_cause(error.message())
}

fn allowed(sessions: &Sessions, request: &Request) -> Result<(), Refused> {
    sessions.allow.get().map_or(Ok(()), |rule| rule(request))
}

/// Answers a request of a session that there is: no code of the application's runs, and nobody is waited for.
fn poll_at_once(sessions: &Arc<Sessions>, request: &HookRequest<'_>) -> Option<Response> {
    let query = request.query_string().unwrap_or_default();
    match check(request.method(), query, false) {
        Ok(SessionRequest::Continue { sid, fits: true }) if !request.server().is_draining() => {
            let link = sessions.session(sid)?;
            Some(poll(&link, sessions, request))
        }
        _ => None,
    }
}

/// Answers any other request of polling.
fn http(sessions: &Arc<Sessions>, request: &HookRequest<'_>) -> Response {
    let is_draining = request.server().is_draining();
    let query = request.query_string().unwrap_or_default();
    match check(request.method(), query, false) {
        Ok(SessionRequest::Open(_)) if is_draining => Status::SERVICE_UNAVAILABLE.into(),
        Ok(SessionRequest::Open(_)) => match allowed(sessions, request) {
            Ok(()) => begin(sessions, request),
            Err(refused) => refusal_with(EngineError::Forbidden, refused.message()),
        },
        Ok(SessionRequest::Continue { sid, fits }) => match sessions.session(sid) {
            None => refusal(EngineError::UnknownSession),
            Some(link) if fits => {
                // The next request comes by another connection, which leads to a server that knows no such session.
                if is_draining && request.method() == "GET" {
                    link.close(DisconnectReason::ServerShuttingDown, sessions);
                }
                poll(&link, sessions, request)
            }
            Some(_) => refusal(EngineError::BadRequest),
        },
        Err(error) => {
            warn_of_version(sessions, request, error);
            refusal(error)
        }
    }
}

fn begin(sessions: &Arc<Sessions>, request: &HookRequest<'_>) -> Response {
    match sessions.open(request.to_keep(), None) {
        Ok(link) => link.get(sessions),
        Err(NoSession::ShuttingDown) => Status::SERVICE_UNAVAILABLE.into(),
        Err(full) => {
            let remedy = full.remedy();
            sessions
                .limited_log
                .warn(module_path!(), remedy, || remedy.to_owned());
            Response::text("too many sessions").with_status(Status::SERVICE_UNAVAILABLE)
        }
    }
}

fn poll(link: &Arc<SessionLink>, sessions: &Arc<Sessions>, request: &Request) -> Response {
    match request.method() {
        "GET" => link.get(sessions),
        "POST" => {
            let kind = request.header("Content-Type");
            let octets = kind == Some("application/octet-stream");
            link.post(request.body(), octets, sessions)
        }
        _ => refusal(EngineError::BadRequest),
    }
}

fn warn_of_version(sessions: &Sessions, request: &Request, error: EngineError) {
    if error != EngineError::UnsupportedVersion {
        return;
    }
    sessions.limited_log.warn(module_path!(), "version", || {
        let query = request.query_string().unwrap_or_default();
        let version = parameter(query, "EIO").unwrap_or("none");
        let version: String = version.chars().take(8).collect();
        format!(
            "a Socket.IO client speaks version {version:?} of Engine.IO, and this server 4: take a client of npm's \
             socket.io-client 3 or 4, or of python-socketio 5"
        )
    });
}
