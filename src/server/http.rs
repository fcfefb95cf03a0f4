//! Plain HTTP on the WebSocket's port: a request on a thread, from its head to its answer, and what becomes of its
//! connection then.

mod at_once;
pub(crate) mod connection;
pub(crate) mod keeper;
pub(crate) mod keeper_thread;
mod kept;
mod lines;
mod plain_request;
mod queued;
pub(crate) mod responder;
mod streamed;
mod unsent_answer;
mod upload;
mod writing;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::ServerHandle;
use super::admission::{Seat, Stage};
use super::hooks::{HookRequest, Hooks};
use super::hub::Hub;
use super::lifecycle::{Lifecycle, Participant, Presence};
use super::limited_log::LimitedLog;
use super::metrics;
use crate::handshake::negotiate;
use crate::http::body::Framing;
use crate::http::excerpt::excerpt;
use crate::http::refusal::RefusedRequest;
use crate::http::request::Version;
use crate::http::{Cors, Refusal, Request, Response, Status};
use crate::stats::Counters;
use crate::transport::{self, How, LINGER};
use connection::HttpConnection;
use keeper::{Awaited, Resting};
use plain_request::{ParkedRequest, PlainRequest, WaitingRequest};
use responder::{LateAnswer, Promise};
use streamed::{AnswerError, Streamed};
pub(crate) use writing::AnswerWriter;

/// Answers a plain request. What its connection waits for next; `None`: nothing more.
pub(crate) fn answer(
    hub: &Arc<Hub>,
    seat: &Seat,
    connection: &mut HttpConnection,
    request: Request,
) -> Result<Option<Awaited>, RefusedRequest> {
    let head_only = request.method() == "HEAD";
    let refuse = |refusal| RefusedRequest { refusal, head_only };
    let (asked, response) = ask_hook(hub, seat, connection, request).map_err(refuse)?;
    let Some(promise) = response.pending::<Promise>() else {
        return Ok(give(hub, seat, connection, &asked, response));
    };
    let Some(place) = hub.waiting_places.take() else {
        promise.tell_refused(&hub.callbacks);
        return Err(refuse(Refusal::WaitingRequestsFull));
    };
    let later = WaitingRequest {
        parked: ParkedRequest { asked, place },
        promise: promise.clone(),
    };
    if connection.transport.source().is_some() {
        return Ok(Some(Awaited::Answer(Box::new(later))));
    }
    let answer = wait_here(hub, seat, connection, &later.promise).map_err(refuse)?;
    let response = resolve(answer).map_err(refuse)?;
    Ok(give(hub, seat, connection, &later.parked.asked, response))
}

/// Has a connection watched until what it waits for comes. `None`: it waits for nothing, and is closed.
pub(crate) fn go_on(
    hub: &Hub,
    mut stream: Presence,
    connection: HttpConnection,
    awaited: Option<Awaited>,
) {
    let (Some(awaited), Some(keeper)) = (awaited, &hub.keeper) else {
        return connection.transport.shutdown(How::Both);
    };
    stream.join(Participant::Parked);
    let late = keeper.put(Resting {
        connection,
        awaited,
        stream,
    });
    if let Some(late) = late {
        late.cut_off(&hub.callbacks);
    }
}

fn ask_hook(
    hub: &Arc<Hub>,
    seat: &Seat,
    connection: &mut HttpConnection,
    request: Request,
) -> Result<(PlainRequest, Response), Refusal> {
    let (server, hooks) = (ServerHandle::new(hub), &hub.hooks);
    let ask =
        |origin: &str| hooks.origin(origin, HookRequest::new(&request, &server), &hub.counters);
    let settings = connection.settings.clone();
    let asked = |request, is_let_in| PlainRequest {
        request,
        is_let_in,
        settings: settings.clone(),
    };
    if let Some(response) = health(hooks, &hub.lifecycle, &request) {
        return Ok((asked(request, false), response));
    }
    let plain = negotiate::plain(&request, &settings.rules, ask)?;
    if request.is_about_server() {
        let response = about_server(plain.framing)?;
        return Ok((asked(request, plain.is_let_in), response));
    }
    let path = hooks.metrics.as_deref();
    let stats = || hub.stats();
    if let Some(answer) = metrics::answer(path, stats, &settings.rules, &request, plain.framing) {
        return Ok((asked(request, false), answer?));
    }
    if !hooks.answers_plain() {
        return Err(negotiate::unserved(&request));
    }
    seat.serve_plain_of(connection.peer)?;
    let body = upload::read(&hub.options.limits, connection, &request, plain.framing)?;
    let request = request.with_body(body);
    let cors = settings.rules.cors.as_ref();
    let response = match cors.filter(|_| Cors::is_preflight(&request)) {
        Some(cors) => cors.preflight(&request),
        None => hooks.http(HookRequest::new(&request, &server), &hub.counters)?,
    };
    let request = request.with_body(Vec::new());
    Ok((asked(request, plain.is_let_in), response))
}

