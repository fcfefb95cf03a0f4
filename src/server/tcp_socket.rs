//! Where a server listens on TCP: which addresses of a name, and the text where it cannot.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use rustix::io::Errno;

/// How often a free port is asked for that is free on both loopbacks.
const TRIES: usize = 16;

/// Listens on an address. Of a name's addresses it takes the first that is this machine's, as std does. Where they are
/// loopbacks it takes all of them, because a browser that is given `localhost` may connect to either.
pub(crate) fn bind(addr: impl ToSocketAddrs + fmt::Debug) -> io::Result<Vec<TcpListener>> {
    let name = format!("{addr:?}");
    let found = addr.to_socket_addrs();
    let looked_up = found.is_ok();
    let bound = found.and_then(|found| {
        let mut addrs: Vec<SocketAddr> = Vec::new();
        found.for_each(|it| {
            if !addrs.contains(&it) {
                addrs.push(it);
            }
        });
        match addrs.len() > 1 && addrs.iter().all(|it| it.ip().is_loopback()) {
            true => bind_loopbacks(&addrs),
            false => TcpListener::bind(&addrs[..]).map(|listener| vec![listener]),
        }
    });
    bound.map_err(|error| {
        let kind = error.kind();
        // Text is shown as it was written.
        let addr = name.trim_matches('"').to_owned();
        let why = NotBound {
            addr,
            looked_up,
            error,
        };
        io::Error::new(kind, why)
    })
}

fn bind_loopbacks(addrs: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let mut tries = 0;
    loop {
        tries += 1;
        match bind_each(addrs) {
            // The free port of the one is taken on the other.
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse
                    && addrs.iter().all(|addr| addr.port() == 0)
                    && tries < TRIES => {}
            bound => return bound,
        }
    }
}

/// All on one port. What this machine does not have, IPv6 for one, is left out as long as something is left.
fn bind_each(addrs: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let (mut listeners, mut port, mut missing) = (Vec::new(), None, None);
    for &addr in addrs {
        let addr = SocketAddr::new(addr.ip(), port.unwrap_or(addr.port()));
        match TcpListener::bind(addr) {
            Ok(listener) => {
                port = Some(listener.local_addr()?.port());
                listeners.push(listener);
            }
            Err(error) if is_missing(&error) => missing = Some(error),
            Err(error) => return Err(error),
        }
    }
    match missing {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

fn is_missing(error: &io::Error) -> bool {
    let unsupported = Errno::AFNOSUPPORT.raw_os_error();
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(unsupported)
}

/// Where a server cannot listen, why, and what to do.
#[derive(Debug)]
struct NotBound {
    addr: String,
    /// The name was found, or none had to be looked up.
    looked_up: bool,
    error: io::Error,
}

impl fmt::Display for NotBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotBound {
            addr,
            looked_up,
            error,
        } = self;
        write!(f, "cannot listen on {addr}: ")?;
        match error.kind() {
            io::ErrorKind::AddrInUse => f.write_str(
                "the port is taken by another program; stop that one, or give another address, \
                 127.0.0.1:0 for any free port",
            ),
            io::ErrorKind::AddrNotAvailable => f.write_str(
                "this machine has no such address; give one of its own, 127.0.0.1 for programs on \
                 this machine, or 0.0.0.0 for everybody in its networks",
            ),
            io::ErrorKind::PermissionDenied => {
                write!(f, "{error}; ports below 1024 are for root, try 9001")
            }
            io::ErrorKind::InvalidInput => {
                write!(
                    f,
                    "{error}; give an address and a port, as in 127.0.0.1:9001"
                )
            }
            _ if *looked_up => error.fmt(f),
            _ => write!(
                f,
                "{error}; give an address of this machine and a port, as in 127.0.0.1:9001, without ws:// before it"
            ),
        }
    }
}

impl Error for NotBound {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
