//! The opening handshake on the connection's own thread: from the first byte to the 101, or to a complete refusal.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::ServerHandle;
use super::admission::{Seat, Stage};
use super::connections::opened::Opened;
use super::driver::Driver;
use super::early_read;
use super::hooks::HookRequest;
use super::http;
use super::http::connection::HttpConnection;
use super::http::keeper::Awaited;
use super::hub::Hub;
use super::lifecycle::{Lifecycle, Participant, Presence};
use super::listen::ListenerSettings;
use super::proxied;
use crate::connection::opening::Opening;
use crate::connection::read_buffer::ReadBuffer;
use crate::connection::request_head::{self, NoRequest};
use crate::handshake::upgrade::UpgradeAnswer;
use crate::http::head::asks_for_head;
use crate::http::proxy_protocol;
use crate::http::refusal::RefusedRequest;
use crate::http::{Peer, Refusal, Request};
use crate::limits::Limits;
use crate::patience::Patience;
use crate::transport::{self, Transport};

/// Serves a new stream on a thread of its own, as a handshake first. If there are enough handshakes the stream is
/// watched until its first byte is there. Never blocks.
pub(crate) fn begin(
    hub: &Arc<Hub>,
    transport: Arc<dyn Transport>,
    peer: Peer,
    settings: Arc<ListenerSettings>,
) {
    let Some(stream) = hub.lifecycle.register(Participant::Stream) else {
        return hub
            .refuser
            .unread(&*transport, &settings, Refusal::ShuttingDown);
    };
    let connection = HttpConnection::new(transport.clone(), peer, settings.clone());
    if may_be_watched(hub, &connection) {
        return http::go_on(hub, stream, connection, Some(Awaited::FirstRequest));
    }
    let seat = seat(hub, &transport);
    let served = hub.clone();
    let job = move || {
        let outcome = secure_and_open(&served, seat, connection);
        go_on(&served, stream, outcome);
    };
    if let Err(refused) = hub.workers.run(job) {
        hub.refuser.unread(&*transport, &settings, Refusal::Full);
        let text = || format!("no thread for a connection: {refused}");
        hub.workers
            .log_writer
            .write(hub.limited_log.line("thread", text));
    }
}

/// Whether a new stream gets no thread before its first byte. What comes before a request, for TLS or by a proxy, is
/// read on a thread.
fn may_be_watched(hub: &Hub, connection: &HttpConnection) -> bool {
    hub.keeper.is_some()
        && connection.settings.tls.is_none()
        && !connection.is_by_proxy()
        && connection.transport.source().is_some()
        && hub.options.limits.max_waiting_requests > 0
        && hub.admission.is_crowded()
}

/// A place for a stream of which a request is to be read.
pub(crate) fn seat(hub: &Hub, transport: &Arc<dyn Transport>) -> Seat {
    let seat = hub.admission.admit(transport);
    hub.lifecycle.wake_late(&**transport);
    seat
}

/// What became of a stream.
enum StreamOutcome {
    WebSocket(Opened),
    /// It was a plain request.
    Http(HttpConnection, Option<Awaited>),
    Refused,
}

/// Serves the next request of a connection, which has begun. `patience`: what is left for a first request, of which the
/// connection was watched until it began.
pub(crate) fn serve_next(
    hub: &Arc<Hub>,
    stream: Presence,
    seat: Seat,
    mut connection: HttpConnection,
    patience: Option<Patience>,
) {
    let patience = patience.unwrap_or_else(|| begin_request(&hub.options.limits, &mut connection));
    let outcome = open_or_refuse(hub, seat, connection, patience);
    go_on(hub, stream, outcome);
}

/// The time of a request begins.
fn begin_request(limits: &Limits, connection: &mut HttpConnection) -> Patience {
    connection.begun = connection.transport.now();
    Patience::new(connection.begun, limits.handshake_timeout)
}

