//! Sockets that the process was given as it started, by systemd or another supervisor (sd_listen_fds(3)): each is taken
//! once.

use std::error::Error;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::sockopt::socket_type;
use rustix::net::{AddressFamily, SocketType, getsockname};

use super::listener::{Listener, ListeningSocket};
use super::unix_socket::BoundUnix;
use crate::lock::{INHERITED, Mutex, lock};

/// More are taken for a mistake: memory is taken by this number.
const MOST: u32 = 1024;
/// The first of them.
const FIRST: u32 = 3;

/// Sockets that no listener has taken; `None` until the first listener asks.
static LEFT: Mutex<Option<Vec<InheritedSocket>>, INHERITED> = Mutex::new(None);

struct InheritedSocket {
    number: u32,
    name: String,
    fd: OwnedFd,
}

/// Takes those of this name, or all that are left; none where one of them is no listener.
pub(crate) fn take(name: Option<&str>) -> io::Result<Vec<Listener>> {
    let taken = take_checked(name);
    taken.map_err(|why| io::Error::new(why.kind(), why))
}

fn take_checked(name: Option<&str>) -> Result<Vec<Listener>, NotInherited> {
    let mut left = lock(&LEFT);
    let sockets = match &mut *left {
        Some(sockets) => sockets,
        none => none.insert(receive()?),
    };
    if sockets.is_empty() {
        return Err(NotInherited::Taken);
    }
    let is_meant = |socket: &InheritedSocket| name.is_none_or(|name| socket.name == name);
    let mut families = Vec::new();
    for socket in sockets.iter().filter(|socket| is_meant(socket)) {
        families.push(socket.family()?);
    }
    if families.is_empty() {
        return Err(NotInherited::Name {
            name: name.unwrap_or_default().to_owned(),
            names: sockets.iter().map(|socket| socket.name.clone()).collect(),
        });
    }
    let (meant, others) = sockets.drain(..).partition(is_meant);
    *sockets = others;
    let meant: Vec<InheritedSocket> = meant;
    let pairs = meant.into_iter().zip(families);
    let listeners = pairs.map(|(socket, family)| {
        Listener::inherited(match family {
            Family::Tcp => ListeningSocket::Tcp(socket.fd.into()),
            Family::Unix => ListeningSocket::Unix(BoundUnix::inherited(socket.fd.into())),
        })
    });
    Ok(listeners.collect())
}

enum Family {
    Tcp,
    Unix,
}

impl InheritedSocket {
    fn family(&self) -> Result<Family, NotInherited> {
        let wrong = |problem| NotInherited::Kind {
            number: self.number,
            name: self.name.clone(),
            problem,
        };
        match socket_type(&self.fd) {
            Err(Errno::NOTSOCK) => return Err(wrong(WrongKind::NoSocket)),
            Err(error) => return Err(NotInherited::System(error.into())),
            Ok(SocketType::STREAM) => {}
            Ok(_) => return Err(wrong(WrongKind::NoStream)),
        }
        if !may_listen(&self.fd) {
            return Err(wrong(WrongKind::Connection));
        }
        let address = getsockname(&self.fd).map_err(|error| NotInherited::System(error.into()))?;
        match address.address_family() {
            AddressFamily::INET | AddressFamily::INET6 => Ok(Family::Tcp),
            AddressFamily::UNIX => Ok(Family::Unix),
            _ => Err(wrong(WrongKind::Family)),
        }
    }
}

/// Where the system does not tell, accept(2) does.
#[cfg(not(target_vendor = "apple"))]
fn may_listen(socket: &OwnedFd) -> bool {
    rustix::net::sockopt::socket_acceptconn(socket) != Ok(false)
}

/// Apple's systems have the option's name alone.
#[cfg(target_vendor = "apple")]
fn may_listen(_: &OwnedFd) -> bool {
    true
}

