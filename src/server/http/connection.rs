//! A stream over which requests of plain HTTP come, and what is known of its peer.

use std::sync::Arc;
use std::time::Instant;

use super::super::listen::ListenerSettings;
use crate::connection::read_buffer::ReadBuffer;
use crate::http::{Peer, Refusal, Request, forwarded};
use crate::transport::Transport;

/// A connection over which requests come, the last of them for a WebSocket maybe.
pub(crate) struct HttpConnection {
    pub transport: Arc<dyn Transport>,
    pub client_certificates: Box<[Vec<u8>]>,
    /// The peer at its other end, or behind that by the PROXY protocol.
    pub end: Peer,
    /// The client that sent the request: the same peer, or one behind it that its headers name.
    pub peer: Peer,
    /// The settings of the listener that it came in by.
    pub settings: Arc<ListenerSettings>,
    /// When its first request, or the next one, began.
    pub begun: Instant,
    /// What came after the last request.
    pub buffer: ReadBuffer,
    /// Requests that were answered.
    pub answered: u32,
}

impl HttpConnection {
    pub fn new(transport: Arc<dyn Transport>, peer: Peer, settings: Arc<ListenerSettings>) -> Self {
        HttpConnection {
            begun: transport.now(),
            transport,
            client_certificates: Box::default(),
            end: peer,
            peer,
            settings,
            buffer: ReadBuffer::default(),
            answered: 0,
        }
    }

    /// A trusted proxy is at its other end.
    pub fn is_by_proxy(&self) -> bool {
        self.settings.rules.proxies.contains(self.end)
    }

    /// A request that came over it, with all that is known of the client that sent it, who is the connection's
    /// [`peer`](Self::peer) from now on.
    pub fn identify(&mut self, request: Request) -> Result<Request, Refusal> {
        let forwarded = forwarded::resolve(&request, self.end, &self.settings.rules.proxies)?;
        self.peer = forwarded.client;
        Ok(request
            .with_client_certificates(self.client_certificates.clone())
            .with_peer(forwarded.client)
            .with_forwarded(forwarded.secure, forwarded.host))
    }
}
