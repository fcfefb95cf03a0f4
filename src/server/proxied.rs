//! A connection that a trusted proxy passes on: the client behind it, before its first byte is looked at.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::admission::Seat;
use super::early_read;
use super::http::connection::HttpConnection;
use crate::connection::request_head::NoRequest;
use crate::http::proxy_protocol::{self, ProxyHeader};
use crate::lock::{Mutex, PREFIX, lock};
use crate::patience::Patience;
use crate::transport::{Transport, forward};

/// Reads the header of the PROXY protocol, if there is one: its client is the connection's peer from then on.
pub(crate) fn read_header(
    connection: &mut HttpConnection,
    seat: &Seat,
    patience: &mut Patience,
) -> Result<(), NoRequest> {
    let transport = &connection.transport;
    let mut received = Vec::new();
    loop {
        match proxy_protocol::read(&received)? {
            ProxyHeader::More(count) => {
                read_more(&**transport, &mut received, count, seat, patience)?
            }
            ProxyHeader::Absent => {
                connection.transport = Prefixed::put_back(transport.clone(), received);
                return Ok(());
            }
            ProxyHeader::Complete(peer) => {
                connection.end = peer.unwrap_or(connection.end);
                connection.peer = connection.end;
                return Ok(());
            }
        }
    }
}

fn read_more(
    transport: &dyn Transport,
    received: &mut Vec<u8>,
    count: usize,
    seat: &Seat,
    patience: &mut Patience,
) -> Result<(), NoRequest> {
    let before = received.len();
    received.resize(before + count, 0);
    let room = received.get_mut(before..).unwrap_or_default();
    let read = early_read::read(seat, transport, room, patience);
    received.truncate(before + read.as_ref().map_or(0, |&read| read.min(count)));
    match read {
        Ok(0) => Err(NoRequest::Ended),
        Ok(_) => Ok(()),
        Err(error) => Err(NoRequest::Failed(error)),
    }
}

/// A stream of which some bytes were read that belong to it.
struct Prefixed {
    transport: Arc<dyn Transport>,
    prefix: Mutex<Vec<u8>, PREFIX>,
}

impl Prefixed {
    fn put_back(transport: Arc<dyn Transport>, prefix: Vec<u8>) -> Arc<dyn Transport> {
        Arc::new(Prefixed {
            transport,
            prefix: Mutex::new(prefix),
        })
    }

    /// Gives bytes that were read before, and says how many; `None`: none is left.
    fn take(&self, room: &mut [u8]) -> Option<usize> {
        let mut prefix = lock(&self.prefix);
        let count = prefix.len().min(room.len());
        if count == 0 {
            return None;
        }
        for (place, byte) in room.iter_mut().zip(prefix.drain(..count)) {
            *place = byte;
        }
        Some(count)
    }
}

impl Transport for Prefixed {
    fn read(&self, room: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        match self.take(room) {
            Some(count) => Ok(count),
            None => self.transport.read(room, deadline),
        }
    }

    fn try_read(&self, room: &mut [u8]) -> io::Result<usize> {
        match self.take(room) {
            Some(count) => Ok(count),
            None => self.transport.try_read(room),
        }
    }

    forward!(
        this => &*this.transport;
        try_write, wait_writable, wake_when_writable, source, shutdown, peer_addr, peer, never_calls_back,
        clock,
    );
}
