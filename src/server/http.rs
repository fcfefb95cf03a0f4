//! Plain HTTP on the WebSocket's port: one answer, then the connection closes.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::hub::{Hub, Stage};
use super::opening::log_refusal;
use crate::clock;
use crate::handshake::negotiate;
use crate::http::{Refusal, Request, Response};
use crate::patience::Patience;
use crate::transport::{self, How, LINGER, Transport};

pub(crate) fn answer(
    hub: &Hub,
    id: u64,
    transport: &dyn Transport,
    request: &Request,
    peer: Option<SocketAddr>,
) {
    let head_only = request.method() == "HEAD";
    let asked = ask_hook(hub, id, request);
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
    // A peer that takes its answer too slowly only harms itself.
    let patience = Patience::paced(Instant::now(), hub.limits.writing());
    let sent = transport::write_all(transport, &bytes, patience);
    transport.shutdown(if sent.is_ok() { How::Write } else { How::Both });
    if let Err(refusal) = &asked {
        log_refusal(hub, refusal, peer);
    }
    match sent {
        Ok(()) => transport::read_away(transport, Instant::now() + LINGER),
        Err(error) => note_not_taken(hub, id, &error, peer),
    }
}

fn note_not_taken(hub: &Hub, id: u64, error: &io::Error, peer: Option<SocketAddr>) {
    if hub.has_evicted(id) {
        hub.counters.refuse(Refusal::Evicted.reason());
        return log_refusal(hub, &Refusal::Evicted, peer);
    }
    hub.counters.refuse("answer");
    hub.refusals.log("answer", || match peer {
        Some(peer) => format!("{peer} did not take its answer: {error}"),
        None => format!("an answer was not taken: {error}"),
    });
}

fn ask_hook(hub: &Hub, id: u64, request: &Request) -> Result<Response, Refusal> {
    negotiate::plain(request, &hub.rules)?;
    let response = hub.hooks.http(request, &hub.counters)?;
    if hub.enter(id, Stage::Answering) {
        Ok(response)
    } else {
        Err(Refusal::Evicted)
    }
}
