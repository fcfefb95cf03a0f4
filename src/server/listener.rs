//! A socket that a server listens on, of any family.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

#[cfg(unix)]
use super::unix_socket::BoundUnix;
use crate::http::Peer;
use crate::poller::Source;
use crate::transport::{TcpTransport, Transport};

pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(BoundUnix),
}

/// Who came in.
pub(crate) struct Arrival {
    pub peer: Peer,
    /// An error where the peer has left already.
    pub transport: io::Result<Arc<dyn Transport>>,
}

impl Listener {
    /// The next one who waits.
    pub fn accept(&self) -> io::Result<Arrival> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                let transport = TcpTransport::new(stream);
                Ok(Arrival {
                    peer: peer.into(),
                    transport: transport.map(|it| Arc::new(it) as Arc<dyn Transport>),
                })
            }
            #[cfg(unix)]
            Listener::Unix(bound) => Ok(Arrival {
                peer: Peer::Unix,
                transport: Ok(Arc::new(bound.accept()?)),
            }),
        }
    }

    pub fn source(&self) -> Source<'_> {
        match self {
            Listener::Tcp(listener) => listener.into(),
            #[cfg(unix)]
            Listener::Unix(bound) => bound.source(),
        }
    }

    /// Its address, where the family has such.
    pub fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().map(Some),
            #[cfg(unix)]
            Listener::Unix(_) => Ok(None),
        }
    }

    /// Makes its accepts wait for nothing, with so long a queue.
    pub fn prepare(&self, backlog: i32) -> io::Result<()> {
        match self {
            Listener::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                // std listens with a backlog of 128; a second listen(2) only changes that.
                rustix::net::listen(listener, backlog)?;
            }
            #[cfg(unix)]
            Listener::Unix(bound) => bound.prepare(backlog)?,
        }
        Ok(())
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Listener::Tcp(listener)
    }
}
