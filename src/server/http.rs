//! Plain HTTP on the WebSocket's port: one answer, then the connection closes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::ServerHandle;
use super::admission::{Seat, Stage};
use super::hooks::HookRequest;
use super::hub::Hub;
use super::opening::log_refusal;
use super::upload;
use crate::clock;
use crate::connection::read_buffer::ReadBuffer;
use crate::handshake::negotiate;
use crate::http::{Cors, Peer, Refusal, Request, Response};
use crate::patience::Patience;
use crate::transport::{self, How, LINGER, Transport};

pub(crate) fn answer(
    hub: &Arc<Hub>,
    seat: &Seat,
    transport: &dyn Transport,
    request: Request,
    buffer: ReadBuffer,
    peer: Peer,
) {
    let head_only = request.method() == "HEAD";
    let asked = ask_hook(hub, seat, transport, request, buffer);
    let bytes = match &asked {
        Ok(response) => {
            hub.counters.http_requests.fetch_add(1, Ordering::Relaxed);
            response.encode(head_only, clock::date())
        }
        Err(refusal) => {
            hub.counters.refuse(refusal.reason());
            refusal.encode(head_only, clock::date())
        }
    };
    let sent = write(hub, seat, transport, &bytes);
    transport.shutdown(if sent.is_ok() { How::Write } else { How::Both });
    if let Err(refusal) = &asked {
        log_refusal(hub, refusal, peer);
    }
    match sent {
        Ok(()) => transport::read_away(transport, Instant::now() + LINGER),
        Err(error) if asked.is_ok() => note_not_taken(hub, &error, peer),
        // It is counted as what it is.
        Err(_) => {}
    }
}

/// Writes a complete answer, of any length. While it waits for the peer it is a plain request's, which is not cut as long as
/// the peer reads fast enough; where there are too many of those the peer has a moment. Then it only parts.
pub(super) fn write(
    hub: &Hub,
    seat: &Seat,
    transport: &dyn Transport,
    bytes: &[u8],
) -> io::Result<()> {
    let mut patience = None;
    let written = transport::write_all_waiting(transport, bytes, |written| {
        let patience = patience.get_or_insert_with(|| match seat.serve_plain() {
            Ok(()) => Patience::paced(Instant::now(), hub.options.limits.writing()),
            Err(_) => {
                seat.enter(Stage::Parting);
                Patience::new(Instant::now(), LINGER)
            }
        });
        transport::wait_for_room(transport, patience, written)
    });
    seat.enter(Stage::Parting);
    written
}

fn note_not_taken(hub: &Hub, error: &io::Error, peer: Peer) {
    hub.counters.refuse("answer");
    let text = || format!("{peer} did not take its answer: {error}");
    hub.refusals.log("answer", text);
}

fn ask_hook(
    hub: &Arc<Hub>,
    seat: &Seat,
    transport: &dyn Transport,
    request: Request,
    mut buffer: ReadBuffer,
) -> Result<Response, Refusal> {
    let (server, options) = (ServerHandle::new(hub), &hub.options);
    let hooks = &options.hooks;
    let ask =
        |origin: &str| hooks.origin(origin, HookRequest::new(&request, &server), &hub.counters);
    let plain = negotiate::plain(&request, &options.rules, ask)?;
    if !hooks.answers_plain() {
        return Err(negotiate::unserved(&request));
    }
    seat.serve_plain()?;
    let limits = &options.limits;
    let body = upload::read(transport, limits, &request, plain.framing, &mut buffer)?;
    let request = request.with_body(body);
    let answer = || hooks.http(HookRequest::new(&request, &server), &hub.counters);
    let Some(cors) = &options.rules.cors else {
        return answer();
    };
    if Cors::is_preflight(&request) {
        return Ok(cors.preflight(&request));
    }
    let mut response = answer()?;
    match plain.is_let_in {
        true => cors.grant(&request, &mut response),
        false => cors.withhold(&mut response),
    }
    Ok(response)
}