fn go_on(hub: &Arc<Hub>, stream: Presence, outcome: StreamOutcome) {
    match outcome {
        StreamOutcome::WebSocket(opened) => opened.serve(hub, stream),
        StreamOutcome::Http(connection, awaited) => http::go_on(hub, stream, connection, awaited),
        StreamOutcome::Refused => {}
    }
}

/// Opens a stream from its first byte. Never inlined into the job, whose stack frame stays for the connection's whole
/// life: the handshake's own does not stay with it.
#[inline(never)]
fn secure_and_open(hub: &Arc<Hub>, seat: Seat, mut connection: HttpConnection) -> StreamOutcome {
    let mut patience = begin_request(&hub.options.limits, &mut connection);
    if connection.is_by_proxy() {
        if let Err(none) = proxied::read_header(&mut connection, &seat, &mut patience) {
            let refusal = why(&hub.lifecycle, &seat, none, false);
            hub.refuser.before_tls(&seat, &connection, refusal);
            return StreamOutcome::Refused;
        }
    }
    if let Err(refused) = secure(hub, &seat, &mut connection, &mut patience) {
        hub.refuser.in_tls(&connection, &refused);
        return StreamOutcome::Refused;
    }
    open_or_refuse(hub, seat, connection, patience)
}

/// The TLS handshake, if there is to be one.
fn secure(
    hub: &Hub,
    seat: &Seat,
    connection: &mut HttpConnection,
    patience: &mut Patience,
) -> Result<(), RefusedRequest> {
    let Some(tls) = &connection.settings.tls else {
        return Ok(());
    };
    // That takes several rounds with the peer.
    seat.enter(Stage::Reading);
    let lost = || ended(&hub.lifecycle, seat);
    let secured = tls.secure(&connection.transport, patience, lost)?;
    connection.transport = secured.transport;
    connection.client_certificates = secured.client_certificates;
    hub.counters.tls_sessions.fetch_add(1, Relaxed);
    Ok(())
}

#[inline(never)]
fn open_or_refuse(
    hub: &Arc<Hub>,
    seat: Seat,
    mut connection: HttpConnection,
    mut patience: Patience,
) -> StreamOutcome {
    let answered = loop {
        match open(hub, &seat, &mut connection, &mut patience) {
            Ok(RequestOutcome::WebSocket(opened)) => return StreamOutcome::WebSocket(opened),
            // Its next request is there already.
            Ok(RequestOutcome::Answered(Some(Awaited::NextRequest)))
                if !connection.buffer.is_empty() =>
            {
                if !seat.enter(Stage::Begun) {
                    break Err(Refusal::Evicted.into());
                }
                patience = begin_request(&hub.options.limits, &mut connection);
            }
            Ok(RequestOutcome::Answered(awaited)) => break Ok(awaited),
            Err(refused) => break Err(refused),
        }
    };
    match answered {
        Ok(awaited) => StreamOutcome::Http(connection, awaited),
        Err(refused) => {
            hub.refuser.request(&seat, &connection, &refused);
            StreamOutcome::Refused
        }
    }
}

/// What became of a request.
enum RequestOutcome {
    WebSocket(Opened),
    Answered(Option<Awaited>),
}

fn open(
    hub: &Arc<Hub>,
    seat: &Seat,
    connection: &mut HttpConnection,
    patience: &mut Patience,
) -> Result<RequestOutcome, RefusedRequest> {
    let request = read_request(hub, seat, connection, patience)?;
    let head_only = request.method() == "HEAD";
    let refuse = |refusal| RefusedRequest { refusal, head_only };
    let request = connection.identify(request).map_err(refuse)?;
    if !request.wants_upgrade() {
        return http::answer(hub, seat, connection, request).map(RequestOutcome::Answered);
    }
    let opened = upgrade(hub, seat, connection, request, patience.deadline())?;
    Ok(RequestOutcome::WebSocket(opened))
}

