//! A socket that a server listens on, of any family.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rustix::net::sockopt::ipv6_v6only;

use super::capacity::BACKLOG;
#[cfg(unix)]
use super::unix_socket::BoundUnix;
use crate::http::Peer;
use crate::poller::Source;
use crate::transport::{TcpTransport, Transport};

pub(crate) struct Listener {
    socket: ListeningSocket,
    /// Other processes have it, too, and it goes on when it is closed here.
    is_inherited: bool,
}

pub(crate) enum ListeningSocket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(BoundUnix),
}

/// A stream that came in.
pub(crate) struct Arrival {
    pub peer: Peer,
    /// An error where the peer has left already.
    pub transport: io::Result<Arc<dyn Transport>>,
}

impl Listener {
    #[cfg(unix)]
    pub fn inherited(socket: ListeningSocket) -> Self {
        Listener {
            socket,
            is_inherited: true,
        }
    }

    pub fn is_inherited(&self) -> bool {
        self.is_inherited
    }

    /// The next stream that waits.
    pub fn accept(&self) -> io::Result<Arrival> {
        match &self.socket {
            ListeningSocket::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                let transport = TcpTransport::new(stream);
                Ok(Arrival {
                    peer: peer.into(),
                    transport: transport.map(|it| Arc::new(it) as Arc<dyn Transport>),
                })
            }
            #[cfg(unix)]
            ListeningSocket::Unix(bound) => Ok(Arrival {
                peer: Peer::Unix,
                transport: Ok(Arc::new(bound.accept()?)),
            }),
        }
    }

    pub fn source(&self) -> Source<'_> {
        match &self.socket {
            ListeningSocket::Tcp(listener) => listener.into(),
            #[cfg(unix)]
            ListeningSocket::Unix(bound) => bound.source(),
        }
    }

    /// Its address, where the family has such.
    pub fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        match &self.socket {
            ListeningSocket::Tcp(listener) => listener.local_addr().map(Some),
            #[cfg(unix)]
            ListeningSocket::Unix(_) => Ok(None),
        }
    }

    /// IPv4 does not get to it. Where it cannot be told, IPv4 is taken to lead elsewhere.
    pub fn is_v6_only(&self) -> bool {
        match &self.socket {
            ListeningSocket::Tcp(listener) => ipv6_v6only(listener).unwrap_or(true),
            #[cfg(unix)]
            ListeningSocket::Unix(_) => false,
        }
    }

    /// Makes its accepts wait for nothing. The queue of one that is inherited is as long as the giver has said; std
    /// listens with a backlog of 128, and a second listen(2) only changes that.
    pub fn prepare(&self) -> io::Result<()> {
        match &self.socket {
            ListeningSocket::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                if !self.is_inherited {
                    rustix::net::listen(listener, BACKLOG)?;
                }
            }
            #[cfg(unix)]
            ListeningSocket::Unix(bound) => bound.prepare()?,
        }
        Ok(())
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        ListeningSocket::Tcp(listener).into()
    }
}

impl From<ListeningSocket> for Listener {
    fn from(socket: ListeningSocket) -> Self {
        Listener {
            socket,
            is_inherited: false,
        }
    }
}
