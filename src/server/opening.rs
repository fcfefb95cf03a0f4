//! The opening handshake on the connection's own thread: from the first byte to the 101, or to a
//! complete refusal.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::buffer::ReadBuffer;
use super::connection;
use super::driver::{Driver, LINGER};
use super::http;
use super::hub::Hub;
use crate::connection::Connection;
use crate::handshake::negotiate::{self, Upgrade};
use crate::handshake::request::HeadScanner;
use crate::handshake::response::switching_protocols;
use crate::handshake::{Accept, Refusal, Request};
use crate::outbox::Outbox;
use crate::transport::{self, How, Transport};

/// Serves a stream from its first byte to its end.
pub(crate) fn serve(
    hub: &Arc<Hub>,
    id: u64,
    transport: Arc<dyn Transport>,
    peer: Option<SocketAddr>,
) {
    let driver = open_or_refuse(hub, id, &transport, peer);
    drop(transport);
    if let Some(driver) = driver {
        connection::run(hub, driver);
    }
}

/// Kept out of [`serve`], whose stack stays for the connection's whole life: so the handshake's
/// does not.
#[inline(never)]
fn open_or_refuse(
    hub: &Hub,
    id: u64,
    transport: &Arc<dyn Transport>,
    peer: Option<SocketAddr>,
) -> Option<Box<Driver>> {
    let _place = Place { hub, id };
    let deadline = Instant::now() + hub.limits.handshake_timeout;
    let driver = open(hub, id, transport, peer, deadline).unwrap_or_else(|refusal| {
        note_refusal(hub, &refusal, peer);
        answer_refusal(&**transport, &refusal);
        None
    });
    match &driver {
        Some(driver) => hub.join(&driver.connection),
        None => transport.shutdown(How::Both),
    }
    driver
}

/// A place among the handshakes under way, given up however the handshake ends.
struct Place<'a> {
    hub: &'a Hub,
    id: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.hub.end_handshake(self.id);
    }
}

/// `None`: it was a plain request, and it has been answered.
fn open(
    hub: &Hub,
    id: u64,
    transport: &Arc<dyn Transport>,
    peer: Option<SocketAddr>,
    deadline: Instant,
) -> Result<Option<Box<Driver>>, Refusal> {
    let (request, buffer) = read_request(hub, id, &**transport, deadline)?;
    let request = request.with_peer_addr(peer);
    if !request.wants_upgrade() {
        http::answer(hub, id, &**transport, &request, peer);
        return Ok(None);
    }
    let (upgrade, accept) = negotiate(hub, &request)?;
    if Instant::now() > deadline {
        return Err(Refusal::Timeout);
    }
    if !hub.begin_answer(id) {
        return Err(Refusal::Evicted);
    }
    hub.take_slot(peer)?;
    let answer = switching_protocols(
        &upgrade.accept_key,
        upgrade.subprotocol.as_deref(),
        accept.headers(),
    );
    if transport::write_all(&**transport, &answer, deadline).is_err() {
        hub.abandon_slot(peer);
        return Err(Refusal::PeerLeft);
    }
    Ok(Some(driver(
        hub,
        id,
        transport,
        request,
        upgrade.subprotocol,
        buffer,
    )))
}

fn read_request(
    hub: &Hub,
    id: u64,
    transport: &dyn Transport,
    deadline: Instant,
) -> Result<(Request, ReadBuffer), Refusal> {
    let mut buffer = ReadBuffer::default();
    let mut scanner = HeadScanner::new(hub.limits.head());
    loop {
        match buffer.fill(transport, Some(deadline)) {
            Ok(0) if hub.is_closing() => return Err(Refusal::ShuttingDown),
            Ok(0) if hub.has_evicted(id) => return Err(Refusal::Evicted),
            Ok(0) => return Err(Refusal::PeerLeft),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(if buffer.is_empty() {
                    Refusal::Silence
                } else {
                    Refusal::Timeout
                });
            }
            Err(_) => return Err(Refusal::PeerLeft),
        }
        if let Some(head) = scanner.scan(buffer.filled())? {
            let request = Request::parse(buffer.filled().get(..head).unwrap_or_default())?;
            // What follows the head are the peer's first frames.
            buffer.discard(head);
            return Ok((request, buffer));
        }
    }
}

fn negotiate(hub: &Hub, request: &Request) -> Result<(Upgrade, Accept), Refusal> {
    let mut upgrade = negotiate::upgrade(request, &hub.rules)?;
    let accept = hub.hooks.accept(request, &hub.counters)?;
    accept.settle(request, &mut upgrade)?;
    Ok((upgrade, accept))
}

fn driver(
    hub: &Hub,
    id: u64,
    transport: &Arc<dyn Transport>,
    request: Request,
    protocol: Option<String>,
    buffer: ReadBuffer,
) -> Box<Driver> {
    let collector = hub.handler.is_none().then(|| hub.collector.clone());
    let outbox = Outbox::new(
        transport.clone(),
        hub.drain.clone(),
        hub.counters.clone(),
        collector,
        hub.bounds(),
        hub.limits.close_timeout,
    );
    let connection = Connection::new(id, request, protocol, outbox);
    Box::new(Driver::new(
        connection,
        transport.clone(),
        hub.counters.clone(),
        &hub.limits,
        buffer,
    ))
}

/// Counts a refusal and says in the log why, and what to set.
pub(super) fn note_refusal(hub: &Hub, refusal: &Refusal, peer: Option<SocketAddr>) {
    hub.counters.refuse(refusal.reason());
    hub.refusals.log(refusal.reason(), || match peer {
        Some(peer) => format!("refused {peer}: {refusal}"),
        None => format!("refused: {refusal}"),
    });
}

/// A complete answer, then a lingering close, so that the peer reads it.
fn answer_refusal(transport: &dyn Transport, refusal: &Refusal) {
    if refusal.status().is_none() {
        return;
    }
    let deadline = Instant::now() + LINGER;
    let answered = transport::write_all(transport, &refusal.encode(), deadline).is_ok();
    // Who gave way to newer handshakes does so at once: its thread is one of theirs.
    if answered && !matches!(refusal, Refusal::Evicted) {
        transport::linger(transport, deadline);
    }
}
