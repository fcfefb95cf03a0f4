//! Plain HTTP on the WebSocket's port: a request on a thread, from its head to its answer, and what becomes of its
//! connection then.

mod at_once;
pub(crate) mod connection;
pub(crate) mod keeper;
mod kept;
mod lines;
mod queued;
mod reads;
pub(crate) mod responder;
mod streamed;
mod unsent_answer;
mod upload;
mod writing;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::ServerHandle;
use super::admission::{Seat, Stage};
use super::hooks::HookRequest;
use super::hub::Hub;
use super::lifecycle::Presence;
use super::listen::ListenerSettings;
use super::metrics;
use super::places::Place;
use crate::clock;
use crate::handshake::negotiate;
use crate::http::body::Framing;
use crate::http::refusal::RefusedRequest;
use crate::http::request::Version;
use crate::http::response::{Length, WireFormat};
use crate::http::{Cors, Peer, Refusal, Request, Response, Status};
use crate::logging::Line;
use crate::transport::{self, How, LINGER};
use connection::HttpConnection;
use keeper::Keeper;
use kept::KeptConnection;
pub(crate) use reads::TrailingBytes;
use responder::{LateAnswer, Promise};
use streamed::Streamed;
pub(crate) use writing::AnswerWriter;

/// What there is left to do for a connection after a plain request.
pub(crate) enum AfterAnswer {
    Closed,
    /// Another request may come.
    Kept,
    /// The answer comes later.
    Later(Box<WaitingRequest>),
}

/// A request that was in order, without its body, and what its answer depends on.
pub(crate) struct PlainRequest {
    request: Request,
    is_let_in: bool,
    settings: Arc<ListenerSettings>,
}

/// A request whose answer needs no thread while it waits, and its place among those.
pub(crate) struct ParkedRequest {
    asked: PlainRequest,
    place: Place,
}

/// A request that waits for its answer.
pub(crate) struct WaitingRequest {
    parked: ParkedRequest,
    promise: Promise,
}

/// Answers a plain request.
pub(crate) fn answer(
    hub: &Arc<Hub>,
    seat: &Seat,
    connection: &mut HttpConnection,
    request: Request,
) -> Result<AfterAnswer, RefusedRequest> {
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
        return Ok(AfterAnswer::Later(Box::new(later)));
    }
    let answer = wait_here(hub, seat, connection, &later.promise).map_err(refuse)?;
    let response = resolve(answer).map_err(refuse)?;
    Ok(give(hub, seat, connection, &later.parked.asked, response))
}

/// A new connection needs no thread until its first byte is there.
pub(crate) fn watch_new(
    hub: &Arc<Hub>,
    keeper: &Keeper,
    stream: Presence,
    connection: HttpConnection,
) {
    keeper.put(KeptConnection::new_one(hub.clone(), stream, connection));
}

/// What there is left to do after a plain request needs no thread.
pub(crate) fn go_on(
    hub: &Arc<Hub>,
    stream: Presence,
    connection: HttpConnection,
    after: AfterAnswer,
) {
    let (keeper, own) = (&hub.keeper, hub.clone());
    match (after, keeper) {
        (AfterAnswer::Kept, Some(keeper)) => {
            keeper.put(KeptConnection::idle(own, stream, connection))
        }
        (AfterAnswer::Later(later), Some(keeper)) => {
            keeper.put(KeptConnection::waiting(own, stream, connection, later));
        }
        _ => connection.transport.shutdown(How::Both),
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
    if let Some(response) = health(hub, &request) {
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
fn health(hub: &Hub, request: &Request) -> Option<Response> {
    let is_asked = hub.hooks.health.as_deref() == Some(request.path())
        && matches!(request.method(), "GET" | "HEAD")
        && matches!(Framing::of(request), Ok(Framing::Empty));
    if !is_asked {
        return None;
    }
    let response = match hub.lifecycle.is_draining() {
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

impl PlainRequest {
    /// Whether the connection is kept after the answer.
    fn keeps(&self, hub: &Hub, connection: &HttpConnection) -> bool {
        let limits = &hub.options.limits;
        hub.keeper.is_some()
            && limits.keep_alive.is_some()
            && limits.max_idle_connections > 0
            && connection.answered.saturating_add(1) < limits.max_requests_per_connection
            && self.request.version() == Version::Http11
            && !self.request.lists("connection", "close")
            && connection.transport.source().is_some()
            && !hub.lifecycle.is_draining()
    }

    /// The answer as bytes.
    fn encode(&self, hub: &Hub, response: Response, keeps: bool) -> Vec<u8> {
        let response = self.finish(hub, response);
        response.encode_for(self.wire(hub, keeps))
    }

    /// The head of an answer whose body is as long as is said.
    fn encode_head(&self, hub: &Hub, response: Response, keeps: bool, length: Length) -> Vec<u8> {
        let response = self.finish(hub, response);
        response.encode_head(self.wire(hub, keeps), length)
    }

    /// Adds what the rules ask for, and counts the answer.
    fn finish(&self, hub: &Hub, mut response: Response) -> Response {
        if let Some(cors) = &self.settings.rules.cors {
            match self.is_let_in {
                true => cors.grant(&self.request, &mut response),
                false => cors.withhold(&mut response),
            }
        }
        hub.counters.http_requests.fetch_add(1, Ordering::Relaxed);
        response
    }

    fn wire(&self, hub: &Hub, keeps: bool) -> WireFormat {
        let keep_alive = hub.options.limits.keep_alive.filter(|_| keeps);
        WireFormat {
            head_only: self.head_only(),
            date: clock::date(),
            keep_alive: keep_alive.map(|time| time.as_secs()),
        }
    }

    fn head_only(&self) -> bool {
        self.request.method() == "HEAD"
    }
}

/// Writes an answer.
fn give(
    hub: &Hub,
    seat: &Seat,
    connection: &mut HttpConnection,
    asked: &PlainRequest,
    response: Response,
) -> AfterAnswer {
    if let Some(body) = response.pending::<Streamed>().cloned() {
        return streamed::give(hub, seat, connection, asked, response, &body);
    }
    let keeps = asked.keeps(hub, connection);
    let bytes = asked.encode(hub, response, keeps);
    let written =
        AnswerWriter::new(&hub.options.limits, seat, &*connection.transport).write_last(&bytes);
    end_of_answer(hub, seat, connection, written, keeps)
}

/// What becomes of the connection after an answer.
fn end_of_answer(
    hub: &Hub,
    seat: &Seat,
    connection: &mut HttpConnection,
    written: io::Result<()>,
    keeps: bool,
) -> AfterAnswer {
    if written.is_ok() && keeps {
        connection.answered += 1;
        return AfterAnswer::Kept;
    }
    seat.enter(Stage::Parting);
    let transport = &*connection.transport;
    match written {
        Ok(()) => transport::linger(transport, transport.now() + LINGER),
        Err(error) => {
            transport.shutdown(How::Both);
            if let Some(line) = not_taken(hub, &error, connection.peer) {
                line.write();
            }
        }
    }
    AfterAnswer::Closed
}

/// Counts a peer that did not take its answer; the line for the log.
fn not_taken(hub: &Hub, error: &io::Error, peer: Peer) -> Option<Line> {
    hub.counters.refuse("answer");
    let text = || format!("{peer} did not take its answer: {error}");
    hub.limited_log.line("answer", text)
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