/// The answer to a balancer's question, under whatever name it asks: it says nothing else, and it takes no place.
fn health(hooks: &Hooks, lifecycle: &Lifecycle, request: &Request) -> Option<Response> {
    let is_asked = hooks.health.as_deref() == Some(request.path())
        && matches!(request.method(), "GET" | "HEAD")
        && matches!(Framing::of(request), Ok(Framing::Empty));
    if !is_asked {
        return None;
    }
    let response = match lifecycle.is_draining() {
        false => Response::text("ok\n"),
        true => Response::text("draining\n").with_status(Status::SERVICE_UNAVAILABLE),
    };
    Some(response.with_trusted_header("Cache-Control", "no-store"))
}

/// The answer to `OPTIONS *`, which tells that a server is here that speaks HTTP (RFC 9110 9.3.7). A body is not read.
fn about_server(framing: Framing) -> Result<Response, Refusal> {
    match framing {
        Framing::Empty => Ok(Status::NO_CONTENT.into()),
        _ => Err(Refusal::Malformed(
            "a body means nothing to OPTIONS * (RFC 9110 9.3.7); send none",
        )),
    }
}

/// The answer that is written in the end.
fn resolve(answer: LateAnswer) -> Result<Response, Refusal> {
    match answer {
        // A promise is not an answer to a promise.
        LateAnswer::Response(response) if response.pending::<Promise>().is_none() => Ok(response),
        LateAnswer::Response(_) | LateAnswer::Dropped => Err(Refusal::NoAnswer),
    }
}

/// How long the connection is kept after the answer.
fn keep_alive(hub: &Hub, asked: &PlainRequest, connection: &HttpConnection) -> Option<Duration> {
    let limits = &hub.options.limits;
    let keeps = hub.keeper.is_some()
        && limits.max_idle_connections > 0
        && connection.answered.saturating_add(1) < limits.max_requests_per_connection
        && asked.request.version() == Version::Http11
        && !asked.request.lists("connection", "close")
        && connection.transport.source().is_some()
        && !hub.lifecycle.is_draining();
    limits.keep_alive.filter(|_| keeps)
}

/// Writes an answer. `None`: the connection waits for nothing more.
fn give(
    hub: &Hub,
    seat: &Seat,
    connection: &mut HttpConnection,
    asked: &PlainRequest,
    response: Response,
) -> Option<Awaited> {
    let keep_alive = keep_alive(hub, asked, connection);
    let writer = AnswerWriter::new(&hub.options.limits, seat, &*connection.transport);
    let written = match response.pending::<Streamed>().cloned() {
        Some(body) => streamed::write(writer, &hub.counters, asked, response, &body, keep_alive),
        None => {
            let bytes = asked.encode(&hub.counters, response, keep_alive);
            writer.write_last(&bytes).map_err(AnswerError::Written)
        }
    };
    if written.is_ok() && keep_alive.is_some() {
        connection.answered += 1;
        return Some(Awaited::NextRequest);
    }
    seat.enter(Stage::Parting);
    let transport = &*connection.transport;
    match written {
        Ok(()) => transport::linger(transport, transport.now() + LINGER),
        Err(AnswerError::Written(error)) => {
            transport.shutdown(How::Both);
            if let Some(line) = hub.refuser.not_taken(&error, connection.peer) {
                line.write();
            }
        }
        Err(AnswerError::Read(error)) => {
            transport.shutdown(How::Reset);
            note_unread(&hub.counters, &hub.limited_log, &error);
        }
    }
    None
}

/// Counts a body that could not be read, and logs what its reader says.
fn note_unread(counters: &Counters, limited_log: &LimitedLog, error: &str) {
    counters.handler_failures.fetch_add(1, Ordering::Relaxed);
    let error = excerpt(error.as_bytes());
    let text = || format!("the body of an answer could not be read, which cut it off: {error}");
    limited_log.log("reader", text);
}

/// Waits for the answer on this thread, since the system cannot watch the stream; reads from the stream meanwhile. The
/// answer ends that, and so does a shutdown; the client's end counts as its leaving.
fn wait_here(
    hub: &Arc<Hub>,
    seat: &Seat,
    connection: &HttpConnection,
    promise: &Promise,
) -> Result<LateAnswer, Refusal> {
    let slot = promise.slot();
    let stream = connection.transport.clone();
    let notify = Box::new(move || stream.shutdown(How::Read));
    seat.enter(Stage::Held);
    hub.lifecycle.wake_late(&*connection.transport);
    if let Some(answer) = slot.wait(notify) {
        return Ok(answer);
    }
    let mut patience = promise.patience(&hub.options.limits, connection.transport.now());
    let mut room = vec![0; 1024];
    let refusal = loop {
        // The connection closes after this answer: what else is asked means nothing.
        let read = transport::read(&*connection.transport, &mut room, Some(patience.deadline()));
        match read {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                if !patience.renew(connection.transport.now()) {
                    break Refusal::AnswerTimeout;
                }
            }
            Ok(0) | Err(_) if hub.lifecycle.is_closing() => break Refusal::ShuttingDown,
            Ok(0) | Err(_) => break Refusal::PeerLeft,
        }
    };
    if let Some(answer) = slot.give_up() {
        return Ok(answer);
    }
    if !matches!(refusal, Refusal::ShuttingDown) {
        promise.tell_gone(&hub.callbacks);
    }
    Err(refusal)
}
