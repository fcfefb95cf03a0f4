//! The sockets that a server listens on, and what applies to the streams of each.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::listener::Listener;
use crate::handshake::rules::{OwnLoopback, Rules};
use crate::tls::Tls;

/// A socket that a server will listen on.
pub(crate) struct Listening {
    pub listener: Listener,
    /// `None`: a socket whose family has no IP addresses.
    pub addr: Option<SocketAddr>,
    /// An IPv6 socket that takes no connections of IPv4.
    v6_only: bool,
    /// The certificate of this listener, in place of the server's.
    tls: Option<Tls>,
}

impl Listening {
    pub fn new(listener: Listener, tls: Option<Tls>) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        listener.prepare()?;
        Ok(Listening {
            v6_only: addr.is_some_and(|addr| addr.is_ipv6()) && listener.is_v6_only(),
            listener,
            addr,
            tls,
        })
    }

    fn own_loopback(&self) -> Option<OwnLoopback> {
        self.addr.map(|addr| OwnLoopback::of(addr, self.v6_only))
    }
}

/// What applies to the streams of one listener: rules and TLS.
#[derive(Clone, Default)]
pub(crate) struct ListenerSettings {
    pub rules: Rules,
    pub tls: Option<Tls>,
}

impl ListenerSettings {
    /// Of a server that listens nowhere.
    pub fn in_memory(mut self) -> Arc<Self> {
        self.rules.loopback = true;
        Arc::new(self)
    }

    /// The same for one listener. A page of `localhost` may have come from any of the others.
    pub fn at(&self, own: &Listening, all: &[Listening]) -> Arc<Self> {
        let ListenerSettings { mut rules, tls } = self.clone();
        // No browser comes by a Unix socket, but through a proxy: whatever is local by its form is this server's there.
        rules.loopback = (own.addr).is_some_and(|addr| addr.ip().to_canonical().is_loopback());
        rules.own_loopback = own.own_loopback().map(|own| {
            let all = all.iter().filter_map(Listening::own_loopback);
            all.fold(own, OwnLoopback::and)
        });
        let tls = own.tls.clone().or(tls);
        Arc::new(ListenerSettings { rules, tls })
    }

    /// What a connection takes beside its thread and its messages.
    pub fn memory_per_connection(&self) -> usize {
        let tls = self.tls.as_ref().map_or(0, Tls::memory_per_connection);
        let compression = self.rules.compression.as_ref();
        tls + compression.map_or(0, |own| own.memory_per_connection())
    }
}
