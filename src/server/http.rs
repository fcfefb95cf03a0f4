//! Plain HTTP on the WebSocket's port: one answer, then the connection closes.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::hub::{Hub, Stage};
use super::opening::note_refusal;
use crate::handshake::negotiate;
use crate::handshake::{Refusal, Request, Response};
use crate::transport::{self, LINGER, Transport};

pub(crate) fn answer(
    hub: &Hub,
    id: u64,
    transport: &dyn Transport,
    request: &Request,
    peer: Option<SocketAddr>,
) {
    let head_only = request.method() == "HEAD";
    let bytes = match ask_hook(hub, id, request) {
        Ok(response) => {
            hub.counters.http_requests.fetch_add(1, Ordering::Relaxed);
            response.encode(head_only)
        }
        Err(refusal) => {
            note_refusal(hub, &refusal, peer);
            refusal.encode(head_only)
        }
    };
    // A peer that does not take its answer in time only harms itself.
    match transport::write_all(transport, &bytes, Instant::now() + hub.limits.write_timeout) {
        Ok(()) => transport::linger(transport, Instant::now() + LINGER),
        Err(_) if hub.has_evicted(id) => note_refusal(hub, &Refusal::Evicted, peer),
        Err(error) => note_not_taken(hub, &error, peer),
    }
}

fn note_not_taken(hub: &Hub, error: &io::Error, peer: Option<SocketAddr>) {
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
