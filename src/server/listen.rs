//! The socket that a server listens on, and the words for why there is none.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{TcpListener, ToSocketAddrs};

/// Where nobody can listen, why, and what to do.
#[derive(Debug)]
struct NotBound {
    addr: String,
    error: io::Error,
}

pub(crate) fn bind(addr: impl ToSocketAddrs + fmt::Debug) -> io::Result<TcpListener> {
    let name = format!("{addr:?}");
    TcpListener::bind(addr).map_err(|error| {
        let kind = error.kind();
        // Text is shown as it was written.
        let addr = name.trim_matches('"').to_owned();
        io::Error::new(kind, NotBound { addr, error })
    })
}

impl fmt::Display for NotBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotBound { addr, error } = self;
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
            _ => error.fmt(f),
        }
    }
}

impl Error for NotBound {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