/// From a request for a WebSocket to the 101.
fn upgrade(
    hub: &Arc<Hub>,
    seat: &Seat,
    connection: &mut HttpConnection,
    request: Request,
    deadline: Instant,
) -> Result<Opened, Refusal> {
    seat.wait_for_turn(deadline)?;
    let server = ServerHandle::new(hub);
    let asked = HookRequest::new(&request, &server);
    let (rules, overflow) = (&connection.settings.rules, hub.options.overflow);
    let upgrade = (hub.hooks).upgrade(asked, rules, overflow, &hub.counters)?;
    let transport = &*connection.transport;
    if transport.now() > deadline {
        return Err(Refusal::Timeout);
    }
    let present = hub.lifecycle.register(Participant::Connection);
    let present = present.ok_or(Refusal::ShuttingDown)?;
    let slot = hub.admission.slots.take(connection.peer)?;
    write_upgrade(seat, transport, &upgrade.answer, deadline)
        .map_err(|_| ended(&hub.lifecycle, seat))?;
    let took = transport.now().saturating_duration_since(connection.begun);
    hub.counters.handshake_time.record(took);
    Ok(Opened {
        driver: driver(hub, seat.id(), connection, request, upgrade),
        slot,
        present,
    })
}

/// The connection that has opened.
fn driver(
    hub: &Hub,
    id: u64,
    connection: &mut HttpConnection,
    request: Request,
    upgrade: UpgradeAnswer,
) -> Box<Driver> {
    let request = match &hub.options.kept_headers {
        Some(names) => request.with_headers_only(names),
        None => request,
    };
    let bounds = upgrade.bounds;
    let opening = Opening::new(request, upgrade);
    let buffer = std::mem::take(&mut connection.buffer);
    (hub.connections).driver(id, &connection.transport, opening, bounds, buffer)
}

/// Writes the 101. While it waits for the peer the handshake may have to give way, and not once the peer has all of it.
fn write_upgrade(
    seat: &Seat,
    transport: &dyn Transport,
    answer: &[u8],
    deadline: Instant,
) -> io::Result<()> {
    let open = || match seat.enter(Stage::Opening) {
        true => Ok(()),
        false => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
    };
    open()?;
    transport::write_all_waiting(transport, answer, |_| {
        seat.enter(Stage::Answering);
        transport::wait_writable(transport, deadline)?;
        open()
    })
}

fn read_request(
    hub: &Hub,
    seat: &Seat,
    connection: &mut HttpConnection,
    patience: &mut Patience,
) -> Result<Request, RefusedRequest> {
    let HttpConnection {
        transport, buffer, ..
    } = connection;
    let fill = |buffer: &mut ReadBuffer| {
        buffer.fill(|room| early_read::read(seat, &**transport, room, patience))
    };
    request_head::read(&hub.options.limits, buffer, fill).map_err(|none| RefusedRequest {
        refusal: match why(&hub.lifecycle, seat, none, !buffer.is_empty()) {
            Refusal::Malformed(_) if proxy_protocol::begins(buffer.filled()) => {
                Refusal::UntrustedProxy {
                    peer: connection.end.to_entry(),
                }
            }
            why => why,
        },
        head_only: asks_for_head(buffer.filled()),
    })
}

/// Why there is no request. `has_begun`: a part of it has come.
fn why(lifecycle: &Lifecycle, seat: &Seat, none: NoRequest, has_begun: bool) -> Refusal {
    match none {
        NoRequest::Refused(refusal) => refusal,
        NoRequest::Ended => match ended(lifecycle, seat) {
            Refusal::PeerLeft if has_begun => request_head::CUT_SHORT,
            why => why,
        },
        NoRequest::Failed(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof => ended(lifecycle, seat),
            io::ErrorKind::TimedOut if has_begun => Refusal::Timeout,
            io::ErrorKind::TimedOut => Refusal::Silence,
            _ => Refusal::PeerLeft,
        },
    }
}

/// Why a handshake's stream ended: reading is ended from here when it has to give way.
fn ended(lifecycle: &Lifecycle, seat: &Seat) -> Refusal {
    if lifecycle.is_closing() {
        Refusal::ShuttingDown
    } else if seat.has_given_way() {
        Refusal::Evicted
    } else {
        Refusal::PeerLeft
    }
}
