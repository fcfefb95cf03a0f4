//! Unix domain sockets: streams between programs of one machine, and what their addresses are.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect};

use super::socket::socket_methods;
use super::{How, Transport};
use crate::http::Peer;

/// What can be bound and connected to.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum UnixAddress {
    File(PathBuf),
    /// A name without a file, on Linux alone.
    Abstract(Vec<u8>),
}

impl UnixAddress {
    /// As systemd and others write it: what begins with `@` is abstract.
    pub fn new(text: &OsStr) -> Self {
        match text.as_bytes().strip_prefix(b"@") {
            Some(name) => UnixAddress::Abstract(name.to_owned()),
            None => UnixAddress::File(PathBuf::from(text)),
        }
    }

    pub fn file(&self) -> Option<&Path> {
        match self {
            UnixAddress::File(path) => Some(path),
            UnixAddress::Abstract(_) => None,
        }
    }

    /// As the system is given it.
    pub fn encode(&self) -> io::Result<SocketAddrUnix> {
        Ok(match self {
            UnixAddress::File(path) => SocketAddrUnix::new(path)?,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            UnixAddress::Abstract(name) => SocketAddrUnix::new_abstract_name(name)?,
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            UnixAddress::Abstract(_) => return Err(Errno::AFNOSUPPORT.into()),
        })
    }

    /// A stream that leads there; waits no longer than `time` for a listener that is busy.
    pub fn connect(&self, time: Duration) -> io::Result<UnixStream> {
        let address = self.encode()?;
        let socket = new_socket()?;
        // Where its queue is full, Linux waits as for a write.
        set_socket_timeout(&socket, Timeout::Send, Some(time.max(SHORTEST)))?;
        loop {
            match connect(&socket, &address) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
                done => break done?,
            }
        }
        set_socket_timeout(&socket, Timeout::Send, None)?;
        Ok(socket.into())
    }
}

/// What the system takes for no timeout at all is shorter.
const SHORTEST: Duration = Duration::from_millis(1);

impl fmt::Debug for UnixAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for UnixAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnixAddress::File(path) => write!(f, "{}", path.display()),
            UnixAddress::Abstract(name) => write!(f, "@{}", name.escape_ascii()),
        }
    }
}

/// Closed where another program is executed.
pub(crate) fn new_socket() -> io::Result<OwnedFd> {
    #[cfg(not(target_vendor = "apple"))]
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?;
    #[cfg(target_vendor = "apple")]
    let socket = {
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        rustix::net::sockopt::set_socket_nosigpipe(&socket, true)?;
        socket
    };
    Ok(socket)
}

/// Leaves the socket's timeouts and its blocking mode as they are, and does not depend on them. The peer is
/// [`Peer::Unix`]. What was written is the peer's at once, also before [`How::Reset`].
impl Transport for UnixStream {
    socket_methods!();

    fn shutdown(&self, how: How) {
        let _ = UnixStream::shutdown(self, how.directions());
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn peer(&self) -> Peer {
        Peer::Unix
    }
}