/// All that the process was given.
fn receive() -> Result<Vec<InheritedSocket>, NotInherited> {
    let Some(count) = variable("LISTEN_FDS")? else {
        return Err(NotInherited::Absent);
    };
    let process = variable("LISTEN_PID")?.ok_or(NotInherited::Absent)?;
    if process != std::process::id() {
        return Err(NotInherited::OfAnother { process });
    }
    if count > MOST {
        return Err(NotInherited::Malformed("LISTEN_FDS"));
    }
    let malformed = |_| NotInherited::Malformed("LISTEN_FDS");
    let received = sd_listen_fds::get().map_err(malformed)?;
    let numbered = (FIRST..).zip(received);
    let sockets: Vec<InheritedSocket> = numbered
        .map(|(number, (name, fd))| InheritedSocket {
            number,
            name: name.unwrap_or_default(),
            fd: fd.into_std(),
        })
        .collect();
    let is_open =
        |socket: &InheritedSocket| fcntl_setfd(socket.fd.as_fd(), FdFlags::CLOEXEC).is_ok();
    if sockets.iter().filter(|socket| is_open(socket)).count() < count as usize {
        // The numbers may be those of other files: nothing is closed.
        sockets
            .into_iter()
            .for_each(|socket| _ = socket.fd.into_raw_fd());
        return Err(NotInherited::Malformed("LISTEN_FDS"));
    }
    Ok(sockets)
}

/// A number in the environment.
fn variable(name: &'static str) -> Result<Option<u32>, NotInherited> {
    let Some(value) = std::env::var_os(name) else {
        return Ok(None);
    };
    let number = value.to_str().and_then(|value| value.parse().ok());
    number.map(Some).ok_or(NotInherited::Malformed(name))
}

/// Why there is no listener.
#[derive(Debug)]
enum NotInherited {
    /// The process was given nothing.
    Absent,
    /// It was, and it is all taken.
    Taken,
    /// They are for another process.
    OfAnother {
        process: u32,
    },
    /// What a variable says cannot be.
    Malformed(&'static str),
    Name {
        name: String,
        names: Vec<String>,
    },
    Kind {
        number: u32,
        name: String,
        problem: WrongKind,
    },
    System(io::Error),
}

#[derive(Debug)]
enum WrongKind {
    NoSocket,
    NoStream,
    Connection,
    Family,
}

impl NotInherited {
    fn kind(&self) -> io::ErrorKind {
        match self {
            NotInherited::Absent
            | NotInherited::Taken
            | NotInherited::OfAnother { .. }
            | NotInherited::Name { .. } => io::ErrorKind::NotFound,
            NotInherited::Malformed(_) | NotInherited::Kind { .. } => io::ErrorKind::InvalidInput,
            NotInherited::System(error) => error.kind(),
        }
    }
}

impl fmt::Display for NotInherited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no socket is inherited: ")?;
        match self {
            NotInherited::Absent => f.write_str(
                "LISTEN_FDS and LISTEN_PID are not set; start the program by a socket unit of systemd, or by \
                 systemd-socket-activate --listen=9001 PROGRAM, or call listen(addr)",
            ),
            NotInherited::Taken => {
                f.write_str("all that the process was given are taken; each can be taken once")
            }
            NotInherited::OfAnother { process } => write!(
                f,
                "they are for process {process}, and this is {}; start the program itself, in a shell script by exec",
                std::process::id()
            ),
            NotInherited::Malformed(name) => write!(
                f,
                "{name} in the environment does not say how it is; leave it to systemd to set it"
            ),
            NotInherited::Name { name, names } => write!(
                f,
                "none is named {name:?}, of {names:?}; set FileDescriptorName= in the socket unit"
            ),
            NotInherited::Kind {
                number,
                name,
                problem,
            } => {
                write!(f, "descriptor {number}, {name:?}, ")?;
                f.write_str(match problem {
                    WrongKind::NoSocket => {
                        "is no socket; in the socket unit write ListenStream=, or take the others by their name"
                    }
                    WrongKind::NoStream => {
                        "is of another type; in the socket unit write ListenStream=, or take the others by their name"
                    }
                    WrongKind::Connection => {
                        "does not listen, it is a connection; in the socket unit write Accept=no"
                    }
                    WrongKind::Family => {
                        "is of another family; in the socket unit give ListenStream= an address, a port or a path"
                    }
                })
            }
            NotInherited::System(error) => error.fmt(f),
        }
    }
}

impl Error for NotInherited {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            NotInherited::System(error) => Some(error),
            _ => None,
        }
    }
}
